"""One label for a text: that of the nearest class centre. A class can be added later, from a few texts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from edge_ptf.heads import HeadSpec, PrototypeHead, PrototypeVectors
from edge_ptf.heads.embedding import CLASSES
from edge_ptf.metrics import Metric
from edge_ptf.metrics.retrieval import RecallAtK
from edge_ptf.tasks.sentence_embedding import SentenceEmbedding
from edge_ptf.tasks.text_classification import TextClassification


class PrototypeClassification(TextClassification):
    """Single-label classification by vectors.

    A model learns vectors as for sentence embedding. Its early stopping reads how often a text finds one of its class.
    A package has the centres of the classes. It is judged as in text classification.
    """

    name = "prototype-classification"
    title = "Prototype classification"
    head_type = PrototypeHead
    optional_columns = ()
    joint_forms = ()

    def __init__(self, spec: HeadSpec) -> None:
        """The head of a package if the spec has a scale, otherwise that of a model."""
        self.head = PrototypeVectors(spec) if spec.options.get("scale") is None else PrototypeHead(spec)

    @classmethod
    def spec_for(cls, labels: Sequence[str], out_of_scope_label: str | None = None) -> HeadSpec:
        """The spec over a label set. The out-of-scope label has no centre, and the model decides how many numbers a
        vector has."""
        classes = [label for label in labels if label != out_of_scope_label]
        options = {"form": CLASSES, "classes": classes, "out_of_scope_label": out_of_scope_label}
        return cls.head_type.declare(cls.name, ("0",), **options)

    @staticmethod
    def describe(label: Any, text: str | None) -> str:
        """The name of the class; of a model the first numbers of the vector."""
        return SentenceEmbedding.describe(label, text)

    @property
    def steering(self) -> Metric:
        """Of a model how often a text finds one of its class, because it has no centres yet. Of a package the first
        metric."""
        if self.head.answers_a_vector:
            return RecallAtK(name="recall_at_1", title="recall@1", scattered=self.out_of_scope_label)
        return self.metrics[0]
