"""The kind "multi-label": any number of labels for a text, each by a sigmoid and a threshold of its own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from edge_ptf.examples import Encoding, Example, Logits, Prediction
from edge_ptf.heads.base import Head, HeadOptions, LogitLoss, Loss, PositiveWeights, Reduction, Target
from edge_ptf.heads.probabilities import best_classes, ranked
from edge_ptf.heads.spec import HeadSpec

if TYPE_CHECKING:
    from torch import Tensor

DEFAULT_THRESHOLD = 0.5
LEAST_EXAMPLES = 20
"""A label with fewer validation examples has the threshold of all labels: few examples choose one by chance."""

Probability = Annotated[float, Field(ge=0, le=1)]


class MultiLabelOptions(HeadOptions):
    """Settings of a head of the kind "multi-label"."""

    thresholds: tuple[Probability, ...] | None = Field(
        None, description="The least probability of each label, by class id; null: 0.5 for all."
    )


class MultiLabelHead(Head):
    """Each label whose probability reaches its threshold."""

    kind = "multi-label"
    logits_axes = ("batch", "label")
    answers_a_list = True
    target_axes = ("batch", "label")
    target_dtype = np.float32
    ignored = -1.0
    options_model = MultiLabelOptions
    weighs_labels = True
    tuned_options = ("thresholds",)

    def __init__(self, spec: HeadSpec) -> None:
        """Raises ValueError where the number of thresholds is not that of the labels."""
        super().__init__(spec)
        given = self.options.thresholds
        if given is not None and len(given) != len(spec.labels):
            raise ValueError(f"thresholds: {len(given)} values for {len(spec.labels)} labels")
        self._thresholds = np.full(len(spec.labels), DEFAULT_THRESHOLD) if given is None else np.asarray(given)

    def settings(self) -> dict[str, str]:
        """The range of the thresholds."""
        if self.options.thresholds is None:
            return {"thresholds": f"{DEFAULT_THRESHOLD} for all labels"}
        return {"thresholds": f"{self._thresholds.min():.3f} to {self._thresholds.max():.3f}, one for each label"}

    @staticmethod
    def auto_model() -> Any:
        """Sequence classification."""
        from transformers import AutoModelForSequenceClassification

        return AutoModelForSequenceClassification

    def model_config(self) -> dict[str, Any]:
        """Names the problem, so that `transformers` uses a sigmoid too."""
        return {**super().model_config(), "problem_type": "multi_label_classification"}

    # Training

    def target(self, example: Example, encoding: Encoding) -> Target:
        """1 for each label of the example, 0 for the others."""
        found = np.zeros(len(self.spec.labels), self.target_dtype)
        found[[self.label_ids[label] for label in example.label]] = 1
        return found

    def loss(self, logits: Tensor, targets: Tensor, smoothing: float = 0.0, reduction: Reduction = "mean") -> Tensor:
        """Binary cross-entropy of each label; smoothing moves a target towards one half."""
        return self._loss(logits, targets, smoothing, reduction)

    def _loss(
        self, logits: Tensor, targets: Tensor, smoothing: float, reduction: Reduction, weights: Tensor | None = None
    ) -> Tensor:
        from torch.nn.functional import binary_cross_entropy_with_logits

        labelled = (targets != self.ignored).all(-1)
        if not bool(labelled.any()):
            return logits.sum() * 0.0  # has a gradient all the same
        wanted = targets[labelled] * (1 - smoothing) + smoothing / 2
        return binary_cross_entropy_with_logits(logits[labelled], wanted, reduction=reduction, pos_weight=weights)

    def weighted_loss(self, targets: Sequence[Target], weights: PositiveWeights) -> Loss:
        """Binary cross-entropy in which the term of a label that applies is multiplied by the label's weight."""
        import torch

        if weights == "none":
            return self.loss
        found = torch.from_numpy(positive_weights(np.stack(targets), weights))

        def loss(logits: Tensor, targets: Tensor, smoothing: float) -> Tensor:
            return self._loss(logits, targets, smoothing, "mean", found.to(logits.device))

        return loss

    def distillation_loss(self, student: Tensor, teacher: Tensor, form: LogitLoss, temperature: float) -> Tensor:
        """T² · KL of the Bernoulli distributions of each label at temperature T, summed over labels, mean over texts
        (Hinton et al. 2015 for one label at a time); or the mean squared distance of the logits."""
        from torch.nn.functional import logsigmoid

        if form == "mse":
            return (student - teacher).square().mean()
        own, wanted = student / temperature, teacher / temperature
        present = wanted.sigmoid() * (logsigmoid(wanted) - logsigmoid(own))
        absent = (-wanted).sigmoid() * (logsigmoid(-wanted) - logsigmoid(-own))
        return (present + absent).sum(-1).mean() * temperature**2

    # Answers

    def decode(self, logits: Logits, encoding: Encoding, text: str) -> Prediction:
        """The labels that apply, in the order of the class ids. The score is the least probability of them; where none
        applies, the probability that the most probable one does not."""
        probabilities = sigmoid(logits)
        applies = np.flatnonzero(probabilities >= self._thresholds)
        score = probabilities[applies].min() if len(applies) else 1 - probabilities.max()
        labels = tuple(self.spec.labels[index] for index in applies)
        classes = best_classes(self.spec.labels, probabilities)
        return Prediction(labels, float(score), {"classes": classes}, tuple(ranked(probabilities)))

    def support(self, logits: Logits, encoding: Encoding, label: Any) -> float | None:
        """The least probability of the labels; without labels, that the most probable one does not apply."""
        probabilities = sigmoid(logits)
        chosen = [probabilities[self.label_ids[name]] for name in label]
        return float(min(chosen) if chosen else 1 - probabilities.max())

    def rules(self) -> tuple[str, ...]:
        """The sigmoid, and the threshold of each label."""
        answer = "The probability of a class is the sigmoid of its logit. The answer is every class that reaches its"
        if self.options.thresholds is None:
            return (f"{answer} threshold, {DEFAULT_THRESHOLD} for all.",)
        return (
            f"{answer} threshold. The thresholds are `edge_ptf.options.thresholds` in `config.json`, in class order.",
        )

    @property
    def tunes(self) -> bool:
        """There are always thresholds to choose."""
        return True

    def tuned(
        self, logits: Sequence[Logits], references: Sequence[Any], encodings: Sequence[Encoding] = ()
    ) -> HeadSpec:
        """Chooses the threshold of each label by its F1; rare labels get the one with the best F1 over all labels."""
        if not logits:
            return self.spec
        probabilities = sigmoid(np.stack(logits))
        truth = np.asarray([[label in names for label in self.spec.labels] for names in references], bool)
        common = _best_threshold(probabilities.ravel(), truth.ravel())
        chosen = [
            _best_threshold(probabilities[:, index], truth[:, index])
            if truth[:, index].sum() >= LEAST_EXAMPLES
            else common
            for index in range(len(self.spec.labels))
        ]
        return self.spec.with_options(thresholds=chosen)

    def matched(self, logits: Sequence[Logits], answers: Sequence[Any], encodings: Sequence[Encoding] = ()) -> HeadSpec:
        """Chooses thresholds such that each label is answered as often as by another model.

        A label that the other model never answers has the threshold of all labels, or a larger one if a text reaches
        that.
        """
        if not logits:
            return self.spec
        probabilities = sigmoid(np.stack(logits))
        counts = [sum(label in names for names in answers) for label in self.spec.labels]
        common = _threshold_for(probabilities.ravel(), sum(counts))
        chosen = []
        for column, count in zip(probabilities.T, counts, strict=True):
            unreached = not count and column.max() < common
            chosen.append(common if unreached else _threshold_for(column, count))
        return self.spec.with_options(thresholds=chosen)


def sigmoid(logits: Logits) -> NDArray[np.float64]:
    """The probability of each label, in double precision."""
    with np.errstate(over="ignore"):
        result: NDArray[np.float64] = 1 / (1 + np.exp(-np.asarray(logits, dtype=np.float64)))
    return result


def positive_weights(targets: Target, form: PositiveWeights) -> NDArray[np.float32]:
    """The weight of each label, [labels]: examples without it ÷ examples with it, or the square root of that.

    A label without examples has the weight 1.

    Args:
        targets: 1 where a label applies, 0 where it does not, [examples, labels].
    """
    present = (targets == 1).sum(axis=0)
    absent = (targets == 0).sum(axis=0)
    ratio = np.where(present > 0, absent / np.maximum(present, 1), 1.0)
    weights = np.sqrt(ratio) if form == "root" else ratio
    return weights.astype(np.float32)


def _best_threshold(scores: NDArray[np.float64], truth: NDArray[np.bool_]) -> float:
    """The threshold with the best F1; of equal ones the largest. 0.5 where nothing is true."""
    if not truth.any():
        return DEFAULT_THRESHOLD
    order = np.argsort(-scores, kind="stable")
    hits, claimed = np.cumsum(truth[order]), np.arange(1, len(scores) + 1)
    f1 = 2 * hits / (claimed + truth.sum())
    f1[:-1][np.diff(scores[order]) == 0] = -1  # equal scores are answered together
    return _threshold_for(scores, int(np.argmax(f1)) + 1)


def _threshold_for(scores: NDArray[np.float64], count: int) -> float:
    """A threshold that `count` of the scores reach, half-way to the next one; equal scores stand together."""
    ordered = np.sort(scores)[::-1]
    above = float(ordered[count - 1]) if count else 1.0
    below = float(ordered[count]) if count < len(ordered) else 0.0
    return (above + below) / 2
