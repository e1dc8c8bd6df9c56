from __future__ import annotations

from math import exp, hypot, log, sqrt

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import signal, stats

from edge_ptf.bench import BenchConfig
from edge_ptf.statistics import (
    MOST_LAUNCHES,
    block_interval,
    launch_percentile,
    launch_percentile_bound,
    launches_to_bound,
    launches_to_decide,
    log_mean_limits,
    percentile_interval,
    percentile_upper_bound,
    prediction_upper_bound,
    rank_autocorrelation,
    ratio_interval,
    speedup,
    values_to_predict,
)


def launches_of(
    random: np.random.Generator, shift: float, count: int = 8, calls: int = 60, rho: float = 0.0
) -> list[np.ndarray]:
    """Log-normal launches that differ by `shift`, each an AR(1) series."""
    noise = random.normal(0, 0.2, (count, calls))
    noise[:, 1:] *= sqrt(1 - rho**2)
    steps = signal.lfilter([1.0], [1.0, -rho], noise, axis=1)
    return list(np.exp(steps + random.normal(0, shift, (count, 1))))


def true_percentile(share: float, shift: float) -> float:
    """The percentile of all calls over all possible launches."""
    return exp(hypot(0.2, shift) * stats.norm.ppf(share))


@pytest.mark.parametrize("rho", [0.0, 0.6])
@pytest.mark.parametrize(("shift", "share"), [(0.0, 0.9), (0.1, 0.9), (0.3, 0.9), (0.0, 0.5), (0.3, 0.5), (0.1, 0.1)])
def test_launch_intervals_hold_the_percentile_of_all_calls(shift: float, share: float, rho: float) -> None:
    random = np.random.default_rng(2)
    truth, runs, hits, above = true_percentile(share, shift), 200, 0, 0
    for _ in range(runs):
        launches = launches_of(random, shift, rho=rho)
        estimate, bound = launch_percentile(launches, share), launch_percentile_bound(launches, share)
        assert estimate.low is not None and estimate.high is not None and bound is not None
        assert estimate.low <= estimate.value <= bound <= estimate.high + 1e-12
        hits += estimate.low <= truth <= estimate.high
        above += bound >= truth
        assert estimate.method == "launches compared"
    assert hits / runs >= 0.91  # 95 % minus two and a half standard errors
    assert above / runs >= 0.91


@given(
    st.lists(st.lists(st.floats(0.1, 1e3), min_size=50, max_size=60), min_size=3, max_size=6),
    st.sampled_from([0.1, 0.5, 0.9]),
    st.floats(0.01, 100),
)
@settings(max_examples=40, deadline=None)
def test_launch_bounds_keep_order_and_unit(launches: list[list[float]], share: float, unit: float) -> None:
    estimate, bound = launch_percentile(launches, share), launch_percentile_bound(launches, share)
    assert estimate.low is not None and estimate.high is not None and bound is not None
    assert estimate.low <= estimate.value <= bound <= estimate.high * (1 + 1e-9)
    stricter = launch_percentile_bound(launches, share, 0.99)
    assert stricter is not None and stricter >= bound * (1 - 1e-9)
    scaled = launch_percentile_bound([[unit * ms for ms in launch] for launch in launches], share)
    assert scaled == pytest.approx(unit * bound)
    assert launch_percentile_bound(launches[::-1], share) == pytest.approx(bound)


def test_launches_that_differ_push_the_tail_out_and_leave_the_median() -> None:
    random = np.random.default_rng(5)
    launch = random.lognormal(0, 0.3, 100)
    alike, apart = [launch] * 4, [launch / 1.2, launch / 1.1, launch * 1.1, launch * 1.2]
    own = float(np.quantile(launch, 0.9, method="median_unbiased"))
    assert launch_percentile_bound(alike, 0.9) == pytest.approx(own)
    further = launch_percentile(apart, 0.9)
    assert further.low is not None and further.high is not None
    assert further.low * further.high > own**2
    middle = launch_percentile(apart, 0.5)
    assert middle.low is not None and middle.high is not None
    assert middle.low * middle.high == pytest.approx(np.median(launch) ** 2)


def test_launches_to_bound_are_the_fewest_that_go_on_like_these() -> None:
    random = np.random.default_rng(11)
    launches = launches_of(random, 0.1, count=4)
    assert launches_to_bound(launches[:2], 0.9, 2.0) == 3
    bound = launch_percentile_bound(launches, 0.9)
    assert bound is not None
    count = launches_to_bound(launches, 0.9, 0.9 * bound)
    assert count is not None and count > 4
    again = launch_percentile_bound([*launches] * (count // 4 + 1), 0.9)
    assert again is not None and again <= 0.9 * bound
    assert launches_to_bound(launches, 0.9, 0.1 * bound) is None
    assert launches_to_bound(launches, 0.9, bound) == 5


def test_one_launch_is_bounded_by_order_statistics_or_by_blocks() -> None:
    random = np.random.default_rng(6)
    apart = launches_of(random, 0.0, count=1, calls=400)
    assert launch_percentile(apart, 0.9) == percentile_interval(apart[0], 0.9)
    together = launches_of(random, 0.0, count=1, calls=400, rho=0.6)
    found = launch_percentile(together, 0.9)
    assert found == block_interval(together, 0.9)
    assert found.low is not None and found.high is not None and found.low < found.value < found.high
    order = percentile_interval(together[0], 0.9)
    assert order.low is not None and order.high is not None
    assert found.high - found.low > order.high - order.low


@pytest.mark.parametrize("share", [0.5, 0.9])
def test_blocks_of_calls_hold_the_percentile_where_calls_depend_on_each_other(share: float) -> None:
    random, runs = np.random.default_rng(7), 150
    truth, hits = true_percentile(share, 0.0), 0
    for _ in range(runs):
        found = block_interval(launches_of(random, 0.0, count=1, calls=1000, rho=0.6), share, resamples=300)
        assert found.low is not None and found.high is not None
        hits += found.low <= truth <= found.high
    assert hits / runs >= 0.9  # 95 % minus three standard errors


def test_blocks_never_reach_over_the_end_of_a_launch_and_need_room() -> None:
    random = np.random.default_rng(8)
    slow, quick = launches_of(random, 0.0, count=2, calls=300, rho=0.9)
    launches = [list(100 * slow), list(quick)]
    assert block_interval(launches, 0.25, seed=1) == block_interval(launches, 0.25, seed=1)
    assert block_interval([slow[:30]], 0.5).low is None  # fewer than ten blocks
    assert block_interval([quick], 0.99).high is None  # fewer than five calls beyond


def test_few_launches_alike_but_for_their_speed_have_an_interval_of_these_launches_alone() -> None:
    random = np.random.default_rng(9)
    found = launch_percentile(launches_of(random, 0.5, count=2, calls=200), 0.5)
    assert found.method == "blocks of calls resampled"
    assert found.low is not None and found.high is not None


def test_calls_that_are_taken_for_independent_would_be_bounded_too_tightly() -> None:
    random, runs = np.random.default_rng(3), 200
    pooled = [np.concatenate(launches_of(random, 0.3)) for _ in range(runs)]
    assert np.mean([percentile_upper_bound(calls, 0.5) >= 1 for calls in pooled]) < 0.8


def test_a_launch_bound_needs_three_launches_and_calls_beyond_the_percentile() -> None:
    random = np.random.default_rng(3)
    assert launch_percentile_bound(launches_of(random, 0.1, count=2, calls=200), 0.9) is None
    assert launch_percentile_bound(launches_of(random, 0.1, count=3, calls=49), 0.9) is None
    assert launch_percentile_bound(launches_of(random, 0.1, count=3, calls=50), 0.9) is not None
    estimate = launch_percentile(launches_of(random, 0.1, count=3, calls=49), 0.9)
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


def test_no_forecast_asks_for_more_launches_than_bench_takes() -> None:
    values = [2.0, 2.2, 1.9, 2.1]
    middle = exp(float(np.mean(np.log(values))))
    asked = [launches_to_decide(values, limit) for limit in np.linspace(0.9 * middle, middle, 200)]
    assert {count is None for count in asked} == {True, False}
    assert max(count for count in asked if count) <= MOST_LAUNCHES
    for name in ("launches", "memory_launches"):
        BenchConfig.model_validate({name: MOST_LAUNCHES})


def test_values_to_predict_are_the_fewest_that_suffice() -> None:
    values = [100.0, 101.0, 103.0]
    count = values_to_predict(values, 105.0)
    assert count is not None and count > 3
    spread, gap = np.std(values, ddof=1), 105 - np.mean(values)
    reach = [stats.t.ppf(0.95, n - 1) * spread * np.sqrt(1 + 1 / n) for n in (count - 1, count)]
    assert reach[1] <= gap < reach[0]
    assert values_to_predict(values, 101.4) is None
    assert values_to_predict([100.0], 105.0) == 3


def test_a_ratios_interval_mirrors_when_the_sides_are_changed() -> None:
    random = np.random.default_rng(10)
    slow, quick = ([random.lognormal(0, 0.1, 30) for _ in range(5)] for _ in range(2))
    there, back = ratio_interval(slow, quick), ratio_interval(quick, slow)
    assert there.value == pytest.approx(1 / back.value)
    assert (there.low, there.high) == pytest.approx((1 / back.high, 1 / back.low))
    assert speedup(slow, quick) == pytest.approx((there.value, ratio_interval(slow, quick, 0.9).low))
    assert ratio_interval(slow[:2], quick[:2]).low is None
