"""The Matthews correlation coefficient, for any number of classes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from edge_ptf.metrics.base import Metric, Rows
from edge_ptf.metrics.macro import class_numbers


@dataclass(frozen=True, kw_only=True)
class Matthews(Metric):
    """The correlation of the expected with the answered class, from -1 to 1 (Gorodkin, Computational Biology and
    Chemistry 28, 2004), as scikit-learn defines it. It is 0 for answers that are all of one class."""

    limits = (-1.0, 1.0)

    def per_example(self, references: Sequence[Any], answers: Sequence[Any]) -> Rows:
        """See `class_numbers`."""
        return class_numbers(references, answers)

    def score(self, rows: Rows) -> float:
        """From -1 to 1; 0 if references or answers are all of one class, or there are no examples."""
        pairs = rows.astype(np.int64)
        size = int(pairs.max(initial=-1)) + 1
        actual, claimed = (np.bincount(column, minlength=size).astype(np.float64) for column in pairs.T)
        count, hits = float(len(pairs)), float((pairs[:, 0] == pairs[:, 1]).sum())
        spread = (count**2 - actual @ actual) * (count**2 - claimed @ claimed)
        return float((hits * count - actual @ claimed) / np.sqrt(spread)) if spread else 0.0

    def noise(self, score: float, count: int) -> float:
        """√((1 - s²) / n). This is exact for two classes of the same size, and approximate otherwise."""
        return float((max(1 - score**2, 0.0) / max(count, 1)) ** 0.5)
