"""The kind "token": constrained decoding, its rules, and the shift that keeps an operating point with it."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from edge_ptf.examples import Encoding
from edge_ptf.heads import HeadSpec, TokenHead
from edge_ptf.heads.constrained import best_tags, breaks, continuations

LABELS = ("O", "B-x", "I-x", "B-y", "I-y")
SPEC = TokenHead.declare("token-classification", LABELS)
GREEDY, CONSTRAINED = TokenHead(SPEC), TokenHead(SPEC.with_options(decoding="constrained"))
CONTINUES = continuations(LABELS)

rows = st.integers(1, 4).flatmap(lambda count: arrays(np.float32, (count, 5), elements=st.floats(-9, 9, width=32)))
coarse = st.integers(1, 4).flatmap(lambda count: arrays(np.float32, (count, 5), elements=st.integers(-1, 1)))
exact = st.integers(-600, 600).map(lambda number: number / 64)  # sums of such numbers are not rounded
longer = st.integers(1, 9).flatmap(lambda count: arrays(np.float32, (count, 5), elements=exact))


def allowed(tags: tuple[int, ...]) -> bool:
    return all(
        tag not in CONTINUES or (place > 0 and tags[place - 1] in (tag, CONTINUES[tag]))
        for place, tag in enumerate(tags)
    )


def total(logits: np.ndarray, tags: tuple[int, ...]) -> float:
    found = np.float64(0)
    for row, tag in zip(logits.astype(np.float64), tags, strict=True):
        found = found + row[tag]
    return float(found)


def placed(words: int) -> Encoding:
    return Encoding([0] * words, None, tuple(range(words)), tuple((2 * n, 2 * n + 1) for n in range(words)))


def decoded(head: TokenHead, logits: np.ndarray) -> tuple[str, ...]:
    label = head.decode(logits, placed(len(logits)), "a " * len(logits)).label
    assert isinstance(label, tuple)
    return label


@given(rows)
def test_no_allowed_sequence_has_a_larger_sum(logits: np.ndarray) -> None:
    found = tuple(best_tags(logits, CONTINUES))
    assert allowed(found)
    best = max(total(logits, tags) for tags in product(range(5), repeat=len(logits)) if allowed(tags))
    assert total(logits, found) == best


@given(coarse)
def test_of_equal_sums_the_smallest_class_wins_from_the_last_word_on(logits: np.ndarray) -> None:
    fitting = [tags for tags in product(range(5), repeat=len(logits)) if allowed(tags)]
    best = max(total(logits, tags) for tags in fitting)
    assert tuple(best_tags(logits, CONTINUES)) == min(
        (tags for tags in fitting if total(logits, tags) == best), key=lambda tags: tags[::-1]
    )


@given(longer)
def test_the_best_tags_stay_where_they_break_no_rule(logits: np.ndarray) -> None:
    greedy = logits.argmax(axis=1)
    starts = np.zeros(len(logits), bool)
    starts[0] = True
    faults = breaks(greedy, starts, CONTINUES)
    assert allowed(tuple(greedy)) == (not faults.any())
    if not faults.any():
        assert best_tags(logits, CONTINUES) == greedy.tolist()


@given(longer)
def test_every_inside_tag_of_an_answer_continues_an_entity(logits: np.ndarray) -> None:
    tags = decoded(CONSTRAINED, logits)
    assert allowed(tuple(LABELS.index(tag) for tag in tags))
    answer = CONSTRAINED.decode(logits, placed(len(logits)), "a " * len(logits))
    powers = np.exp(logits.astype(np.float64))
    chances = powers / powers.sum(axis=1, keepdims=True)
    assert answer.score == pytest.approx(min(chances[place, LABELS.index(tag)] for place, tag in enumerate(tags)))
    assert len(answer.details["entities"]) == sum(tag.startswith("B-") for tag in tags)


def test_an_inside_tag_behind_another_type_is_greedy_only() -> None:
    logits = np.float32([[0, 5, 0, 0, 0], [0, 0, 1, 2, 4], [3, 0, 0, 0, 2]])
    assert decoded(GREEDY, logits) == ("B-x", "I-y", "O")
    assert decoded(CONSTRAINED, logits) == ("B-x", "B-y", "O")


def test_a_word_without_a_token_is_outside_and_ends_an_entity() -> None:
    logits = np.float32([[0, 5, 0, 0, 0], [0, 1, 9, 0, 0]])
    encoding = Encoding([0, 0], None, (0, -1, 1, -1), ((0, 1), (2, 3), (4, 5), (6, 7)))
    assert CONSTRAINED.decode(logits, encoding, "a b c d").label == ("B-x", "O", "B-x", "O")
    assert GREEDY.decode(logits, encoding, "a b c d").label == ("B-x", "O", "I-x", "O")
    nothing = CONSTRAINED.decode(logits, Encoding([0, 0], None, (), ()), "")
    assert (nothing.label, nothing.score) == ((), 1.0)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("named", [0, 1, 7, 20, 33, 48, 59, 60])
def test_no_other_shift_names_a_number_of_words_that_is_nearer(named: int, seed: int) -> None:
    draw = np.random.default_rng(seed)
    logits = [draw.normal(scale=2, size=(20, 5)) for _ in range(3)]
    tags = ["B-x"] * named + ["O"] * (60 - named)
    answers = [tuple(tags[begin : begin + 20]) for begin in (0, 20, 40)]

    def count(shift: np.ndarray) -> int:
        return sum(tag != "O" for row in logits for tag in decoded(CONSTRAINED, row + shift))

    found = CONSTRAINED.matched_shift(logits, [placed(20)] * 3, answers)
    shift = np.zeros(5) if found is None else found.astype(np.float64)
    assert np.flatnonzero(shift).tolist() in ([], [0])
    grid = [count(np.eye(5)[0] * by) for by in np.linspace(-16, 16, 129)]
    assert grid == sorted(grid, reverse=True)
    assert abs(count(shift) - named) <= min(abs(other - named) for other in grid)


def test_the_decoding_is_written_in_the_spec_and_greedy_without_it() -> None:
    assert SPEC.options == {"decoding": "greedy"}
    assert TokenHead(SPEC.replace(options={})).options.decoding == "greedy"
    assert (GREEDY.settings(), CONSTRAINED.settings()) == ({}, {"decoding": "constrained"})
    assert "Viterbi" in " ".join(CONSTRAINED.rules())
    assert "Viterbi" not in " ".join(GREEDY.rules())


@pytest.mark.parametrize(
    ("labels", "options", "why"),
    [
        (LABELS, {"decoding": "beam"}, "decoding"),
        (("O", "I-x"), {"decoding": "constrained"}, "a B- tag for each I- tag; not so for 'I-x'"),
        (("O", "B-x", "S-x"), {"decoding": "constrained"}, "not so for 'S-x'"),
        (("B-x", "I-x"), {"decoding": "constrained"}, "needs the label O"),
    ],
)
def test_a_decoding_that_the_labels_do_not_permit_is_refused(
    labels: tuple[str, ...], options: dict[str, str], why: str
) -> None:
    with pytest.raises(ValueError, match=why):
        TokenHead(HeadSpec(**{**SPEC.model_dump(), "labels": labels, "options": options}))
    TokenHead(SPEC.replace(labels=("O", "I-x")))  # greedy reads any labels
