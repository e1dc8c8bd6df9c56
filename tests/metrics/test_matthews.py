"""The Matthews correlation coefficient compared with scikit-learn, its noise and its bound."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_ptf.metrics import Matthews

MCC = Matthews(name="mcc", title="MCC")


@given(st.lists(st.tuples(st.sampled_from("abcd"), st.sampled_from("abcde")), min_size=1, max_size=30))
@settings(max_examples=60, deadline=None)
def test_the_score_equals_scikit_learn(pairs: list[tuple[str, str]]) -> None:
    reference = pytest.importorskip("sklearn.metrics")
    expected, answers = map(list, zip(*pairs, strict=True))
    score = MCC.score(MCC.per_example(expected, answers))
    assert score == pytest.approx(reference.matthews_corrcoef(expected, answers), abs=1e-12)
    assert MCC.limits[0] <= score <= MCC.limits[1] + 1e-12


def test_answers_of_one_class_and_no_examples_have_the_score_zero() -> None:
    assert MCC.score(MCC.per_example(["a", "b"], ["a", "a"])) == 0
    assert MCC.score(MCC.per_example([], [])) == 0


def test_two_classes_of_the_same_size_have_the_noise_of_their_accuracy() -> None:
    draw, count, right = np.random.default_rng(0), 400, 0.8
    scores = []
    for _ in range(300):
        hits = draw.random(count) < right
        names = ["ab"[place % 2] for place in range(count)]
        answers = ["ab"[(place + 1 - hit) % 2] for place, hit in enumerate(hits)]
        scores.append(MCC.score(MCC.per_example(names, answers)))
    assert MCC.noise(float(np.mean(scores)), count) == pytest.approx(float(np.std(scores)), rel=0.15)


@pytest.mark.parametrize("score", [-1.0, 0.0, 1.0, 1.0 + 1e-12])
def test_the_noise_is_finite(score: float) -> None:
    assert math.isfinite(MCC.noise(score, 0)) and math.isfinite(MCC.noise(score, 50))


def test_a_drop_is_in_the_unit_of_the_score_and_its_bound_above_it() -> None:
    references = ["a", "b", "c"] * 40
    right = MCC.per_example(references, references)
    worse = MCC.per_example(references, ["a" if place % 9 == 1 else name for place, name in enumerate(references)])
    drop = MCC.bound(right, worse, 0.95)
    assert (MCC.unit, MCC.score_unit) == ("", "")
    assert drop.value == pytest.approx(1 - MCC.score(worse))
    assert 0 < drop.value < drop.bound < 0.5
    lower = MCC.score_bound(worse, 0.95)
    assert lower.bound < lower.value == pytest.approx(MCC.score(worse))
