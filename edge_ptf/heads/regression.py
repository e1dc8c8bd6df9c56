"""The kind "regression": a number for a text or a pair of texts."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite
from statistics import fmean, pstdev
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import Field

from edge_ptf.examples import Encoding, Example, Logits, Prediction
from edge_ptf.heads.base import Head, HeadOptions, LogitLoss, Reduction, Target
from edge_ptf.heads.spec import HeadSpec

if TYPE_CHECKING:
    from torch import Tensor


class RegressionOptions(HeadOptions):
    """Settings of a head of the kind "regression"."""

    mean: float = Field(0.0, allow_inf_nan=False, description="Mean of the values of train, in the unit of the data.")
    deviation: float = Field(
        1.0, gt=0, allow_inf_nan=False, description="Standard deviation of the values of train, in the same unit."
    )


class RegressionHead(Head):
    """A number in the unit of the data. The one logit is its distance from the mean, in standard deviations.

    A model learns standardized values with the same learning rate, whatever the unit of the data is.
    """

    kind = "regression"
    logits_axes = ("batch", "label")
    target_axes = ("batch",)
    target_dtype = np.float32
    ignored = float("nan")
    answers_a_number = True
    least_scale = 1.0
    options_model = RegressionOptions

    def __init__(self, spec: HeadSpec) -> None:
        """Raises ValueError where the head has not exactly one label, the name of the number."""
        super().__init__(spec)
        if len(spec.labels) != 1:
            raise ValueError(f"the head '{spec.name}' answers one number, and has {len(spec.labels)} labels")

    def settings(self) -> dict[str, str]:
        """Mean and deviation."""
        return {
            "mean of the training values": f"{self.options.mean:.6g}",
            "their standard deviation": f"{self.options.deviation:.6g}",
        }

    @staticmethod
    def auto_model() -> Any:
        """Sequence classification with one label."""
        from transformers import AutoModelForSequenceClassification

        return AutoModelForSequenceClassification

    def model_config(self) -> dict[str, Any]:
        """Names the problem, so that `transformers` applies neither softmax nor sigmoid."""
        return {**super().model_config(), "problem_type": "regression"}

    # Training

    def fitted(self, references: Sequence[Any]) -> HeadSpec:
        """Takes mean and standard deviation from the values of train."""
        return self.spec.with_options(mean=fmean(references), deviation=pstdev(references) or 1.0)

    def target(self, example: Example, encoding: Encoding) -> Target:
        """The value, standardized."""
        return np.asarray((example.label - self.options.mean) / self.options.deviation, self.target_dtype)

    def is_labelled(self, target: Target) -> bool:
        """Whether the target is a number."""
        return isfinite(float(target))

    def loss(self, logits: Tensor, targets: Tensor, smoothing: float = 0.0, reduction: Reduction = "mean") -> Tensor:
        """Squared distance of the standardized values. There is nothing that smoothing could spread a number over."""
        labelled = targets.isfinite()
        if not bool(labelled.any()):
            return logits.sum() * 0.0  # has a gradient all the same
        apart = (logits[labelled, 0] - targets[labelled]).square()
        return apart.mean() if reduction == "mean" else apart.sum()

    def distillation_loss(self, student: Tensor, teacher: Tensor, form: LogitLoss, temperature: float) -> Tensor:
        """Mean squared distance of the standardized values. A number is no distribution, so both forms are this one."""
        return (student - teacher).square().mean()

    # Answers

    def decode(self, logits: Logits, encoding: Encoding, text: str) -> Prediction:
        """The number, in double precision, as label and as score."""
        value = self.options.mean + self.options.deviation * float(logits[0])
        return Prediction(value, value)

    def support(self, logits: Logits, encoding: Encoding, label: Any) -> float | None:
        """The number that these logits answer."""
        return float(self.decode(logits, encoding, "").score)

    def rules(self) -> tuple[str, ...]:
        """Mean and deviation."""
        mean, deviation = self.options.mean, self.options.deviation
        return (f"The answer is the number {mean!r} + {deviation!r} × logit, in the unit of the training data.",)
