"""Run a stage once: the same inputs, options and tools find the earlier result instead of doing the work again.

A stage works in `<folder>.partial`; its result appears by rename, with its key in `.stage.json`. A kill at any moment
leaves either nothing, or a partial folder that the next run resumes, or the whole result.
"""

from __future__ import annotations

import errno
import json
import logging
import os
import re
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any, Generic, TypeVar

from filelock import FileLock, Timeout

from edge_ptf.digests import value_digest
from edge_ptf.errors import BadInputError, EnvironmentFault
from edge_ptf.progress import SILENT, Progress

KEY_FILE = ".stage.json"
KEPT_IN_PARTIAL = ".training"
"""What a killed stage may leave for its next run; everything else in a partial folder is cleared."""
WORK_FILE = ".work.json"
"""In a partial folder: the seconds that earlier runs worked on it, and when this run began."""

TORCH_STREAMS = ("PytorchStreamWriter", "inline_container", "iostream error")
"""What torch's messages hold when a write fails."""

Artifact = TypeVar("Artifact")
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Key:
    """Everything a stage's result depends on.

    `parts` is plain JSON: options, digests of the inputs, threads, device and precision where they matter.
    `libraries` names the installed packages that do the work; their versions become part of the key.
    """

    stage: str
    version: int
    parts: Mapping[str, Any]
    libraries: tuple[str, ...] = ()

    def document(self) -> dict[str, Any]:
        """The whole of what is hashed."""
        versions = {name: metadata.version(name) for name in self.libraries}
        return {"stage": self.stage, "version": self.version, "parts": dict(self.parts), "libraries": versions}

    def digest(self) -> str:
        """Full sha256 (hex)."""
        return value_digest(self.document())


@dataclass(frozen=True, slots=True)
class Outcome(Generic[Artifact]):
    """A stage's artifact, where it lies, and whether it was there already."""

    artifact: Artifact
    stage: str
    key: str
    folder: Path
    reused: bool
    seconds: float
    """Since it was asked for."""
    work: float = 0.0
    """Seconds that making it took, in all runs that worked on it; 0 for a result that does not say."""


def run(
    key: Key,
    folder: Path,
    produce: Callable[[Path], Artifact],
    load: Callable[[Path], Artifact],
    *,
    reusable: Callable[[Artifact], bool] = lambda _: True,
    overwrite: bool = False,
    wait: bool = False,
) -> Outcome[Artifact]:
    """The artifact in `folder`, made by `produce` unless it is there already with the same key.

    Args:
        produce: does the work in the folder it is given.
        load: opens the finished folder.
        reusable: False for a result that may be kept but must not be used again, such as an invalid measurement.
        overwrite: replace a result that was made from other inputs.
        wait: for another process that works in the folder, instead of refusing.

    Raises:
        BadInputError: the folder holds something else.
        EnvironmentFault: no permission, no space, or another process works here.
    """
    if folder.name in ("", ".."):
        raise BadInputError(
            f"{folder}: a result needs a folder of its own", hint="Give --out the name of a folder, such as out/student"
        )
    digest = key.digest()
    started = time.monotonic()
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        partial = folder.with_name(f"{folder.name}.partial")
        with FileLock(folder.with_name(f".{folder.name}.lock"), timeout=-1 if wait else 0):
            found = _found(folder, digest)
            if found:
                artifact = load(folder)
                if reusable(artifact):
                    log.info("%s: reused %s", key.stage, folder)
                    return Outcome(artifact, key.stage, digest, folder, True, time.monotonic() - started, _work(folder))
            elif folder.exists() and any(folder.iterdir()) and not overwrite:
                raise BadInputError(
                    f"{folder} already holds {'another result' if (folder / KEY_FILE).exists() else 'other files'}",
                    hint="Choose another --out, or --overwrite to replace it",
                )
            if not _found(partial, digest):
                before = _prepare(partial, digest)
                begun = time.monotonic()
                produce(partial)
                work = before + time.monotonic() - begun
                (partial / WORK_FILE).unlink(missing_ok=True)
                _sign(partial, {"key": digest, "seconds": round(work, 2), **key.document()})
            _replace(partial, folder)
            return Outcome(load(folder), key.stage, digest, folder, False, time.monotonic() - started, _work(folder))
    except Timeout:
        raise EnvironmentFault(
            f"{folder}: another edge-ptf process works here", hint="Wait for it, or choose another --out"
        ) from None
    except OSError as error:
        raise environment_fault(error, folder) from error
    except Exception as error:
        failing = _disk_error(error)
        if failing is None:
            raise
        raise environment_fault(failing, folder) from error


def _disk_error(error: Exception) -> OSError | None:
    """The failing disk behind an exception of a library that has a way of its own to report it.

    safetensors and tokenizers write "(os error 28)", torch names its stream writer or its C++ stream.
    """
    code = re.search(r"os error (\d+)", str(error))
    if code is None and not any(name in str(error) for name in TORCH_STREAMS):
        return None
    number = int(code.group(1)) if code else errno.ENOSPC
    return OSError(number, os.strerror(number))


def environment_fault(error: OSError, folder: Path) -> EnvironmentFault:
    """The one-line form of a failing disk: full, read-only, no permission."""
    place = error.filename or folder
    return EnvironmentFault(
        f"{place}: {error.strerror or error}",
        hint="Free some space or choose another --out; what was finished is kept and will be reused",
    )


@dataclass(frozen=True, slots=True)
class Place:
    """Where a stage's result goes, and what to do about an earlier one."""

    folder: Path
    progress: Progress = SILENT
    overwrite: bool = False
    keyed: bool = False
    """The result goes into a folder of its own below `folder`, named by stage and key: no result is replaced."""
    wait: bool = False
    """Another process that works on the same result is waited for; its result is then reused."""

    def run(
        self,
        key: Key,
        produce: Callable[[Path], Artifact],
        load: Callable[[Path], Artifact],
        reusable: Callable[[Artifact], bool] = lambda _: True,
    ) -> Outcome[Artifact]:
        """See `run`."""
        folder = self.folder / f"{key.stage}-{key.digest()[:16]}" if self.keyed else self.folder
        return run(key, folder, produce, load, reusable=reusable, overwrite=self.overwrite, wait=self.wait)


def _found(folder: Path, digest: str) -> bool:
    try:
        return bool(json.loads((folder / KEY_FILE).read_text(encoding="utf-8"))["key"] == digest)
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _work(folder: Path) -> float:
    return float(json.loads((folder / KEY_FILE).read_text(encoding="utf-8")).get("seconds", 0.0))


def _prepare(partial: Path, digest: str) -> float:
    """An empty partial folder, but for the training state of an earlier run with the same key.

    Returns:
        The seconds that earlier runs worked on what is kept.
    """
    owner = partial / ".key"
    same = owner.exists() and owner.read_text(encoding="utf-8") == digest
    before = _kept_work(partial) if same else 0.0
    if partial.exists():
        for child in partial.iterdir():
            if same and child.name in (KEPT_IN_PARTIAL, owner.name):
                continue
            shutil.rmtree(child) if child.is_dir() else child.unlink()
    partial.mkdir(exist_ok=True)
    owner.write_text(digest, encoding="utf-8")
    (partial / WORK_FILE).write_text(json.dumps({"before": before, "begun": time.time()}), encoding="utf-8")
    return before


def _kept_work(partial: Path) -> float:
    """What a killed run had worked until it last wrote something that is kept."""
    written = [path.stat().st_mtime for path in (partial / KEPT_IN_PARTIAL).rglob("*")]
    try:
        work = json.loads((partial / WORK_FILE).read_text(encoding="utf-8"))
        return float(work["before"]) + max(max(written) - float(work["begun"]), 0.0) if written else 0.0
    except (OSError, ValueError, KeyError, TypeError):
        return 0.0


def _sign(partial: Path, document: Mapping[str, Any]) -> None:
    """The last write: from here on the partial folder is a whole result."""
    draft = partial / f"{KEY_FILE}.draft"
    draft.write_text(json.dumps(document, indent=1), encoding="utf-8")
    draft.replace(partial / KEY_FILE)


def _replace(partial: Path, folder: Path) -> None:
    old = folder.with_name(f"{folder.name}.old")
    if folder.exists():
        shutil.rmtree(old, ignore_errors=True)
        folder.replace(old)
    partial.replace(folder)
    shutil.rmtree(old, ignore_errors=True)
