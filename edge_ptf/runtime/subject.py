"""What `predict` answers with: a package, the package of a run, or a checkpoint; each is known by its content."""

from __future__ import annotations

import json
from pathlib import Path

from edge_ptf.errors import BadInputError, PackageError
from edge_ptf.models.checkpoint import INFO_FILE, open_checkpoint
from edge_ptf.package.assembly import PAYLOAD_FILE
from edge_ptf.package.manifest import MANIFEST
from edge_ptf.package.payload import open_payload
from edge_ptf.runtime.checkpoint import CheckpointRunner
from edge_ptf.runtime.runner import Runner

RUN_RECORD, RUN_STAGES = "run.json", "stages"
CONFIG_FILE = "config.json"
"""A checkpoint of edge-ptf has it, and a fine-tuned model of transformers."""
ALLOWED = "Give a package (.eptf file or its directory), the --out directory of a finished compress, or a checkpoint"
LOOKS_LIKE = {
    RUN_STAGES: "a run that has not finished; run compress again, it resumes",
    "graph.json": "an ONNX graph; `edge-ptf assemble` makes a package of it",
}
"""What a directory with this entry is, the first that fits."""


FILES = {".onnx": "an ONNX graph", ".safetensors": "the weights of a model", ".json": "JSON", ".txt": "text"}
"""What a file that is no package is, by its ending."""
ZIP_START = b"PK\x03\x04"


def open_subject(path: Path, threads: int = 1) -> Runner | CheckpointRunner:
    """Opens what answers at a path.

    Args:
        threads: of one inference.

    Raises:
        BadInputError: it is neither a package, nor a finished run, nor a checkpoint; says what it looks like.
        PackageError, CheckpointError: it is one, and it is damaged.
    """
    if not path.exists():
        raise BadInputError(f"{path}: does not exist", hint=ALLOWED)
    if path.is_file() and not _is_zip(path):
        kind = FILES.get(path.suffix, "another file")
        raise BadInputError(f"{path}: not a package; it looks like {kind}", hint=ALLOWED)
    if path.is_file() or (path / MANIFEST).exists():
        return Runner(open_payload(path), threads)
    if (package := package_of(path)) is not None:
        return Runner(open_payload(package), threads)
    if (path / INFO_FILE).is_file() or (path / CONFIG_FILE).is_file():
        return CheckpointRunner(open_checkpoint(path), threads)
    kind = next((said for name, said in LOOKS_LIKE.items() if (path / name).exists()), "another directory")
    raise BadInputError(f"{path}: not a package and not a checkpoint; it looks like {kind}", hint=ALLOWED)


def _is_zip(file: Path) -> bool:
    try:
        with file.open("rb") as stream:
            return stream.read(len(ZIP_START)) == ZIP_START
    except OSError:
        return True  # opening it as a package says why


def package_of(folder: Path) -> Path | None:
    """The package of a folder that `compress` or `assemble` wrote; None: it is no such folder.

    Raises:
        PackageError: the record of the run is damaged.
    """
    if (folder / RUN_RECORD).is_file():
        try:
            name = json.loads((folder / RUN_RECORD).read_text(encoding="utf-8"))["package"]
        except (ValueError, KeyError, TypeError, RecursionError):
            raise PackageError(
                f"{folder / RUN_RECORD}: damaged", hint="Run compress again; it reuses finished stages"
            ) from None
        return folder / Path(str(name)).name
    return folder / PAYLOAD_FILE if (folder / PAYLOAD_FILE).is_file() else None
