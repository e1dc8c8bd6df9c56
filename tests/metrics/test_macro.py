"""Macro F1 compared with scikit-learn, and its bound."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_ptf.metrics import MacroF1

MACRO = MacroF1(name="macro_f1", title="macro F1")


@given(st.lists(st.tuples(st.sampled_from("abcd"), st.sampled_from("abcde")), min_size=1, max_size=30))
@settings(max_examples=60, deadline=None)
def test_the_score_equals_scikit_learn(pairs: list[tuple[str, str]]) -> None:
    reference = pytest.importorskip("sklearn.metrics")
    expected, answers = map(list, zip(*pairs, strict=True))
    score = MACRO.score(MACRO.per_example(expected, answers))
    assert score == pytest.approx(100 * reference.f1_score(expected, answers, average="macro", zero_division=0))


def test_without_examples_the_score_is_zero() -> None:
    assert MACRO.score(MACRO.per_example([], [])) == 0


def test_the_bound_lies_above_the_drop_of_the_scores() -> None:
    references = ["a", "b", "c"] * 40
    right = MACRO.per_example(references, references)
    worse = MACRO.per_example(references, ["a" if place % 9 == 1 else name for place, name in enumerate(references)])
    drop = MACRO.bound(right, worse, 0.95)
    assert drop.value == pytest.approx(100 - MACRO.score(worse))
    assert 0 < drop.value < drop.bound < 3 * drop.value
