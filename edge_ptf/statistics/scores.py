"""The score of one model, with a one-sided bound: what its answers to a sample of texts prove about all such texts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import ceil, inf

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import optimize, stats

from edge_ptf.statistics.drops import (
    MOST_TIMES,
    RESAMPLES,
    SCORE_RESAMPLES,
    bootstrap_drop_bound,
    examples_needed,
    share_of,
)

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Score:
    """A score with a one-sided bound on its worse side. A share is a share (0.9 is 90 %)."""

    value: float
    bound: float
    examples: int
    method: str
    needed: int | None = None
    """Total number of examples that would bring the bound to the requested limit, if the score stays the same."""


def share_score(outcomes: ArrayLike, *, confidence: float = 0.95, limit: float | None = None, seed: int = 0) -> Score:
    """A share of summed outcomes with a one-sided lower bound.

    Outcomes that are yes or no get the exact bound of Clopper and Pearson. All others get the bound of the drop from
    right answers to these answers, by the bootstrap of `bootstrap_drop_bound`: it adds a lost example, so that a
    perfect score has a bound below 1.

    Args:
        outcomes: [examples, 2] (hit, counted) for a mean of hits or [examples, 3] (true positive, predicted, actual)
            for an F1.
        limit: the score for which `needed` is computed.

    Raises:
        ValueError: no example counts.
    """
    rows = np.asarray(outcomes, dtype=np.float64)
    value, limit_drop = share_of(rows), None if limit is None else 1 - limit
    if rows.shape[1] == 2 and np.isin(rows, (0.0, 1.0)).all() and np.any(rows[:, 1]):
        hits, count = int(rows[rows[:, 1] == 1, 0].sum()), int(rows[:, 1].sum())
        bound = binary_score_bound(hits, count, confidence)
        needed = None if limit is None else binary_examples_for_score(hits, count, limit, confidence)
        return Score(value, bound, count, "exact binomial bound (Clopper and Pearson 1934)", needed)
    right = np.repeat(rows[:, -1:], rows.shape[1], axis=1)
    bound = min(1 - bootstrap_drop_bound(right, rows, confidence=confidence, seed=seed), value)
    needed = None if limit_drop is None else examples_needed(1 - value, 1 - bound, len(rows), limit_drop)
    return Score(value, bound, len(rows), f"bootstrap over examples, {RESAMPLES:,} resamples", needed)


def binary_score_bound(hits: float, count: float, confidence: float = 0.95) -> float:
    """One-sided lower bound of a share of hits: the exact bound of Clopper and Pearson (Biometrika 26, 1934).

    It is the share at which as many hits or more have the probability 1 - confidence. It holds for every true share.

    Args:
        hits: number of hits, from 0 to `count`.
        count: number of all examples.
    """
    if count <= 0:
        raise ValueError("a score needs at least one example")
    return float(stats.beta.ppf(1 - confidence, hits, count - hits + 1)) if hits > 0 else 0.0


def binary_examples_for_score(hits: float, count: int, limit: float, confidence: float = 0.95) -> int | None:
    """Total examples that bring `binary_score_bound` to `limit` if the share of hits stays.

    None if that takes more than 100 times the examples: then the score is too close to the limit, or below it.
    """

    def missing(times: float) -> float:
        return limit - binary_score_bound(hits * times, count * times, confidence)

    if missing(1.0) <= 0:
        return count
    if hits / count <= limit or missing(MOST_TIMES) > 0:
        return None
    return ceil(count * float(optimize.brentq(missing, 1.0, MOST_TIMES, xtol=1e-3)))


def bootstrap_score(
    score: Callable[[Floats], float],
    rows: Floats,
    *,
    higher: bool = True,
    confidence: float = 0.95,
    limit: float | None = None,
    resamples: int = SCORE_RESAMPLES,
    seed: int = 0,
) -> Score:
    """Any score with a one-sided bound by the percentile bootstrap over examples (Efron & Tibshirani 1993, §13).

    A resample where the score is undefined counts as the worst one.

    Args:
        score: returns the score of rows; NaN where undefined.
        rows: [examples, k].
        higher: whether a higher score is better. The bound is then a lower one, otherwise an upper one.
        limit: the score for which `needed` is computed.

    Raises:
        ValueError: there is no example.
    """
    if not len(rows):
        raise ValueError("a score needs at least one example")
    sign, count, dice = (-1.0 if higher else 1.0), len(rows), np.random.default_rng(seed)
    value = score(rows)
    losses = np.nan_to_num([sign * score(rows[dice.integers(count, size=count)]) for _ in range(resamples)], nan=inf)
    reached = max(float(np.quantile(losses, confidence, method="higher")), sign * value)
    needed = None if limit is None else examples_needed(sign * value, reached, count, sign * limit)
    return Score(value, sign * reached, count, f"bootstrap over examples, {resamples:,} resamples", needed)
