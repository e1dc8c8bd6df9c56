"""Shares of hits: the score, what counts, the noise, and known bounds."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_ptf.metrics import Direction, Share
from edge_ptf.statistics import paired_drop


def count(reference: str, answer: str) -> tuple[float, float]:
    return reference == answer != "o", reference != "o"


INSIDE = Share(name="inside", title="inside", count=count, gated=True)
answers = st.lists(st.tuples(*[st.sampled_from("abo")] * 3), min_size=1, max_size=60)


@given(answers, st.sampled_from([0.9, 0.95]))
@settings(max_examples=60, deadline=None)
def test_score_and_bound_are_those_of_the_examples_that_count(
    drawn: list[tuple[str, str, str]], confidence: float
) -> None:
    references, teacher, student = zip(*drawn, strict=True)
    before, after = INSIDE.per_example(references, teacher), INSIDE.per_example(references, student)
    about = [(r, t) for r, t, _ in drawn if r != "o"]
    assert INSIDE.counted(before) == len(about)
    if not about:
        assert math.isnan(INSIDE.score(before))
        return
    assert INSIDE.score(before) == 100.0 * sum(r == t for r, t in about) / len(about)
    found, share = INSIDE.bound(before, after, confidence, 1.0), paired_drop(before, after, confidence=confidence)
    assert (found.value, found.bound) == (100 * share.value, 100 * share.bound)
    assert found.value == pytest.approx(INSIDE.score(before) - INSIDE.score(after))
    assert found.needed == paired_drop(before, after, confidence=confidence, limit=0.01).needed


def test_a_share_is_in_points_and_higher_is_better() -> None:
    assert (INSIDE.unit, INSIDE.direction, INSIDE.digits) == ("points", Direction.HIGHER, 2)
    assert INSIDE.per_example([], []).shape == (0, 2)
    assert Share(name="s", title="s", count=count, empty=0.0).score(INSIDE.per_example([], [])) == 0


@given(st.floats(-50, 150), st.integers(0, 1_000))
def test_the_noise_is_finite_and_real_whatever_the_score(score: float, examples: int) -> None:
    noise = INSIDE.noise(score, examples)
    assert isinstance(noise, float)
    assert 0 <= noise <= 50


def test_the_noise_is_the_standard_error_of_a_share() -> None:
    assert INSIDE.noise(90.0, 900) == pytest.approx(1.0)
    assert INSIDE.noise(100.0, 5) == INSIDE.noise(0.0, 5) == 0
