"""Percentages of summed counts: hits ÷ counted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from edge_ptf.metrics.base import Percentage, Rows

if TYPE_CHECKING:
    from edge_ptf.statistics import Drop, Score

Count = Callable[[Any, Any], tuple[float, ...]]
"""The counts of one example, from its reference and its answer."""


@dataclass(frozen=True, kw_only=True)
class Counts(Percentage):
    """A percentage of sums over examples. `paired_drop` bounds its drop, and `share_score` its score."""

    count: Count

    def per_example(self, references: Sequence[Any], answers: Sequence[Any]) -> Rows:
        """The counts of each example. The first column has the hits."""
        rows = [self.count(reference, answer) for reference, answer in zip(references, answers, strict=True)]
        return np.asarray(rows, dtype=np.float64).reshape(len(rows), self._width)

    @property
    def _width(self) -> int:
        return 2

    def counted(self, rows: Rows) -> int:
        """The number of examples with something to count."""
        return int((rows[:, 1:].sum(axis=1) > 0).sum())

    def bound(self, before: Rows, after: Rows, confidence: float, limit: float | None = None) -> Drop:
        """See `paired_drop`; in points."""
        from edge_ptf.statistics import paired_drop

        drop = paired_drop(before, after, confidence=confidence, limit=None if limit is None else limit / 100)
        return replace(drop, value=100 * drop.value, bound=100 * drop.bound)

    def score_bound(self, rows: Rows, confidence: float, limit: float | None = None) -> Score:
        """See `share_score`; in percent."""
        from edge_ptf.statistics import share_score

        found = share_score(rows, confidence=confidence, limit=None if limit is None else limit / 100)
        return replace(found, value=100 * found.value, bound=100 * found.bound)


@dataclass(frozen=True, kw_only=True)
class Share(Counts):
    """Hits ÷ counted: `count` returns (hits, counted)."""

    empty: float = float("nan")
    """The score if nothing is counted."""

    def score(self, rows: Rows) -> float:
        """Percent."""
        hits, counted = rows.sum(axis=0)
        return 100.0 * float(hits) / float(counted) if counted else self.empty
