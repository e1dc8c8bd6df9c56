"""Tables with a header: CSV, TSV, and files with another delimiter."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from edge_ptf.data.columns import Columns
from edge_ptf.data.lines import PLAIN, FileFormat, file_lines
from edge_ptf.data.rows import Findings, Row
from edge_ptf.errors import DataError

CSV_FIELD_LIMIT = 10_000_000
"""Maximum characters of one CSV field. An unclosed quote is detected here, before it fills the memory."""


DELIMITERS = {",": "a comma", ";": "';'", "\t": "a tab", "|": "'|'"}
"""Delimiters that are recognised, the usual one first, and their names in a note."""


NO_HEADER = ". If the file has no header, add a first line with the column names"


def read_csv(path: Path, columns: Columns, findings: Findings, form: FileFormat = PLAIN) -> Iterator[Row]:
    """Rows of a table with a header. Fields may be quoted; a quote inside a quoted field is doubled (RFC 4180).

    The delimiter is that of `form`. If it has none, the header decides: the delimiter is the one that gives the
    columns of the task. Rows have no effect, because a text or a list of labels can contain any of these characters.
    """
    delimiter = form.delimiter or _guessed_delimiter(path, columns, findings, form.encoding, ",")
    return _table(path, columns, findings, form.encoding, delimiter)


def read_tsv(path: Path, columns: Columns, findings: Findings, form: FileFormat = PLAIN) -> Iterator[Row]:
    """Like `read_csv`, with TAB as the first choice of the delimiter."""
    delimiter = form.delimiter or _guessed_delimiter(path, columns, findings, form.encoding, "\t")
    return _table(path, columns, findings, form.encoding, delimiter)


def _table(path: Path, columns: Columns, findings: Findings, encoding: str, delimiter: str) -> Iterator[Row]:
    with _long_fields():
        table = csv.reader(file_lines(path, encoding), delimiter=delimiter, strict=True)
        begin = 1
        header: list[str] | None = None
        while True:
            try:
                cells = next(table, None)
            except csv.Error as error:
                if header is None:
                    raise DataError(f"{path}:{begin}: {_csv_fault(str(error))}") from None
                findings.problem(f"{path}:{begin}", _csv_fault(str(error)))
                cells = []
            if cells is None:
                break
            line, begin = begin, table.line_num + 1
            if not cells or (header is None and cells == ["sep=", ""]):
                continue
            if header is None:
                header = header_names(path, cells)
                columns = columns.resolve(str(path), header, findings, NO_HEADER)
            elif len(cells) != len(header):
                findings.problem(f"{path}:{line}", f"the row has {len(cells)} fields, but the header has {len(header)}")
            else:
                yield Row(str(path), (line,), columns.pick(dict(zip(header, cells, strict=True))))
        if header is None:
            raise DataError(f"{path}: the file is empty", hint="The first line must contain the column names")


def _guessed_delimiter(path: Path, columns: Columns, findings: Findings, encoding: str, usual: str) -> str:
    """The delimiter that gives the columns of the task. If none does, the one that makes a message clearest.

    Excel also writes a first line such as `sep=;`, which names the delimiter.
    """
    first = next((line for line in file_lines(path, encoding) if line.strip()), "")
    if named := re.fullmatch(r"sep=(.)", first.strip("\r\n")):
        findings.note(
            f"The fields are separated by {DELIMITERS.get(named[1], repr(named[1]))}, as the first line says."
        )
        return named[1]
    headers: dict[str, list[str]] = {}
    for delimiter in dict.fromkeys((usual, *DELIMITERS)):
        with _long_fields(), suppress(csv.Error):
            headers[delimiter] = [cell.strip() for cell in next(csv.reader([first], delimiter=delimiter), [])]
    fitting = [delimiter for delimiter, header in headers.items() if columns.known(header)]
    if not fitting:
        return max(headers, key=lambda delimiter: len(headers[delimiter]), default=usual)
    if fitting[0] != usual:
        findings.note(f"The fields are separated by {DELIMITERS[fitting[0]]}, as the header shows.")
    return fitting[0]


def header_names(path: Path, cells: Sequence[str]) -> list[str]:
    """The names of the columns, without white space around them.

    Raises:
        DataError: a name occurs twice.
    """
    names = [cell.strip() for cell in cells]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise DataError(f"{path}: column {', '.join(repr(name) for name in twice)} occurs twice in the header")
    return names


def _csv_fault(message: str) -> str:
    if "unexpected end of data" in message:
        return "this quote is never closed"
    if "field limit" in message:
        return f"a field has more than {CSV_FIELD_LIMIT:,} characters; check for an unclosed quote"
    if "expected after" in message:
        return "text follows a closing quote; to use a quote inside a field, write it twice and quote the field"
    return f"not valid CSV: {message}"


@contextmanager
def _long_fields() -> Iterator[None]:
    """Increases Python's limit of 131,072 characters. The limit is global, so it is restored afterwards."""
    before = csv.field_size_limit(CSV_FIELD_LIMIT)
    try:
        yield
    finally:
        csv.field_size_limit(before)
