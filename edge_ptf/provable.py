"""What the test split can prove at best. It is known once the data are read, before anything is trained."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import inf, isfinite
from types import MappingProxyType
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from edge_ptf.accuracy_gate import rounded_up
from edge_ptf.config import StrictModel
from edge_ptf.metrics import Direction, Metric, gated
from edge_ptf.metrics.base import Rows
from edge_ptf.statistics import best_case
from edge_ptf.tasks.base import Task


class Provable(StrictModel):
    """What the test split can prove about one gated metric: its drop, if the package answers as its teacher, or its
    score, if every answer is right.
    """

    target: Literal["max_drop", "min_score"] = Field("max_drop", description="Whether it is the drop or the score.")
    metric: str
    title: str
    unit: str = Field(description="Unit of limit and bound: points or percent, or that of the metric.")
    direction: Direction = Field(Direction.LOWER, description="Values on this side of the limit are inside.")
    limit: float | None = Field(None, description="The drop or score that is allowed. None: no limit is set.")
    examples: int = Field(description="Test examples that count for the metric.")
    bound: float | None = Field(
        None, description="The smallest drop or the best score that can be proven. None: no example counts."
    )
    needed: int | None = Field(
        None, description="About how many test examples the limit needs. None: no limit, or no such number is known."
    )

    @property
    def possible(self) -> bool:
        """Whether a package that answers as well as it can is proven to be within the limit, or there is none."""
        return self.limit is None or (self.bound is not None and self.direction.lead(self.limit, self.bound) <= 0)

    @property
    def sentence(self) -> str:
        """What can be proven, and what the limit needs, in one line."""
        if self.bound is None:
            return f"{self.title}: no test row counts for this metric, so no {self._what} can be proven"
        rows = f"{self.examples:,} test row{'s' if self.examples != 1 else ''}"
        bound = _amount(f"{self.bound:.{2 if self.unit else Metric.digits}f}", self.unit)
        side = "least" if self.direction is Direction.HIGHER else "most"
        proven = f"{self.title}: {rows} can prove a {self._what} of at {side} {bound} at best"
        if self.limit is None:
            return f"{proven}; no limit is set"
        limit = _amount(f"{self.limit:g}", self.unit)
        if self.possible:
            return f"{proven}; the limit is {limit}"
        if self.needed is None:
            return f"{proven}; for {limit} no number of rows is known"
        return f"{proven}; for {limit} you need about {rounded_up(self.needed)}"

    @property
    def _what(self) -> str:
        return "drop" if self.target == "max_drop" else "score"


def provable(
    task: Task,
    references: Sequence[Any],
    max_drop: Mapping[str, float | None],
    confidence: float,
    min_score: Mapping[str, float] = MappingProxyType({}),
) -> tuple[Provable, ...]:
    """What each metric with a limit can prove: scores, then drops of gated metrics, in the order of the task's metrics.

    A metric that reads more than labels is left out: labels alone do not say what equal answers are.

    Only labels are counted. Teacher and package are taken to be right everywhere, which is the best case. The bounds
    are the gate's own (`Metric.bound`, `Metric.score_bound`) for such answers.

    Args:
        references: labels of the test split, in the form of `Example.label`.
        max_drop: limits by the name of a metric; None for a metric without a limit. One that the task does not gate is
            ignored.
        confidence: confidence of the one-sided bound, from the profile.
        min_score: limits of scores, in the same form.
    """
    judged = [metric for metric in task.metrics if metric.reads == "label"]
    scores = [
        _provable_score(metric, references, min_score[metric.name], confidence)
        for metric in judged
        if metric.name in min_score
    ]
    drops = [
        _provable(metric, references, max_drop[metric.name], confidence)
        for metric in gated(judged)
        if metric.name in max_drop
    ]
    return (*scores, *drops)


def unprovable(found: Sequence[Provable]) -> tuple[Provable, ...]:
    """Those whose limit no package can be proven to keep, unless it is better than its teacher."""
    return tuple(each for each in found if not each.possible)


def _provable(metric: Metric, references: Sequence[Any], limit: float | None, confidence: float) -> Provable:
    rows, counting = _right(metric, references)
    found = Provable(
        metric=metric.name, title=metric.title, unit=metric.unit, limit=limit, examples=metric.counted(rows)
    )
    if not counting.any():
        return found
    wanted = inf if limit is None else limit
    best = best_case(lambda before, after: metric.bound(before, after, confidence).bound, rows, wanted, counting)
    bound = best.bound if isfinite(best.bound) else None
    return found.replace(bound=bound, needed=None if limit is None else best.needed)


def _provable_score(metric: Metric, references: Sequence[Any], limit: float, confidence: float) -> Provable:
    """The distance of a score's bound from the perfect score takes the place of a drop's bound."""
    rows, counting = _right(metric, references)
    found = Provable(
        target="min_score",
        metric=metric.name,
        title=metric.title,
        unit=metric.score_unit,
        direction=metric.direction,
        limit=limit,
        examples=metric.counted(rows),
    )
    if not counting.any():
        return found
    perfect, lead = metric.score(rows), metric.direction.lead

    def distance(_: Rows, answered: Rows) -> float:
        return lead(perfect, metric.score_bound(answered, confidence).bound)

    best = best_case(distance, rows, lead(perfect, limit), counting)
    return found.replace(bound=metric.score_bound(rows, confidence).bound, needed=best.needed)


def _right(metric: Metric, references: Sequence[Any]) -> tuple[Rows, NDArray[np.bool_]]:
    """The rows of right answers, and whether each counts for the metric."""
    rows = metric.per_example(references, references)
    return rows, np.asarray([metric.counted(row[np.newaxis]) > 0 for row in rows], dtype=bool)


def _amount(number: str, unit: str) -> str:
    return f"{number} {'point' if (number, unit) == ('1', 'points') else unit}".strip()
