"""Texts in which people marked parts, as annotation tools save them: what each task reads of them."""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from edge_ptf.data.columns import Columns
from edge_ptf.data.rows import Findings, Row
from edge_ptf.heads.token import OUTSIDE

_WORD = re.compile(r"\S+")


@dataclass(frozen=True, slots=True)
class Span:
    """A part of a text: the characters [begin, end), its type, and how relations name it."""

    begin: int
    end: int
    kind: str
    name: str = ""


@dataclass(frozen=True, slots=True)
class Relation:
    """A relation between two spans, by their names."""

    kind: str
    first: str
    second: str


@dataclass(frozen=True, slots=True)
class MarkedText:
    """A text with its classes, spans and relations.

    `file` and `line` say where it stands. Without a line, `file` names the text itself.
    """

    file: str
    line: int | None
    text: str
    classes: tuple[str, ...] = ()
    spans: tuple[Span, ...] = ()
    relations: tuple[Relation, ...] = ()

    @property
    def place(self) -> str:
        """`file:line`."""
        return self.file if self.line is None else f"{self.file}:{self.line}"


TAGS = ("text", "tokens", "tags")
CLASSES = ("text", "label")
RELATIONS = ("text", "label", "entity1", "entity2")
"""What a kind of file can give to a task, as columns."""


def marked_rows(
    place: str, texts: Iterable[MarkedText], offers: Sequence[Sequence[str]], columns: Columns, findings: Findings
) -> Iterator[Row]:
    """The rows of a task: one for each relation, one with a tag for each word and with the relations if the task has
    both, or one with the classes of each text.

    Texts that lack what the task needs are left out, and a note counts them. A text whose spans cannot be tags becomes
    a problem. If several tasks read the text, its words stand apart for each of them.

    Args:
        place: the file, for messages.
        offers: among TAGS, CLASSES and RELATIONS.

    Raises:
        DataError: the task needs another column.
    """
    read: Callable[[MarkedText, Columns, Findings], Iterator[Row]] = _classified
    found: Sequence[str] = [column for offer in offers if offer != RELATIONS for column in offer]
    if RELATIONS in offers and "entity1" in columns.optional:
        read, found = _related, RELATIONS
    elif TAGS in offers and RELATIONS in offers and "relations" in columns.required:
        read, found = _tagged, (*TAGS, "relations")
    elif TAGS in offers and "tags" in columns.required:
        read, found = _tagged, TAGS
    elif CLASSES in offers and "labels" in columns.required:
        found = ("text", "labels")
    resolved = columns.resolve(place, list(dict.fromkeys(found)), findings)
    empty = 0
    apart = TAGS in offers and bool(columns.others) and read is _classified
    for marked in map(_spaced, texts) if apart else texts:
        before = findings.count
        rows = list(read(marked, resolved, findings))
        yield from rows
        empty += not rows and findings.count == before
    if empty:
        findings.note(f"{place}: {empty} texts without a {'relation' if read is _related else 'label'} are left out.")


def words_of(text: str, spans: Sequence[Span]) -> tuple[list[str], list[str]]:
    """The words of a text and their IOB2 tags. A word ends at white space, and where a span begins or ends.

    Raises:
        ValueError: two spans overlap, or a span is empty or outside the text.
    """
    ordered = sorted(spans, key=lambda span: (span.begin, span.end))
    for span in ordered:
        if not 0 <= span.begin < span.end <= len(text) or not text[span.begin : span.end].strip():
            raise ValueError(f"the {span.kind} {span.begin}:{span.end} is empty or outside the text of {len(text)}")
    for one, other in pairwise(ordered):
        if other.begin < one.end:
            raise ValueError(
                f"{one.kind} '{text[one.begin : one.end]}' and {other.kind} '{text[other.begin : other.end]}' overlap, "
                "but a word has one tag"
            )
    words: list[str] = []
    tags: list[str] = []
    done = 0
    for span in ordered:
        words += _WORD.findall(text[done : span.begin])
        tags += [OUTSIDE] * (len(words) - len(tags))
        inside = _WORD.findall(text[span.begin : span.end])
        words += inside
        tags += [f"{'I' if number else 'B'}-{span.kind}" for number in range(len(inside))]
        done = span.end
    words += _WORD.findall(text[done:])
    return words, [*tags, *[OUTSIDE] * (len(words) - len(tags))]


def _spaced(marked: MarkedText) -> MarkedText:
    """The text with a space between its words, where they can be tagged."""
    try:
        return replace(marked, text=" ".join(words_of(marked.text, marked.spans)[0]), spans=())
    except ValueError:
        return marked


def _tagged(marked: MarkedText, columns: Columns, findings: Findings) -> Iterator[Row]:
    try:
        words, tags = words_of(marked.text, marked.spans)
    except ValueError as error:
        findings.problem(marked.place, str(error))
        return
    if not words:
        return
    ordered = sorted(marked.spans, key=lambda span: (span.begin, span.end))
    places = {span.name: place for place, span in enumerate(ordered)}
    relations = []
    for relation in marked.relations if "relations" in columns.required else ():
        if unknown := _unknown(relation, places):
            findings.problem(marked.place, unknown)
        else:
            relations.append([places[relation.first], relation.kind, places[relation.second]])
    yield _row(marked, columns, {"tokens": words, "tags": tags, "relations": relations})


def _unknown(relation: Relation, names: Container[str]) -> str:
    """Why a relation cannot be read: an end of it is no entity. Empty: it can."""
    unknown = [name for name in (relation.first, relation.second) if name not in names]
    return f"the relation {relation.kind} is about {unknown[0]!r}, which is no entity" if unknown else ""


def _classified(marked: MarkedText, columns: Columns, _: Findings) -> Iterator[Row]:
    if "labels" in columns.required:
        yield _row(marked, columns, {"labels": list(marked.classes)})
    elif marked.classes:
        yield _row(marked, columns, {"label": marked.classes[0] if len(marked.classes) == 1 else list(marked.classes)})


def _related(marked: MarkedText, columns: Columns, findings: Findings) -> Iterator[Row]:
    spans = {span.name: span for span in marked.spans}
    for relation in marked.relations:
        if unknown := _unknown(relation, spans):
            findings.problem(marked.place, unknown)
            continue
        first, second = (f"{spans[name].begin}:{spans[name].end}" for name in (relation.first, relation.second))
        yield _row(marked, columns, {"label": relation.kind, "entity1": first, "entity2": second})


def _row(marked: MarkedText, columns: Columns, values: dict[str, object]) -> Row:
    names = {**columns.required, **columns.optional}
    given = {names[name]: value for name, value in {"text": marked.text, **values}.items() if name in names}
    return Row(marked.file, () if marked.line is None else (marked.line,), columns.pick(given))
