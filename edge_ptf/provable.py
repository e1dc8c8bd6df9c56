"""What the test split can prove at best. It is known once the data are read, before anything is trained."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import inf, isfinite
from typing import Any

import numpy as np
from pydantic import Field

from edge_ptf.config import StrictModel
from edge_ptf.gate import rounded_up
from edge_ptf.metrics import Metric, gated
from edge_ptf.statistics import best_case
from edge_ptf.tasks.base import Task


class Provable(StrictModel):
    """What the test split can prove about the drop of one gated metric, if the package answers as its teacher."""

    metric: str
    title: str
    unit: str = Field(description="Unit of limit and bound: points, or that of the metric.")
    limit: float | None = Field(None, description="The drop that is allowed. None: no limit is set.")
    examples: int = Field(description="Test examples that count for the metric.")
    bound: float | None = Field(None, description="The smallest drop that can be proven. None: no example counts.")
    needed: int | None = Field(
        None, description="About how many test examples the limit needs. None: no limit, or no such number is known."
    )

    @property
    def possible(self) -> bool:
        """Whether a package that answers as its teacher is proven to be within the limit, or there is none."""
        return self.limit is None or (self.bound is not None and self.bound <= self.limit)

    @property
    def sentence(self) -> str:
        """What can be proven, and what the limit needs, in one line."""
        if self.bound is None:
            return f"{self.title}: no test row counts for this metric, so no drop can be proven"
        rows = f"{self.examples:,} test row{'s' if self.examples != 1 else ''}"
        bound = _amount(f"{self.bound:.2f}", self.unit)
        proven = f"{self.title}: {rows} can prove a drop of at most {bound} at best"
        if self.limit is None:
            return f"{proven}; no limit is set"
        limit = _amount(f"{self.limit:g}", self.unit)
        if self.possible:
            return f"{proven}; the limit is {limit}"
        if self.needed is None:
            return f"{proven}; for {limit} no number of rows is known"
        return f"{proven}; for {limit} you need about {rounded_up(self.needed)}"


def provable(
    task: Task, references: Sequence[Any], max_drop: Mapping[str, float | None], confidence: float
) -> tuple[Provable, ...]:
    """What each gated metric with a limit can prove, in the order of the task's metrics.

    A metric that reads more than labels is left out: labels alone do not say what equal answers are.

    Only labels are counted. The teacher is taken to be right everywhere, which is the best case, and the bound is the
    gate's own (`Metric.bound`) for two models that answer alike.

    Args:
        references: labels of the test split, in the form of `Example.label`.
        max_drop: limits by the name of a metric; None for a metric without a limit. One that the task does not gate is
            ignored.
        confidence: confidence of the one-sided bound, from the profile.
    """
    return tuple(
        _provable(metric, references, max_drop[metric.name], confidence)
        for metric in gated(task.metrics)
        if metric.name in max_drop and metric.reads == "label"
    )


def unprovable(found: Sequence[Provable]) -> tuple[Provable, ...]:
    """Those whose limit no package can be proven to keep, unless it is better than its teacher."""
    return tuple(each for each in found if not each.possible)


def _provable(metric: Metric, references: Sequence[Any], limit: float | None, confidence: float) -> Provable:
    rows = metric.per_example(references, references)
    counting = np.asarray([metric.counted(row[np.newaxis]) > 0 for row in rows], dtype=bool)
    found = Provable(
        metric=metric.name, title=metric.title, unit=metric.unit, limit=limit, examples=metric.counted(rows)
    )
    if not counting.any():
        return found
    wanted = inf if limit is None else limit
    best = best_case(lambda before, after: metric.bound(before, after, confidence).bound, rows, wanted, counting)
    bound = best.bound if isfinite(best.bound) else None
    return found.replace(bound=bound, needed=None if limit is None else best.needed)


def _amount(number: str, unit: str) -> str:
    return f"{number} {'point' if (number, unit) == ('1', 'points') else unit}".strip()
