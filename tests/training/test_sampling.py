"""Tests for the weights of tasks and for how often their texts are seen."""

from __future__ import annotations

import pytest

from edge_ptf import tasks
from edge_ptf.errors import BadInputError
from edge_ptf.examples import Encoding, Example
from edge_ptf.training import FinetuneConfig
from edge_ptf.training.batching import Item
from edge_ptf.training.sampling import sampled, weighted, weights_of

TASK = tasks.create(
    tasks.get("intent=text-classification,slots=token-classification").spec_for(
        ("intent.on", "intent.off", "slots.O", "slots.B-a", "slots.I-a")
    )
)
ENCODING = Encoding([2, 5, 3], None, word_starts=(1,), words=((0, 2),))


def items(intents: int, both: int) -> list[Item]:
    labels = [("on", None)] * intents + [("off", ("B-a",))] * both
    return [Item(ENCODING, TASK.head.target(Example("go", label), ENCODING), row) for row, label in enumerate(labels)]


def test_without_a_temperature_every_text_is_seen_once() -> None:
    given = items(90, 10)
    assert sampled(given, TASK.head, 1.0, 0) == given


def test_a_temperature_makes_the_texts_of_a_small_task_frequent() -> None:
    given = items(90, 10)
    found = sampled(given, TASK.head, 2.0, 0)
    rows = [item.row for item in found]
    assert rows == sorted(rows)
    small = sum(row >= 90 for row in rows)
    assert small == round(100 * 10**0.5 / (90**0.5 + 10**0.5)) == 25
    assert len(rows) == 100
    assert {rows.count(row) for row in range(90, 100)} == {2, 3}
    assert rows == [item.row for item in sampled(given, TASK.head, 2.0, 0)]
    assert abs(sum(item.row >= 90 for item in sampled(given, TASK.head, 100.0, 0)) - 50) <= 2


def test_texts_of_one_task_stay_as_they_are() -> None:
    head = TASK.head.parts[0]
    given = [Item(ENCODING, head.target(Example("go", "on"), ENCODING), row) for row in range(5)]
    assert sampled(given, head, 5.0, 0) == given


def test_weights_are_those_of_the_named_tasks() -> None:
    assert weights_of("slots=0.5", ["intent", "slots"]) == (1.0, 0.5)
    assert weighted(TASK, "slots=2,intent=0.25").head.weights == (0.25, 2.0)
    assert weighted(TASK, None) is TASK
    assert FinetuneConfig(task_weights={"slots": 2}).task_weights == "slots=2"


@pytest.mark.parametrize(
    ("text", "message"),
    [("tags=1", "there is no task 'tags'"), ("slots=-1", "not a number above 0"), ("slots", "not a number above 0")],
)
def test_wrong_weights_are_refused(text: str, message: str) -> None:
    with pytest.raises(BadInputError, match=message):
        weighted(TASK, text)
    with pytest.raises(BadInputError, match="is one task"):
        weighted(tasks.create(tasks.get("text-classification").spec_for(("a", "b"))), text)


def test_options_at_their_defaults_are_not_in_the_record_of_a_stage() -> None:
    assert not {"task_weights", "sampling_temperature"} & set(FinetuneConfig().model_dump())
    assert FinetuneConfig(sampling_temperature=3).model_dump()["sampling_temperature"] == 3
