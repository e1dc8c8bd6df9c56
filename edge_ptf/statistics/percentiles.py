"""Percentiles of independent samples, with intervals that assume no distribution."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, log

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats


@dataclass(frozen=True, slots=True)
class Estimate:
    """A value with a two-sided interval. A limit is None where there are too few samples for it."""

    value: float
    low: float | None
    high: float | None
    method: str = ""


def percentile(samples: ArrayLike, share: float) -> float:
    """The smallest sample for which at least the share `share` (0 to 1) of the samples is not larger."""
    return float(np.quantile(np.asarray(samples, dtype=np.float64), share, method="inverted_cdf"))


def least_samples(share: float, confidence: float = 0.95, *, two_sided: bool = True) -> int:
    """The smallest number of independent samples for which a percentile's interval exists.

    With `two_sided=False`: for which its one-sided upper bound exists. Two-sided with 95 % confidence: 36 for p90, 72
    for p95, 368 for p99.
    """
    tail = (1 - confidence) / (2 if two_sided else 1)
    return ceil(log(tail) / log(max(share, 1 - share) if two_sided else share))


def percentile_ranks(count: int, share: float, tail: float) -> tuple[int | None, int | None]:
    """Ranks (from 1) of the order statistics that bound a percentile; each misses it with probability ≤ `tail`.

    X(l) is above the percentile with probability P(B < l), and X(u) is below it with probability P(B ≥ u), where B ~
    Binomial(count, share). This holds for every distribution (Conover, Practical Nonparametric Statistics, §3.2). None
    where there are too few samples for such a rank.
    """
    binomial = stats.binom(count, share)
    lower = int(binomial.ppf(tail))  # the least k with P(B ≤ k) ≥ tail, so P(B < k) < tail
    upper = int(binomial.isf(tail)) + 1  # the least k with P(B > k - 1) ≤ tail
    return (lower if lower >= 1 else None), (upper if upper <= count else None)


def percentile_interval(samples: ArrayLike, share: float, confidence: float = 0.95) -> Estimate:
    """A percentile with its order-statistic interval, for independent samples."""
    ordered = np.sort(np.asarray(samples, dtype=np.float64))
    lower, upper = percentile_ranks(len(ordered), share, (1 - confidence) / 2)
    return Estimate(
        percentile(ordered, share),
        float(ordered[lower - 1]) if lower else None,
        float(ordered[upper - 1]) if upper else None,
        "order statistics",
    )


def percentile_upper_bound(samples: ArrayLike, share: float, confidence: float = 0.95) -> float | None:
    """One-sided upper bound of a percentile, for independent samples; None below `least_samples`."""
    ordered = np.sort(np.asarray(samples, dtype=np.float64))
    upper = percentile_ranks(len(ordered), share, 1 - confidence)[1]
    return float(ordered[upper - 1]) if upper else None


def early_stopping_estimate(samples: ArrayLike, share: float, confidence: float = 0.99) -> float | None:
    """MLPerf's early-stopping estimate of a percentile; None with too few samples (least: 64 for p90, 662 for p99).

    Let t be the largest number such that more than t samples lie beyond the true percentile with a probability of at
    least `confidence`. The function discards the t - 1 highest samples and returns the next one (MLCommons inference
    rules, "Early stopping", tolerance 0). The result is `percentile_upper_bound` at the same confidence, one rank
    further out. Both assume independent samples.
    """
    ordered = np.sort(np.asarray(samples, dtype=np.float64))
    beyond = stats.binom(len(ordered), 1 - share)
    discarded = int(beyond.ppf(1 - confidence))  # the least k with P(B ≤ k) ≥ 1 - confidence
    if beyond.cdf(discarded) > 1 - confidence:
        discarded -= 1
    return float(ordered[-discarded]) if discarded >= 1 else None
