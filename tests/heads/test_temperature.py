"""Temperature scaling against a plain grid search, and where there is little to learn from."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import log_softmax, softmax

from edge_ptf.heads.temperature import LIMITS, best_temperature


def sampled(count: int, labels: int, temperature: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Logits, and classes that are drawn with the probabilities at a temperature."""
    random = np.random.default_rng(seed)
    logits = 3 * random.standard_normal((count, labels))
    shares = softmax(logits / temperature, axis=1)
    return logits, np.asarray([random.choice(labels, p=row) for row in shares])


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0, 4.0])
def test_it_finds_the_temperature_that_the_classes_were_drawn_at(temperature: float) -> None:
    found = best_temperature(*sampled(4000, 5, temperature))
    assert found == pytest.approx(temperature, rel=0.1)


def test_it_is_the_best_of_a_grid() -> None:
    logits, classes = sampled(200, 4, 1.7)
    count = len(classes)
    sure = (count + 1) / (count + 2)
    targets = np.full(logits.shape, (1 - sure) / 3)
    targets[np.arange(count), classes] = sure

    def loss(temperature: float) -> float:
        return float(-(targets * log_softmax(logits / temperature, axis=1)).sum())

    grid = np.linspace(0.3, 6, 2000)
    assert best_temperature(logits, classes) == pytest.approx(grid[np.argmin([loss(t) for t in grid])], rel=0.01)


def test_a_few_right_answers_do_not_make_it_sure() -> None:
    logits = np.asarray([[2.0, 0.0], [0.0, 2.0], [2.0, 0.0]])
    found = best_temperature(logits, np.asarray([0, 1, 0]))
    # all targets are 4/5, and the softmax of two logits at distance 2 / T is 4/5 at T = 2 / log 4
    assert found == pytest.approx(2 / np.log(4), rel=1e-3)


def test_without_examples_or_with_one_label_it_is_1() -> None:
    assert best_temperature(np.zeros((0, 3)), np.zeros(0, np.int64)) == 1.0
    assert best_temperature(np.zeros((5, 1)), np.zeros(5, np.int64)) == 1.0


@given(st.integers(1, 30), st.integers(2, 6), st.integers(0, 1000))
def test_it_is_within_its_limits(count: int, labels: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    logits = random.standard_normal((count, labels)) * 10.0 ** random.integers(-3, 3)
    found = best_temperature(logits, random.integers(0, labels, count))
    assert LIMITS[0] <= found <= LIMITS[1]
