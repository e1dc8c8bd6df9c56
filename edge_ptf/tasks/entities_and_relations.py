"""The entities of a text and the relations between them: triples of subject, relation and object."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar

from edge_ptf.examples import Example
from edge_ptf.heads import HeadSpec, TripleHead
from edge_ptf.heads.encoding import WORD
from edge_ptf.heads.token import OUTSIDE, spans
from edge_ptf.heads.triple import RESERVED, Triple, column_names, label_of, relations_of, tags_of, triples_of
from edge_ptf.metrics import F1, Metric, Precision, Recall, Share
from edge_ptf.tasks.base import Rewrite, RowError, listed
from edge_ptf.tasks.tag_schemes import Entity, entities
from edge_ptf.tasks.token_classification import TokenClassification

FORM = '[first, "relation", second], such as [0, "works_for", 1]'
Fact = tuple[Entity, str, Entity]
"""A triple by the types and the words of its entities."""


class EntitiesAndRelations(TokenClassification):
    """Tags of words, and relations between the entities that the tags form.

    `Example.label` has the tags, then one text for each triple; see `edge_ptf.heads.triple`.
    """

    name = "entities-and-relations"
    title = "Entities and relations"
    head_type = TripleHead
    columns = ("tokens", "tags", "relations")
    joint_forms = ()
    answer = "triples of two entities and their relation"
    recipe: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        **TokenClassification.recipe,
        "targets": {"max_drop": {"triple_f1": 2.0}},
    }

    @classmethod
    def spec_for(cls, labels: Sequence[str], out_of_scope_label: str | None = None) -> HeadSpec:
        """The spec over the names of the columns.

        Raises:
            BadInputError: the task has no notion of out-of-scope texts.
        """
        relations, links = relations_of(labels)
        return super().spec_for(labels, out_of_scope_label).with_options(relations=relations, links=links)

    # Data

    @staticmethod
    def example(row: Mapping[str, Any]) -> Example:
        """See Task. `relations` is a list of [first, relation, second].

        `first` and `second` are places in the list of the entities that the tags form, from 0, or the words
        [begin, end) of an entity.
        """
        tagged = TokenClassification.example(row)
        return replace(tagged, label=label_of(tagged.label, _triples(row.get("relations"), entities(tagged.label))))

    @classmethod
    def rewriting(cls, train: Sequence[Example], config: object) -> tuple[Rewrite | None, tuple[str, ...]]:
        """Tags of any scheme become BIO tags, as for token classification. The entities stay, and so do triples."""
        rewrite, notes = super().rewriting([_tagged(example) for example in train], config)

        def whole(example: Example) -> Example:
            tags = rewrite(_tagged(example)).label if rewrite else tags_of(example.label)
            return replace(example, label=label_of(tags, triples_of(example.label)))

        return whole, notes

    @classmethod
    def collect_labels(cls, examples: Sequence[Example]) -> tuple[str, ...]:
        """The names of the columns: the tags, then those of the relations in alphabetic order, then those of links."""
        relations = sorted({relation for example in examples for _, relation, _ in triples_of(example.label)})
        return column_names(super().collect_labels([_tagged(example) for example in examples]), relations)

    @classmethod
    def split_fault(cls, split: str, examples: Sequence[Example]) -> tuple[str, str] | None:
        """See Task. A text without a relation teaches something only beside one with a relation."""
        if split != "train" or any(triples_of(example.label) for example in examples):
            return None
        return "no text of train has a relation", f"Give relations in the column 'relations': {FORM}"

    def check_label(self, example: Example) -> str | None:
        """See Task."""
        known = self.head.options.relations
        unknown = sorted({relation for _, relation, _ in triples_of(example.label)} - {*known})
        fault = super().check_label(_tagged(example))
        return fault or (f"relation '{unknown[0]}' does not occur in train" if unknown else None)

    @staticmethod
    def label_names(example: Example) -> tuple[str, ...]:
        """The tags and the relations."""
        return (*tags_of(example.label), *(relation for _, relation, _ in triples_of(example.label)))

    @staticmethod
    def class_names(example: Example) -> list[str]:
        """The type of each entity, and each relation."""
        types = [kind for kind, _, _ in spans(tags_of(example.label))]
        return types + [_class(relation) for _, relation, _ in triples_of(example.label)]

    @staticmethod
    def stratum(example: Example) -> str:
        """The relations that occur; without one, the types of entities."""
        found = {relation for _, relation, _ in triples_of(example.label)}
        return " ".join(sorted(found)) or TokenClassification.stratum(_tagged(example))

    # Figures

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """F1 of triples, which is gated, with precision and recall; entity F1; word accuracy."""
        return (
            F1(name="triple_f1", title="triple F1", count=_triple_counts, gated=True),
            Precision(name="triple_precision", title="triple precision", count=_triple_counts),
            Recall(name="triple_recall", title="triple recall", count=_triple_counts),
            F1(name="entity_f1", title="entity F1", count=_entity_counts),
            Share(name="word_accuracy", title="word accuracy", count=_word_counts, empty=0.0),
        )

    def class_report(self, references: Sequence[Any], predictions: Sequence[Any]) -> list[dict[str, Any]]:
        """One row for each entity type, then one for each relation; a relation is right with both its entities."""
        types = super().class_report([*map(tags_of, references)], [*map(tags_of, predictions)])
        hits, claims, support = Counter[str](), Counter[str](), Counter[str]()
        for reference, prediction in zip(references, predictions, strict=True):
            actual, claimed = facts(reference), facts(prediction)
            for counts, found in ((hits, actual & claimed), (claims, claimed), (support, actual)):
                counts.update(relation for _, relation, _ in found)
        rows = [
            {
                "name": _class(name),
                "precision": 100 * hits[name] / claims[name] if claims[name] else 0.0,
                "recall": 100 * hits[name] / support[name] if support[name] else 0.0,
                "f1": 200 * hits[name] / (claims[name] + support[name]),
                "support": support[name],
            }
            for name in sorted({*claims, *support})
        ]
        return [*types, *rows]

    def word_report(self, references: Sequence[Any], predictions: Sequence[Any]) -> list[dict[str, Any]]:
        """See TokenClassification."""
        return super().word_report([*map(tags_of, references)], [*map(tags_of, predictions)])

    @staticmethod
    def confusions(reference: Any, prediction: Any) -> list[tuple[str, str]]:
        """The types of words, as for tags; and of each pair of entities the expected and the answered relation; O is
        none."""
        pairs = TokenClassification.confusions(tags_of(reference), tags_of(prediction))
        expected, answered = (_by_ends(facts(label)) for label in (reference, prediction))
        for ends in sorted({*expected, *answered}):
            wanted, given = expected.get(ends, [OUTSIDE]), answered.get(ends, [OUTSIDE])
            right = [name for name in wanted if name in given]
            missed, wrong = ([name for name in names if name not in right] for names in (wanted, given))
            pairs += [(name, name) for name in right]
            if missed or wrong:
                pairs += [(name, other) for name in missed or [OUTSIDE] for other in wrong or [OUTSIDE]]
        return pairs

    def majority_answers(self, references: Sequence[Any]) -> list[Any]:
        """The most frequent tag for every word, and no relation."""
        return super().majority_answers([*map(tags_of, references)])

    @staticmethod
    def describe(label: Any, text: str | None) -> str:
        """Each triple by the words of its entities, then the entities of no triple."""
        tags, triples = tags_of(label), triples_of(label)
        found = spans(tags)
        words = WORD.findall(text) if text is not None else []

        def named(place: int) -> str:
            kind, first, last = found[place]
            if last >= len(words):
                return f"{kind} at word {first + 1}"
            return f"{' '.join(words[first : last + 1])} ({kind})"

        said = [f"{named(first)} {relation} {named(second)}" for first, relation, second in triples]
        alone = {*range(len(found))} - {place for first, _, second in triples for place in (first, second)}
        return "; ".join([*said, *(named(place) for place in sorted(alone))]) or "no entity"


def facts(label: Sequence[str]) -> set[Fact]:
    """The triples of a label, by the types and the words of their entities."""
    found = spans(tags_of(label))
    return {(found[first], relation, found[second]) for first, relation, second in triples_of(label)}


def _class(relation: str) -> str:
    """The name of a relation beside the types of entities, which can have the same name."""
    return f"{relation} (relation)"


def _by_ends(given: set[Fact]) -> dict[tuple[Entity, Entity], list[str]]:
    found: dict[tuple[Entity, Entity], list[str]] = {}
    for subject, relation, target in sorted(given):
        found.setdefault((subject, target), []).append(_class(relation))
    return found


def _tagged(example: Example) -> Example:
    """The example with its tags alone."""
    return replace(example, label=tags_of(example.label))


def _triple_counts(reference: Sequence[str], answer: Sequence[str]) -> tuple[float, float, float]:
    actual, claimed = facts(reference), facts(answer)
    return len(actual & claimed), len(claimed), len(actual)


def _entity_counts(reference: Sequence[str], answer: Sequence[str]) -> tuple[float, float, float]:
    actual, claimed = set(spans(tags_of(reference))), set(spans(tags_of(answer)))
    return len(actual & claimed), len(claimed), len(actual)


def _word_counts(reference: Sequence[str], answer: Sequence[str]) -> tuple[float, float]:
    pairs = [*zip(tags_of(reference), tags_of(answer), strict=True)]
    return sum(a == b for a, b in pairs), len(pairs)


# Reading


def _triples(value: Any, found: Sequence[Entity]) -> list[Triple]:
    """The triples of a row. All that cannot be used are in one message.

    Raises:
        RowError: there is no list, or a relation cannot be used.
    """
    given = _list(value)
    if given is None:
        raise RowError(f"'relations' is {value!r:.60}; it must be a list of {FORM}. An empty list means no relation")
    read: list[Triple] = []
    faults = []
    for number, item in enumerate(given, 1):
        try:
            triple = _triple(item, found)
            if triple in read:
                raise RowError(f"{[*triple]} is there twice")
            read.append(triple)
        except RowError as error:
            faults.append(f"relation {number}: {error}")
    if faults:
        raise RowError("; ".join(faults))
    return read


def _triple(item: Any, found: Sequence[Entity]) -> Triple:
    parts = _list(item)
    if parts is None or len(parts) != 3:
        raise RowError(f"{item!r:.60} is not {FORM}")
    name = parts[1]
    if not isinstance(name, str) or not name or name != name.strip():
        raise RowError(f"{name!r:.60} is no name of a relation")
    if name == OUTSIDE or name.startswith(("B-", "I-", *RESERVED)):
        raise RowError(f"'{name}' cannot be the name of a relation: it looks like that of a tag or of an output")
    first, second = (_place(part, found) for part in (parts[0], parts[2]))
    if first == second:
        raise RowError(f"'{name}' is from entity {first} to itself")
    return first, name, second


def _place(part: Any, found: Sequence[Entity]) -> int:
    """The place of an entity, from this place or from its words [begin, end)."""
    ends = _list(part)
    numbers = [part] if ends is None else ends
    if not all(isinstance(number, int) and not isinstance(number, bool) for number in numbers) or len(numbers) > 2:
        raise RowError(f"{part!r:.60} is no place of an entity, such as 0, and no words [begin, end)")
    if ends is None:
        if not 0 <= part < len(found):
            raise RowError(f"there is no entity {part}: the tags form {len(found)}, counted from 0")
        return int(part)
    for place, (_, begin, last) in enumerate(found):
        if ends == [begin, last + 1]:
            return place
    known = ", ".join(str([begin, last + 1]) for _, begin, last in found) or "none"
    raise RowError(f"the words {ends} are no entity (entities: {known})")


def _list(value: Any) -> list[Any] | None:
    return listed(value.tolist() if hasattr(value, "tolist") else value)
