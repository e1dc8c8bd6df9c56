"""One BIO tag for each word of a text: named entities, slots."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar

from edge_ptf.examples import Example
from edge_ptf.heads import Head, TokenHead
from edge_ptf.heads.encoding import WORD
from edge_ptf.heads.token import OUTSIDE, spans
from edge_ptf.metrics import F1, Metric, Precision, Recall, Share
from edge_ptf.tasks import tag_schemes
from edge_ptf.tasks.base import Rewrite, RowError, Task, listed
from edge_ptf.tasks.tag_schemes import TAG, TagScheme


class TokenClassification(Task):
    """BIO tagging. A word is a maximal run of characters that are not white space; its first subword decides."""

    name = "token-classification"
    title = "Token classification"
    head_type: ClassVar[type[Head]] = TokenHead
    pipeline_tag = "token-classification"
    columns: ClassVar[tuple[str, ...]] = ("tokens", "tags")
    joint_forms: ClassVar[tuple[str, ...]] = ("text",)
    recipe: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "prune": {"intermediate_size": 0.75, "vocabulary": False},
        "distill": {"epochs": 4, "learning_rate": 2e-4, "hidden_weight": 10.0},
    }

    @staticmethod
    def example(row: Mapping[str, Any]) -> Example:
        """See Task. `tokens` and `tags` are lists, strings of lists, or strings with white space between the items.

        The tags decide whether strings are lists, because no tag begins with a bracket, but a token can. The tags are
        of any scheme; see `rewriting`.
        """
        values = {name: row.get(name) for name in ("tokens", "tags")}
        if isinstance(values["tags"], str) and listed(values["tags"]) is not None:
            values = {name: listed(value) for name, value in values.items()}
        tokens, tags = (_items(value, name) for name, value in values.items())
        if not tokens:
            raise RowError("the sentence has no tokens")
        if len(tokens) != len(tags):
            raise RowError(f"{len(tokens)} tokens but {len(tags)} tags")
        for item, (token, tag) in enumerate(zip(tokens, tags, strict=True)):
            if not WORD.fullmatch(token):
                raise RowError(f"token {token!r} is empty or holds white space", item=item)
            if not TAG.fullmatch(tag):
                raise RowError(f"tag '{tag}' belongs to no tag scheme (allowed: {tag_schemes.ALLOWED})", item=item)
        return Example(" ".join(tokens), tuple(tags))

    @classmethod
    def rewriting(cls, train: Sequence[Example], config: object) -> tuple[Rewrite | None, tuple[str, ...]]:
        """Tags of any scheme become BIO tags. The scheme is `tag_scheme` of the options, or the one that fits best."""
        tags = [example.label for example in train]
        given: TagScheme | None = getattr(config, "tag_scheme", None)
        scheme, count = (given, tag_schemes.all_misfits(given, tags)) if given else tag_schemes.recognised(tags)

        def rewrite(example: Example) -> Example:
            return replace(example, label=tag_schemes.to_bio(scheme, example.label))

        return rewrite, tag_schemes.notes(scheme, count, given is not None)

    @classmethod
    def collect_labels(cls, examples: Sequence[Example]) -> tuple[str, ...]:
        """O first, then B- and I- of each type in alphabetic order; a type that has one tag gets both."""
        kinds = sorted({tag[2:] for example in examples for tag in example.label if tag != OUTSIDE})
        return (OUTSIDE, *(f"{prefix}-{kind}" for kind in kinds for prefix in ("B", "I")))

    def check_label(self, example: Example) -> str | None:
        """See Task."""
        unknown = sorted({tag for tag in example.label if tag not in self.head.label_ids})
        return f"tag '{unknown[0]}' is of a type that does not occur in train" if unknown else None

    @staticmethod
    def label_names(example: Example) -> tuple[str, ...]:
        """The tags."""
        return tuple(example.label)

    @staticmethod
    def class_names(example: Example) -> list[str]:
        """The type of each entity."""
        return [kind for kind, _, _ in spans(example.label)]

    @staticmethod
    def stratum(example: Example) -> str:
        """The entity types that occur."""
        return " ".join(sorted({tag[2:] for tag in example.label if tag != OUTSIDE}))

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """Entity-level F1, precision and recall, and the share of words with the right tag."""
        return (
            F1(name="entity_f1", title="entity F1", count=_entities, gated=True),
            Precision(name="entity_precision", title="entity precision", count=_entities),
            Recall(name="entity_recall", title="entity recall", count=_entities),
            Share(name="word_accuracy", title="word accuracy", count=_words, empty=0.0),
        )

    def class_report(self, references: Sequence[Any], predictions: Sequence[Any]) -> list[dict[str, Any]]:
        """One row for each entity type (seqeval)."""
        from seqeval.metrics import classification_report

        true, predicted = [list(tags) for tags in references], [list(tags) for tags in predictions]
        if not any(tag != OUTSIDE for tags in (*true, *predicted) for tag in tags):
            return []
        table = classification_report(true, predicted, output_dict=True, zero_division=0)
        return [
            {
                "name": name,
                "precision": 100 * float(row["precision"]),
                "recall": 100 * float(row["recall"]),
                "f1": 100 * float(row["f1-score"]),
                "support": int(row["support"]),
            }
            for name, row in sorted(table.items())
            if not name.endswith(" avg")
        ]

    def word_report(self, references: Sequence[Any], predictions: Sequence[Any]) -> list[dict[str, Any]]:
        """One row for each B- and I- tag that occurs, then their averages: micro, macro, weighted by support.

        Each word counts alone. The figures are those of scikit-learn's `classification_report` over these tags.
        """
        pairs = Counter(
            pair
            for reference, answer in zip(references, predictions, strict=True)
            for pair in zip(reference, answer, strict=True)
        )
        names = sorted({tag for pair in pairs for tag in pair} - {OUTSIDE})
        support, claims = Counter[str](), Counter[str]()
        for (expected, answered), times in pairs.items():
            support[expected] += times
            claims[answered] += times
        rows = [_tag_row(name, pairs[name, name], claims[name], support[name]) for name in names]
        if not rows:
            return []
        whole = [sum(counts[name] for name in names) for counts in (claims, support)]
        micro = _tag_row("micro avg", sum(pairs[name, name] for name in names), *whole)
        return [*rows, micro, _average("macro avg", rows, [1] * len(rows)), _average("weighted avg", rows, None)]

    @staticmethod
    def confusions(reference: Any, prediction: Any) -> list[tuple[str, str]]:
        """The types of each word that is an entity's in the reference or in the answer; O is none."""
        pairs = [
            (expected.partition("-")[2] or OUTSIDE, answered.partition("-")[2] or OUTSIDE)
            for expected, answered in zip(reference, prediction, strict=True)
        ]
        return [pair for pair in pairs if pair != (OUTSIDE, OUTSIDE)]

    def majority_answers(self, references: Sequence[Any]) -> list[Any]:
        """The most frequent tag for every word."""
        most = Counter(tag for tags in references for tag in tags).most_common(1)[0][0]
        return [(most,) * len(tags) for tags in references]

    @staticmethod
    def describe(label: Any, text: str | None) -> str:
        """Each entity's type and words."""
        words = WORD.findall(text) if text is not None else []
        shown = []
        for kind, first, last in spans(label):
            if last < len(words):
                shown.append(f"{kind}: {' '.join(words[first : last + 1])}")
            else:
                shown.append(f"{kind}: word {first + 1}" + (f" to {last + 1}" if last > first else ""))
        return "; ".join(shown) or "no entity"


def _tag_row(name: str, hits: int, claims: int, support: int) -> dict[str, Any]:
    return {
        "name": name,
        "precision": 100 * hits / claims if claims else 0.0,
        "recall": 100 * hits / support if support else 0.0,
        "f1": 200 * hits / (claims + support) if claims + support else 0.0,
        "support": support,
    }


def _average(name: str, rows: Sequence[dict[str, Any]], weights: Sequence[int] | None) -> dict[str, Any]:
    """The means of the figures of several rows; None: each row weighs its support."""
    support = [row["support"] for row in rows]
    weights = support if weights is None else weights
    total = sum(weights)
    figures = {
        field: sum(weight * row[field] for weight, row in zip(weights, rows, strict=True)) / total if total else 0.0
        for field in ("precision", "recall", "f1")
    }
    return {"name": name, **figures, "support": sum(support)}


def _entities(reference: Sequence[str], answer: Sequence[str]) -> tuple[float, float, float]:
    actual, claimed = set(spans(reference)), set(spans(answer))
    return len(actual & claimed), len(claimed), len(actual)


def _words(reference: Sequence[str], answer: Sequence[str]) -> tuple[float, float]:
    return sum(a == b for a, b in zip(reference, answer, strict=True)), len(reference)


def _items(value: Any, name: str) -> list[str]:
    """The items of a list or of a string. A whole number counts as text."""
    if isinstance(value, str):
        return value.split()
    if not isinstance(value, Sequence):
        raise RowError(f"'{name}' is missing or no list")
    for item, held in enumerate(value):
        if isinstance(held, bool) or not isinstance(held, str | int):
            what = "null" if held is None else f"{held!r}, which is {_KINDS.get(type(held), 'no text')}"
            raise RowError(f"item {item + 1} of '{name}' is {what}; every item must be text", item=item)
    return [str(item) for item in value]


_KINDS = {list: "a list", dict: "an object", float: "a decimal number", bool: "true or false"}
