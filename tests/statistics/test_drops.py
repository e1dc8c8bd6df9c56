from __future__ import annotations

from math import comb, log

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize, stats

from edge_ptf.statistics import (
    binary_drop_bound,
    binary_examples_needed,
    bootstrap_drop_bound,
    bootstrap_score_drop,
    drop_interval,
    examples_needed,
    mcnemar,
    paired_drop,
    share_of,
)


def score(lost: int, gained: int, count: int, drop: float) -> float:
    """Tango's statistic with the gained share maximized numerically, not by the closed form."""

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
    truth = 0.9 - 2 * 0.9 * (1 - lost_share) / (2 - lost_share * 0.9)  # a lost entity is not predicted
    for _ in range(runs):
        sizes = random.integers(0, 4, 200)
        right = random.binomial(sizes, 0.9)
        kept = random.binomial(right, 1 - lost_share)
        before = np.stack([right, sizes, sizes], axis=1).astype(float)
        after = np.stack([kept, sizes - (right - kept), sizes], axis=1).astype(float)
        covered += bootstrap_drop_bound(before, after, resamples=400) >= truth
    assert covered / runs >= 0.9


def test_bootstrap_bounds_miss_a_poisson_number_of_losses_as_often_as_promised() -> None:
    """Exact: every number of lost entities, weighted by its probability, for true means from 4 to 25."""
    count = 5_000
    drops = [1 - 2 * (count - lost) / (2 * count - lost) for lost in range(50)]  # a lost entity is not predicted
    bounds = []
    for lost in range(50):
        after = rows(*[(0, 0, 1)] * lost, *[(1, 1, 1)] * (count - lost))
        bounds.append(bootstrap_drop_bound(np.ones((count, 3)), after, resamples=5_000))
    for mean in (4, 6, 8, 12, 16, 25):
        means = np.linspace(mean - 1, mean + 1, 21)  # several means, because counts are coarse
        missed = [stats.poisson.pmf(np.arange(50), m)[bounds < np.interp(m, range(50), drops)].sum() for m in means]
        assert 0.04 <= np.mean(missed) <= 0.056, mean


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


@given(st.integers(0, 40), st.integers(0, 40))
@settings(deadline=None)
def test_mcnemar_is_the_exact_binomial_test_of_what_changed_sides(lost: int, gained: int) -> None:
    fewer, changed = min(lost, gained), lost + gained
    exact = min(1.0, 2 * sum(comb(changed, k) for k in range(fewer + 1)) / 2**changed)
    assert mcnemar(lost, gained) == pytest.approx(exact)
    assert mcnemar(lost, gained) == mcnemar(gained, lost)


def test_a_drop_of_yes_or_no_outcomes_says_whether_chance_explains_it() -> None:
    before = rows(*[(1, 1)] * 100)
    after = rows(*[(0, 1)] * 8, *[(1, 1)] * 92)
    assert paired_drop(before, after).chance == pytest.approx(2 / 2**8)
    assert paired_drop(before, before).chance == 1.0
    entities = rows(*[(2, 2, 2)] * 50)
    assert paired_drop(entities, entities).chance is None


@given(st.integers(5, 80), st.data())
@settings(max_examples=50, deadline=None)
def test_a_drop_interval_mirrors_when_the_sides_are_changed(count: int, data: st.DataObject) -> None:
    hits = st.lists(st.booleans(), min_size=count, max_size=count)
    before, after = (np.stack([data.draw(hits), np.ones(count)], axis=1).astype(float) for _ in range(2))
    there, back = drop_interval(before, after), drop_interval(after, before)
    assert (there.value, there.low, there.high) == pytest.approx((-back.value, -back.high, -back.low))
    assert there.low <= there.value <= there.high
    assert there.high == pytest.approx(paired_drop(before, after, confidence=0.975).bound)


def test_the_drop_of_any_score_is_bounded_as_a_mean_is() -> None:
    dice = np.random.default_rng(5)
    before = dice.normal(3.0, 1.0, size=(400, 1))
    after = before - dice.normal(0.5, 1.0, size=(400, 1))
    found = bootstrap_score_drop(lambda one, other: float(one.mean() - other.mean()), before, after, limit=0.6)
    lost = (before - after)[:, 0]
    assert found.value == pytest.approx(lost.mean())
    assert found.bound == pytest.approx(lost.mean() + 1.645 * lost.std() / 20, abs=0.01)
    assert found.needed == examples_needed(found.value, found.bound, 400, 0.6)
    assert (found.examples, found.chance) == (400, None)
