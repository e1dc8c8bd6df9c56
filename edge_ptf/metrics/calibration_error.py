"""The expected calibration error: how far the scores of answers are from how often these answers are right."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from edge_ptf.metrics.base import Direction, Percentage, Rows

BINS = 15
ECE, ECE_TITLE = "ece", "expected calibration error"


@dataclass(frozen=True, kw_only=True)
class CalibrationError(Percentage):
    """The expected calibration error over 15 bins of equal width (Guo et al. 2017, "On Calibration of Modern Neural
    Networks", equation 3). A bin contains scores above its lower edge and up to its upper edge. Lower is better."""

    direction = Direction.LOWER
    limits = (100.0, 0.0)
    reads = "score"

    def answers(self, predictions: Iterable[Any]) -> list[Any]:
        """The label and the score of each answer."""
        return [(prediction.label, prediction.score) for prediction in predictions]

    def per_example(self, references: Sequence[Any], answers: Sequence[tuple[Any, float]]) -> Rows:
        """The score, and whether the answer is right, [examples, 2]."""
        rows = [(score, label == reference) for reference, (label, score) in zip(references, answers, strict=True)]
        return np.asarray(rows, np.float64).reshape(-1, 2)

    def score(self, rows: Rows) -> float:
        """Percent; NaN if there are no examples."""
        if not len(rows):
            return float("nan")
        bins = np.clip(np.ceil(rows[:, 0] * BINS).astype(np.int64) - 1, 0, BINS - 1)
        gaps = np.bincount(bins, weights=rows[:, 1] - rows[:, 0], minlength=BINS)
        return 100 * float(np.abs(gaps).sum()) / len(rows)

    def as_good(self, score: float, best: float, count: int) -> bool:
        """Whether a score is at most one standard error of the best score above it."""
        return score <= best + self.noise(best, count)
