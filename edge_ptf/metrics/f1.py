"""F1 over summed counts (micro), with its precision and recall.

`count` returns (true positives, predicted, actual). The results are bit-identical to those of seqeval and scikit-learn.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from edge_ptf.metrics.base import Rows
from edge_ptf.metrics.share import Counts

if TYPE_CHECKING:
    from edge_ptf.statistics import Drop, Score


@dataclass(frozen=True, kw_only=True)
class F1(Counts):
    """2 TP ÷ (predicted + actual); 0 if there is neither."""

    @property
    def _width(self) -> int:
        return 3

    def score(self, rows: Rows) -> float:
        """Percent."""
        hits, predicted, actual = map(float, rows.sum(axis=0))
        precision, recall = _ratio(hits, predicted), _ratio(hits, actual)
        return 100 * _ratio(2.0 * precision * recall, precision + recall)


@dataclass(frozen=True, kw_only=True)
class Precision(F1):
    """True positives ÷ predicted; 0 if nothing was predicted."""

    def score(self, rows: Rows) -> float:
        """Percent."""
        return 100 * _ratio(*map(float, rows.sum(axis=0)[:2]))

    def bound(self, before: Rows, after: Rows, confidence: float, limit: float | None = None) -> Drop:
        """The bound for a share."""
        return super().bound(before[:, :2], after[:, :2], confidence, limit)

    def score_bound(self, rows: Rows, confidence: float, limit: float | None = None) -> Score:
        """The bound for a share."""
        return super().score_bound(rows[:, :2], confidence, limit)


@dataclass(frozen=True, kw_only=True)
class Recall(F1):
    """True positives ÷ actual; 0 if there is nothing to find."""

    def score(self, rows: Rows) -> float:
        """Percent."""
        return 100 * _ratio(*map(float, rows.sum(axis=0)[::2]))

    def bound(self, before: Rows, after: Rows, confidence: float, limit: float | None = None) -> Drop:
        """The bound for a share."""
        return super().bound(before[:, ::2], after[:, ::2], confidence, limit)

    def score_bound(self, rows: Rows, confidence: float, limit: float | None = None) -> Score:
        """The bound for a share."""
        return super().score_bound(rows[:, ::2], confidence, limit)


def _ratio(part: float, whole: float) -> float:
    return float(np.float64(part) / np.float64(whole)) if whole else 0.0
