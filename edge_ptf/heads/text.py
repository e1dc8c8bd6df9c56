"""The kind "text": one label for a text or a pair of texts, with an optional label for texts that fit no class."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from edge_ptf.examples import Encoding, Example, Logits, Prediction
from edge_ptf.heads.base import HeadOptions, Target
from edge_ptf.heads.classes import ClassHead, labelled_rows
from edge_ptf.heads.probabilities import SHOWN_CLASSES, best_classes, softmax
from edge_ptf.heads.spec import HeadSpec

THRESHOLD_COST_POINTS = 0.5
"""How much in-scope accuracy on validation the out-of-scope threshold may cost, in points."""
RECALL_WORTH = 0.1
"""A point of out-of-scope recall is worth a tenth of a point of in-scope accuracy: most texts are in scope."""

Flags = NDArray[np.bool_]


class TextOptions(HeadOptions):
    """Settings of a head of the kind "text"."""

    out_of_scope_label: str | None = Field(None, description="The label of texts that belong to no class.")
    threshold: float | None = Field(
        None, ge=0, le=1, description="An in-scope answer with a lower probability becomes out-of-scope."
    )


class TextHead(ClassHead):
    """The class with the largest logit.

    With an out-of-scope label, an answer is out-of-scope when that class has the largest logit, or when the largest
    probability of an in-scope class is below the threshold that was chosen on validation.
    """

    kind = "text"
    logits_axes = ("batch", "label")
    target_axes = ("batch",)
    options_model: ClassVar[type[HeadOptions]] = TextOptions
    tuned_options = ("threshold",)
    least_certainty: ClassVar[float] = 0.0
    """No `certainty` is smaller."""

    def settings(self) -> dict[str, str]:
        """The out-of-scope label and its threshold, where there is such a label."""
        label, threshold = self.options.out_of_scope_label, self.options.threshold
        if label is None:
            return {}
        return {
            "out-of-scope label": label,
            "threshold on the probability": "not set"
            if threshold is None
            else f"{threshold:.3f}, chosen on validation",
        }

    @staticmethod
    def auto_model() -> Any:
        """Sequence classification."""
        from transformers import AutoModelForSequenceClassification

        return AutoModelForSequenceClassification

    def target(self, example: Example, encoding: Encoding) -> Target:
        """The class id; ignored for an out-of-scope text where no such class is trained."""
        return np.asarray(self.label_ids.get(str(example.label), self.ignored), self.target_dtype)

    def decode(self, logits: Logits, encoding: Encoding, text: str) -> Prediction:
        """The label, its score, and the best classes; the first of them is the answer, with the same score.

        The score is the probability of the class. Of an answer that the threshold decided it is 1 minus what the
        threshold is compared with, and the details say `by_threshold`.
        """
        probabilities = softmax(logits)
        best, scope = int(probabilities.argmax()), self.options.out_of_scope_label
        label, score = self.spec.labels[best], float(probabilities[best])
        threshold = self.options.threshold
        certainty = self.certainty(logits, score)
        by_threshold = scope is not None and threshold is not None and label != scope and certainty < threshold
        if by_threshold:
            label, score = str(scope), min(1.0 - certainty, 1.0)
        flags = {"out_of_scope": label == scope, "by_threshold": by_threshold}
        said = {name: True for name, value in flags.items() if value}
        others = best_classes(self.spec.labels, probabilities, SHOWN_CLASSES - 1, without=label)
        return Prediction(label, score, {**said, "classes": [{"label": label, "score": score, **said}, *others]})

    def certainty(self, logits: Logits, probability: float) -> float:
        """What the threshold is compared with: the largest probability.

        Args:
            logits: of one text.
            probability: the largest one of its classes.
        """
        return probability

    def support(self, logits: Logits, encoding: Encoding, label: Any) -> float | None:
        """The probability of the class; for the out-of-scope label, how little any other class has."""
        probabilities = softmax(logits)
        if label != self.options.out_of_scope_label:
            return float(probabilities[self.label_ids[label]])
        return 1.0 - max(float(probabilities[index]) for name, index in self.label_ids.items() if name != label)

    def scored(
        self, logits: Sequence[Logits], encodings: Sequence[Encoding], references: Sequence[Any]
    ) -> tuple[NDArray[np.float64], NDArray[np.int64]] | None:
        """The logits of each text whose label is a trained class."""
        return labelled_rows(logits, references, self.label_ids)

    def rules(self) -> tuple[str, ...]:
        """The largest probability, and the threshold under it."""
        scope, threshold = self.options.out_of_scope_label, self.options.threshold
        answer = "The probabilities are the softmax of the logits. The answer is the class with the largest one."
        if scope is None:
            return (answer,)
        if threshold is None:
            return (answer, f"The label `{scope}` means that the text belongs to no class. There is no threshold.")
        inside = f"a class other than `{scope}`" if scope in self.label_ids else "any class"
        below = f"If {inside} is largest and its probability is less than {threshold!r}, the answer is `{scope}`"
        return answer, f"{below}: the text belongs to no class."

    @property
    def tunes(self) -> bool:
        """With an out-of-scope label there is a threshold to choose."""
        return self.options.out_of_scope_label is not None

    def tuned(
        self, logits: Sequence[Logits], references: Sequence[Any], encodings: Sequence[Encoding] = ()
    ) -> HeadSpec:
        """Chooses the out-of-scope threshold by labelled examples.

        Of all thresholds that cost at most `THRESHOLD_COST_POINTS` of in-scope accuracy, the one with the best sum of
        in-scope accuracy and `RECALL_WORTH` times the out-of-scope recall; of equal ones the smallest. Without
        out-of-scope examples the threshold stays unset.
        """
        reference = np.asarray(references, dtype=object)
        outside = reference == self.options.out_of_scope_label
        if not self.tunes or not outside.any() or outside.all():
            return self.spec
        candidates, scores, labels = self._candidates(logits)
        claimed = labels == self.options.out_of_scope_label
        chosen = _best_worth(candidates, scores, claimed, outside, (labels == reference) & ~outside)
        return self.spec.with_options(threshold=min(float(candidates[chosen]), 1.0))

    def matched(self, logits: Sequence[Logits], answers: Sequence[Any], encodings: Sequence[Encoding] = ()) -> HeadSpec:
        """Chooses the out-of-scope threshold that turns away as many texts as another model does.

        Of equally near ones the smallest. Two thresholds that are chosen apart by a few labelled examples differ by
        chance, and compression would be blamed for it; a count needs no labels, so that it can be taken over many
        texts.
        """
        if not self.tunes:
            return self.spec
        scope = self.options.out_of_scope_label
        candidates, scores, labels = self._candidates(logits)
        claimed = labels == scope
        wanted = sum(answer == scope for answer in answers) - int(claimed.sum())
        below = np.searchsorted(np.sort(scores[~claimed]), candidates, side="left")
        return self.spec.with_options(threshold=min(float(candidates[np.argmin(np.abs(below - wanted))]), 1.0))

    def _candidates(self, logits: Sequence[Logits]) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[Any]]:
        """All thresholds that differ in what they turn away, ascending; and of each text the best score and label."""
        probabilities = np.stack([softmax(row) for row in logits])
        best = probabilities.argmax(axis=1)
        largest = probabilities[np.arange(len(best)), best]
        scores = np.asarray([self.certainty(row, float(each)) for row, each in zip(logits, largest, strict=True)])
        candidates = np.unique(np.concatenate([[self.least_certainty], np.nextafter(scores, 1.0)]))
        return candidates, scores, np.asarray(self.spec.labels, dtype=object)[best]


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
