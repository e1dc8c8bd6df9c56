"""CoNLL files: a word and its tag on each line, and a blank line after each sentence."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from edge_ptf.data.columns import Columns
from edge_ptf.data.lines import PLAIN, FileFormat, numbered
from edge_ptf.data.rows import Findings, Row
from edge_ptf.errors import DataError
from edge_ptf.heads.token import OUTSIDE

_SPACES = re.compile(r"[ \t]+")


def read_conll(path: Path, columns: Columns, findings: Findings, form: FileFormat = PLAIN) -> Iterator[Row]:
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
    for line, text in numbered(path, form.encoding):
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
