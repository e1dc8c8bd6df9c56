"""The expected calibration error, by hand and at the edges of its bins."""

from __future__ import annotations

import math

import numpy as np
import pytest

from edge_ptf.examples import Prediction
from edge_ptf.metrics import CalibrationError, scores

ECE = CalibrationError(name="ece", title="expected calibration error")


def score(*answers: tuple[bool, float]) -> float:
    predictions = [Prediction("a" if right else "b", confidence) for right, confidence in answers]
    return scores((ECE,), ["a"] * len(answers), predictions).get("ece", math.nan)


def test_by_hand() -> None:
    # bin (12/15, 13/15]: three answers, mean score 0.84, two thirds right; bin (14/15, 1]: one of 0.98, wrong
    found = score((True, 0.82), (True, 0.84), (False, 0.86), (False, 0.98))
    assert found == pytest.approx(100 * (3 * abs(2 / 3 - 0.84) + 0.98) / 4)


def test_honest_scores_have_no_error() -> None:
    assert score(*[(True, 0.75)] * 3, (False, 0.75)) == pytest.approx(0)
    assert score((True, 1.0), (False, 0.0)) == 0


def test_a_bin_contains_its_upper_edge() -> None:
    edge = 5 / 15
    assert score((True, edge), (False, edge - 0.01)) == pytest.approx(100 * abs(1 - 2 * edge + 0.01) / 2)
    assert score((True, edge), (False, edge + 0.01)) == pytest.approx(100 * (1 - edge + edge + 0.01) / 2)


def test_no_examples_have_no_score() -> None:
    assert math.isnan(score())


def test_lower_is_better_and_a_bound_lies_above() -> None:
    random = np.random.default_rng(0)
    sure = random.uniform(0.5, 1, 400)
    rows = np.column_stack([sure, random.uniform(size=400) < sure])
    before, after = rows, np.column_stack([np.minimum(rows[:, 0] + 0.2, 1), rows[:, 1]])
    drop = ECE.bound(before, after, 0.95, limit=5)
    assert 0 < drop.value < drop.bound
    assert drop.value == pytest.approx(ECE.score(after) - ECE.score(before))
    found = ECE.score_bound(after, 0.95)
    assert found.value == pytest.approx(ECE.score(after)) and found.bound > found.value
    assert ECE.as_good(1.0, 1.0, 100) and ECE.as_good(0.5, 1.0, 100) and not ECE.as_good(9.0, 1.0, 100)
