"""The interface of a metric, for every unit and direction."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from edge_ptf.statistics import Drop, Score

Rows = NDArray[np.float64]


class Direction(str, Enum):
    """Which of two values is better."""

    HIGHER = "higher"
    LOWER = "lower"

    def lead(self, value: float, other: float) -> float:
        """How much better `value` is than `other`; a negative value means worse."""
        return value - other if self is Direction.HIGHER else other - value

    def best(self, values: Iterable[float]) -> float:
        """The best of the values without NaN; NaN if there is none."""
        known = [value for value in values if not math.isnan(value)]
        if not known:
            return math.nan
        return max(known) if self is Direction.HIGHER else min(known)


@dataclass(frozen=True, kw_only=True)
class Metric(ABC):
    """A figure about the answers to labelled texts."""

    name: str
    title: str
    gated: bool = False
    """Whether the score of the package, and its drop from the teacher's, are judged."""
    unit: ClassVar[str] = ""
    """Unit of a score and of a drop: points (a score in points is shown in percent), ms, or empty."""
    direction: ClassVar[Direction] = Direction.HIGHER
    digits: ClassVar[int] = 4
    """Decimal places of a score in records and on the screen."""
    limits: ClassVar[tuple[float, float]] = (-math.inf, math.inf)
    """The worst and the best score that is possible, or the best and the worst where lower is better."""
    reads: ClassVar[Literal["label", "ranking", "score"]] = "label"
    """The field of a prediction that the metric reads; score: the label and the score."""

    @property
    def score_unit(self) -> str:
        """The unit of a score on the screen: percent, if a drop is in points."""
        return "%" if self.unit == "points" else self.unit

    def answers(self, predictions: Iterable[Any]) -> list[Any]:
        """The field that the metric reads, of predictions or evidence rows: the second argument of `per_example`."""
        return [getattr(prediction, self.reads) for prediction in predictions]

    @abstractmethod
    def per_example(self, references: Sequence[Any], answers: Sequence[Any]) -> Rows:
        """The contribution of each example to the score, [examples, k].

        Args:
            references: in the form of `Example.label`.
            answers: labels in the same form, or the field that the metric `reads`.
        """

    @abstractmethod
    def score(self, rows: Rows) -> float:
        """The score in the metric's unit; NaN if these examples do not define it."""

    @abstractmethod
    def noise(self, score: float, count: int) -> float:
        """Standard error of a score over `count` examples, in the metric's unit. It is finite for every score."""

    def counted(self, rows: Rows) -> int:
        """The number of examples that count for the metric."""
        return len(rows)

    def bound(self, before: Rows, after: Rows, confidence: float, limit: float | None = None) -> Drop:
        """How much worse the payload is than the baseline, with a one-sided upper bound, in the metric's unit.

        Args:
            before, after: rows of the baseline and of the payload. Row i of both belongs to the same example.
            limit: a drop. The result has the number of examples that would prove it.
        """

        def loss(baseline: Rows, payload: Rows) -> float:
            return self.direction.lead(self.score(baseline), self.score(payload))

        from edge_ptf.statistics import (
            bootstrap_score_drop,
        )  # imported here: loads scipy, which an answer does not need

        return bootstrap_score_drop(loss, before, after, confidence=confidence, limit=limit)

    def score_bound(self, rows: Rows, confidence: float, limit: float | None = None) -> Score:
        """The score of one model with a one-sided bound on its worse side, in the metric's unit.

        Args:
            rows: what `per_example` returns for the model's answers.
            limit: a score. The result has the number of examples that would prove it.
        """
        from edge_ptf.statistics import bootstrap_score

        higher = self.direction is Direction.HIGHER
        return bootstrap_score(self.score, rows, higher=higher, confidence=confidence, limit=limit)

    def as_good(self, score: float, best: float, count: int) -> bool:
        """Whether a score is at most one standard error of the best score worse than the best score."""
        return self.direction.lead(best, score) <= self.noise(best, count)


class Percentage(Metric):
    """A share from 0 to 100 %."""

    unit = "points"
    digits = 2

    def noise(self, score: float, count: int) -> float:
        """√(p (1 - p) / n). This is exact for a share of hits and approximate for an F1."""
        return 100 * self._error(score / 100, count)

    def as_good(self, score: float, best: float, count: int) -> bool:
        """Computes in shares of 1. The rounding decides ties, and with them which epoch is kept, so it must not
        change.
        """
        return score / 100 >= best / 100 - self._error(best / 100, count)

    @staticmethod
    def _error(share: float, count: int) -> float:
        share = min(max(share, 0.0), 1.0)
        return float((share * (1 - share) / max(count, 1)) ** 0.5)


def gated(metrics: Iterable[Metric]) -> tuple[Metric, ...]:
    """The metrics whose score and drop are judged."""
    return tuple(metric for metric in metrics if metric.gated)


def scores(metrics: Iterable[Metric], references: Sequence[Any], predictions: Sequence[Any]) -> dict[str, float]:
    """The score of each metric by its name, without metrics that these examples do not define.

    Args:
        references: in the form of `Example.label`.
        predictions: of the same examples; anything with the fields of `Prediction` that the metrics read.
    """
    found = {
        metric.name: metric.score(metric.per_example(references, metric.answers(predictions))) for metric in metrics
    }
    return {name: value for name, value in found.items() if not math.isnan(value)}
