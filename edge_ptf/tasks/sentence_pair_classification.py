"""One label for a pair of texts: entailment, paraphrase, whether a sentence answers a question."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from edge_ptf.examples import Example
from edge_ptf.metrics import Matthews, Metric
from edge_ptf.tasks.base import RowError
from edge_ptf.tasks.text_classification import TextClassification


class SentencePairClassification(TextClassification):
    """Single-label classification where every example has two texts. All else is as in text classification."""

    name = "sentence-pair-classification"
    title = "Sentence pair classification"
    columns = ("text", "text_pair", "label")
    optional_columns = ()
    joint_forms = ("pair",)

    @staticmethod
    def example(row: Mapping[str, Any]) -> Example:
        """See Task."""
        if row.get("text_pair") is None:
            raise RowError("the second text of the pair is missing")
        return TextClassification.example(row)

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """Those of text classification, and the Matthews correlation coefficient."""
        return (*super().metrics, Matthews(name="mcc", title="MCC"))
