from __future__ import annotations

from fractions import Fraction
from math import comb

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from edge_ptf.statistics import (
    early_stopping_estimate,
    least_samples,
    percentile,
    percentile_interval,
    percentile_ranks,
    percentile_upper_bound,
)


def test_percentiles_equal_numpy_and_the_definition() -> None:
    random = np.random.default_rng(0)
    for count in (1, 2, 3, 7, 19, 20, 100, 365):
        samples = random.exponential(size=count).round(1)
        for percent in (1, 5, 10, 25, 50, 90, 95, 99):
            rank = -(-percent * count // 100)
            value = percentile(samples, percent / 100)
            assert value == np.sort(samples)[rank - 1], (count, percent)
            assert value == np.percentile(samples, percent, method="inverted_cdf")


def test_fewest_samples_are_the_published_ones() -> None:
    assert [least_samples(share) for share in (0.9, 0.95, 0.99)] == [36, 72, 368]
    assert [least_samples(share, two_sided=False) for share in (0.9, 0.95, 0.99)] == [29, 59, 299]


@pytest.mark.parametrize("share", [0.5, 0.9, 0.95, 0.99])
def test_an_interval_exists_from_exactly_the_fewest_samples_on(share: float) -> None:
    enough = least_samples(share)
    assert None not in percentile_ranks(enough, share, 0.025)
    assert None in percentile_ranks(enough - 1, share, 0.025)
    enough = least_samples(share, two_sided=False)
    values = np.arange(enough, dtype=np.float64)
    assert percentile_upper_bound(values, share) == enough - 1
    assert percentile_upper_bound(values[1:], share) is None


def below(count: int, share: Fraction, rank: int) -> Fraction:
    """P(Binomial(count, share) < rank), exactly."""
    return sum((comb(count, k) * share**k * (1 - share) ** (count - k) for k in range(rank)), Fraction(0))


@pytest.mark.parametrize(("count", "share"), [(40, "1/2"), (73, "9/10"), (90, "19/20"), (80, "1/10")])
@pytest.mark.parametrize("tail", ["1/40", "1/20"])
def test_ranks_are_the_tightest_with_the_promised_coverage(count: int, share: str, tail: str) -> None:
    exact, limit = Fraction(share), Fraction(tail)
    lower, upper = percentile_ranks(count, float(exact), float(limit))
    assert lower is not None and upper is not None
    assert below(count, exact, lower) <= limit < below(count, exact, lower + 1)
    assert 1 - below(count, exact, upper) <= limit < 1 - below(count, exact, upper - 1)


def test_percentile_intervals_cover_the_true_percentile() -> None:
    random, truth = np.random.default_rng(1), stats.lognorm.ppf(0.9, 1.0)
    runs, hits, above = 400, 0, 0
    for _ in range(runs):
        samples = random.lognormal(size=120)
        estimate = percentile_interval(samples, 0.9)
        assert estimate.low is not None and estimate.high is not None
        assert estimate.low <= estimate.value <= estimate.high
        hits += estimate.low <= truth <= estimate.high
        bound = percentile_upper_bound(samples, 0.9)
        above += bound is not None and bound >= truth
    assert hits / runs >= 0.93
    assert 0.93 <= above / runs <= 0.99


@pytest.mark.parametrize(("share", "least"), [(0.9, 64), (0.99, 662)])
def test_early_stopping_needs_the_published_number_of_samples(share: float, least: int) -> None:
    values = np.arange(1, least + 1)
    assert early_stopping_estimate(values, share) == least
    assert early_stopping_estimate(values[1:], share) is None


@given(st.integers(1, 3000), st.sampled_from([0.5, 0.9, 0.95, 0.99]), st.sampled_from([0.95, 0.99]))
@settings(max_examples=50, deadline=None)
def test_early_stopping_discards_the_most_that_its_confidence_permits(
    count: int, share: float, confidence: float
) -> None:
    """By the rule: the largest t for which at most t samples beyond the percentile have probability 1 - confidence."""
    allowed = np.flatnonzero(stats.binom.cdf(np.arange(count + 1), count, 1 - share) <= 1 - confidence)
    estimate = early_stopping_estimate(np.arange(1, count + 1), share, confidence)
    if not len(allowed) or allowed[-1] == 0:
        assert estimate is None
    else:
        assert estimate == count - (allowed[-1] - 1)
        bound = percentile_upper_bound(np.arange(1, count + 1), share, confidence)
        assert bound is not None and bound <= estimate <= bound + 1


def test_early_stopping_estimates_lie_above_the_true_percentile() -> None:
    random = np.random.default_rng(2)
    draws = random.lognormal(size=(1000, 500))
    truth = stats.lognorm.ppf(0.9, 1.0)
    assert np.mean([early_stopping_estimate(row, 0.9) >= truth for row in draws]) >= 0.985


@given(st.lists(st.floats(0.01, 1e6), min_size=1, max_size=200), st.sampled_from([0.05, 0.5, 0.9, 0.95, 0.99]))
@settings(deadline=None)
def test_percentile_intervals_are_samples_around_the_percentile(samples: list[float], share: float) -> None:
    found = percentile_interval(samples, share)
    assert found.value in samples
    assert found.low is None or (found.low in samples and found.low <= found.value)
    assert found.high is None or (found.high in samples and found.high >= found.value)
    if len(samples) >= least_samples(share):
        assert found.low is not None and found.high is not None
