from __future__ import annotations

from fractions import Fraction
from math import comb, exp, log

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize, stats

from edge_ptf.measure.statistics import (
    binary_drop_bound,
    binary_examples_needed,
    bootstrap_drop_bound,
    drift,
    examples_needed,
    launch_percentile,
    launch_percentile_bound,
    launches_to_decide,
    least_samples,
    log_mean_limits,
    paired_drop,
    percentile,
    percentile_interval,
    percentile_ranks,
    percentile_upper_bound,
    prediction_upper_bound,
    rank_autocorrelation,
    share_of,
    speedup,
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


def launches_of(random: np.random.Generator, shift: float, count: int = 8, calls: int = 60) -> list[np.ndarray]:
    return [np.exp(random.normal(0, shift) + random.normal(0, 0.2, calls)) for _ in range(count)]


@pytest.mark.parametrize(("shift", "share"), [(0.0, 0.9), (0.3, 0.9), (0.0, 0.5), (0.3, 0.5)])
def test_launch_intervals_hold_for_the_typical_launch_where_calls_of_one_launch_are_alike(
    shift: float, share: float
) -> None:
    random = np.random.default_rng(2)
    truth = exp(0.2 * stats.norm.ppf(share))
    runs, hits, above = 200, 0, 0
    for _ in range(runs):
        launches = launches_of(random, shift)
        estimate, bound = launch_percentile(launches, share), launch_percentile_bound(launches, share)
        assert estimate.low is not None and estimate.high is not None and bound is not None
        assert estimate.low <= estimate.value <= bound <= estimate.high + 1e-12
        hits += estimate.low <= truth <= estimate.high
        above += bound >= truth
        assert estimate.method.startswith("calls depend") or shift == 0
    assert hits / runs >= 0.93
    assert above / runs >= 0.92


def test_calls_that_are_taken_for_independent_would_be_bounded_too_tightly() -> None:
    random, runs = np.random.default_rng(3), 200
    pooled = [np.concatenate(launches_of(random, 0.3)) for _ in range(runs)]
    assert np.mean([percentile_upper_bound(calls, 0.5) >= 1 for calls in pooled]) < 0.8


def test_a_launch_bound_needs_three_launches_and_calls_beyond_the_percentile() -> None:
    random = np.random.default_rng(3)
    assert launch_percentile_bound(launches_of(random, 0.1, count=2, calls=200), 0.9) is None
    assert launch_percentile_bound(launches_of(random, 0.1, count=3, calls=49), 0.9) is None
    assert launch_percentile_bound(launches_of(random, 0.1, count=3, calls=50), 0.9) is not None
    estimate = launch_percentile(launches_of(random, 0.1, count=2, calls=50), 0.5)
    assert (estimate.low, estimate.high) == (None, None)
    assert estimate.value > 0


def test_autocorrelation_sees_order_and_nothing_else() -> None:
    random = np.random.default_rng(4)
    values = random.normal(size=500)
    assert abs(rank_autocorrelation(values)) < 0.15
    assert rank_autocorrelation(np.sort(values)) > 0.99
    assert rank_autocorrelation(np.ones(50)) == 0.0
    assert rank_autocorrelation([1.0, 2.0]) == 0.0


def test_log_mean_limits_are_the_t_interval_of_the_logarithms() -> None:
    values = [1.0, 2.0, 4.0, 8.0, 3.0]
    logs = np.log(values)
    wanted = stats.t.interval(0.9, 4, loc=logs.mean(), scale=stats.sem(logs))
    assert np.log(log_mean_limits(values, 0.05)) == pytest.approx(wanted)
    assert log_mean_limits([1.0], 0.05) == (None, None)


def test_prediction_bound_holds_for_the_next_value() -> None:
    random = np.random.default_rng(5)
    draws = random.normal(10, 1, size=(500, 6))
    bounds = [prediction_upper_bound(row[:5]) for row in draws]
    assert 0.92 <= np.mean([bound >= row[5] for bound, row in zip(bounds, draws, strict=True)]) <= 1
    assert prediction_upper_bound([3.0]) is None
    assert prediction_upper_bound([3.0, 3.0]) == 3.0


def test_speedup_cancels_what_slows_a_whole_launch() -> None:
    random = np.random.default_rng(6)
    covered, runs = 0, 300
    for _ in range(runs):
        slow_phases = np.exp(random.normal(0, 0.5, size=5))
        baseline = [phase * 3 * np.exp(random.normal(0, 0.1, 31)) for phase in slow_phases]
        payload = [phase * np.exp(random.normal(0, 0.1, 31)) for phase in slow_phases]
        value, bound = speedup(baseline, payload)
        assert 2.7 < value < 3.3
        covered += bound is not None and bound <= 3
    assert 0.91 <= covered / runs <= 0.98
    assert speedup(baseline[:2], payload[:2])[1] is None
    assert speedup([[2.0]] * 3, [[1.0]] * 3) == (2.0, pytest.approx(2.0))


def test_launches_to_decide_are_the_fewest_that_suffice() -> None:
    values = [2.0, 2.2, 1.9, 2.1]
    count = launches_to_decide(values, 1.97)
    assert count is not None and count > 4
    spread, gap = np.std(np.log(values), ddof=1), abs(log(1.97) - np.mean(np.log(values)))
    reach = [stats.t.ppf(0.95, n - 1) * spread / np.sqrt(n) for n in (count - 1, count)]
    assert reach[1] <= gap < reach[0]
    assert launches_to_decide(values, exp(float(np.mean(np.log(values))))) is None
    assert launches_to_decide([2.0], 1.0) is None


def test_steady_calls_do_not_drift_and_a_slowing_machine_does() -> None:
    random = np.random.default_rng(7)
    found = [drift([random.lognormal(0, 0.1, 60) for _ in range(5)]) for _ in range(100)]
    assert found.count(None) >= 97
    slowing = [random.lognormal(0, 0.05, 60) * np.linspace(1, 1.5, 60) for _ in range(5)]
    within = drift(slowing)
    assert within is not None and within.where == "within launches" and 1.2 < within.ratio < 1.5
    faster = drift([launch[::-1] for launch in slowing])
    assert faster is not None and faster.ratio < 1
    across = drift([random.lognormal(0.08 * place, 0.02, 60) for place in range(5)])
    assert across is not None and across.where == "from the first launch to the last" and across.ratio > 1.2
    assert drift([random.lognormal(0.01 * place, 0.001, 60) for place in range(5)]) is None


def score(lost: int, gained: int, count: int, drop: float) -> float:
    """Tango's statistic with the gained share maximised numerically instead of by the closed form."""

    def against(share: float) -> float:
        cells = ((lost, share + drop), (gained, share), (count - lost - gained, 1 - 2 * share - drop))
        return -sum(times * log(chance) for times, chance in cells if times)

    if gained == 0 and lost == 0:
        share = 0.0
    else:
        share = optimize.minimize_scalar(
            against, bounds=(1e-12, (1 - drop) / 2 - 1e-12), method="bounded", options={"xatol": 1e-12}
        ).x
    return (lost - gained - count * drop + 0.5) / np.sqrt(count * (2 * share + drop - drop**2))


@pytest.mark.parametrize(("lost", "gained", "count"), [(5, 2, 100), (12, 9, 300), (1, 0, 50), (0, 4, 60), (30, 10, 90)])
def test_the_binary_bound_solves_the_score_equation(lost: int, gained: int, count: int) -> None:
    bound = binary_drop_bound(lost, gained, count)
    assert bound > (lost - gained) / count
    assert score(lost, gained, count, bound) == pytest.approx(-stats.norm.ppf(0.95), abs=2e-4)


@pytest.mark.parametrize("count", [1, 5, 50, 1000, 100_000])
def test_equal_answers_never_bound_the_drop_by_zero(count: int) -> None:
    bound = binary_drop_bound(0, 0, count)
    assert 0 < bound <= 1
    if count >= 50:  # n·Δ - ½ = z √(nΔ(1 - Δ)); for large n: √(nΔ) = (z + √(z² + 2)) ÷ 2
        assert count * bound == pytest.approx(3.637, rel=0.08)
        assert bound >= 1 - 0.05 ** (1 / count)  # the exact bound for the share of lost examples


def test_the_binary_bound_covers_the_true_drop_in_exact_enumeration() -> None:
    count = 24
    cells = [(lost, gained) for lost in range(count + 1) for gained in range(count + 1 - lost)]
    bounds = np.asarray([binary_drop_bound(lost, gained, count) for lost, gained in cells])
    table = np.asarray([(lost, gained, count - lost - gained) for lost, gained in cells])
    for gained_share in (0.0, 0.01, 0.05, 0.15, 0.3):
        for drop in (0.0, 0.02, 0.05, 0.1, 0.2, 0.4):
            chances = stats.multinomial(count, [gained_share + drop, gained_share, 1 - 2 * gained_share - drop])
            coverage = chances.pmf(table)[bounds >= drop].sum()
            assert coverage >= 0.945, (gained_share, drop, coverage)


@given(st.integers(1, 60), st.data())
@settings(max_examples=80, deadline=None)
def test_the_binary_bound_is_a_share_and_rises_with_losses(count: int, data: st.DataObject) -> None:
    lost = data.draw(st.integers(0, count - 1))
    gained = data.draw(st.integers(0, count - 1 - lost))
    bound = binary_drop_bound(lost, gained, count)
    assert max((lost - gained) / count, 0) < bound <= 1 or gained > lost
    assert bound <= binary_drop_bound(lost + 1, gained, count) + 1e-9
    assert bound <= binary_drop_bound(lost, gained, count, 0.99) + 1e-9


def test_needed_examples_bring_the_bound_to_the_limit_and_not_many_fewer_do() -> None:
    needed = binary_examples_needed(6, 4, 400, 0.015)
    assert needed is not None and needed > 400
    for count, fits in ((needed, True), (needed - 5, False)):
        assert (binary_drop_bound(6 * count / 400, 4 * count / 400, count) <= 0.015) == fits
    assert binary_examples_needed(0, 0, 1000, 0.01) == 1000
    assert binary_examples_needed(10, 0, 100, 0.05) is None
    assert binary_examples_needed(501, 0, 100_000, 0.00502) is None


def test_examples_needed_shrink_the_error_by_the_root_of_their_number() -> None:
    assert examples_needed(0.0, 0.02, 100, 0.01) == 400
    assert examples_needed(0.0, 0.01, 100, 0.01) == 100
    assert examples_needed(0.02, 0.03, 100, 0.01) is None
    assert examples_needed(0.0099, 0.03, 100, 0.01) is None


def rows(*values: tuple[float, ...]) -> np.ndarray:
    return np.asarray(values, dtype=np.float64)


def test_paired_drop_of_yes_or_no_counts_only_what_counts() -> None:
    before = rows(*[(1, 1)] * 90, *[(0, 1)] * 10, *[(0, 0)] * 50)
    after = rows(*[(0, 1)] * 3, *[(1, 1)] * 88, *[(0, 1)] * 9, *[(0, 0)] * 50)
    drop = paired_drop(before, after, limit=0.5)
    assert drop.value == pytest.approx(0.02)
    assert drop.examples == 100
    assert drop.bound == binary_drop_bound(3, 1, 100)
    assert drop.needed == 100
    assert "Tango" in drop.method


def test_a_paired_drop_without_any_change_is_never_bounded_by_zero() -> None:
    binary = rows(*[(1, 1)] * 200)
    assert paired_drop(binary, binary).value == 0
    assert paired_drop(binary, binary).bound > 1 / 200
    entities = rows(*[(2, 2, 2)] * 50, *[(0, 0, 0)] * 50, *[(1, 2, 1)] * 20)
    drop = paired_drop(entities, entities)
    assert drop.value == 0
    assert drop.bound > 0.004
    assert "bootstrap" in drop.method


def test_bootstrap_bounds_repeat_with_their_seed_and_never_lie_below_the_drop() -> None:
    random = np.random.default_rng(8)
    before = np.stack([random.integers(0, 2, 80), random.integers(2, 4, 80), np.full(80, 2)], axis=1).astype(float)
    after = before.copy()
    after[:20, 0] = 0
    first = paired_drop(before, after, seed=1, limit=0.9)
    assert first == paired_drop(before, after, seed=1, limit=0.9)
    assert first.bound >= first.value == pytest.approx(share_of(before) - share_of(after))
    assert first.needed == 80


def test_the_bootstrap_does_not_depend_on_the_order_of_examples() -> None:
    random = np.random.default_rng(9)
    before = np.stack([random.integers(0, 3, 60), np.full(60, 2), np.full(60, 2)], axis=1).astype(float)
    after = np.stack([random.integers(0, 3, 60), np.full(60, 2), np.full(60, 2)], axis=1).astype(float)
    order = random.permutation(60)
    bound = bootstrap_drop_bound(before, after, resamples=500)
    assert bound == bootstrap_drop_bound(before[order], after[order], resamples=500)


@pytest.mark.parametrize("lost_share", [0.005, 0.05])
def test_bootstrap_bounds_of_f1_cover_the_true_drop(lost_share: float) -> None:
    random = np.random.default_rng(10)
    runs, covered = 150, 0
    truth = 0.9 - 2 * 0.9 * (1 - lost_share) / (2 - lost_share * 0.9)  # a lost entity is not predicted any more
    for _ in range(runs):
        sizes = random.integers(0, 4, 200)
        right = random.binomial(sizes, 0.9)
        kept = random.binomial(right, 1 - lost_share)
        before = np.stack([right, sizes, sizes], axis=1).astype(float)
        after = np.stack([kept, sizes - (right - kept), sizes], axis=1).astype(float)
        covered += bootstrap_drop_bound(before, after, resamples=400) >= truth
    assert covered / runs >= 0.9


def test_outcomes_that_cannot_be_paired_or_count_nothing_are_refused() -> None:
    with pytest.raises(ValueError, match="cannot be paired"):
        paired_drop(rows((1, 1)), rows((1, 1), (1, 1)))
    with pytest.raises(ValueError, match="at least one example"):
        paired_drop(rows((0, 0)), rows((0, 0)))
    with pytest.raises(ValueError, match="at least one example"):
        binary_drop_bound(0, 0, 0)


def test_shares_of_nothing_are_zero() -> None:
    assert share_of(rows((0, 0))) == 0
    assert share_of(rows((0, 0, 0))) == 0
    assert share_of(rows((1, 2, 2), (1, 1, 3))) == 0.5
