"""The interface of metrics, with two that are not shares: a correlation, and a distance where lower is better."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_ptf.examples import Prediction
from edge_ptf.metrics import Direction, Metric, gated, scores
from edge_ptf.metrics.base import Rows
from edge_ptf.training.trainer import kept_epoch


@dataclass(frozen=True, kw_only=True)
class Correlation(Metric):
    """Pearson's correlation, from -1 to 1. Undefined if all answers are equal."""

    def per_example(self, references: Sequence[Any], answers: Sequence[Any]) -> Rows:
        return np.column_stack([np.asarray(references, dtype=float), np.asarray(answers, dtype=float)])

    def score(self, rows: Rows) -> float:
        centred = rows - rows.mean(axis=0)
        size = float(np.prod(np.sqrt((centred**2).sum(axis=0))))
        return float((centred[:, 0] * centred[:, 1]).sum() / size) if size else math.nan

    def noise(self, score: float, count: int) -> float:
        return float((1 - min(score**2, 1.0)) / max(count - 1, 1) ** 0.5)


@dataclass(frozen=True, kw_only=True)
class Distance(Metric):
    """Mean distance, lower is better."""

    unit = "ms"
    direction = Direction.LOWER

    def per_example(self, references: Sequence[Any], answers: Sequence[Any]) -> Rows:
        return np.abs(np.asarray(references, dtype=float) - np.asarray(answers, dtype=float)).reshape(-1, 1)

    def score(self, rows: Rows) -> float:
        return float(rows.mean())

    def noise(self, score: float, count: int) -> float:
        return score / (count - 1) ** 0.5


CORRELATION = Correlation(name="correlation", title="correlation", gated=True)
DISTANCE = Distance(name="distance", title="distance", gated=True)


def test_the_better_value_depends_on_the_direction() -> None:
    assert Direction.HIGHER.lead(3, 1) == 2
    assert Direction.LOWER.lead(3, 1) == -2
    assert (Direction.HIGHER.best([1, 3, math.nan]), Direction.LOWER.best([1, 3, math.nan])) == (3, 1)
    assert math.isnan(Direction.HIGHER.best([math.nan]))


def predicted(*labels: float) -> list[Prediction]:
    return [Prediction(label, 1.0) for label in labels]


def test_scores_leave_out_what_the_examples_do_not_define() -> None:
    found = scores([CORRELATION, DISTANCE], [1, 2, 3], predicted(2, 3, 4))
    assert found == {"correlation": pytest.approx(1), "distance": 1}
    assert scores([CORRELATION, DISTANCE], [1, 2, 3], predicted(2, 2, 2)) == {"distance": pytest.approx(2 / 3)}
    ungated = Distance(name="other", title="other")
    assert gated([CORRELATION, ungated, DISTANCE]) == (CORRELATION, DISTANCE)


def answered(noise: float, count: int = 200) -> tuple[list[float], list[float]]:
    dice = np.random.default_rng(1)
    references = dice.normal(size=count)
    return list(references), list(references + noise * dice.normal(size=count))


@pytest.mark.parametrize("metric", [CORRELATION, DISTANCE])
def test_a_drop_is_how_much_worse_the_payload_is_whatever_the_direction(metric: Metric) -> None:
    before, after = (metric.per_example(*answered(noise)) for noise in (0.2, 0.6))
    worse, better = metric.bound(before, after, 0.95), metric.bound(after, before, 0.95)
    assert worse.value == pytest.approx(abs(metric.score(before) - metric.score(after)))
    assert 0 < worse.value < worse.bound < 3 * worse.value
    assert better.value == pytest.approx(-worse.value)
    assert better.value < better.bound < 0
    assert metric.bound(before, after, 0.95) == worse
    assert metric.bound(before, after, 0.99).bound > worse.bound
    assert (worse.examples, metric.counted(before)) == (200, 200)


def test_a_drop_says_how_many_examples_would_prove_it() -> None:
    before, after = (DISTANCE.per_example(*answered(noise)) for noise in (0.5, 0.55))
    found = DISTANCE.bound(before, after, 0.95)
    limit = found.value + (found.bound - found.value) / 2
    needed = DISTANCE.bound(before, after, 0.95, limit).needed
    assert needed is not None
    assert 795 <= needed <= 801  # half the error needs four times the 200 examples
    assert DISTANCE.bound(before, after, 0.95, found.bound).needed == 200


def test_rows_that_cannot_be_paired_are_refused() -> None:
    rows = DISTANCE.per_example([1, 2], [1, 3])
    with pytest.raises(ValueError, match="paired"):
        DISTANCE.bound(rows, rows[:1], 0.95)
    with pytest.raises(ValueError, match="at least one"):
        DISTANCE.bound(rows[:0], rows[:0], 0.95)


def test_a_resample_without_a_score_counts_as_the_worst() -> None:
    before = CORRELATION.per_example([0, 1], [0, 1])
    after = CORRELATION.per_example([0, 1], [0, 2])
    assert CORRELATION.bound(before, after, 0.95).bound == math.inf


@given(st.lists(st.floats(-1, 1), min_size=1, max_size=10), st.integers(2, 500))
@settings(max_examples=100, deadline=None)
def test_an_epoch_is_kept_whatever_the_sign_of_its_score(history: list[float], count: int) -> None:
    kept = kept_epoch(history, CORRELATION, count)
    assert max(history) - history[kept - 1] <= CORRELATION.noise(max(history), count)


@pytest.mark.parametrize(
    ("metric", "history", "kept"),
    [
        (CORRELATION, [-0.9, -0.5, -0.2, -0.8], 3),  # one standard error of -0.2 over 101 is 0.096
        (CORRELATION, [-0.9, -0.5, -0.2, -0.25], 4),
        (CORRELATION, [math.nan, 0.3, math.nan], 2),
        (CORRELATION, [math.nan, math.nan], 2),
        (DISTANCE, [9.0, 5.0, 5.4, 7.0], 3),  # one standard error is 0.5
        (DISTANCE, [9.0, 5.0, 5.6, 7.0], 2),
        (DISTANCE, [900.0, 500.0], 2),
    ],
)
def test_the_kept_epoch_follows_the_metrics_direction_and_noise(
    metric: Metric, history: list[float], kept: int
) -> None:
    assert kept_epoch(history, metric, 101) == kept


def test_the_bound_of_a_score_is_on_its_worse_side_and_in_its_unit() -> None:
    draw = np.random.default_rng(0)
    truth = draw.normal(size=200)
    rows = CORRELATION.per_example(truth, truth + 0.3 * draw.normal(size=200))
    found = CORRELATION.score_bound(rows, 0.95, limit=0.99)
    assert 0.9 < found.bound < found.value < 0.99
    assert found.needed is None  # the score itself misses it
    late = DISTANCE.score_bound(DISTANCE.per_example(truth, truth + draw.normal(size=200)), 0.95, limit=1.0)
    assert late.value < late.bound < 1.0
    assert late.needed == 200
