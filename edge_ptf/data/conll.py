"""CoNLL files: a word and its tag on each line, and a blank line after each sentence."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

from edge_ptf.data.columns import Columns
from edge_ptf.data.lines import PLAIN, FileFormat, numbered
from edge_ptf.data.rows import Findings, Row
from edge_ptf.errors import DataError
from edge_ptf.heads.token import OUTSIDE

_SPACES = re.compile(r"[ \t]+")


def read_conll(path: Path, columns: Columns, findings: Findings, form: FileFormat = PLAIN) -> Iterator[Row]:
    """Sentences of a CoNLL file: a word and its tag on each line, among any number of columns.

    The word is in the first column and the tag in the last, unless `form` names other places. A line with a TAB is
    split at TABs, so a word may contain any other character. Other lines are split at spaces. A note says how the lines
    were split, unless all have a word, a TAB and a tag. A blank line ends a sentence. Lines that begin with -DOCSTART-
    are ignored. See `clean_words` for unusual white space.
    """
    _check_columns(path, columns)
    words: list[tuple[int, str, str]] = []
    broken = False
    seen: set[tuple[str, int]] = set()
    for line, text in numbered(path, form.encoding):
        if text.strip() and not text.startswith("-DOCSTART-"):
            tabs = "\t" in text.rstrip()
            cells = text.rstrip().split("\t") if tabs else _SPACES.split(text.strip(" \r\n"))
            if fault := _fault(len(cells), form):
                findings.problem(f"{path}:{line}", fault)
                broken = True
            else:
                seen.add(("tabs" if tabs else "spaces", len(cells)))
                words.append((line, cells[form.token_column], cells[form.tag_column].strip()))
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
    if seen - {("tabs", 2)}:
        findings.note(_note(seen, form))


def _check_columns(path: Path, columns: Columns) -> None:
    if set(columns.required) != {"tokens", "tags"}:
        raise DataError(
            f"{path}: a CoNLL file contains words and tags, but {columns.task} needs {', '.join(columns.required)}",
            hint="Give a .csv, .tsv, .jsonl or .json file",
        )
    for name, column in columns.required.items():
        if column not in (name, columns.part):
            raise DataError(
                f"{path}: the columns of a CoNLL file have no names, but data.{name}_column is {column!r}",
                hint=f"Give its place: --set data.{name.removesuffix('s')}_column=0 is the first, -1 the last",
            )


def _fault(count: int, form: FileFormat) -> str | None:
    """Why a line with so many columns cannot be used, or None."""
    places = {"token_column": form.token_column, "tag_column": form.tag_column}
    if count < 2:
        return "only one column; a word and its tag are needed"
    for name, place in places.items():
        if not -count <= place < count:
            return f"only {count} columns, but data.{name} is {place} (counted from 0; -1 is the last)"
    if form.token_column % count == form.tag_column % count:
        return f"{count} columns: data.token_column and data.tag_column are the same one"
    return None


def _note(seen: Collection[tuple[str, int]], form: FileFormat) -> str:
    counts = sorted({count for _, count in seen})
    number = str(counts[0]) if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"
    separators = " or ".join(sorted({separator for separator, _ in seen}))
    return (
        f"CoNLL: {number} columns, separated by {separators}. Words are read from column {form.token_column} and tags "
        f"from column {form.tag_column} (0 is the first, -1 the last)."
    )


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
