"""The bound of a score."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from edge_ptf.statistics import binary_examples_for_score, binary_score_bound, bootstrap_score, share_score


def hits(right: int, count: int) -> np.ndarray:
    return np.column_stack([np.arange(count) < right, np.ones(count)]).astype(float)


@pytest.mark.parametrize(
    ("right", "count", "bound"),
    [(0, 10, 0.0), (10, 10, 0.05**0.1), (90, 100, 0.8363), (180, 200, 0.8580), (1, 10, 0.005116)],
)
def test_a_share_has_the_exact_binomial_bound(right: int, count: int, bound: float) -> None:
    found = share_score(hits(right, count))
    assert (found.value, found.examples) == (right / count, count)
    assert found.bound == pytest.approx(bound, abs=5e-5)


@pytest.mark.parametrize("count", [5, 40, 200])
@pytest.mark.parametrize("confidence", [0.9, 0.95])
def test_it_is_beyond_the_truth_no_more_often_than_promised(count: int, confidence: float) -> None:
    """The probability is a sum over every number of hits: nothing is drawn at random."""
    bounds = np.array([binary_score_bound(right, count, confidence) for right in range(count + 1)])
    for truth in np.linspace(0.02, 0.98, 49):
        wrong = stats.binom.pmf(np.arange(count + 1), count, truth)[bounds > truth].sum()
        assert wrong <= 1 - confidence + 1e-9


@given(st.integers(1, 400), st.floats(0.05, 1), st.floats(0, 0.2))
def test_the_needed_examples_prove_the_limit(count: int, share: float, gap: float) -> None:
    right, limit = round(share * count), share - gap
    needed = binary_examples_for_score(right, count, limit)
    if needed is None:
        assert right / count <= limit or binary_score_bound(100 * right, 100 * count) < limit
    else:
        assert needed >= count
        times = (needed + 1) / count
        assert binary_score_bound(right * times, count * times) >= limit - 1e-6


def test_rows_that_do_not_count_have_no_part() -> None:
    rows = np.vstack([hits(90, 100), np.zeros((50, 2))])
    assert share_score(rows, limit=0.8) == share_score(hits(90, 100), limit=0.8)


def test_an_f1_of_right_answers_has_a_bound_below_one() -> None:
    right = np.tile([[1.0, 1.0, 1.0], [2.0, 2.0, 2.0]], (30, 1))
    found = share_score(right, limit=0.99)
    assert found.value == 1.0
    assert 0.9 < found.bound < 0.99
    assert found.needed is not None and found.needed > 60
    some = share_score(np.vstack([right, [[0.0, 1.0, 1.0]] * 6]))
    assert some.bound < some.value < 1


def test_an_f1_is_beyond_the_truth_about_as_often_as_promised() -> None:
    """300 samples of 80 sentences with a true F1 of 0.8: sum of hits over sum of entities, both random."""
    draw, wrong = np.random.default_rng(0), 0
    for seed in range(300):
        actual = draw.integers(0, 3, size=80)
        found = draw.binomial(actual, 0.8)
        extra = draw.binomial(actual, 0.2)
        rows = np.column_stack([found, found + extra, actual]).astype(float)
        wrong += share_score(rows, seed=seed).bound > 0.8
    assert wrong / 300 <= 0.08


@pytest.mark.parametrize("higher", [True, False])
def test_any_score_is_bounded_on_its_worse_side(higher: bool) -> None:
    rows = np.random.default_rng(1).normal(10, 1, size=(200, 1))
    limit = 9.95 if higher else 10.05
    found = bootstrap_score(lambda sample: float(sample.mean()), rows, higher=higher, limit=limit)
    assert (found.bound < found.value) is higher
    assert abs(found.bound - found.value) == pytest.approx(1.645 / 200**0.5, rel=0.15)
    undefined = bootstrap_score(lambda _: float("nan"), rows, higher=higher)
    assert not np.isfinite(undefined.bound)


def test_without_examples_there_is_no_bound() -> None:
    with pytest.raises(ValueError, match="at least one example"):
        share_score(np.zeros((0, 3)))
    with pytest.raises(ValueError, match="at least one example"):
        bootstrap_score(lambda _: 1.0, np.zeros((0, 1)))
