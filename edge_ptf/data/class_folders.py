"""A folder for each class, with a text file for each text: `train/<label>/*.txt`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from edge_ptf.data.columns import Columns
from edge_ptf.data.lines import PLAIN, FileFormat, file_lines
from edge_ptf.data.rows import Findings, Row
from edge_ptf.errors import DataError

SUFFIX = ".txt"


def class_folders(folder: Path) -> list[Path]:
    """The folders directly in `folder` that hold text files, in the order of their names; hidden ones are left out."""
    found = (path for path in sorted(folder.iterdir()) if path.is_dir() and not path.name.startswith("."))
    return [path for path in found if any(_texts(path))]


def read_class_folders(folder: Path, columns: Columns, findings: Findings, form: FileFormat = PLAIN) -> Iterator[Row]:
    """One row for each text file. Its label is the name of its folder, and its text is the whole file.

    Raises:
        DataError: the task needs more than a text and a label, or a file cannot be read with the encoding of `form`.
    """
    if set(columns.required) != {"text", "label"}:
        raise DataError(
            f"{folder}: a folder for each class gives one label to each text, but {columns.task} needs "
            f"{', '.join(columns.required)}",
            hint="Write one file such as train.jsonl with these columns",
        )
    other = 0
    for place in class_folders(folder):
        texts = _texts(place)
        other += sum(not path.name.startswith(".") for path in place.iterdir()) - len(texts)
        for path in texts:
            text = "".join(file_lines(path, form.encoding)).strip()
            yield Row(str(path), (1,), {"text": text, "label": place.name})
    if other:
        findings.note(f"Files and folders beside the {SUFFIX} files of {folder.name}, not read: {other}.")


def _texts(folder: Path) -> list[Path]:
    """The text files of one class, in the order of their names."""
    return [
        path
        for path in sorted(folder.iterdir())
        if path.suffix.lower() == SUFFIX and path.is_file() and not path.name.startswith(".")
    ]
