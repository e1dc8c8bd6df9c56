"""Metrics of answers that are numbers: correlations, and the root mean square error."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from edge_ptf.metrics.base import Direction, Metric, Rows


class Numbers(Metric):
    """A metric of expected and answered numbers."""

    def per_example(self, references: Sequence[float], answers: Sequence[float]) -> Rows:
        """The expected and the answered number, [examples, 2]."""
        return np.column_stack([np.asarray(references, np.float64), np.asarray(answers, np.float64)])


@dataclass(frozen=True, kw_only=True)
class Pearson(Numbers):
    """Pearson's correlation, from -1 to 1.

    Answers that are all equal say nothing about the order of texts, so their correlation is 0.
    """

    limits = (-1.0, 1.0)

    def score(self, rows: Rows) -> float:
        """From -1 to 1; NaN if the expected numbers are all equal, or there are fewer than two."""
        expected, answered = rows.T
        if len(rows) < 2 or np.ptp(expected) == 0:
            return float("nan")
        if np.ptp(answered) == 0:
            return 0.0
        expected, answered = _standardized(expected), _standardized(answered)
        return float(np.clip(expected @ answered, -1.0, 1.0))

    def noise(self, score: float, count: int) -> float:
        """(1 - r²) / √(n - 1), the standard error for numbers of a normal distribution."""
        return float(max(1 - score**2, 0.0) / max(count - 1, 1) ** 0.5)


@dataclass(frozen=True, kw_only=True)
class Spearman(Pearson):
    """Spearman's rank correlation, from -1 to 1: Pearson's correlation of the ranks. Equal numbers share their mean
    rank."""

    def score(self, rows: Rows) -> float:
        """From -1 to 1; NaN if the expected numbers are all equal, or there are fewer than two."""
        return super().score(np.column_stack([_ranks(column) for column in rows.T]))

    def noise(self, score: float, count: int) -> float:
        """(1 - r²) √(1 + r² / 2) / √(n - 3) (Bonett and Wright, Psychometrika 65, 2000)."""
        return float(max(1 - score**2, 0.0) * (1 + min(score**2, 1.0) / 2) ** 0.5 / max(count - 3, 1) ** 0.5)


@dataclass(frozen=True, kw_only=True)
class RootMeanSquareError(Numbers):
    """Root of the mean squared distance, in the unit of the data. Lower is better."""

    direction = Direction.LOWER
    limits = (float("inf"), 0.0)

    def score(self, rows: Rows) -> float:
        """From 0; NaN if there are no examples."""
        return float(np.sqrt(np.mean((rows[:, 0] - rows[:, 1]) ** 2))) if len(rows) else float("nan")

    def noise(self, score: float, count: int) -> float:
        """s / √(2n), the standard error for distances of a normal distribution."""
        return float(score / max(2 * count, 1) ** 0.5)


def _standardized(values: Rows) -> Rows:
    """Values with the mean 0 and the length 1. The largest one is 1 before, so that squares neither overflow nor
    vanish."""
    centred = values - values.mean()
    scaled: Rows = centred / np.abs(centred).max()
    return scaled / np.linalg.norm(scaled)


def _ranks(values: Rows) -> Rows:
    """Ranks from 1; equal values share their mean rank."""
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    ranks: Rows = (ends - (counts - 1) / 2)[place.reshape(-1)]
    return ranks
