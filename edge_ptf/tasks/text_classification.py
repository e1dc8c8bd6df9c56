"""One label for a text or a pair of texts, with an optional label for texts that belong to no class."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from edge_ptf.examples import Example
from edge_ptf.heads import Head, HeadSpec, TextHead
from edge_ptf.metrics import CalibrationError, MacroF1, Metric, Share
from edge_ptf.metrics.calibration_error import ECE, ECE_TITLE
from edge_ptf.tasks.base import RowError, Task, listed

MULTI_LABEL = "--task multi-label-classification"
REGRESSION = "--task regression"


class TextClassification(Task):
    """Single-label classification of a text or a pair.

    With an out-of-scope label two things are gated: accuracy over the in-scope examples, and the share of out-of-scope
    examples that are recognised as such.
    """

    name = "text-classification"
    title = "Text classification"
    head_type: ClassVar[type[Head]] = TextHead
    pipeline_tag = "text-classification"
    columns: ClassVar[tuple[str, ...]] = ("text", "label")
    optional_columns: ClassVar[tuple[str, ...]] = ("text_pair",)
    joint_forms: ClassVar[tuple[str, ...]] = ("text", "pair")
    recipe: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "prune": {"num_layers": 2 / 3, "intermediate_size": 1 / 3, "vocabulary_size": 12_000}
    }

    @classmethod
    def spec_for(cls, labels: Sequence[str], out_of_scope_label: str | None = None) -> HeadSpec:
        """The spec over a label set; the out-of-scope label need not be one of the trained classes."""
        return cls.head_type.declare(cls.name, labels, out_of_scope_label=out_of_scope_label)

    @property
    def out_of_scope_label(self) -> str | None:
        """See Task."""
        label: str | None = self.head.options.out_of_scope_label
        return label

    @staticmethod
    def example(row: Mapping[str, Any]) -> Example:
        """See Task."""
        text, label, pair = row.get("text"), row.get("label"), row.get("text_pair")
        if not isinstance(text, str) or not text.strip():
            raise RowError("the text is empty")
        if label is None or not str(label).strip() or (isinstance(label, float) and math.isnan(label)):
            raise RowError("the label is empty")
        if listed(label) is not None:
            raise RowError(f"the label {label!r} is a list; this looks like multi-label: {MULTI_LABEL}")
        if isinstance(label, float):
            raise RowError(
                f"the label {label!r} is a decimal number; a class needs a name or a whole number; for numbers: "
                f"{REGRESSION}"
            )
        if not isinstance(label, str | int):
            raise RowError(f"the label {label!r} is neither a name nor a whole number")
        if pair is not None and (not isinstance(pair, str) or not pair.strip()):
            raise RowError("the second text of the pair is empty")
        return Example(text, str(label).strip(), pair)

    @classmethod
    def collect_labels(cls, examples: Sequence[Example]) -> tuple[str, ...]:
        """Sorted names."""
        return tuple(sorted({str(example.label) for example in examples}))

    def check_label(self, example: Example) -> str | None:
        """See Task."""
        if example.label in (*self.head.label_ids, self.out_of_scope_label):
            return None
        return f"label '{example.label}' does not occur in train"

    @staticmethod
    def label_names(example: Example) -> tuple[str, ...]:
        """The one label."""
        return (str(example.label),)

    @staticmethod
    def class_names(example: Example) -> list[str]:
        """The label."""
        return [str(example.label)]

    @staticmethod
    def stratum(example: Example) -> str:
        """The class."""
        return str(example.label)

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """Accuracy, or in-scope accuracy and out-of-scope recall and then accuracy; macro F1; and how honest the scores
        are."""
        scope = self.out_of_scope_label
        others = (MacroF1(name="macro_f1", title="macro F1"), CalibrationError(name=ECE, title=ECE_TITLE))
        accuracy = Share(name="accuracy", title="accuracy", count=_hit, gated=scope is None)
        if scope is None:
            return accuracy, *others

        def inside(reference: str, answer: str) -> tuple[float, float]:
            return reference == answer != scope, reference != scope

        def outside(reference: str, answer: str) -> tuple[float, float]:
            return reference == answer == scope, reference == scope

        return (
            Share(name="in_scope_accuracy", title="in-scope accuracy", count=inside, gated=True),
            Share(name="out_of_scope_recall", title="out-of-scope recall", count=outside, gated=True),
            accuracy,
            *others,
        )

    def class_report(self, references: Sequence[Any], predictions: Sequence[Any]) -> list[dict[str, Any]]:
        """One row for each class that occurs in the references or the predictions."""
        reference, predicted = np.asarray(references, dtype=object), np.asarray(predictions, dtype=object)
        rows = []
        for name in sorted({*references, *predictions}):
            actual, claimed = reference == name, predicted == name
            hits, support, claims = int((actual & claimed).sum()), int(actual.sum()), int(claimed.sum())
            precision, recall = hits / claims if claims else 0.0, hits / support if support else 0.0
            f1 = 2 * hits / (support + claims) if support + claims else 0.0
            rows.append(
                {
                    "name": name,
                    "precision": 100 * precision,
                    "recall": 100 * recall,
                    "f1": 100 * f1,
                    "support": support,
                }
            )
        return rows

    @staticmethod
    def confusions(reference: Any, prediction: Any) -> list[tuple[str, str]]:
        """The one pair."""
        return [(str(reference), str(prediction))]

    @staticmethod
    def describe(label: Any, text: str | None) -> str:
        """The name itself."""
        return str(label)


def _hit(reference: str, answer: str) -> tuple[float, float]:
    return reference == answer, 1
