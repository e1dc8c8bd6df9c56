"""Latency over several process launches. Launches are independent; the calls of one launch depend on each other."""

from __future__ import annotations

from collections.abc import Sequence
from math import copysign, exp, hypot, log, sqrt

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from edge_ptf.statistics.percentiles import Estimate, percentile, percentile_interval

DEPENDENCE_LIMIT = 0.1
"""Above this lag-1 rank autocorrelation, calls are not treated as independent."""

LEAST_LAUNCHES = 3
"""With fewer launches, the variance between launches is unknown."""

MOST_LAUNCHES = 50
"""Largest number of launches that a forecast returns."""

RESAMPLES = 1_000


# Dependence


def rank_autocorrelation(samples: ArrayLike, lag: int = 1) -> float:
    """Spearman correlation of each sample with the one `lag` places before it; 0 where it is undefined."""
    values = np.asarray(samples, dtype=np.float64)
    before, after = values[:-lag], values[lag:]
    if len(before) < 3 or np.ptp(before) == 0 or np.ptp(after) == 0:
        return 0.0
    return float(stats.spearmanr(before, after).statistic)


def dependence(launches: Sequence[Sequence[float]]) -> float:
    """The largest lag-1 rank autocorrelation: of all calls in the order taken, or the mean within launches."""
    within = float(np.mean([rank_autocorrelation(launch) for launch in launches]))
    return max(rank_autocorrelation(_pooled(launches)), within)


# Percentiles


def launch_percentile(launches: Sequence[Sequence[float]], share: float, confidence: float = 0.95) -> Estimate:
    """A percentile of all calls with a two-sided interval. `Estimate.method` names the method.

    With at least `LEAST_LAUNCHES` launches, the interval compares launches with each other (`_launch_limits`). It is
    valid for every dependence between the calls of a launch.

    With fewer launches, the interval is valid for the calls of these launches only. It uses order statistics if the
    calls are independent, and resampled blocks if they are not.
    """
    value = percentile(_pooled(launches), share)
    if len(launches) >= LEAST_LAUNCHES:
        low, high = _launch_limits(launches, share, (1 - confidence) / 2)
        return Estimate(
            value,
            None if low is None else min(low, value),
            None if high is None else max(high, value),
            "launches compared",
        )
    if dependence(launches) > DEPENDENCE_LIMIT:
        return block_interval(launches, share, confidence)
    return percentile_interval(_pooled(launches), share, confidence)


def launch_percentile_bound(
    launches: Sequence[Sequence[float]], share: float, confidence: float = 0.95
) -> float | None:
    """One-sided upper bound of a percentile of all calls, over all launches of this kind.

    None with fewer than `LEAST_LAUNCHES` launches, or if a launch has fewer than five calls beyond the percentile. Five
    calls are the least from which a launch's own percentile can be estimated.
    """
    high = _launch_limits(launches, share, 1 - confidence)[1]
    return None if high is None else max(high, percentile(_pooled(launches), share))


def launches_to_bound(
    launches: Sequence[Sequence[float]], share: float, limit: float, confidence: float = 0.95
) -> int | None:
    """The number of launches that brings `launch_percentile_bound` to `limit`, if later launches are like these.

    `LEAST_LAUNCHES` if there is no bound yet. None if `MOST_LAUNCHES` launches are not enough.
    """
    if launch_percentile_bound(launches, share, confidence) is None:
        return LEAST_LAUNCHES
    own, middles = _logs(launches, share)
    for count in range(len(launches) + 1, MOST_LAUNCHES + 1):
        if _limits(own, middles, share, 1 - confidence, count)[1] <= limit:
            return count
    return None


def _launch_limits(launches: Sequence[Sequence[float]], share: float, tail: float) -> tuple[float | None, float | None]:
    """Limits of the percentile of all calls. Each limit misses it with a probability of about `tail`."""
    beyond = min(len(launch) for launch in launches) * min(share, 1 - share)
    if len(launches) < LEAST_LAUNCHES or beyond < 5 - 1e-9:
        return None, None
    return _limits(*_logs(launches, share), share, tail, len(launches))


def _limits(
    own: NDArray[np.float64], middles: NDArray[np.float64], share: float, tail: float, count: int
) -> tuple[float, float]:
    """The limits for `count` launches that have the mean and the spread of these launches.

    The limits have two parts, both on the scale of logarithms:

    - The mean of the launches' own percentiles. It has t limits, because launches are independent even if their calls
      are not.
    - The spread between launches. If launches differ, the calls of all launches spread further than the calls of one
      launch (`_spread_shift`). The shift depends on the variance between launches, which has chi-squared limits.

    The method of variance estimates recovery joins both parts (Zou & Donner, Statistics in Medicine 27, 2008, eq. 4-5).

    Args:
        own, middles: logarithms of every launch's percentile and median.
    """
    reach = float(stats.t.isf(tail, count - 1) * np.std(own, ddof=1) / sqrt(count))
    variance = float(np.var(middles, ddof=1))
    most, least = (count - 1) * variance / stats.chi2.ppf([tail, 1 - tail], count - 1)
    shift, *ends = (_spread_shift(own, middles, share, float(between)) for between in (variance, most, least))
    middle = float(np.mean(own)) + shift
    return exp(middle - hypot(reach, shift - min(ends))), exp(middle + hypot(reach, max(ends) - shift))


def _logs(launches: Sequence[Sequence[float]], share: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Logarithms of every launch's own percentile and median, both median-unbiased (Hyndman & Fan 1996, type 8).

    In the upper tail, the plain order statistic of a few hundred calls is too low by about half its own error. An
    average over launches does not remove this bias.
    """
    found = [np.quantile(np.asarray(launch), [share, 0.5], method="median_unbiased") for launch in launches]
    logs = np.log(np.asarray(found, dtype=np.float64))
    return logs[:, 0], logs[:, 1]


def _spread_shift(own: NDArray[np.float64], middles: NDArray[np.float64], share: float, between: float) -> float:
    """How much further from the median the percentile of all calls is than a launch's own percentile.

    The formula holds for normal distributions. A launch's percentile has the distance d = zσ from its median. The
    percentile of all calls has the distance √(d² + z²·between), where `between` is the variance between launches.
    """
    distance = abs(float(np.mean(own - middles)))
    quantile = float(stats.norm.ppf(share))
    return copysign(hypot(distance, quantile * sqrt(between)) - distance, quantile)


def block_interval(
    launches: Sequence[Sequence[float]],
    share: float,
    confidence: float = 0.95,
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Estimate:
    """A percentile with a moving-block bootstrap interval, for calls that depend on each other, in these launches only.

    No block (Künsch, Annals of Statistics 17, 1989) crosses the end of a launch. The block length is b = (6n)^⅓ · (ρ ÷
    (1 - ρ²))^⅔, where ρ is the lag-1 rank autocorrelation of the calls. This length suits the mean of an AR(1) series
    with overlapping blocks (Carlstein 1986).

    Two corrections move the limits outwards. First, blocks lose the share 2ρ ÷ ((1 - ρ²)b) of the variance: the part
    that calls on both sides of a block's end have in common. Second, a variance from few blocks is uncertain, as the t
    distribution describes.

    There is no interval with fewer than ten blocks or fewer than five calls beyond the percentile.
    """
    pooled = _pooled(launches)
    value, count, method = percentile(pooled, share), len(pooled), "blocks of calls resampled"
    rho = float(np.clip(np.mean([rank_autocorrelation(launch) for launch in launches]), 0.0, 0.99))
    length = max(1, round((6 * count) ** (1 / 3) * (rho / (1 - rho**2)) ** (2 / 3)))
    blocks = count // length
    if blocks < 10 or count * min(share, 1 - share) < 5 - 1e-9 or min(len(launch) for launch in launches) < length:
        return Estimate(value, None, None, method)
    tail = (1 - confidence) / 2
    drawn = _of_blocks(launches, share, length, blocks, np.random.default_rng(seed), resamples)
    low, high = np.quantile(drawn, [tail, 1 - tail])
    outwards = float(stats.t.isf(tail, blocks - 1) / stats.norm.isf(tail))
    outwards /= sqrt(1 - min(2 * rho / ((1 - rho**2) * length), 0.5))
    low, high = min(float(low) / value, 1.0), max(float(high) / value, 1.0)
    return Estimate(value, value * low**outwards, value * high**outwards, method)


def _of_blocks(
    launches: Sequence[Sequence[float]], share: float, length: int, blocks: int, random: np.random.Generator, times: int
) -> list[float]:
    """Draws `blocks` blocks with replacement and computes their percentile. Repeats this `times` times."""
    pooled, steps, found = _pooled(launches), np.arange(length), list[float]()
    offsets = np.cumsum([0, *(len(launch) for launch in launches[:-1])])
    starts = np.concatenate(
        [offset + np.arange(len(launch) - length + 1) for offset, launch in zip(offsets, launches, strict=True)]
    )
    while len(found) < times:
        rows = min(times - len(found), max(1, 4_000_000 // len(pooled)))  # limits the memory to a few million numbers
        places = random.choice(starts, (rows, blocks, 1)) + steps
        found += np.quantile(pooled[places.reshape(rows, -1)], share, axis=1, method="inverted_cdf").tolist()
    return found


def _pooled(launches: Sequence[Sequence[float]]) -> NDArray[np.float64]:
    return np.concatenate([np.asarray(launch, dtype=np.float64) for launch in launches])


# Ratios and means over launches


def log_mean_limits(values: Sequence[float], tail: float) -> tuple[float | None, float | None]:
    """Lower and upper limit of the geometric mean of positive, independent values. Each misses it with `tail`."""
    if len(values) < 2:
        return None, None
    logs = np.log(np.asarray(values, dtype=np.float64))
    reach = float(stats.t.isf(tail, len(logs) - 1) * np.std(logs, ddof=1) / sqrt(len(logs)))
    middle = float(np.mean(logs))
    return exp(middle - reach), exp(middle + reach)


def prediction_upper_bound(values: Sequence[float], confidence: float = 0.95) -> float | None:
    """Upper bound for one more value (normal prediction bound), at least the largest value; None for one value."""
    if len(values) < 2:
        return None
    samples = np.asarray(values, dtype=np.float64)
    reach = stats.t.ppf(confidence, len(samples) - 1) * np.std(samples, ddof=1) * sqrt(1 + 1 / len(samples))
    return max(float(np.mean(samples) + reach), float(np.max(samples)))


def values_to_predict(values: Sequence[float], limit: float, confidence: float = 0.95) -> int | None:
    """Number of values that brings `prediction_upper_bound` to `limit`, if mean and spread stay.

    3 for fewer than two values. None if `MOST_LAUNCHES` values are not enough.
    """
    samples = np.asarray(values, dtype=np.float64)
    if len(samples) < 2:
        return 3
    gap, spread = limit - float(np.mean(samples)), float(np.std(samples, ddof=1))
    counts = np.arange(len(samples) + 1, MOST_LAUNCHES + 1)
    return _first(counts, stats.t.ppf(confidence, counts - 1) * spread * np.sqrt(1 + 1 / counts) <= gap)


def ratio_interval(
    baseline: Sequence[Sequence[float]], payload: Sequence[Sequence[float]], confidence: float = 0.95
) -> Estimate:
    """How many times faster the payload is, with a two-sided interval (no limits with fewer than three launches).

    In each launch, baseline and payload answer the same texts in interleaved blocks. The ratio of their medians is
    therefore a paired figure: slow phases of the machine cancel. The value is the geometric mean of these ratios. The
    limits are t limits of their logarithms over launches (Georges et al. 2007, "Statistically rigorous Java performance
    evaluation").
    """
    ratios = [percentile(slow, 0.5) / percentile(fast, 0.5) for slow, fast in zip(baseline, payload, strict=True)]
    enough = len(ratios) >= LEAST_LAUNCHES
    low, high = log_mean_limits(ratios, (1 - confidence) / 2) if enough else (None, None)
    return Estimate(exp(float(np.mean(np.log(ratios)))), low, high, "launches compared")


def speedup(
    baseline: Sequence[Sequence[float]], payload: Sequence[Sequence[float]], confidence: float = 0.95
) -> tuple[float, float | None]:
    """The value of `ratio_interval` and its one-sided lower bound."""
    found = ratio_interval(baseline, payload, 2 * confidence - 1)
    return found.value, found.low


def launches_to_decide(values: Sequence[float], limit: float, confidence: float = 0.95) -> int | None:
    """The number of launches that brings the t bound of the geometric mean of `values` to `limit`.

    The spread is assumed to stay. None if `MOST_LAUNCHES` launches are not enough: then the mean is too close to the
    limit.
    """
    logs = np.log(np.asarray(values, dtype=np.float64))
    if len(logs) < 2:
        return None
    gap, spread = abs(log(limit) - float(np.mean(logs))), float(np.std(logs, ddof=1))
    counts = np.arange(max(len(logs) + 1, LEAST_LAUNCHES), MOST_LAUNCHES + 1)
    return _first(counts, stats.t.ppf(confidence, counts - 1) * spread / np.sqrt(counts) <= gap)


def _first(counts: NDArray[np.int_], enough: NDArray[np.bool_]) -> int | None:
    return int(counts[enough.argmax()]) if enough.any() else None
