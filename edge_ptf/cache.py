"""Run a stage once: the same inputs, options and tools find the earlier result instead of doing the work again.

A stage works in `<folder>.partial`; its result appears by rename, with its key in `.stage.json`. A kill at any moment
leaves either nothing, or a partial folder that the next run resumes, or the whole result. `.stage.json` also holds the
sha256 of each file. They are compared before a result is used again; a result that changed is made again.
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

from edge_ptf.credentials import masked_values
from edge_ptf.digests import changed_file, file_digests, value_digest
from edge_ptf.errors import BadInputError, EnvironmentFault
from edge_ptf.progress import SILENT, Progress, say

KEY_FILE = ".stage.json"
KEPT_IN_PARTIAL = ".training"
"""What a killed stage may leave for its next run; everything else in a partial folder is cleared."""
WORK_FILE = ".work.json"
"""In a partial folder: the seconds that earlier runs worked on it, and when this run began."""
OWNER_FILE = ".key"
"""In a partial folder: the key of the stage that works there."""

OWN_FILES = (KEY_FILE, f"{KEY_FILE}.draft", WORK_FILE, OWNER_FILE)
KEPT = "what was finished is kept and will be reused"
FULL, CLOSED, NO_PLACE = (
    "Free some space or choose another --out",
    "Choose an --out that you may write to, or change the permissions",
    "Choose an --out in a folder that can hold files",
)
ADVICE = {
    errno.ENOSPC: FULL,
    errno.EDQUOT: FULL,
    errno.EFBIG: FULL,
    errno.EACCES: CLOSED,
    errno.EPERM: CLOSED,
    errno.EROFS: "The disk is read-only: choose an --out on another",
    errno.ENOENT: NO_PLACE,
    errno.ENOTDIR: NO_PLACE,
    errno.EISDIR: NO_PLACE,
    errno.EEXIST: NO_PLACE,
    errno.ENAMETOOLONG: "Choose an --out with a shorter name",
    errno.EMFILE: "Allow more open files (ulimit -n)",
    errno.ENFILE: "Close programs that hold many files open",
    errno.EIO: "The disk fails: check it, or choose an --out on another",
}
"""What to do about an error of the system, by its number."""
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
    progress: Progress = SILENT,
) -> Outcome[Artifact]:
    """The artifact in `folder`, made by `produce` unless it is there already with the same key and as it was made.

    Args:
        produce: does the work in the folder it is given.
        load: opens the finished folder.
        reusable: False for a result that may be kept but must not be used again, such as an invalid measurement.
        overwrite: replace a result that was made from other inputs.
        wait: for another process that works in the folder, instead of refusing.
        progress: reports a result that is made again because a file of it is damaged.

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
            if found and not _damaged(folder, progress):
                artifact = load(folder)
                if reusable(artifact):
                    log.info("%s: reused %s", key.stage, folder)
                    return Outcome(artifact, key.stage, digest, folder, True, time.monotonic() - started, _work(folder))
            elif not found and folder.exists() and any(folder.iterdir()) and not overwrite:
                raise BadInputError(
                    f"{folder} already holds {'another result' if (folder / KEY_FILE).exists() else 'other files'}",
                    hint="Choose another --out, or --overwrite to replace it",
                )
            if not _found(partial, digest) or _damaged(partial, progress):
                before = _prepare(partial, digest)
                begun = time.monotonic()
                produce(partial)
                work = before + time.monotonic() - begun
                (partial / WORK_FILE).unlink(missing_ok=True)
                files = file_digests(partial, OWN_FILES)
                _sign(
                    partial, {"key": digest, "seconds": round(work, 2), **masked_values(key.document()), "files": files}
                )
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
    """The one-line form of a failing disk, with advice that fits: full, read-only, no permission, no such place."""
    place = error.filename or folder
    advice = ADVICE.get(error.errno or 0, "Check the disk, or choose another --out")
    return EnvironmentFault(f"{place}: {error.strerror or error}", hint=f"{advice}; {KEPT}")


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
        return run(
            key,
            folder,
            produce,
            load,
            reusable=reusable,
            overwrite=self.overwrite,
            wait=self.wait,
            progress=self.progress,
        )


def _found(folder: Path, digest: str) -> bool:
    try:
        return bool(json.loads((folder / KEY_FILE).read_text(encoding="utf-8"))["key"] == digest)
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _damaged(folder: Path, progress: Progress) -> bool:
    """Whether a file of a finished result is gone or is not as the stage wrote it; this is said."""
    files = json.loads((folder / KEY_FILE).read_text(encoding="utf-8")).get("files")
    known = isinstance(files, dict) and all(isinstance(digest, str) for digest in files.values())
    name = changed_file(folder, files) if known else KEY_FILE
    if name:
        say(progress, f"{folder / name}: damaged, not as the stage wrote it; the stage is made again")
    return bool(name)


def _work(folder: Path) -> float:
    return float(json.loads((folder / KEY_FILE).read_text(encoding="utf-8")).get("seconds", 0.0))


def _prepare(partial: Path, digest: str) -> float:
    """An empty partial folder, but for the training state of an earlier run with the same key.

    Returns:
        The seconds that earlier runs worked on what is kept.
    """
    owner = partial / OWNER_FILE
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
