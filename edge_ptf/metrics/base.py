"""What every metric has, whatever its unit and whichever direction is good."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from edge_ptf.statistics import Drop

Rows = NDArray[np.float64]


class Direction(str, Enum):
    """Which of two values is the better one."""

    HIGHER = "higher"
    LOWER = "lower"

    def lead(self, value: float, other: float) -> float:
        """How much better `value` is than `other`; negative: how much worse."""
        return value - other if self is Direction.HIGHER else other - value

    def best(self, values: Iterable[float]) -> float:
        """The best of the values; those that are not a number are left out, and NaN is the best of none."""
        known = [value for value in values if not math.isnan(value)]
        if not known:
            return math.nan
        return max(known) if self is Direction.HIGHER else min(known)


@dataclass(frozen=True, kw_only=True)
class Metric(ABC):
    """A figure about answers to labelled texts."""

    name: str
    title: str
    gated: bool = False
    """Whether the drop from the teacher to the package is judged."""
    unit: ClassVar[str] = ""
    """Of a score and of a drop: points (a score in points is shown in percent), ms, or none."""
    direction: ClassVar[Direction] = Direction.HIGHER
    digits: ClassVar[int] = 4
    """Decimal places of a score in records and on the screen."""

    @abstractmethod
    def per_example(self, references: Sequence[Any], answers: Sequence[Any]) -> Rows:
        """What each example adds to the score, [examples, k], from labels in the form of `Example.label`."""

    @abstractmethod
    def score(self, rows: Rows) -> float:
        """The score in the metric's unit; NaN where these examples do not define it."""

    @abstractmethod
    def noise(self, score: float, count: int) -> float:
        """Standard error of a score over so many examples, in the metric's unit; finite whatever the score."""

    def counted(self, rows: Rows) -> int:
        """How many examples the metric is about."""
        return len(rows)

    def bound(self, before: Rows, after: Rows, confidence: float, limit: float | None = None) -> Drop:
        """How much worse the payload is than the baseline, with a one-sided upper bound, in the metric's unit.

        Args:
            before, after: rows of the baseline and of the payload; row i of both belongs to the same example.
            limit: drop for which the number of examples is worked out that would prove it.
        """

        def loss(baseline: Rows, payload: Rows) -> float:
            return self.direction.lead(self.score(baseline), self.score(payload))

        from edge_ptf.statistics import bootstrap_score_drop  # it loads scipy, which an answer does not need

        return bootstrap_score_drop(loss, before, after, confidence=confidence, limit=limit)

    def as_good(self, score: float, best: float, count: int) -> bool:
        """Whether a score is no worse than the best of them by more than one standard error of the best."""
        return self.direction.lead(best, score) <= self.noise(best, count)


class Percentage(Metric):
    """A share of 0 to 100 %."""

    unit = "points"
    digits = 2

    def noise(self, score: float, count: int) -> float:
        """Of a share of hits, and about that of an F1: the root of p (1 - p) / n."""
        return 100 * self._error(score / 100, count)

    def as_good(self, score: float, best: float, count: int) -> bool:
        """In shares of 1, so that rounding decides ties as it always has: which epoch is kept depends on it."""
        return score / 100 >= best / 100 - self._error(best / 100, count)

    @staticmethod
    def _error(share: float, count: int) -> float:
        share = min(max(share, 0.0), 1.0)
        return float((share * (1 - share) / max(count, 1)) ** 0.5)


def gated(metrics: Iterable[Metric]) -> tuple[Metric, ...]:
    """Those whose drop is judged."""
    return tuple(metric for metric in metrics if metric.gated)


def scores(metrics: Iterable[Metric], references: Sequence[Any], answers: Sequence[Any]) -> dict[str, float]:
    """The score of each metric by its name; one that these examples do not define is left out."""
    found = {metric.name: metric.score(metric.per_example(references, answers)) for metric in metrics}
    return {name: value for name, value in found.items() if not math.isnan(value)}
