"""The kind "span": targets, losses, the best answer over windows, the threshold for no answer."""

from __future__ import annotations

from math import exp
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from edge_ptf.examples import Encoding, Example, joined
from edge_ptf.heads import SpanHead
from edge_ptf.heads.span import LABELS, best_span, tokens_of

HEAD = SpanHead(SpanHead.declare("question-answering", LABELS, max_answer_tokens=2))
SILENT = SpanHead(HEAD.spec.with_options(has_no_answer=True))
CONTEXT = "one two six"
NO_PLACE = (0, 0)
FULL = Encoding(
    [2, 9, 3, 4, 5, 6, 3], None, places=(*[NO_PLACE] * 3, (0, 3), (4, 7), (8, 11), NO_PLACE), context=CONTEXT
)
WINDOWS = Encoding(
    [2, 9, 3, 4, 5, 3, 2, 9, 3, 5, 6, 3],
    None,
    places=(*[NO_PLACE] * 3, (0, 3), (4, 7), *[NO_PLACE] * 4, (4, 7), (8, 11), NO_PLACE),
    context=CONTEXT,
    windows=(6, 6),
)


def logits(count: int, **values: tuple[int, float]) -> Any:
    """Zeros, but for the named columns: start=(token, value)."""
    found = np.zeros((count, 2), np.float32)
    for name, (place, value) in values.items():
        found[place, LABELS.index(name.rstrip("_"))] = value
    return found


def test_parts_and_joined_are_opposites() -> None:
    parts = WINDOWS.parts()
    assert [part.input_ids for part in parts] == [[2, 9, 3, 4, 5, 3], [2, 9, 3, 5, 6, 3]]
    assert joined(parts) == WINDOWS
    assert FULL.parts() == [FULL] and joined([FULL]) is FULL


@pytest.mark.parametrize(
    ("spans", "first", "last"),
    [(((4, 7),), 4, 4), (((0, 7),), 3, 4), (((5, 6),), 4, 4), ((), 0, 0), (((0, 3), (8, 11)), 3, 3)],
)
def test_a_target_marks_first_and_last_token(spans: tuple[tuple[int, int], ...], first: int, last: int) -> None:
    found = HEAD.target(Example("q", (), CONTEXT, spans), FULL)
    assert found.sum(axis=0).tolist() == [1, 1]
    assert (found[:, 0].argmax(), found[:, 1].argmax()) == (first, last)


def test_an_answer_belongs_only_to_windows_that_hold_all_of_it() -> None:
    left, right = WINDOWS.parts()
    assert (tokens_of((4, 11), left), tokens_of((4, 11), right)) == (None, (3, 4))
    assert (tokens_of((0, 3), left), tokens_of((0, 3), right)) == ((3, 3), None)
    example = Example("q", ("one two six",), CONTEXT, ((0, 11),))
    assert all(HEAD.target(example, part)[0].tolist() == [1, 1] for part in (left, right))


def test_the_loss_is_the_mean_cross_entropy_without_the_padding() -> None:
    values = torch.randn(2, 7, 2, generator=torch.Generator().manual_seed(0))
    short = WINDOWS.parts()[0]
    targets = HEAD.batch_targets(
        [HEAD.target(Example("q", (), CONTEXT, ((4, 7),)), FULL), HEAD.target(Example("q", (), CONTEXT), short)], 7
    )
    ce = torch.nn.functional.cross_entropy
    wanted = [
        (ce(values[:1, :, 0], torch.tensor([4])) + ce(values[:1, :, 1], torch.tensor([4]))) / 2,
        (ce(values[1:, :6, 0], torch.tensor([0])) + ce(values[1:, :6, 1], torch.tensor([0]))) / 2,
    ]
    found = HEAD.loss(values, torch.from_numpy(targets))
    assert float(found) == pytest.approx(float(sum(wanted)) / 2, rel=1e-5)
    total = HEAD.loss(values, torch.from_numpy(targets), reduction="sum")
    assert float(total) == pytest.approx(float(sum(wanted)), rel=1e-5)
    smooth = HEAD.loss(values[:1], torch.from_numpy(targets[:1]), smoothing=0.1)
    by_torch = [ce(values[:1, :, side], torch.tensor([4]), label_smoothing=0.1) for side in (0, 1)]
    assert float(smooth) == pytest.approx(float(sum(by_torch)) / 2, rel=1e-5)


def test_texts_without_labels_give_no_loss_but_a_gradient() -> None:
    values = torch.ones(1, 7, 2, requires_grad=True)
    targets = torch.from_numpy(HEAD.batch_targets([HEAD.no_target(FULL)], 7))
    loss = HEAD.loss(values, targets)
    loss.backward()
    assert float(loss.detach()) == 0 and values.grad is not None and not HEAD.is_labelled(HEAD.no_target(FULL))


def test_distillation_compares_the_tokens_of_a_text() -> None:
    teacher = torch.tensor([[0.0, 3.0, 1.0], [1.0, 0.0, 2.0]])
    assert float(HEAD.distillation_loss(teacher, teacher, "kl", 2.0)) == pytest.approx(0, abs=1e-6)
    assert float(HEAD.distillation_loss(teacher + 5, teacher, "mse", 1.0)) == pytest.approx(0, abs=1e-6)
    assert HEAD.compares_tokens


def test_the_answer_has_the_largest_sum_and_its_place() -> None:
    found = HEAD.decode(logits(7, start=(3, 5), end=(4, 5)), FULL, "q")
    assert (found.label, found.details) == (("one two",), {"answer": {"text": "one two", "start": 0, "end": 7}})
    share = exp(5) / (exp(5) + 2)
    assert found.score == pytest.approx(share * share)


def test_an_answer_neither_runs_backwards_nor_is_too_long_nor_outside_the_context() -> None:
    assert HEAD.decode(logits(7, start=(5, 5), end=(3, 4)), FULL, "q").label == ("six",)
    assert HEAD.decode(logits(7, start=(3, 5), end=(5, 4)), FULL, "q").label == ("one",)
    assert HEAD.decode(logits(7, start=(1, 9), end=(5, 4)), FULL, "q").label == ("two six",)


def test_a_token_without_characters_neither_begins_nor_ends_an_answer() -> None:
    places = (*[NO_PLACE] * 3, (0, 3), NO_PLACE, (8, 11), NO_PLACE)
    spaced = Encoding(FULL.input_ids, None, places=places, context="one     six")
    found = HEAD.decode(logits(7, start=(4, 9), end=(4, 9)), spaced, "q")
    assert (found.label, found.score) == (("one",), pytest.approx(1 / 4))
    three = SpanHead(HEAD.spec.with_options(max_answer_tokens=3))
    assert three.decode(logits(7, start=(3, 1), end=(5, 1)), spaced, "q").label == ("one     six",)


def test_an_answer_lies_in_one_window() -> None:
    values = logits(12, start=(3, 5), end=(10, 4))
    values[9, 0] = 3
    assert HEAD.decode(values, WINDOWS, "q").label == ("two six",)  # 3 + 4, and not "one … six" of two windows


def test_no_answer_is_the_smallest_score_of_the_first_tokens() -> None:
    values = logits(12, start=(3, 5))
    values[0], values[6] = (9, 9), (1, 2)
    found = SILENT.decode(values, WINDOWS, "q")
    assert (found.label, found.score) == (("one",), pytest.approx(1 / (1 + exp(3 - 5))))
    values[6] = (4, 4)
    found = SILENT.decode(values, WINDOWS, "q")
    assert (found.label, found.score, found.details) == ((), pytest.approx(1 / (1 + exp(5 - 8))), {"answer": None})
    patient = SpanHead(SILENT.spec.with_options(null_threshold=3.5))
    assert patient.decode(values, WINDOWS, "q").label == ("one",)
    assert HEAD.decode(values, WINDOWS, "q").label == ("one",)


def test_without_a_context_there_is_no_answer() -> None:
    empty = Encoding([2, 9, 3, 3], None, places=(NO_PLACE,) * 4, context="\x00")
    assert HEAD.decode(logits(4), empty, "q") == SILENT.decode(logits(4), empty, "q")
    assert HEAD.decode(logits(4), empty, "q").label == ()


@given(st.integers(0, 2**32 - 1), st.integers(1, 4))
def test_the_best_span_is_that_of_all_pairs(seed: int, most: int) -> None:
    values = np.random.default_rng(seed).integers(-3, 4, (12, 2)).astype(np.float32)
    pairs = [
        (float(values[first, 0]) + float(values[last, 1]), -first, -last)
        for first, last in [(3, 3), (3, 4), (4, 4), (9, 9), (9, 10), (10, 10)]
        if last - first < most
    ]
    score, first, last = max(pairs)
    found = best_span(values, WINDOWS, most)
    assert found is not None
    assert (found.score, found.first, found.last) == (score, -first, -last)
    assert found.none == min(values[0].sum(), values[6].sum())


def test_train_decides_whether_a_question_can_have_no_answer() -> None:
    assert HEAD.fitted([("a",), ("b", "c")]).options["has_no_answer"] is False
    assert HEAD.fitted([("a",), ()]).options["has_no_answer"] is True


def test_the_threshold_has_the_best_f1() -> None:
    rows, references = [], []
    for none, reference in [(1, ("one",)), (2, ("one",)), (4, ()), (6, ()), (3, ("six",))]:
        values = logits(7, start=(3, 1))
        values[0] = (none, 0)
        rows.append(values)
        references.append(reference)
    head = SpanHead(SILENT.tuned(rows, references, [FULL] * 5))
    assert 1 <= head.options.null_threshold < 3
    labels = [head.decode(row, FULL, "q").label for row in rows]
    assert labels[:4] == [("one",), ("one",), (), ()]
    assert HEAD.tuned(rows, references, [FULL] * 5) == HEAD.spec
    assert SILENT.tuned([], [], []) == SILENT.spec
    assert head.untuned == SILENT.spec


@given(st.lists(st.integers(-9, 9), min_size=1, max_size=12, unique=True), st.data())
def test_a_matched_threshold_leaves_as_many_without_an_answer(scores: list[int], data: st.DataObject) -> None:
    count = data.draw(st.integers(0, len(scores)))
    rows = []
    for none in scores:
        values = logits(7)
        values[0] = (none, 0)
        rows.append(values)
    answers = [()] * count + [("one",)] * (len(scores) - count)
    head = SpanHead(SILENT.matched(rows, answers, [FULL] * len(rows)))
    assert sum(not head.decode(row, FULL, "q").label for row in rows) == count
    assert HEAD.matched(rows, answers, [FULL] * len(rows)) == HEAD.spec


def test_a_head_with_other_labels_is_refused() -> None:
    with pytest.raises(ValueError, match="labels start, end"):
        SpanHead(SpanHead.declare("question-answering", ("a", "b")))
