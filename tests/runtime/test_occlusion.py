"""The effect of a word is the support of the answer with it minus that without it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_ptf.errors import BadInputError
from edge_ptf.examples import Prediction
from edge_ptf.runtime import Runner
from edge_ptf.runtime.occlusion import without, word_effects

MakePayload = Callable[..., Any]
MARKED = "<e1>turn</e1> on the <e2>lights</e2> now"


def support(runner: Runner, label: Any, text: str, pair: str | None = None) -> float:
    """By the scores of the classes, of which a tiny model has few."""
    found = runner.answer(text, pair)
    return next(each["score"] for each in found.details["classes"] if each["label"] == label)


@pytest.mark.parametrize("pair", [None, "play some jazz"])
def test_each_word_is_left_out_in_turn(make_payload: MakePayload, pair: str | None) -> None:
    runner = Runner(make_payload(paired=pair is not None))
    text = "turn  on the lights"
    label = runner.answer(text, pair).label
    found = word_effects(runner, text, pair, label)
    assert [each.word for each in found] == [*text.split(), *(pair or "").split()]
    for each in found:
        source = pair if each.in_pair else text
        assert source is not None and source[each.start : each.end] == each.word
    whole = support(runner, label, text, pair)
    assert found[0].effect == pytest.approx(whole - support(runner, label, " on the lights", pair))
    assert found[3].effect == pytest.approx(whole - support(runner, label, "turn  on the", pair))
    if pair:
        assert found[-1].effect == pytest.approx(whole - support(runner, label, text, "play some"))


def test_markers_of_entities_stay(make_payload: MakePayload) -> None:
    runner = Runner(make_payload(kind="relation-extraction"))
    label = runner.answer(MARKED).label
    found = word_effects(runner, MARKED, None, label)
    assert [each.word for each in found] == ["on", "the", "now"]
    expected = support(runner, label, MARKED) - support(runner, label, MARKED.replace("on ", ""))
    assert found[0].effect == pytest.approx(expected)


def test_a_number_is_explained_by_how_much_it_changes(make_payload: MakePayload) -> None:
    runner = Runner(make_payload(kind="regression"))
    found = word_effects(runner, "turn on", None, runner.answer("turn on").label)
    assert found[1].effect == pytest.approx(runner.answer("turn on").score - runner.answer("turn").score)


def test_several_labels_are_explained_by_the_least_probable_one(make_payload: MakePayload) -> None:
    runner = Runner(make_payload(kind="multi-label-classification"))
    whole: Prediction = runner.answer("turn on")
    classes = {each["label"]: each["score"] for each in runner.answer("turn").details["classes"]}
    left = min(classes[name] for name in whole.label) if whole.label else 1 - max(classes.values())
    found = word_effects(runner, "turn on", None, whole.label)
    assert found[1].effect == pytest.approx(whole.score - left)


def test_out_of_scope_is_explained_by_what_the_other_classes_lack(make_payload: MakePayload) -> None:
    runner = Runner(make_payload(scope="none"))
    head = runner.task.head
    assert "none" not in head.label_ids
    encoding = runner.encode("turn on")
    logits = runner.logits(encoding)
    best = max(head.support(logits, encoding, label) for label in head.spec.labels)
    assert head.support(logits, encoding, "none") == pytest.approx(1 - best)


def test_tags_of_words_are_refused(make_payload: MakePayload) -> None:
    runner = Runner(make_payload(kind="token-classification"))
    with pytest.raises(BadInputError, match="not about a text as a whole"):
        word_effects(runner, "turn on", None, runner.answer("turn on").label)


def test_each_of_several_tasks_has_effects_of_its_own(make_payload: MakePayload) -> None:
    runner = Runner(make_payload(kind="intent=text-classification,slots=token-classification"))
    answer = runner.answer("turn on light")
    found = word_effects(runner, "turn on light", None, answer.label)
    assert [(each.word, each.head) for each in found] == [("turn", "intent"), ("on", "intent"), ("light", "intent")]
    assert answer.label[0] == answer.details["intent"]["label"]
    rest = runner.answer("turn light").details["intent"]["classes"]
    left = {each["label"]: each["score"] for each in rest}[answer.label[0]]
    assert found[1].effect == pytest.approx(answer.scores[0] - left)


def test_two_vectors_are_explained_and_one_has_no_score(make_payload: MakePayload) -> None:
    runner = Runner(make_payload(kind="sentence-embedding"))
    with pytest.raises(BadInputError, match="the vector of one text has no score"):
        word_effects(runner, "turn on", None, runner.answer("turn on").label)
    answer = runner.answer("turn on", "play")
    first, *_, last = word_effects(runner, "turn on", "play", answer.label)
    assert first.effect == pytest.approx(answer.score - runner.answer("on", "play").score)
    assert last.in_pair and last.effect == pytest.approx(answer.score - runner.answer("turn on", "").score)


def test_a_text_without_words_has_no_effects(make_payload: MakePayload) -> None:
    runner = Runner(make_payload())
    assert word_effects(runner, "  ", None, runner.answer("  ").label) == []


@given(st.lists(st.text("ab", min_size=1), min_size=1, max_size=5), st.data())
def test_without_a_word_the_others_stay(words: list[str], data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(words) - 1))
    start = len(" ".join(words[:place])) + bool(place)
    left = without(" ".join(words), start, start + len(words[place]))
    assert left == " ".join(words[:place] + words[place + 1 :])
