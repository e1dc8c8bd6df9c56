"""Any number of labels for a text or a pair of texts: topics, emotions, several intents at once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from edge_ptf.examples import Example
from edge_ptf.heads import MultiLabelHead
from edge_ptf.metrics import F1, Metric
from edge_ptf.metrics.label_sets import LabelMacroF1, RankingPrecision
from edge_ptf.tasks.base import RowError, Task, listed
from edge_ptf.tasks.text_classification import TextClassification

SEPARATOR = "|"
NONE = "no label"


class MultiLabelClassification(Task):
    """All labels that apply to a text or a pair; a text may have none."""

    name = "multi-label-classification"
    title = "Multi-label classification"
    head_type = MultiLabelHead
    pipeline_tag = "text-classification"
    columns = ("text", "labels")
    optional_columns = ("text_pair",)
    joint_forms = ("text", "pair")
    recipe: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        **TextClassification.recipe,
        "distill": {"logit_loss": "kl"},
        "targets": {"max_drop": {"micro_f1": 1.5}},
    }

    @staticmethod
    def example(row: Mapping[str, Any]) -> Example:
        """See Task. `labels` is a list, a string of one, or a string with `|` between the labels.

        It is empty where no label applies.
        """
        given = row.get("labels")
        if given is None:
            raise RowError("the labels are missing; write an empty list where none applies")
        names: Any = listed(given)
        if names is None and isinstance(given, str):
            names = given.split(SEPARATOR) if given.strip() else []
        if not isinstance(names, Sequence) or isinstance(names, str):
            raise RowError(f"the labels {given!r} are neither a list nor text with '{SEPARATOR}' between the labels")
        labels = []
        for item, name in enumerate(names):
            if isinstance(name, bool) or not isinstance(name, str | int) or not str(name).strip():
                raise RowError(f"the label {name!r} is neither a name nor a whole number", item=item)
            if str(name).strip() in labels:
                raise RowError(f"the label '{str(name).strip()}' is given twice", item=item)
            labels.append(str(name).strip())
        single = TextClassification.example({**row, "label": "any"})
        return Example(single.text, tuple(sorted(labels)), single.text_pair)

    @classmethod
    def collect_labels(cls, examples: Sequence[Example]) -> tuple[str, ...]:
        """Sorted names."""
        return tuple(sorted({name for example in examples for name in example.label}))

    def check_label(self, example: Example) -> str | None:
        """See Task."""
        unknown = [name for name in example.label if name not in self.head.label_ids]
        if len(unknown) > 1:
            return f"the labels {', '.join(map(repr, unknown))} do not occur in train"
        return f"label '{unknown[0]}' does not occur in train" if unknown else None

    @staticmethod
    def label_names(example: Example) -> tuple[str, ...]:
        """The labels."""
        return tuple(example.label)

    @staticmethod
    def class_names(example: Example) -> list[str]:
        """The labels."""
        return list(example.label)

    @staticmethod
    def stratum(example: Example) -> str:
        """The set of labels."""
        return SEPARATOR.join(example.label)

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """Micro F1, which is gated, macro F1, and label-ranking average precision."""
        labels = self.head.spec.labels
        return (
            F1(name="micro_f1", title="micro F1", count=_counts, gated=True),
            LabelMacroF1(name="macro_f1", title="macro F1", labels=labels),
            RankingPrecision(name="ranking_precision", title="label-ranking average precision", labels=labels),
        )

    def class_report(self, references: Sequence[Any], predictions: Sequence[Any]) -> list[dict[str, Any]]:
        """One row for each label that occurs."""
        rows = []
        for name in self.head.spec.labels:
            expected, answered = ([name in names for names in sets] for sets in (references, predictions))
            hits = sum(a and b for a, b in zip(expected, answered, strict=True))
            support, claims = sum(expected), sum(answered)
            if support + claims:
                rows.append(
                    {
                        "name": name,
                        "precision": 100 * hits / claims if claims else 0.0,
                        "recall": 100 * hits / support if support else 0.0,
                        "f1": 200 * hits / (support + claims),
                        "support": support,
                    }
                )
        return rows

    @staticmethod
    def confusions(reference: Any, prediction: Any) -> list[tuple[str, str]]:
        """Each label that is expected or answered; one that only one of them has stands against `NONE`."""
        names = sorted({*reference, *prediction})
        return [(name if name in reference else NONE, name if name in prediction else NONE) for name in names]

    def majority_answers(self, references: Sequence[Any]) -> list[Any]:
        """The most frequent label for every text."""
        most = Counter(name for names in references for name in names).most_common(1)
        return [tuple(name for name, _ in most)] * len(references)

    @staticmethod
    def describe(label: Any, text: str | None) -> str:
        """The labels, separated as in the data."""
        return f" {SEPARATOR} ".join(label) or NONE


def _counts(reference: tuple[str, ...], answer: tuple[str, ...]) -> tuple[float, float, float]:
    return len({*reference} & {*answer}), len(answer), len(reference)
