"""The samples of a sealed package: the records of evidence, in a file beside the package.

The package then holds `evidence/samples.json`: size and sha256 of that file, and each record without its samples.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError

from edge_ptf.config import StrictModel
from edge_ptf.digests import canonical_json, file_digest
from edge_ptf.errors import PackageError, VerificationError
from edge_ptf.package import archive
from edge_ptf.package.archive import Archive

EVIDENCE = "evidence/"
ENTRY = f"{EVIDENCE}samples.json"
SUFFIX = ".samples.zip"
IN_FOLDER = f"{EVIDENCE}samples.zip"
"""Where the file lies in an unpacked package."""
BULKY = ("rows", "class_report", "word_report", "launches", "environment")
"""The fields of a record that grow with the number of examples or calls."""
ENTRY_LIMIT = 16 << 20


class SamplesEntry(StrictModel):
    """Content of `evidence/samples.json`."""

    size: int = Field(ge=0, description="Bytes of the file with the samples.")
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$", description="Of that file.")
    records: dict[str, dict[str, Any]] = Field(description="Each record by its name, without its samples.")


class MissingSamplesError(PackageError):
    """The file with the samples is not beside the package; the package itself is whole."""


def samples_file(package: Path) -> Path:
    """Where the samples of a package lie: NAME.samples.zip beside NAME.eptf; inside an unpacked directory."""
    return package / IN_FOLDER if package.is_dir() else package.with_name(f"{package.stem}{SUFFIX}")


def write_samples(file: Path, records: Mapping[str, Any]) -> SamplesEntry:
    """Writes the records, JSON by name, and returns what the package says about the file."""
    file.parent.mkdir(parents=True, exist_ok=True)
    archive.write(file, [(name, canonical_json(record), False) for name, record in sorted(records.items())])
    without = {
        name: {field: value for field, value in record.items() if field not in BULKY}
        for name, record in records.items()
    }
    return SamplesEntry(size=file.stat().st_size, sha256=file_digest(file), records=without)


def samples_of(package: Path, reader: Archive) -> tuple[Path, SamplesEntry] | None:
    """Where the samples of a package must lie, and what the package says about them; None: they are inside, or none.

    Raises:
        PackageError: the entry of the package is damaged.
    """
    if ENTRY not in reader.sizes:
        return None
    try:
        entry = SamplesEntry.model_validate(json.loads(reader.read(ENTRY, limit=ENTRY_LIMIT)))
    except (ValidationError, ValueError, RecursionError):
        raise PackageError(f"{package}: damaged evidence ({ENTRY})") from None
    return samples_file(package), entry


def checked_samples(package: Path, file: Path, entry: SamplesEntry) -> Archive:
    """The file with the samples, compared with what the package says about it.

    Raises:
        MissingSamplesError: it is not there.
        VerificationError: it is another file.
    """
    if not file.is_file():
        raise MissingSamplesError(
            f"{package}: its samples are not here ({file} is missing)",
            hint="Keep that file beside the package; `edge-ptf seal --with-samples` puts the samples inside",
        )
    if file.stat().st_size != entry.size or file_digest(file) != entry.sha256:
        raise VerificationError(
            f"{file}: not the samples that {package} was sealed with (size or sha256 differs)",
            hint="Bring the file that was written with the package",
        )
    return Archive(file)


def record_names(reader: Archive) -> list[str]:
    """The names of the records in a package or in a file with samples, in the order they were sealed in."""
    found = (name for name in reader.sizes if name.startswith(EVIDENCE) and name.endswith(".json") and name != ENTRY)
    return sorted(found, key=_place)


def _place(name: str) -> tuple[str, int]:
    """Where a record stands among the others: as they were sealed, kind by kind."""
    stem, _, number = name.removesuffix(".json").rpartition("-")
    return (stem, int(number)) if number.isdecimal() else (name.removesuffix(".json"), 1)
