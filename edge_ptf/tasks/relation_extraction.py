"""The relation between two marked entities of a text."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from edge_ptf.errors import BadInputError
from edge_ptf.examples import Encoding, Example
from edge_ptf.heads import HeadSpec, RelationHead
from edge_ptf.heads.relation import MARKERS, example_of, marker_positions
from edge_ptf.metrics import CalibrationError, Metric, Share
from edge_ptf.metrics.calibration_error import ECE, ECE_TITLE
from edge_ptf.metrics.relations import RelationF1
from edge_ptf.tasks.base import RowError, listed
from edge_ptf.tasks.text_classification import TextClassification

NO_RELATION = ("other", "no_relation", "no relation", "none", "na", "n/a")
"""Usual names of the label for entities without a relation, in lower case."""
SPAN = re.compile(r"\s*(\d+)\s*[:, -]\s*(\d+)\s*")


class RelationExtraction(TextClassification):
    """One relation for a text with two entities; they are marked in the text or given by character offsets."""

    name = "relation-extraction"
    title = "Relation extraction"
    head_type = RelationHead
    columns = ("text", "label")
    optional_columns = ("entity1", "entity2")
    recipe: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        **TextClassification.recipe,
        "targets": {"max_drop": {"macro_f1": 1.5}},
    }

    @classmethod
    def spec_for(cls, labels: Sequence[str], out_of_scope_label: str | None = None) -> HeadSpec:
        """The spec over a label set. A label with a usual name, such as Other, stands for no relation."""
        if out_of_scope_label is not None:
            raise BadInputError(
                f"the task {cls.name} has no out-of-scope label",
                hint=f"Leave out --out-of-scope-label; one of these labels stands for no relation: "
                f"{', '.join(NO_RELATION)}",
            )
        none = [label for label in labels if label.lower() in NO_RELATION]
        return cls.head_type.declare(cls.name, labels, no_relation=none[0] if none else None)

    @property
    def out_of_scope_label(self) -> str | None:
        """There is none: the label for no relation is trained as any other."""
        return None

    @staticmethod
    def example(row: Mapping[str, Any]) -> Example:
        """See Task. `entity1` and `entity2` are [begin, end) in characters of a text without markers."""
        single = TextClassification.example({**row, "text_pair": None})
        spans = [row.get(name) for name in ("entity1", "entity2")]
        if spans == [None, None]:
            _check_marked(single.text)
            return single
        first, second = (_span(value, name) for value, name in zip(spans, ("entity1", "entity2"), strict=True))
        try:
            return Example(mark_entities(single.text, first, second), single.label)
        except ValueError as error:
            raise RowError(str(error)) from None

    def encode(self, tokenizer: Any, examples: Sequence[Example], max_length: int) -> list[Encoding]:
        """Token ids, and the positions of the tokens that begin the entities."""
        markers = self.head.options.markers
        return [marker_positions(tokenizer, example.text, markers, max_length) for example in examples]

    @staticmethod
    def sample_text(text: str) -> str:
        """The text with the first half of its characters as the first entity, and the second half as the second."""
        half = len(text) // 2
        one, one_end, two, two_end = MARKERS
        return f"{one}{text[:half]}{one_end}{two}{text[half:]}{two_end}"

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """The official score of SemEval-2010 task 8, and accuracy over all labels."""
        options = self.head.options
        return (
            RelationF1(
                name="macro_f1",
                title="macro F1 of relations",
                labels=self.head.spec.labels,
                no_relation=options.no_relation,
                gated=True,
            ),
            Share(name="accuracy", title="accuracy", count=lambda a, b: (a == b, 1)),
            CalibrationError(name=ECE, title=ECE_TITLE),
        )


def mark_entities(text: str, first: tuple[int, int], second: tuple[int, int]) -> str:
    """The text with markers around its two entities, as the task relation-extraction reads it.

    Args:
        text: without markers.
        first, second: begin and end (exclusive) of each entity, in characters. The second may come before the first.

    Raises:
        ValueError: an entity is empty, outside the text, or overlaps the other; or the text has a marker.

    Example:
        >>> edge_ptf.mark_entities("Anna lives in Rome", (0, 4), (14, 18))
        '<e1>Anna</e1> lives in <e2>Rome</e2>'
    """
    found = [marker for marker in MARKERS if marker in text]
    if found:
        raise ValueError(f"the text has offsets of entities, and the marker {found[0]} too")
    for name, (begin, end) in (("first", first), ("second", second)):
        if not 0 <= begin < end <= len(text):
            raise ValueError(f"the {name} entity {begin}:{end} is empty or outside the text of {len(text)} characters")
    if first[0] < second[1] and second[0] < first[1]:
        raise ValueError(f"the entities {first[0]}:{first[1]} and {second[0]}:{second[1]} overlap")
    marked = text
    for (begin, end), markers in sorted(((first, MARKERS[:2]), (second, MARKERS[2:])), reverse=True):
        marked = f"{marked[:begin]}{markers[0]}{marked[begin:end]}{markers[1]}{marked[end:]}"
    return marked


def _check_marked(text: str) -> None:
    for marker in MARKERS:
        if text.count(marker) != 1:
            many = text.count(marker) or "no"
            raise RowError(f"the text has {many} marker {marker}; each must occur once: {example_of(MARKERS)}")
    places = sorted((text.index(MARKERS[at]), text.index(MARKERS[at + 1]), MARKERS[at]) for at in (0, 2))
    for begin, end, marker in places:
        if end < begin:
            raise RowError(f"the end of an entity stands before its begin {marker}")
        if not text[begin + len(marker) : end].strip():
            raise RowError(f"the entity at {marker} is empty")
    if places[1][0] < places[0][1]:
        raise RowError("the marked entities overlap")


def _span(value: Any, name: str) -> tuple[int, int]:
    """Two offsets from [begin, end], "begin:end" or {"start": begin, "end": end}."""
    given = listed(value)
    if isinstance(value, Mapping):
        given = [value.get("start", value.get("begin")), value.get("end")]
    elif given is None and isinstance(value, str) and (found := SPAN.fullmatch(value)):
        given = [int(number) for number in found.groups()]
    if given is None or len(given) != 2 or any(isinstance(item, bool) or not isinstance(item, int) for item in given):
        raise RowError(f"'{name}' is {value!r}; it must be the begin and the end of the entity, such as 3:10")
    return given[0], given[1]
