"""Excel workbooks (.xlsx), by openpyxl, which is an extra."""

from __future__ import annotations

import datetime
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from edge_ptf.data.columns import Columns
from edge_ptf.data.csv_files import NO_HEADER, header_names
from edge_ptf.data.lines import PLAIN, FileFormat
from edge_ptf.data.rows import Findings, Row
from edge_ptf.errors import DataError, MissingExtraError

MOST_UNPACKED_BYTES = 1_000_000_000
"""A workbook is a zip file. One that unpacks to more than this is refused."""


def read_xlsx(path: Path, columns: Columns, findings: Findings, form: FileFormat = PLAIN) -> Iterator[Row]:
    """Rows of the first sheet of a workbook. The first row that is not empty has the column names.

    A cell is read as Excel would save it as CSV: numbers, dates and truth values become text. Rows without any value
    are skipped. The line of a row is its number in the sheet.

    Raises:
        MissingExtraError: openpyxl is not installed.
        DataError: the file is no workbook, is empty, or lacks a column.
    """
    try:
        import openpyxl
    except ImportError:
        raise MissingExtraError("openpyxl", "excel", f"reading {path}") from None
    _check_size(path)
    try:
        book = openpyxl.load_workbook(path, read_only=True, data_only=True)
        sheets = book.worksheets
        table = list(sheets[0].iter_rows(values_only=True)) if sheets else []
        name = sheets[0].title if sheets else ""
        book.close()
    except Exception as error:  # the errors of its XML and zip readers have no common type
        said = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise DataError(f"{path}: cannot be read as an Excel workbook: {said}") from None
    if len(sheets) > 1:
        findings.note(f"The workbook has {len(sheets)} sheets. Only the first, '{name}', is read.")
    yield from _rows(path, table, columns, findings)


def _rows(path: Path, table: Sequence[Sequence[Any]], columns: Columns, findings: Findings) -> Iterator[Row]:
    header: list[str] | None = None
    for line, values in enumerate(table, 1):
        cells = [cell_text(value) for value in values]
        if not any(cell.strip() for cell in cells):
            continue
        if header is None:
            places = [place for place, cell in enumerate(cells) if cell.strip()]
            header = header_names(path, [cells[place] for place in places])
            columns = columns.resolve(str(path), header, findings, NO_HEADER)
            continue
        held = [cells[place] if place < len(cells) else "" for place in places]
        yield Row(str(path), (line,), columns.pick(dict(zip(header, held, strict=True))))
    if header is None:
        raise DataError(f"{path}: the first sheet is empty", hint="Its first row must contain the column names")


def cell_text(value: Any) -> str:
    """A cell as Excel saves it as CSV: a whole number has no decimal point."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, datetime.datetime | datetime.date | datetime.time):
        return value.isoformat()
    return str(value)


def _check_size(path: Path) -> None:
    try:
        with zipfile.ZipFile(path) as archive:
            size = sum(entry.file_size for entry in archive.infolist())
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}") from None
    except zipfile.BadZipFile:
        raise DataError(
            f"{path}: not an Excel workbook",
            hint="A workbook with a password cannot be read; save it without one, or as CSV UTF-8",
        ) from None
    if size > MOST_UNPACKED_BYTES:
        raise DataError(f"{path}: unpacks to {size / 1e9:.1f} GB; at most 1 GB is read", hint="Save it as CSV UTF-8")
