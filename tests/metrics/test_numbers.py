"""Metrics of numbers compared with scipy and scikit-learn, their noise and their bounds."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn.metrics import root_mean_squared_error

from edge_ptf.metrics import Direction, Metric
from edge_ptf.metrics.numbers import Pearson, RootMeanSquareError, Spearman
from edge_ptf.statistics import bootstrap_score_drop

SPEARMAN = Spearman(name="spearman", title="Spearman", gated=True)
PEARSON = Pearson(name="pearson", title="Pearson", gated=True)
RMSE = RootMeanSquareError(name="rmse", title="RMSE", gated=True)
ALL = (SPEARMAN, PEARSON, RMSE)

number = st.integers(-20, 20).map(lambda value: value / 4) | st.floats(-1e6, 1e6, allow_subnormal=False)
pairs = st.lists(st.tuples(number, number), min_size=3, max_size=40)


def scored(metric: Metric, references: list[float], answers: list[float]) -> float:
    return metric.score(metric.per_example(references, answers))


@given(pairs)
@settings(max_examples=200, deadline=None)
def test_the_scores_equal_scipy_and_scikit_learn(values: list[tuple[float, float]]) -> None:
    references, answers = map(list, zip(*values, strict=True))
    assert scored(RMSE, references, answers) == pytest.approx(root_mean_squared_error(references, answers))
    if min(np.ptp(references), np.ptp(answers)) == 0:
        return
    wanted = stats.spearmanr(references, answers).statistic
    assert scored(SPEARMAN, references, answers) == pytest.approx(wanted, abs=1e-9)
    if min(np.ptp(references), np.ptp(answers)) > 1e-6:  # closer numbers are one number to scipy
        wanted = stats.pearsonr(references, answers).statistic
        assert scored(PEARSON, references, answers) == pytest.approx(wanted, abs=1e-6)


def test_the_scores_of_a_case_that_is_computed_by_hand() -> None:
    references, answers = [1.0, 2.0, 3.0, 4.0], [1.0, 3.0, 2.0, 8.0]
    assert scored(SPEARMAN, references, answers) == pytest.approx(1 - 6 * 2 / (4 * 15))
    assert scored(RMSE, references, answers) == pytest.approx(math.sqrt((0 + 1 + 1 + 16) / 4))
    assert scored(PEARSON, references, references) == 1
    assert scored(PEARSON, references, [-each for each in references]) == -1


def test_answers_that_are_all_equal_have_no_correlation() -> None:
    for metric in (SPEARMAN, PEARSON):
        assert scored(metric, [1.0, 2.0, 3.0], [5.0, 5.0, 5.0]) == 0
        assert math.isnan(scored(metric, [1.0, 1.0, 1.0], [5.0, 6.0, 7.0]))
        assert math.isnan(scored(metric, [1.0], [2.0]))
        assert math.isnan(scored(metric, [], []))
    assert math.isnan(scored(RMSE, [], []))


def test_large_and_small_numbers_have_a_correlation_too() -> None:
    for scale in (1e-200, 1e200):
        assert scored(PEARSON, [scale, 2 * scale, 4 * scale], [1.0, 2.0, 4.0]) == pytest.approx(1)


@pytest.mark.parametrize("metric", ALL)
@pytest.mark.parametrize("score", [0.0, 0.5, 1.0])
def test_the_noise_is_finite_and_not_negative(metric: Metric, score: float) -> None:
    for count in (0, 1, 2, 3, 100):
        assert 0 <= metric.noise(score, count) < math.inf


@pytest.mark.parametrize("metric", ALL)
def test_the_noise_is_the_standard_error_of_numbers_of_a_normal_distribution(metric: Metric) -> None:
    draw, count = np.random.default_rng(0), 300
    scores = []
    for _ in range(400):
        truth = draw.normal(size=count)
        scores.append(scored(metric, truth, truth + 0.7 * draw.normal(size=count)))
    assert metric.noise(float(np.mean(scores)), count) == pytest.approx(float(np.std(scores)), rel=0.15)


def answered(error: float, count: int = 200) -> tuple[list[float], list[float]]:
    draw = np.random.default_rng(1)
    truth = draw.normal(3, 1, size=count)
    return list(truth), list(truth + error * draw.normal(size=count))


@pytest.mark.parametrize("metric", ALL)
def test_a_drop_has_the_unit_of_the_score_and_a_bound_above_it(metric: Metric) -> None:
    before, after = (metric.per_example(*answered(error)) for error in (0.2, 0.4))
    drop = metric.bound(before, after, 0.95)
    assert drop.value == pytest.approx(abs(metric.score(before) - metric.score(after)))
    assert 0 < drop.value < drop.bound < 2 * drop.value
    assert (metric.unit, metric.score_unit) == ("", "")
    own = metric.score_bound(after, 0.95)
    assert metric.direction.lead(own.value, own.bound) > 0


def test_a_lower_error_is_better() -> None:
    assert [metric.direction for metric in ALL] == [Direction.HIGHER, Direction.HIGHER, Direction.LOWER]
    assert RMSE.bound(RMSE.per_example(*answered(0.4)), RMSE.per_example(*answered(0.2)), 0.95).value < 0


@pytest.mark.slow
@pytest.mark.parametrize("metric", [SPEARMAN, RMSE])
def test_a_bound_of_a_drop_covers_the_truth_about_as_often_as_it_says(metric: Metric) -> None:
    draw, missed, studies = np.random.default_rng(2), 0, 200
    truth = draw.normal(size=200_000)
    noises = [draw.normal(size=truth.shape) for _ in range(2)]
    answers = [truth + 0.5 * noises[0], truth + 0.5 * noises[0] + 0.3 * noises[1]]
    whole = [scored(metric, truth, each) for each in answers]
    real = metric.direction.lead(*whole)

    def loss(baseline: np.ndarray, payload: np.ndarray) -> float:
        return metric.direction.lead(metric.score(baseline), metric.score(payload))

    for _ in range(studies):
        picked = draw.integers(len(truth), size=150)
        rows = [metric.per_example(truth[picked], each[picked]) for each in answers]
        missed += bootstrap_score_drop(loss, *rows, confidence=0.95, resamples=400).bound < real
    assert missed / studies <= 0.09  # 0.05, and two standard errors of 200 studies
