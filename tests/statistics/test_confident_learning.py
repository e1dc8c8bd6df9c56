"""Confident learning on cases that can be worked out by hand, and on labels that were made wrong."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_ptf.statistics.confident_learning import Suspect, suspects


def test_a_confident_other_class_makes_a_suspect() -> None:
    # Thresholds: class 0: (0.9 + 0.8 + 0.1) / 3 = 0.6, class 1: (0.7 + 0.5) / 2 = 0.6.
    of_one = np.array([0.1, 0.2, 0.9, 0.7, 0.5])
    found = suspects(np.stack([1 - of_one, of_one], axis=1), np.array([0, 0, 0, 1, 1]))
    assert found == [Suspect(2, 1, pytest.approx(0.8))]


def test_a_probable_class_below_its_threshold_makes_none() -> None:
    # The third example is rather of class 1 (0.55), but class 1 is surer of its own examples (0.9).
    of_one = np.array([0.1, 0.2, 0.55, 0.9, 0.9])
    assert suspects(np.stack([1 - of_one, of_one], axis=1), np.array([0, 0, 0, 1, 1])) == []


def test_a_class_without_examples_is_never_suggested() -> None:
    probabilities = np.array([[0.2, 0.1, 0.7], [0.9, 0.1, 0.0], [0.1, 0.9, 0.0]])
    assert suspects(probabilities, np.array([0, 0, 1])) == []


def test_shapes_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match=r"\(2, 2\) and labels \(3,\)"):
        suspects(np.zeros((2, 2)), np.zeros(3, int))


@given(st.integers(2, 6), st.integers(0, 1000))
def test_planted_errors_are_found_and_no_others(classes: int, seed: int) -> None:
    chance = np.random.default_rng(seed)
    truth = np.tile(np.arange(classes), 20)
    probabilities = np.full((len(truth), classes), 0.05 / (classes - 1))
    probabilities[np.arange(len(truth)), truth] = 0.95
    wrong = chance.choice(len(truth), len(truth) // 10, replace=False)
    labels = truth.copy()
    labels[wrong] = (truth[wrong] + 1) % classes
    found = suspects(probabilities, labels)
    assert {each.example for each in found} == set(wrong.tolist())
    assert all(each.suggested == truth[each.example] for each in found)
    assert [each.margin for each in found] == sorted((each.margin for each in found), reverse=True)
