"""Exact match and F1 of answers, against values worked out by hand from the official SQuAD scripts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_ptf.answers import exact_match, normalized, token_f1


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("The Cat", "cat"),
        ("a  theory\tof An apple", "theory of apple"),
        ("U.S.", "us"),
        ("the", ""),
        ("e-mail", "email"),
        ("“Quoted”", "“quoted”"),  # only ASCII punctuation is removed
        ("can't", "cant"),
    ],
)
def test_an_answer_is_normalized_as_in_squad(text: str, wanted: str) -> None:
    assert normalized(text) == wanted


@pytest.mark.parametrize(
    ("references", "answer", "exact", "f1"),
    [
        (("308",), ("308",), 1, 1),
        (("The Broncos",), ("broncos!",), 1, 1),
        (("Denver Broncos", "Broncos"), ("Broncos",), 1, 1),
        (("Denver Broncos",), ("Broncos",), 0, 2 / 3),  # precision 1, recall 1/2
        (("a b b",), ("b b b",), 0, 0.8),  # the article goes: precision 2/3, recall 1
        (("x y", "y z z z"), ("y z",), 0, 2 / 3),  # of x y: 1/2; of y z z z: precision 1, recall 1/2
        (("Denver",), ("Paris",), 0, 0),
        (("Denver",), (), 0, 0),
        ((), ("Denver",), 0, 0),
        ((), (), 1, 1),
        ((), ("the",), 1, 1),  # nothing is left of it
        (("the", "Denver"), (), 0, 0),  # a reference of which nothing is left does not count
        (("the",), (), 1, 1),
    ],
)
def test_scores(references: tuple[str, ...], answer: tuple[str, ...], exact: float, f1: float) -> None:
    assert (exact_match(references, answer), token_f1(references, answer)) == (exact, pytest.approx(f1))


@given(st.text(max_size=20), st.text(max_size=20))
def test_both_scores_are_shares_and_symmetric_for_one_reference(first: str, second: str) -> None:
    one, other = token_f1((first,), (second,)), token_f1((second,), (first,))
    assert 0 <= one <= 1 and one == pytest.approx(other)
    assert exact_match((first,), (second,)) <= one
