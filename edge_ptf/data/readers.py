"""Reads files of labelled text row by row: CSV, TSV, JSON, JSON Lines, CoNLL.

Each row has the line number in its file, so that error messages show file and line. Files are UTF-8, with or without a
byte order mark. A line ends with LF or CRLF.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edge_ptf.errors import BadInputError, DataError
from edge_ptf.heads.token import OUTSIDE
from edge_ptf.tasks.base import RowError, Task

SHOWN_PROBLEMS = 50
CSV_FIELD_LIMIT = 10_000_000
"""Maximum characters of one CSV field. An unclosed quote is detected here, before it fills the memory."""
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_SPACES = re.compile(r"[ \t]+")
_JSON_SPACE = re.compile(r"[ \t\r\n]*")


@dataclass(slots=True)
class Findings:
    """Results of reading, over all files: the problems, the number of cleaned words, and notes."""

    problems: list[str] = field(default_factory=list)
    count: int = 0
    cleaned_words: int = 0
    dropped_words: int = 0
    dropped_sentences: int = 0
    notes: list[str] = field(default_factory=list)

    def problem(self, place: str, why: str) -> None:
        """Stores a problem. After `SHOWN_PROBLEMS` problems, it only counts them."""
        self.count += 1
        if self.count <= SHOWN_PROBLEMS:
            self.problems.append(f"{place}: {why}")

    def check(self, source: str, hint: str = "Fix or remove them") -> None:
        """Raises DataError if there was a problem."""
        if not self.count:
            return
        rest = self.count - len(self.problems)
        shown = [*self.problems, f"... and {rest} more"] if rest else self.problems
        rows = "1 row" if self.count == 1 else f"{self.count} rows"
        raise DataError(f"{source}: {rows} cannot be used", hint=hint, problems=shown)


@dataclass(frozen=True, slots=True)
class Row:
    """One row: its values by the task's column names, and its first line (or the line of each of its words)."""

    file: str
    lines: tuple[int, ...]
    values: dict[str, Any]

    def place(self, item: int | None = None) -> str:
        """`file:line` of the row, or of its word number `item` if each word has its own line."""
        line = self.lines[item] if item is not None and item < len(self.lines) else self.lines[0]
        return f"{self.file}:{line}"


@dataclass(frozen=True, slots=True)
class Columns:
    """The columns of a task: for each of its own names, the name in the data."""

    task: str
    required: Mapping[str, str]
    optional: Mapping[str, str]

    @classmethod
    def of(cls, task: type[Task], config: object) -> Columns:
        """The names from `<column>_column` of the configuration. Without such a field, the task's own name."""

        def named(columns: Sequence[str]) -> dict[str, str]:
            return {name: getattr(config, f"{name}_column", name) for name in columns}

        return cls(task.name, named(task.columns), named(task.optional_columns))

    def check(self, place: str, found: Sequence[str], error: type[BadInputError] = DataError) -> None:
        """Raises an error if a required column is not among `found`."""
        missing = [name for name in self.required.values() if name not in found]
        if not missing:
            return
        first = next(name for name, column in self.required.items() if column in missing)
        raise error(
            f"{place}: no column {', '.join(repr(name) for name in missing)}, but {self.task} needs it "
            f"(found: {', '.join(found) or 'none'})",
            hint=f"If the column has another name, set it: --set data.{first}_column=NAME",
        )

    def pick(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """The values by the task's own names. An optional column is included only if it exists."""
        picked = {name: values.get(column) for name, column in self.required.items()}
        picked |= {name: values[column] for name, column in self.optional.items() if column in values}
        return picked


Reader = Callable[[Path, Columns, Findings], Iterator[Row]]


def read_file(path: Path, columns: Columns, findings: Findings) -> Iterator[Row]:
    """The rows of one file. The suffix selects the reader.

    Rows that cannot be read become problems in `findings`.

    Raises:
        DataError: the whole file cannot be used: it is not UTF-8, lacks a column, or has an unknown suffix.
    """
    suffix = path.suffix.lower()
    if suffix not in READERS:
        raise DataError(f"{path}: unknown file type", hint=f"Allowed: {', '.join(READERS)}")
    return READERS[suffix](path, columns, findings)


def read_csv(path: Path, columns: Columns, findings: Findings, *, delimiter: str = ",") -> Iterator[Row]:
    """Rows of a table with a header. Fields may be quoted; a quote inside a quoted field is doubled (RFC 4180)."""
    with _long_fields():
        table = csv.reader(_lines(path), delimiter=delimiter, strict=True)
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
            if not cells:
                continue
            if header is None:
                header = _header(path, cells, columns)
            elif len(cells) != len(header):
                findings.problem(f"{path}:{line}", f"the row has {len(cells)} fields, but the header has {len(header)}")
            else:
                yield Row(str(path), (line,), columns.pick(dict(zip(header, cells, strict=True))))
        if header is None:
            raise DataError(f"{path}: the file is empty", hint="The first line must contain the column names")


def read_tsv(path: Path, columns: Columns, findings: Findings) -> Iterator[Row]:
    """Like `read_csv`, with TAB between the fields."""
    return read_csv(path, columns, findings, delimiter="\t")


def read_jsonl(path: Path, columns: Columns, findings: Findings) -> Iterator[Row]:
    """One JSON object on each line; blank lines are skipped."""

    def records() -> Iterator[tuple[int, Any]]:
        for line, text in enumerate(_lines(path), 1):
            if not text.strip():
                continue
            try:
                record = json.loads(text)
            except (ValueError, RecursionError) as error:
                findings.problem(f"{path}:{line}", _json_fault(error))
            else:
                yield line, record

    return _rows_of_records(path, records(), columns, findings)


def read_json(path: Path, columns: Columns, findings: Findings) -> Iterator[Row]:
    """A JSON array of objects, or objects one after another."""
    return _rows_of_records(path, _json_records(path), columns, findings)


def read_conll(path: Path, columns: Columns, findings: Findings) -> Iterator[Row]:
    """Sentences of a CoNLL file: the word in the first column and its BIO tag in the last, separated by TAB or spaces.

    A line with a TAB is split at TABs, so a word may contain any other character. Other lines are split at spaces. A
    blank line ends a sentence. Lines that begin with -DOCSTART- are ignored. See `clean_words` for unusual white space.
    """
    if set(columns.required) != {"tokens", "tags"}:
        raise DataError(
            f"{path}: a CoNLL file contains words and tags, but {columns.task} needs {', '.join(columns.required)}",
            hint="Give a .csv, .tsv, .jsonl or .json file",
        )
    words: list[tuple[int, str, str]] = []
    broken = False
    for line, text in _numbered(path):
        if text.strip() and not text.startswith("-DOCSTART-"):
            cells = text.rstrip().split("\t") if "\t" in text.rstrip() else _SPACES.split(text.strip(" \r\n"))
            if len(cells) < 2:
                findings.problem(f"{path}:{line}", "only one column; a word and its tag are needed")
                broken = True
            else:
                words.append((line, cells[0], cells[-1].strip()))
            continue
        if words and not broken:
            kept = clean_words([word for _, word, _ in words], [tag for _, _, tag in words], findings)
            if kept:
                lines = tuple(words[index][0] for index, _, _ in kept)
                tokens, tags = [word for _, word, _ in kept], [tag for _, _, tag in kept]
                yield Row(str(path), lines, {"tokens": tokens, "tags": tags})
            else:
                findings.dropped_sentences += 1
        words, broken = [], False


def clean_words(words: Sequence[str], tags: Sequence[str], findings: Findings) -> list[tuple[int, str, str]]:
    """(index, word, tag) of the words without white space inside.

    On a device, white space separates words (any Unicode white space, such as a no-break space). It is therefore
    removed from inside a word. A word of white space only that is tagged O is removed. Characters that only look empty
    (U+FE0F, U+200B, U+FEFF) are not white space and stay.
    """
    kept = []
    for index, (word, tag) in enumerate(zip(words, tags, strict=True)):
        cleaned = "".join(word.split())
        if not cleaned and tag == OUTSIDE:
            findings.dropped_words += 1
            continue
        findings.cleaned_words += bool(cleaned) and cleaned != word
        kept.append((index, cleaned or word, tag))
    return kept


READERS: dict[str, Reader] = {
    ".csv": read_csv,
    ".tsv": read_tsv,
    ".jsonl": read_jsonl,
    ".json": read_json,
    ".conll": read_conll,
    ".txt": read_conll,
}


def text_lines(path: Path) -> Iterator[tuple[int, str]]:
    """The nonblank lines of plain text, without their line ends, and their numbers.

    Raises:
        DataError: the file is not UTF-8 or cannot be read.
    """
    for number, line in enumerate(_lines(path), 1):
        if text := line.strip():
            yield number, text


def _lines(path: Path) -> Iterator[str]:
    """Physical lines with their line ends."""
    begin = 0
    try:
        with path.open("rb") as stream:
            for number, raw in enumerate(stream, 1):
                try:
                    yield (raw.removeprefix(BYTE_ORDER_MARK) if number == 1 else raw).decode("utf-8")
                except UnicodeDecodeError as error:
                    raise DataError(
                        f"{path}:{number}: not UTF-8 at byte {error.start} of the line (byte {begin + error.start} of "
                        "the file)",
                        hint="Save the file as UTF-8",
                    ) from None
                begin += len(raw)
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}") from None


def _numbered(path: Path) -> Iterator[tuple[int, str]]:
    """Lines with their numbers, and a blank line at the end."""
    number = 0
    for number, line in enumerate(_lines(path), 1):
        yield number, line
    yield number + 1, ""


def _header(path: Path, cells: Sequence[str], columns: Columns) -> list[str]:
    names = [cell.strip() for cell in cells]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise DataError(f"{path}: column {', '.join(repr(name) for name in twice)} occurs twice in the header")
    columns.check(str(path), names)
    return names


def _rows_of_records(
    path: Path, records: Iterator[tuple[int, Any]], columns: Columns, findings: Findings
) -> Iterator[Row]:
    """Rows of JSON values. A column that no record has is one problem of the file, not one of each row."""
    seen: dict[str, None] = {}
    waiting: list[Row] = []
    complete = False
    for line, record in records:
        if not isinstance(record, dict):
            findings.problem(f"{path}:{line}", "not a JSON object of columns")
            continue
        row = Row(str(path), (line,), columns.pick(record))
        if complete:
            yield row
            continue
        seen |= dict.fromkeys(record)
        waiting.append(row)
        complete = all(column in seen for column in columns.required.values())
        if complete:
            yield from waiting
            waiting.clear()
    if waiting:
        columns.check(str(path), list(seen))


def _json_records(path: Path) -> Iterator[tuple[int, Any]]:
    text = "".join(_lines(path))
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


def check_text(*texts: str) -> None:
    """Checks that texts can be written as UTF-8. JSON can contain characters that cannot.

    Raises:
        RowError: a text contains half of a surrogate pair.
    """
    try:
        "".join(texts).encode()
    except UnicodeEncodeError as error:
        raise RowError(f"half of a surrogate pair ({error.object[error.start]!a}) is not text") from None
