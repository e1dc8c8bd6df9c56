"""Standoff files of the annotation tool brat: a folder with a text and an .ann file for each document.

The form is that of https://brat.nlplab.org/standoff.html. Entities (T) and relations (R) are read.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from edge_ptf.data.columns import Columns
from edge_ptf.data.lines import PLAIN, FileFormat, file_lines
from edge_ptf.data.marked_texts import RELATIONS, TAGS, MarkedText, Relation, Span, marked_rows
from edge_ptf.data.rows import Findings, Row

SUFFIX = ".ann"
_ENTITY = re.compile(r"(T\S+)\t(\S+) (\d+) (\d+)\t(.*)")
_RELATION = re.compile(r"(R\S+)\t(\S+) \S+?:(T\S+) \S+?:(T\S+)\s*")
_OTHER = ("#", "A", "M", "E", "N", "*")
"""Notes, attributes, events, normalizations and equivalences."""


def is_brat(folder: Path) -> bool:
    """Whether .ann files are directly in the folder."""
    return any(folder.glob(f"*{SUFFIX}"))


def read_brat(folder: Path, columns: Columns, findings: Findings, form: FileFormat = PLAIN) -> Iterator[Row]:
    """The rows of all documents. Each line of a text is a sentence of its own, as brat shows it.

    Raises:
        DataError: the task needs another column, or a file cannot be read.
    """
    texts = (marked for file in sorted(folder.glob(f"*{SUFFIX}")) for marked in _document(file, findings, form))
    return marked_rows(str(folder), texts, (TAGS, RELATIONS), columns, findings)


def _document(file: Path, findings: Findings, form: FileFormat) -> Iterator[MarkedText]:
    source = file.with_suffix(".txt")
    if not source.exists():
        findings.problem(str(file), f"{source.name} is not beside it")
        return
    lines = list(file_lines(source, form.encoding))
    text = "".join(lines)
    spans, relations = _marks(file, text, findings, form)
    begin = 0
    for number, line in enumerate(lines, 1):
        end = begin + len(line)
        inside = [span for span in spans if begin <= span.begin < end]
        names = {span.name for span in inside}
        if line.strip():
            moved = tuple(Span(each.begin - begin, each.end - begin, each.kind, each.name) for each in inside)
            own = tuple(each for each in relations if {each.first, each.second} <= names)
            yield MarkedText(str(source), number, line.rstrip("\r\n"), (), moved, own)
            relations = [each for each in relations if each not in own]
        begin = end
    if relations:
        findings.note(f"{file.parent}: relations between entities of two lines are not read.")


def _marks(file: Path, text: str, findings: Findings, form: FileFormat) -> tuple[list[Span], list[Relation]]:
    spans, relations, ignored = [], [], Counter[str]()
    for number, line in enumerate(file_lines(file, form.encoding), 1):
        place = f"{file}:{number}"
        if found := _ENTITY.match(line):
            name, kind, covered = found[1], found[2], found[5].rstrip("\r\n")
            begin, end = int(found[3]), int(found[4])
            if text[begin:end] != covered:
                findings.problem(place, f"{name} is {covered!r}, but the text has {text[begin:end]!r} there")
            elif "\n" in covered:
                findings.problem(place, f"{name} goes over the end of a line")
            else:
                spans.append(Span(begin, end, kind, name))
        elif found := _RELATION.match(line):
            relations.append(Relation(found[2], found[3], found[4]))
        elif line.startswith("T") and ";" in line:
            findings.problem(place, "an entity with a gap cannot be tagged: mark one part")
        elif line.strip() and not line.startswith(_OTHER):
            findings.problem(place, "neither an entity (T1<tab>type begin end<tab>text) nor a relation")
        elif line.strip():
            ignored[line[0]] += 1
    if ignored:
        findings.note(f"{file.parent}: only entities and relations are read.")
    return spans, relations
