"""Files of spaCy: a `DocBin` of documents with entities, or with categories of the text."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from edge_ptf.data.columns import Columns
from edge_ptf.data.lines import PLAIN, FileFormat
from edge_ptf.data.marked_texts import CLASSES, TAGS, MarkedText, Span, marked_rows
from edge_ptf.data.rows import Findings, Row
from edge_ptf.errors import DataError, MissingExtraError

CHOSEN = 0.5
"""A category applies from this value on."""


def read_docbin(path: Path, columns: Columns, findings: Findings, form: FileFormat = PLAIN) -> Iterator[Row]:
    """The rows of all documents, named by their places in the file.

    Raises:
        DataError: the task needs another column, or the file is no DocBin.
        MissingExtraError: spaCy is not installed.
    """
    del form  # the file is binary
    try:
        import spacy
        from spacy.tokens import DocBin
    except ImportError:
        raise MissingExtraError("spacy", "spacy", f"reading {path}") from None
    try:
        documents = list(DocBin().from_disk(path).get_docs(spacy.blank("xx").vocab))
    except Exception as error:  # spaCy raises errors of zlib, msgpack and numpy as they are
        raise DataError(f"{path}: not a DocBin of spaCy ({type(error).__name__})") from None

    def texts() -> Iterator[MarkedText]:
        for number, document in enumerate(documents):
            chosen = tuple(name for name, value in document.cats.items() if value >= CHOSEN)
            spans = tuple(Span(each.start_char, each.end_char, each.label_) for each in document.ents)
            yield MarkedText(f"{path}: document {number}", None, document.text, chosen, spans)

    return marked_rows(str(path), texts(), (CLASSES, TAGS), columns, findings)
