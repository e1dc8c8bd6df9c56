"""Tests for the weights of tasks and for how often their texts are seen."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from edge_ptf import tasks
from edge_ptf.data.dataset import LabelledData
from edge_ptf.errors import BadInputError
from edge_ptf.examples import Encoding, Example
from edge_ptf.training import FinetuneConfig, finetune
from edge_ptf.training.batching import Item
from edge_ptf.training.sampling import sampled, schedule_of, scheduled, weighted, weights_of

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


def test_a_schedule_gives_the_weight_0_to_tasks_that_do_not_count() -> None:
    schedule = scheduled(weighted(TASK, "slots=2"), "intent=0-0.5,slots=0.25")
    assert schedule is not None
    shares = (0.0, 0.24, 0.25, 0.49, 0.5, 0.99)
    assert [schedule.at(share).weights for share in shares] == [
        *[(1.0, 0.0)] * 2,
        *[(1.0, 2.0)] * 2,
        *[(0.0, 2.0)] * 2,
    ]
    assert schedule.at(0.3) is schedule.at(0.4)
    assert scheduled(TASK, None) is None
    assert schedule_of("slots=0.5", ["intent", "slots"]) == ((0.0, 1.0), (0.5, 1.0))
    assert FinetuneConfig(task_schedule={"slots": "0.5-1"}).task_schedule == "slots=0.5-1"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("tags=0.5", "there is no task 'tags'"),
        ("slots=0.5-0.25", "'0.5-0.25' of 'slots' is no part of the training"),
        ("slots=x", "is no part of the training"),
        ("slots=2", "is no part of the training"),
        ("intent=0-0.5,slots=0-0.75", "from 0.75 of the training on no task counts"),
        ("intent=0-0.25,slots=0.5", "from 0.25 of the training on no task counts"),
        ("intent=0.1,slots=0.5", "from 0 of the training on no task counts"),
    ],
)
def test_wrong_schedules_are_refused(text: str, message: str) -> None:
    with pytest.raises(BadInputError, match=message):
        scheduled(TASK, text)
    with pytest.raises(BadInputError, match="is one task"):
        scheduled(tasks.create(tasks.get("text-classification").spec_for(("a", "b"))), text)


def test_a_task_learns_only_while_it_counts(
    tiny_base: Callable[[str], Path], tiny_data: Callable[..., LabelledData], tmp_path: Path
) -> None:
    """A head that never counts stays as it was drawn; in the second half both learn."""
    name = "intent=text-classification,slots=token-classification"
    data = tiny_data(name)

    def heads(schedule: str | None, epochs: int = 2) -> dict[str, torch.Tensor]:
        config = FinetuneConfig(
            epochs=epochs, batch_size=8, learning_rate=1e-2, weight_decay=0.0, schedule="constant", warmup=0.0,
            max_length=32, precision="fp32", task_schedule=schedule,
        )  # fmt: skip
        out = tmp_path / f"{schedule}-{epochs}"
        task = tasks.create(tasks.get(name).spec_for(data.labels))
        checkpoint = finetune(tiny_base("bert"), "tiny", data, task, config, out)
        found = load_file(checkpoint.path / "model.safetensors")
        return {key: value for key, value in found.items() if key.endswith("classifier.weight")}

    alone, both = heads("slots=0.999-1"), heads(None)
    intent, slots = sorted(alone)
    drawn = heads("slots=0.999-1", epochs=1)
    assert torch.equal(alone[slots], drawn[slots])
    assert not torch.equal(alone[intent], drawn[intent])
    assert not torch.equal(both[slots], drawn[slots])


def test_options_at_their_defaults_are_not_in_the_record_of_a_stage() -> None:
    assert not {"task_weights", "sampling_temperature"} & set(FinetuneConfig().model_dump())
    assert FinetuneConfig(sampling_temperature=3).model_dump()["sampling_temperature"] == 3
