"""Drops of a metric between two models that answered the same examples."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import ceil, inf, sqrt

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import optimize, stats

from edge_ptf.statistics.percentiles import Estimate

Floats = NDArray[np.float64]
RESAMPLES = 5_000
SCORE_RESAMPLES = 2_000
ADDED_LOSS = 0.75
MOST_TIMES = 100.0
"""No more than so many times the examples are asked for."""


@dataclass(frozen=True, slots=True)
class Drop:
    """How much worse the payload is than the baseline, with a one-sided upper bound.

    A drop of a share is a share (0.01 is one point). A drop of another score has the unit of that score.
    """

    value: float
    bound: float
    examples: int
    method: str
    needed: int | None = None
    """Total number of examples that would bring the bound to the requested limit, if the drop stays the same."""
    chance: float | None = None
    """Exact McNemar p-value of "no difference"; None where outcomes are not yes or no."""


def paired_drop(
    baseline: ArrayLike, payload: ArrayLike, *, confidence: float = 0.95, limit: float | None = None, seed: int = 0
) -> Drop:
    """Computes the drop of a metric with a one-sided upper bound, from the paired outcomes of the examples.

    Outcomes that are yes or no and count the same examples get the score bound of `binary_drop_bound`. All others get a
    paired bootstrap over examples (`bootstrap_drop_bound`).

    Args:
        baseline, payload: [examples, 2] (hit, counted) for a mean of hits or [examples, 3] (true positive, predicted,
            actual) for an F1. Row i of both belongs to the same example.
        limit: the drop for which `needed` is computed.
    """
    before, after = np.asarray(baseline, dtype=np.float64), np.asarray(payload, dtype=np.float64)
    if before.shape != after.shape:
        raise ValueError(f"outcomes of {len(before)} and {len(after)} examples cannot be paired")
    value = share_of(before) - share_of(after)
    if _is_binary(before, after):
        counted = before[:, 1] == 1
        lost = int(np.sum(before[counted, 0] > after[counted, 0]))
        gained = int(np.sum(before[counted, 0] < after[counted, 0]))
        count = int(np.sum(counted))
        bound = binary_drop_bound(lost, gained, count, confidence)
        needed = None if limit is None else binary_examples_needed(lost, gained, count, limit, confidence)
        return Drop(value, bound, count, "paired score bound (Tango 1998)", needed, mcnemar(lost, gained))
    bound = bootstrap_drop_bound(before, after, confidence=confidence, seed=seed)
    count = len(before)
    needed = None if limit is None else examples_needed(value, bound, count, limit)
    return Drop(value, bound, count, f"paired bootstrap over examples, {RESAMPLES:,} resamples", needed)


def drop_interval(baseline: ArrayLike, payload: ArrayLike, confidence: float = 0.95, seed: int = 0) -> Estimate:
    """The drop with a two-sided interval. It joins both one-sided bounds; the lower limit is the bound of the gain."""
    each = (1 + confidence) / 2
    drop = paired_drop(baseline, payload, confidence=each, seed=seed)
    rise = paired_drop(payload, baseline, confidence=each, seed=seed)
    return Estimate(drop.value, -rise.bound, drop.bound, drop.method)


def mcnemar(lost: int, gained: int) -> float:
    """Exact two-sided p-value of "losing and gaining are equally likely" (McNemar 1947; binomial)."""
    return float(stats.binomtest(lost, lost + gained).pvalue) if lost + gained else 1.0


def share_of(outcomes: Floats) -> float:
    """The metric as a share of summed outcomes: hits ÷ counted, or F1 = 2 TP ÷ (predicted + actual). 0 ÷ 0 gives 0."""
    return float(_share(np.sum(outcomes, axis=0)))


def _share(totals: Floats) -> Floats:
    """Like `share_of`, for totals of shape [..., 2 or 3]."""
    hits, rest = (
        (totals[..., 0], totals[..., 1])
        if totals.shape[-1] == 2
        else (
            2 * totals[..., 0],
            totals[..., 1] + totals[..., 2],
        )
    )
    return np.divide(hits, rest, out=np.zeros_like(rest, dtype=np.float64), where=rest > 0)


def _is_binary(before: Floats, after: Floats) -> bool:
    return (
        before.shape[1] == 2
        and np.array_equal(before[:, 1], after[:, 1])
        and bool(np.isin(before, (0.0, 1.0)).all() and np.isin(after, (0.0, 1.0)).all())
        and bool(np.any(before[:, 1] == 1))
    )


def binary_drop_bound(lost: float, gained: float, count: float, confidence: float = 0.95) -> float:
    """One-sided upper bound of the drop in a share of hits, from paired yes-or-no outcomes.

    The bound is the drop Δ at which the score statistic of Tango (Statistics in Medicine 17, 1998, eq. 3-7) reaches the
    quantile. A continuity correction of half an example keeps the coverage at or above nominal where few examples are
    discordant. With no discordant example the bound is near 3.6 ÷ count, never 0.

    Args:
        lost: number of examples that only the baseline answers correctly.
        gained: number of examples that only the payload answers correctly.
        count: number of all examples.
    """
    if count <= 0:
        raise ValueError("a drop needs at least one example")
    quantile = float(stats.norm.ppf(confidence))

    def excess(drop: float) -> float:
        spread = count * (2 * _gained_share(lost, gained, count, drop) + drop * (1 - drop))
        return count * drop - (lost - gained) - 0.5 - quantile * sqrt(max(spread, 0.0))

    value = (lost - gained) / count
    if excess(1.0) <= 0:
        return 1.0
    return float(optimize.brentq(excess, value, 1.0, xtol=1e-12))


def _gained_share(lost: float, gained: float, count: float, drop: float) -> float:
    """Maximum-likelihood share of gained examples when the drop is `drop` (Tango 1998, eq. 6)."""
    a = 2 * count
    b = -lost - gained + (2 * count - lost + gained) * drop
    c = -gained * drop * (1 - drop)
    return (sqrt(max(b * b - 4 * a * c, 0.0)) - b) / (2 * a)


def binary_examples_needed(
    lost: float, gained: float, count: int, limit: float, confidence: float = 0.95
) -> int | None:
    """Total examples that bring `binary_drop_bound` to `limit` if the shares of lost and gained stay; None as below."""

    def excess(times: float) -> float:
        return binary_drop_bound(lost * times, gained * times, count * times, confidence) - limit

    if excess(1.0) <= 0:
        return count
    if (lost - gained) / count >= limit or excess(MOST_TIMES) > 0:
        return None
    return ceil(count * float(optimize.brentq(excess, 1.0, MOST_TIMES, xtol=1e-3)))


def examples_needed(value: float, bound: float, count: int, limit: float) -> int | None:
    """Total examples that bring the bound to `limit`, if the value stays and its error shrinks as 1 ÷ √n.

    None if that takes more than 100 times the examples: then the value is too close to the limit.
    """
    if bound <= limit:
        return count
    times = ((bound - value) / (limit - value)) ** 2 if value < limit else inf
    return ceil(count * times) if times <= MOST_TIMES else None


def bootstrap_drop_bound(
    baseline: Floats, payload: Floats, *, confidence: float = 0.95, resamples: int = RESAMPLES, seed: int = 0
) -> float:
    """One-sided upper bound of a drop by the paired percentile bootstrap over examples (Efron & Tibshirani 1993, §13).

    The resampled set has one added example: the baseline is right and the payload is wrong. It has the role of the "+1"
    in the exact Poisson and Clopper-Pearson upper bounds. Without it the bootstrap has no loss that the data do not
    have: its bound for a drop of 0 is 0, and its bound is too low where losses are few.

    If nothing was lost, the added example has the mean size of the examples that count. Otherwise its size is
    `ADDED_LOSS` times the mean loss of the examples that lost something. With this factor the bound misses the true
    mean of a Poisson number of losses in 4 to 5.5 % of all cases, from 4 losses to many.

    Equal examples are drawn together: the counts of the distinct rows of a resample are multinomial. This is the same
    distribution as drawing examples one by one.
    """
    width = baseline.shape[1]
    counting = (baseline[:, 1:].sum(axis=1) + payload[:, 1:].sum(axis=1)) > 0
    if not counting.any():
        raise ValueError("a drop needs at least one example that counts")
    losses = (baseline - payload)[baseline[:, 0] > payload[:, 0], 0]
    lost_payload = np.zeros(width)
    lost_payload[-1] = ADDED_LOSS * losses.mean() if len(losses) else payload[counting, -1].mean()
    lost_baseline = np.full(width, lost_payload[-1])
    lost = np.concatenate([lost_baseline, lost_payload])
    rows, counts = np.unique(np.hstack([baseline, payload]), axis=0, return_counts=True)
    rows, counts = np.vstack([rows, lost]), np.append(counts, 1)
    draws = np.random.default_rng(seed).multinomial(int(counts.sum()), counts / counts.sum(), size=resamples)
    totals = draws @ rows
    drops = _share(totals[:, :width]) - _share(totals[:, width:])
    value = share_of(baseline) - share_of(payload)
    return max(float(np.quantile(drops, confidence, method="higher")), value)


def bootstrap_score_drop(
    loss: Callable[[Floats, Floats], float],
    baseline: Floats,
    payload: Floats,
    *,
    confidence: float = 0.95,
    limit: float | None = None,
    resamples: int = SCORE_RESAMPLES,
    seed: int = 0,
) -> Drop:
    """The drop of any score by the paired percentile bootstrap over examples (Efron & Tibshirani 1993, §13).

    A resample where the loss is undefined counts as the worst one.

    Args:
        loss: returns how much worse the payload is, from rows of the baseline and of the payload; NaN where undefined.
        baseline, payload: [examples, k]. Row i of both belongs to the same example.
        limit: the drop for which `needed` is computed.
    """
    if len(baseline) != len(payload):
        raise ValueError(f"outcomes of {len(baseline)} and {len(payload)} examples cannot be paired")
    if not len(baseline):
        raise ValueError("a drop needs at least one example")
    value, count, dice = loss(baseline, payload), len(baseline), np.random.default_rng(seed)
    picks = (dice.integers(count, size=count) for _ in range(resamples))
    drops = np.nan_to_num([loss(baseline[pick], payload[pick]) for pick in picks], nan=inf, posinf=inf)
    bound = max(float(np.quantile(drops, confidence, method="higher")), value)
    needed = None if limit is None else examples_needed(value, bound, count, limit)
    return Drop(value, bound, count, f"paired bootstrap over examples, {resamples:,} resamples", needed)
