"""JSON and JSON Lines files. A field inside another one has a dotted name: `message.text`."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from itertools import chain
from pathlib import Path
from typing import Any

from edge_ptf.data.columns import Columns
from edge_ptf.data.label_studio import is_label_studio, label_studio_rows
from edge_ptf.data.lines import PLAIN, FileFormat, file_lines
from edge_ptf.data.rows import Findings, Row
from edge_ptf.data.squad import is_squad, squad_rows
from edge_ptf.errors import DataError

NESTED_LEVELS = 8
"""Levels of fields that can be named. A deeper object is a value."""
_JSON_SPACE = re.compile(r"[ \t\r\n]*")


def read_jsonl(path: Path, columns: Columns, findings: Findings, form: FileFormat = PLAIN) -> Iterator[Row]:
    """One JSON object on each line; blank lines are skipped."""

    def records() -> Iterator[tuple[int, Any]]:
        for line, text in enumerate(file_lines(path, form.encoding), 1):
            if not text.strip():
                continue
            try:
                record = json.loads(text.rstrip())
            except (ValueError, RecursionError) as error:
                findings.problem(f"{path}:{line}", _json_fault(error))
            else:
                yield line, record

    return _rows_of_records(path, records(), columns, findings)


def read_json(path: Path, columns: Columns, findings: Findings, form: FileFormat = PLAIN) -> Iterator[Row]:
    """A JSON array of objects, objects one after another, a SQuAD file, or an export of Label Studio."""
    records = _json_records(path, form.encoding)
    first = next(records, None)
    if first is not None and is_squad(first[1]):
        return squad_rows(str(path), first[1], columns, findings)
    if first is not None and is_label_studio(first[1]):
        return label_studio_rows(str(path), chain([first], records), columns, findings)
    return _rows_of_records(path, records if first is None else chain([first], records), columns, findings)


def _rows_of_records(
    path: Path, records: Iterator[tuple[int, Any]], columns: Columns, findings: Findings
) -> Iterator[Row]:
    """Rows of JSON values. A column that no record has is one problem of the file, not one of each row.

    Names are guessed only when the whole file has been read, because a later record can have the exact name.
    """
    seen: dict[str, None] = {}
    waiting: list[tuple[int, dict[str, Any]]] = []
    resolved: Columns | None = None
    for line, record in records:
        if not isinstance(record, dict):
            findings.problem(f"{path}:{line}", "not a JSON object of columns")
            continue
        values = _flat(record)
        if resolved is not None:
            yield Row(str(path), (line,), resolved.pick(values))
            continue
        seen |= dict.fromkeys(values)
        waiting.append((line, values))
        if all(column in seen for column in columns.required.values()):
            resolved = columns.resolve(str(path), list(seen), findings)
            yield from (Row(str(path), (at,), resolved.pick(held)) for at, held in waiting)
            waiting.clear()
    if waiting:
        resolved = columns.resolve(str(path), list(seen), findings)
        yield from (Row(str(path), (at,), resolved.pick(held)) for at, held in waiting)


def _flat(record: Mapping[str, Any], level: int = 1) -> dict[str, Any]:
    """The fields of a record. A field of an inner object has a dotted name; a field with this very name wins."""
    outer: dict[str, Any] = {}
    inner: dict[str, Any] = {}
    for name, value in record.items():
        if isinstance(value, dict) and value and level < NESTED_LEVELS:
            inner |= {f"{name}.{part}": held for part, held in _flat(value, level + 1).items()}
        else:
            outer[name] = value
    return outer | {name: value for name, value in inner.items() if name not in outer}


def _json_records(path: Path, encoding: str) -> Iterator[tuple[int, Any]]:
    text = "".join(file_lines(path, encoding))
    position, line, counted = _skip(text, 0), 1, 0
    in_array = text.startswith("[", position)
    position = _skip(text, position + 1) if in_array else position
    decoder = json.JSONDecoder()
    while position < len(text):
        line, counted = line + text.count("\n", counted, position), position
        if in_array and text[position] == "]":
            if _skip(text, position + 1) < len(text):
                raise DataError(f"{path}:{line}: not valid JSON: there is text after the array")
            return
        try:
            record, position = decoder.raw_decode(text, position)
        except (ValueError, RecursionError) as error:
            at = error.lineno if isinstance(error, json.JSONDecodeError) else line
            raise DataError(f"{path}:{at}: {_json_fault(error)}") from None
        yield line, record
        position = _skip(text, position)
        if in_array and text.startswith(",", position):
            position = _skip(text, position + 1)
        elif in_array and position < len(text) and text[position] != "]":
            at = 1 + text.count("\n", 0, position)
            raise DataError(f"{path}:{at}: not valid JSON: ',' or ']' is missing after a row")
    if in_array:
        raise DataError(f"{path}: not valid JSON: the array is not closed")


def _skip(text: str, position: int) -> int:
    match = _JSON_SPACE.match(text, position)
    return match.end() if match else position


def _json_fault(error: ValueError | RecursionError) -> str:
    if isinstance(error, json.JSONDecodeError):
        return f"not valid JSON: {error.msg} (column {error.colno})"
    return f"not valid JSON: {'nested too deeply' if isinstance(error, RecursionError) else error}"
