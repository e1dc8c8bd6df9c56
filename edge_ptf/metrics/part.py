"""Metrics of one of several tasks that share an encoder, and the mean of these tasks."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from edge_ptf.examples import part_of
from edge_ptf.metrics.base import Metric, Rows

if TYPE_CHECKING:
    from edge_ptf.statistics import Drop, Score


@dataclass(frozen=True, kw_only=True)
class PartMetric(Metric):
    """A metric of one task, for labels and answers of several. Examples without a label of this task do not count.

    A row is 1 and the row of the metric of the task, or zeros if the example does not count.
    """

    inner: Metric
    place: int
    """Of the task among the tasks."""

    def __post_init__(self) -> None:
        for name in ("unit", "direction", "digits", "limits", "reads"):  # properties of a class, here of the inner one
            object.__setattr__(self, name, getattr(self.inner, name))

    def answers(self, predictions: Iterable[Any]) -> list[Any]:
        """See Metric. Labels stay those of all tasks."""
        if self.reads == "label":
            return super().answers(predictions)
        return self.inner.answers(part_of(prediction, self.place) for prediction in predictions)

    def per_example(self, references: Sequence[Any], answers: Sequence[Any]) -> Rows:
        """See Metric."""
        known = [number for number, labels in enumerate(references) if labels[self.place] is not None]
        wanted = [references[number][self.place] for number in known]
        given = [answers[number] for number in known]
        own = self.inner.per_example(
            wanted, [labels[self.place] for labels in given] if self.reads == "label" else given
        )
        rows = np.zeros((len(references), 1 + own.shape[1]))
        rows[known, 0] = 1
        rows[known, 1:] = own
        return rows

    def score(self, rows: Rows) -> float:
        """See Metric."""
        own = _counting(rows)
        return self.inner.score(own) if len(own) else math.nan

    def noise(self, score: float, count: int) -> float:
        """See Metric."""
        return self.inner.noise(score, count)

    def as_good(self, score: float, best: float, count: int) -> bool:
        """See Metric."""
        return self.inner.as_good(score, best, count)

    def counted(self, rows: Rows) -> int:
        """See Metric."""
        return self.inner.counted(_counting(rows))

    def bound(self, before: Rows, after: Rows, confidence: float, limit: float | None = None) -> Drop:
        """See Metric."""
        return self.inner.bound(_counting(before), _counting(after), confidence, limit)

    def score_bound(self, rows: Rows, confidence: float, limit: float | None = None) -> Score:
        """See Metric."""
        return self.inner.score_bound(_counting(rows), confidence, limit)


def _counting(rows: Rows) -> Rows:
    """The rows of the task itself, of the examples that have a label of it."""
    return rows[rows[:, 0] > 0, 1:]


@dataclass(frozen=True, kw_only=True)
class Mean(Metric):
    """The mean of metrics with the same unit and direction."""

    of: tuple[Metric, ...]

    def __post_init__(self) -> None:
        for name in ("unit", "direction", "digits", "limits"):
            object.__setattr__(self, name, getattr(self.of[0], name))

    def per_example(self, references: Sequence[Any], answers: Sequence[Any]) -> Rows:
        """The rows of each metric, one beside the other; the first column of each is preceded by its width."""
        rows = [metric.per_example(references, answers) for metric in self.of]
        return np.hstack([np.hstack([np.full((len(own), 1), own.shape[1]), own]) for own in rows])

    def score(self, rows: Rows) -> float:
        """The mean of the scores that these examples define; NaN if they define none."""
        if not len(rows):
            return math.nan
        scores = [metric.score(own) for metric, own in zip(self.of, self._split(rows), strict=True)]
        known = [score for score in scores if not math.isnan(score)]
        return sum(known) / len(known) if known else math.nan

    def noise(self, score: float, count: int) -> float:
        """Standard error of a mean of independent scores that are alike: that of one ÷ √n."""
        return self.of[0].noise(score, count) / float(np.sqrt(len(self.of)))

    def _split(self, rows: Rows) -> list[Rows]:
        found, begin = [], 0
        for _ in self.of:
            width = int(rows[0, begin])
            found.append(rows[:, begin + 1 : begin + 1 + width])
            begin += 1 + width
        return found
