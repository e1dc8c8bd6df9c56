"""Intervals and bounds for latencies, ratios and paired drops. Pure functions on numbers; nothing is dropped.

Every random step is seeded, so the same samples give the same bound.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, exp, inf, log, sqrt

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import optimize, stats

Floats = NDArray[np.float64]

DEPENDENCE_LIMIT = 0.1
"""Above this lag-1 rank autocorrelation, calls are not treated as independent."""

RESAMPLES = 20_000


@dataclass(frozen=True, slots=True)
class Estimate:
    """A value with a two-sided interval; a limit is None where the samples do not permit one."""

    value: float
    low: float | None
    high: float | None
    method: str = ""


# Percentiles


def percentile(samples: ArrayLike, share: float) -> float:
    """The smallest sample that at least `share` (0 to 1) of the samples do not exceed."""
    return float(np.quantile(np.asarray(samples, dtype=np.float64), share, method="inverted_cdf"))


def least_samples(share: float, confidence: float = 0.95, *, two_sided: bool = True) -> int:
    """The fewest independent samples from which a percentile's interval (or its one-sided upper bound) exists.

    For 95 % two-sided: 36 for p90, 72 for p95, 368 for p99.
    """
    tail = (1 - confidence) / (2 if two_sided else 1)
    return ceil(log(tail) / log(max(share, 1 - share) if two_sided else share))


def percentile_ranks(count: int, share: float, tail: float) -> tuple[int | None, int | None]:
    """Ranks (from 1) of the order statistics that bound a percentile, each missing it with probability ≤ `tail`.

    X(l) exceeds the percentile with probability P(B < l), X(u) lies below it with P(B ≥ u), B ~ Binomial(count, share):
    distribution-free (Conover, Practical Nonparametric Statistics, §3.2). None where no rank is far enough out.
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


def rank_autocorrelation(samples: ArrayLike, lag: int = 1) -> float:
    """Spearman correlation of each sample with the one `lag` places before it; 0 where it has no meaning."""
    values = np.asarray(samples, dtype=np.float64)
    before, after = values[:-lag], values[lag:]
    if len(before) < 3 or np.ptp(before) == 0 or np.ptp(after) == 0:
        return 0.0
    return float(stats.spearmanr(before, after).statistic)


# Percentiles over process launches


def launch_percentile(launches: Sequence[Sequence[float]], share: float, confidence: float = 0.95) -> Estimate:
    """A percentile of all calls with a two-sided interval that holds when calls of one launch are alike.

    The interval is the wider of two: the order-statistic interval of the pooled calls, and the t interval over
    launches (`_launch_limits`). The first alone is too short as soon as calls depend on each other or launches differ;
    `method` says which dependence was seen. See `launch_percentile_bound` for when a limit is None.

    What is covered is the percentile of a typical launch (the geometric mean over launches). That is the percentile of
    all calls where launches are alike, and for the median; in the tails of launches that differ much, the percentile of
    all calls lies further out.
    """
    pooled = np.concatenate([np.asarray(launch, dtype=np.float64) for launch in launches])
    apart = percentile_interval(pooled, share, confidence)
    low, high = _launch_limits(launches, share, (1 - confidence) / 2)
    return Estimate(
        apart.value,
        None if apart.low is None or low is None else min(apart.low, low),
        None if apart.high is None or high is None else max(apart.high, high),
        "calls depend on each other: launches compared"
        if dependence(launches) > DEPENDENCE_LIMIT
        else "order statistics and launches",
    )


def launch_percentile_bound(
    launches: Sequence[Sequence[float]], share: float, confidence: float = 0.95
) -> float | None:
    """One-sided upper bound of a percentile, the larger of the order-statistic and the launch bound.

    The first is over all calls, the second over the launches' own percentiles: a typical launch, not the slowest.
    None with fewer than three launches, with fewer calls than `least_samples`, or where a launch has fewer than five
    calls beyond the percentile, too few to know its own percentile.
    """
    pooled = np.concatenate([np.asarray(launch, dtype=np.float64) for launch in launches])
    apart = percentile_upper_bound(pooled, share, confidence)
    together = _launch_limits(launches, share, 1 - confidence)[1]
    return None if apart is None or together is None else max(apart, together)


def dependence(launches: Sequence[Sequence[float]]) -> float:
    """The largest lag-1 rank autocorrelation: of all calls in the order taken, or the mean within launches."""
    pooled = np.concatenate([np.asarray(launch, dtype=np.float64) for launch in launches])
    within = float(np.mean([rank_autocorrelation(launch) for launch in launches]))
    return max(rank_autocorrelation(pooled), within)


def _launch_limits(launches: Sequence[Sequence[float]], share: float, tail: float) -> tuple[float | None, float | None]:
    """t limits of the logarithms of the launches' own percentiles: a launch is the unit that repeats."""
    beyond = min(len(launch) for launch in launches) * min(share, 1 - share)
    if len(launches) < 3 or beyond < 5 - 1e-9:
        return None, None
    return log_mean_limits([percentile(launch, share) for launch in launches], tail)


def log_mean_limits(values: Sequence[float], tail: float) -> tuple[float | None, float | None]:
    """Lower and upper limit of the geometric mean of positive, independent values, each missing it with `tail`."""
    if len(values) < 2:
        return None, None
    logs = np.log(np.asarray(values, dtype=np.float64))
    reach = float(stats.t.isf(tail, len(logs) - 1) * np.std(logs, ddof=1) / sqrt(len(logs)))
    middle = float(np.mean(logs))
    return exp(middle - reach), exp(middle + reach)


def prediction_upper_bound(values: Sequence[float], confidence: float = 0.95) -> float | None:
    """What one more value stays below (normal prediction bound), never less than the largest seen; None for one."""
    if len(values) < 2:
        return None
    samples = np.asarray(values, dtype=np.float64)
    reach = stats.t.ppf(confidence, len(samples) - 1) * np.std(samples, ddof=1) * sqrt(1 + 1 / len(samples))
    return max(float(np.mean(samples) + reach), float(np.max(samples)))


# Speed-up


def speedup(
    baseline: Sequence[Sequence[float]], payload: Sequence[Sequence[float]], confidence: float = 0.95
) -> tuple[float, float | None]:
    """How many times the payload is faster, and the one-sided lower bound (None with fewer than three launches).

    In each launch baseline and payload answered the same texts in interleaved blocks, so the launch's ratio of medians
    is a paired figure in which slow phases of the machine cancel. The value is the geometric mean of these ratios, the
    bound the t bound of their logarithms over launches (Georges et al. 2007, "Statistically rigorous Java performance
    evaluation": the launch is the unit that repeats).
    """
    ratios = [percentile(slow, 0.5) / percentile(fast, 0.5) for slow, fast in zip(baseline, payload, strict=True)]
    value = exp(float(np.mean(np.log(ratios))))
    return value, log_mean_limits(ratios, 1 - confidence)[0] if len(ratios) >= 3 else None


def launches_to_decide(values: Sequence[float], limit: float, confidence: float = 0.95) -> int | None:
    """How many launches bring the t bound of the geometric mean of `values` to `limit`, if their spread stays.

    None where no number below 200 does: the mean lies too close to the limit.
    """
    logs = np.log(np.asarray(values, dtype=np.float64))
    if len(logs) < 2:
        return None
    gap, spread = abs(log(limit) - float(np.mean(logs))), float(np.std(logs, ddof=1))
    for count in range(len(logs) + 1, 200):
        if stats.t.ppf(confidence, count - 1) * spread / sqrt(count) <= gap:
            return count
    return None


# Drift


@dataclass(frozen=True, slots=True)
class Drift:
    """How the last third of the calls compares with the first: 1.12 is 12 % slower."""

    ratio: float
    where: str


def drift(launches: Sequence[Sequence[float]], tolerance: float = 0.10) -> Drift | None:
    """A trend beyond `tolerance` that chance does not explain, or None.

    Within launches: more than half of them change in one direction by more than `tolerance` from the first to the last
    third with a Kendall trend (p < 0.01). Across launches: the launch medians rise or fall (Kendall p < 0.05, which
    needs five launches in strict order) by more than `tolerance` from the first to the last.
    """
    ratios = []
    for launch in launches:
        values = np.asarray(launch, dtype=np.float64)
        third = len(values) // 3
        if third < 5:
            continue
        ratio = float(np.median(values[-third:]) / np.median(values[:third]))
        trend = stats.kendalltau(np.arange(len(values)), values).pvalue
        ratios.append(ratio if trend < 0.01 else 1.0)
    for outside in ([r for r in ratios if r > 1 + tolerance], [r for r in ratios if r < 1 / (1 + tolerance)]):
        if len(outside) > len(ratios) / 2:
            return Drift(float(np.median(outside)), "within launches")
    medians = [float(np.median(launch)) for launch in launches]
    if len(medians) >= 5 and stats.kendalltau(np.arange(len(medians)), medians).pvalue < 0.05:
        ratio = medians[-1] / medians[0]
        if ratio > 1 + tolerance or ratio < 1 / (1 + tolerance):
            return Drift(ratio, "from the first launch to the last")
    return None


# Paired drops


@dataclass(frozen=True, slots=True)
class Drop:
    """Baseline minus payload as a share (0.01 is one point), with its one-sided upper bound."""

    value: float
    bound: float
    examples: int
    method: str
    needed: int | None = None
    """Examples in all that would bring the bound to the limit asked about, if the drop stays as it is."""


def paired_drop(
    baseline: ArrayLike, payload: ArrayLike, *, confidence: float = 0.95, limit: float | None = None, seed: int = 0
) -> Drop:
    """The drop of a metric from the examples' paired outcomes (`Task.outcomes`), with a one-sided upper bound.

    Args:
        baseline, payload: [examples, 2] (hit, counted) for a mean of hits or [examples, 3] (true positive, predicted,
            actual) for an F1; row i of both belongs to the same example.
        limit: drop for which `needed` is worked out.

    Yes-or-no outcomes that count the same examples get the score bound of `binary_drop_bound`; everything else a
    paired bootstrap over examples, `bootstrap_drop_bound`.
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
        return Drop(value, bound, count, "paired score bound (Tango 1998)", needed)
    bound = bootstrap_drop_bound(before, after, confidence=confidence, seed=seed)
    count = len(before)
    needed = None if limit is None else examples_needed(value, bound, count, limit)
    return Drop(value, bound, count, f"paired bootstrap over examples, {RESAMPLES:,} resamples", needed)


def share_of(outcomes: Floats) -> float:
    """The metric as a share from summed outcomes: hits ÷ counted, or F1 = 2 TP ÷ (predicted + actual); 0 for 0 ÷ 0."""
    return float(_share(np.sum(outcomes, axis=0)))


def _share(totals: Floats) -> Floats:
    """As `share_of`, on totals of shape [..., 2 or 3]."""
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

    Args:
        lost: examples that only the baseline answers rightly.
        gained: examples that only the payload answers rightly.
        count: examples in all.

    The drop Δ at which the score statistic of Tango (Statistics in Medicine 17, 1998, eq. 3-7) reaches the quantile,
    with a continuity correction of half an example, which keeps the coverage at or above nominal where discordant
    examples are few. With none the bound is near 3.6 ÷ count, never 0.
    """
    if count <= 0:
        raise ValueError("a drop needs at least one example")
    quantile = float(stats.norm.ppf(confidence))

    def excess(drop: float) -> float:
        spread = count * (2 * _gain_share(lost, gained, count, drop) + drop * (1 - drop))
        return count * drop - (lost - gained) - 0.5 - quantile * sqrt(max(spread, 0.0))

    value = (lost - gained) / count
    if excess(1.0) <= 0:
        return 1.0
    return float(optimize.brentq(excess, value, 1.0, xtol=1e-12))


def _gain_share(lost: float, gained: float, count: float, drop: float) -> float:
    """Maximum-likelihood share of gained examples when the drop is `drop` (Tango 1998, eq. 6)."""
    a = 2 * count
    b = -lost - gained + (2 * count - lost + gained) * drop
    c = -gained * drop * (1 - drop)
    return (sqrt(max(b * b - 4 * a * c, 0.0)) - b) / (2 * a)


def binary_examples_needed(
    lost: float, gained: float, count: int, limit: float, confidence: float = 0.95
) -> int | None:
    """Examples in all that bring `binary_drop_bound` to `limit` if lost and gained keep their shares; see below."""

    def excess(times: float) -> float:
        return binary_drop_bound(lost * times, gained * times, count * times, confidence) - limit

    if excess(1.0) <= 0:
        return count
    if (lost - gained) / count >= limit or excess(_MOST_TIMES) > 0:
        return None
    return ceil(count * float(optimize.brentq(excess, 1.0, _MOST_TIMES, xtol=1e-3)))


def examples_needed(value: float, bound: float, count: int, limit: float) -> int | None:
    """Examples in all that bring the bound to `limit` if the value stays and its error shrinks as 1 ÷ √n.

    None where that takes more than a hundred times the examples: the value is too close to the limit.
    """
    if bound <= limit:
        return count
    times = ((bound - value) / (limit - value)) ** 2 if value < limit else inf
    return ceil(count * times) if times <= _MOST_TIMES else None


_MOST_TIMES = 100.0


def bootstrap_drop_bound(
    baseline: Floats, payload: Floats, *, confidence: float = 0.95, resamples: int = RESAMPLES, seed: int = 0
) -> float:
    """One-sided upper bound of a drop by the paired percentile bootstrap over examples (Efron & Tibshirani 1993, §13).

    One example is added to those resampled: of the mean size of those that count, right for the baseline and lost for
    the payload. It plays the part of the "+1" in the exact Poisson and Clopper-Pearson upper bounds; without it the
    bootstrap cannot foresee a loss it has not met, and bounds a drop of 0 by 0.

    Alike examples are drawn together: the counts of the distinct rows of a resample are multinomial, which is the same
    distribution as drawing examples one by one.
    """
    width = baseline.shape[1]
    counting = (baseline[:, 1:].sum(axis=1) + payload[:, 1:].sum(axis=1)) > 0
    if not counting.any():
        raise ValueError("a drop needs at least one example that counts")
    lost_payload = np.zeros(width)
    lost_payload[-1] = payload[counting, -1].mean()
    lost_baseline = np.full(width, lost_payload[-1])
    lost = np.concatenate([lost_baseline, lost_payload])
    rows, counts = np.unique(np.hstack([baseline, payload]), axis=0, return_counts=True)
    rows, counts = np.vstack([rows, lost]), np.append(counts, 1)
    draws = np.random.default_rng(seed).multinomial(int(counts.sum()), counts / counts.sum(), size=resamples)
    totals = draws @ rows
    drops = _share(totals[:, :width]) - _share(totals[:, width:])
    value = share_of(baseline) - share_of(payload)
    return max(float(np.quantile(drops, confidence, method="higher")), value)
