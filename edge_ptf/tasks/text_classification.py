"""One label for a text or a pair of texts, with an optional label for texts that belong to no class."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from edge_ptf.metrics import MacroF1, Metric, Share
from edge_ptf.tasks.base import Encoding, Example, Logits, Prediction, RowError, Task, TaskSpec

SHOWN_CLASSES = 5
THRESHOLD_COST_POINTS = 0.5
"""How much in-scope accuracy on validation the out-of-scope threshold may cost, in points."""
RECALL_WORTH = 0.1
"""A point of out-of-scope recall is worth a tenth of a point of in-scope accuracy: in-scope texts are the many."""


class TextClassification(Task):
    """Single-label classification of a text or a pair.

    With an out-of-scope label two things are gated: accuracy over the in-scope examples, and the share of out-of-scope
    examples that are recognised as such. An answer is out-of-scope when that class has the largest logit, or when the
    largest probability of an in-scope class lies below the threshold chosen on validation.
    """

    name = "text-classification"
    title = "Text classification"
    kind = "text"
    options = ("out_of_scope_label", "threshold")
    columns = ("text", "label")
    optional_columns = ("text_pair",)
    recipe: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "prune": {"num_layers": 2 / 3, "intermediate_size": 1 / 3, "vocabulary_size": 12_000}
    }

    @classmethod
    def spec_for(cls, labels: Sequence[str], out_of_scope_label: str | None = None) -> TaskSpec:
        """The spec over a label set; the out-of-scope label need not be one of the trained classes."""
        return TaskSpec(name=cls.name, labels=tuple(labels), out_of_scope_label=out_of_scope_label)

    @staticmethod
    def example(row: Mapping[str, Any]) -> Example:
        """See Task."""
        text, label, pair = row.get("text"), row.get("label"), row.get("text_pair")
        if not isinstance(text, str) or not text.strip():
            raise RowError("the text is empty")
        if label is None or not str(label).strip():
            raise RowError("the label is empty")
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
        if example.label in self.label_ids or example.label == self.spec.out_of_scope_label:
            return None
        return f"label '{example.label}' does not occur in train"

    @staticmethod
    def class_names(example: Example) -> list[str]:
        """The label."""
        return [str(example.label)]

    @staticmethod
    def stratum(example: Example) -> str:
        """The class."""
        return str(example.label)

    @staticmethod
    def auto_model() -> Any:
        """Sequence classification."""
        from transformers import AutoModelForSequenceClassification

        return AutoModelForSequenceClassification

    def encode(self, tokenizer: Any, examples: Sequence[Example], max_length: int) -> list[Encoding]:
        """See Task."""
        if not examples:
            return []
        pairs = [example.text_pair for example in examples if example.text_pair is not None]
        if pairs and len(pairs) != len(examples):  # the tokenizer takes a batch of texts or of pairs, not of both
            return [encoding for example in examples for encoding in self.encode(tokenizer, [example], max_length)]
        batch = tokenizer([example.text for example in examples], pairs or None, truncation=True, max_length=max_length)
        types = batch.get("token_type_ids") or [None] * len(examples)
        return [Encoding(ids, kinds) for ids, kinds in zip(batch["input_ids"], types, strict=True)]

    def target(self, example: Example, encoding: Encoding) -> int:
        """The class id; -100 for an out-of-scope text where no such class is trained."""
        return self.label_ids.get(str(example.label), -100)

    def decode(self, logits: Logits, encoding: Encoding, text: str) -> Prediction:
        """The label, its probability, and the best classes."""
        probabilities = softmax(logits)
        label, score = self._answer(probabilities)
        best = np.argsort(-probabilities, kind="stable")[:SHOWN_CLASSES]
        classes = [{"label": self.spec.labels[index], "score": float(probabilities[index])} for index in best]
        return Prediction(label, score, {"classes": classes})

    def _answer(self, probabilities: NDArray[np.float64]) -> tuple[str, float]:
        best = int(probabilities.argmax())
        score = float(probabilities[best])
        label = self.spec.labels[best]
        scope = self.spec.out_of_scope_label
        if scope is not None and self.spec.threshold is not None and label != scope and score < self.spec.threshold:
            return scope, 1.0 - score
        return label, score

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """Accuracy, or in-scope accuracy and out-of-scope recall and then accuracy; and macro F1."""
        scope = self.spec.out_of_scope_label
        macro = MacroF1(name="macro_f1", title="macro F1")
        accuracy = Share(name="accuracy", title="accuracy", count=_hit, gated=scope is None)
        if scope is None:
            return accuracy, macro

        def inside(reference: str, answer: str) -> tuple[float, float]:
            return reference == answer != scope, reference != scope

        def outside(reference: str, answer: str) -> tuple[float, float]:
            return reference == answer == scope, reference == scope

        return (
            Share(name="in_scope_accuracy", title="in-scope accuracy", count=inside, gated=True),
            Share(name="out_of_scope_recall", title="out-of-scope recall", count=outside, gated=True),
            accuracy,
            macro,
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

    @property
    def tunes(self) -> bool:
        """With an out-of-scope label there is a threshold to choose."""
        return self.spec.out_of_scope_label is not None

    def calibrated(self, logits: Sequence[Logits], references: Sequence[Any]) -> TaskSpec:
        """Chooses the out-of-scope threshold by labelled examples.

        Of all thresholds that cost at most `THRESHOLD_COST_POINTS` of in-scope accuracy, the one with the best sum of
        in-scope accuracy and `RECALL_WORTH` times the out-of-scope recall; of equal ones the smallest. Without
        out-of-scope examples the threshold stays unset.
        """
        reference = np.asarray(references, dtype=object)
        outside = reference == self.spec.out_of_scope_label
        if not self.tunes or not outside.any() or outside.all():
            return self.spec
        candidates, scores, labels = self._candidates(logits)
        claimed = labels == self.spec.out_of_scope_label
        chosen = _best_worth(candidates, scores, claimed, outside, (labels == reference) & ~outside)
        return self.spec.replace(threshold=min(float(candidates[chosen]), 1.0))

    def matched(self, logits: Sequence[Logits], answers: Sequence[Any]) -> TaskSpec:
        """Chooses the out-of-scope threshold that turns away as many texts as another model does.

        Of equally near ones the smallest. Two thresholds that are chosen apart by a few labelled examples differ by
        chance, and compression would be blamed for it; a count needs no labels, so that it can be taken over many
        texts.
        """
        if not self.tunes:
            return self.spec
        scope = self.spec.out_of_scope_label
        candidates, scores, labels = self._candidates(logits)
        claimed = labels == scope
        wanted = sum(answer == scope for answer in answers) - int(claimed.sum())
        below = np.searchsorted(np.sort(scores[~claimed]), candidates, side="left")
        return self.spec.replace(threshold=min(float(candidates[np.argmin(np.abs(below - wanted))]), 1.0))

    def _candidates(self, logits: Sequence[Logits]) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[Any]]:
        """All thresholds that differ in what they turn away, ascending; and of each text the best score and label."""
        probabilities = np.stack([softmax(row) for row in logits])
        best = probabilities.argmax(axis=1)
        scores = probabilities[np.arange(len(best)), best]
        candidates = np.unique(np.concatenate([[0.0], np.nextafter(scores, 1.0)]))
        return candidates, scores, np.asarray(self.spec.labels, dtype=object)[best]


Flags = NDArray[np.bool_]


def _hit(reference: str, answer: str) -> tuple[float, float]:
    return reference == answer, 1


def _best_worth(
    candidates: NDArray[np.float64], scores: NDArray[np.float64], claimed: Flags, outside: Flags, correct: Flags
) -> int:
    """Index of the threshold whose in-scope accuracy and out-of-scope recall are together worth most."""
    inside_count, outside_count = int((~outside).sum()), int(outside.sum())
    allowed = correct.sum() - THRESHOLD_COST_POINTS / 100 * inside_count
    kept = [int((correct & (scores >= candidate)).sum()) for candidate in candidates]
    recalls = [int((outside & (claimed | (scores < candidate))).sum()) for candidate in candidates]
    worth = [kept[i] / inside_count + RECALL_WORTH * recalls[i] / outside_count for i in range(len(kept))]
    fitting = [index for index, count in enumerate(kept) if count >= allowed]
    return max(fitting, key=lambda index: (round(worth[index], 9), -index))


def softmax(logits: Logits) -> NDArray[np.float64]:
    """Probabilities over the last axis, in double precision."""
    wide = np.asarray(logits, dtype=np.float64)
    powers = np.exp(wide - wide.max(axis=-1, keepdims=True))
    result: NDArray[np.float64] = powers / powers.sum(axis=-1, keepdims=True)
    return result
