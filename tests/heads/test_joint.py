"""Tests for a head over several heads."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from edge_ptf import tasks
from edge_ptf.examples import Encoding, Example, Prediction, agrees, combined, part_of
from edge_ptf.heads import HeadSpec, joint_spec

NAME = "intent=text-classification,slots=token-classification"
LABELS = ("intent.light", "intent.music", "slots.O", "slots.B-room", "slots.I-room")
TASK = tasks.create(tasks.get(NAME).spec_for(LABELS))
HEAD = TASK.head
INTENT, SLOTS = HEAD.parts
TOKENS = Encoding([2, 5, 6, 3], None, word_starts=(1, 2), words=((0, 4), (5, 9)))


def logits(intent: Any, slots: Any) -> dict[str, Any]:
    return {"intent": torch.tensor(intent, dtype=torch.float32), "slots": torch.tensor(slots, dtype=torch.float32)}


def test_the_spec_names_every_part_and_survives_json() -> None:
    spec = HEAD.spec
    assert (spec.kind, spec.task, spec.labels) == ("joint", NAME, LABELS)
    assert {name: output.tensor for name, output in spec.outputs.items()} == {
        "intent": "intent.logits",
        "slots": "slots.logits",
    }
    assert spec.per_token
    again = HeadSpec.model_validate_json(spec.model_dump_json())
    assert again == spec
    assert tasks.create(again).head.tensors == ("intent.logits", "slots.logits")
    assert [part.spec.labels for part in HEAD.parts] == [("light", "music"), ("O", "B-room", "I-room")]


def test_a_head_of_one_task_is_its_own_only_part() -> None:
    assert INTENT.parts == (INTENT,)
    assert INTENT.weights == (1.0,)
    assert INTENT.each("anything") == [(INTENT, "anything")]


@pytest.mark.parametrize(("parts", "weights"), [((INTENT.spec,), None), ((INTENT.spec, SLOTS.spec), (1.0,))])
def test_one_part_or_another_number_of_weights_is_refused(parts: Any, weights: Any) -> None:
    with pytest.raises(ValueError, match="no several heads"):
        type(HEAD)(joint_spec(parts, weights))


def test_a_head_of_several_tasks_is_no_part_of_another() -> None:
    nested = HEAD.spec.replace(outputs={"logits": INTENT.spec.logits})
    with pytest.raises(ValueError, match="is no part of another one"):
        type(HEAD)(joint_spec([nested, SLOTS.spec.replace(name="more")]))


def test_a_target_leaves_out_a_task_without_a_label() -> None:
    target = HEAD.target(Example("turn left", ("music", None)), TOKENS)
    assert target["intent"] == 1
    assert (target["slots"] == -100).all()
    assert HEAD.is_labelled(target)
    assert not HEAD.is_labelled(HEAD.no_target(TOKENS))
    batch = HEAD.batch_targets([target, HEAD.target(Example("a b", (None, ("O", "B-room"))), TOKENS)], 6)
    assert batch["intent"].tolist() == [1, -100]
    assert batch["slots"].tolist() == [[-100] * 6, [-100, 0, 1, -100, -100, -100]]


def test_the_loss_is_the_weighted_sum_over_the_parts_with_a_target() -> None:
    weighted = type(HEAD)(joint_spec([INTENT.spec, SLOTS.spec], (2.0, 0.5)))
    given = logits([[1.0, -1.0]], [[[0.0, 0, 0], [1, 2, 3], [3, 1, 0], [0, 0, 0]]])
    target = {"intent": torch.tensor([0]), "slots": torch.tensor([[-100, 1, 0, -100]])}
    own = [float(part.loss(given[name], target[name])) for part, name in zip(HEAD.parts, given, strict=True)]
    assert float(HEAD.loss(given, target)) == pytest.approx(sum(own))
    assert float(weighted.loss(given, target)) == pytest.approx(2 * own[0] + 0.5 * own[1])
    assert float(weighted.weighted_loss([], "none")(given, target, 0.0)) == pytest.approx(2 * own[0] + 0.5 * own[1])
    assert [float(loss) for loss in weighted.losses(given, target)] == pytest.approx([2 * own[0], 0.5 * own[1]])
    without = {**target, "slots": torch.full((1, 4), -100)}
    assert float(HEAD.loss(given, without)) == pytest.approx(own[0])
    apart = HEAD.distillation_loss(given, {name: value + 1 for name, value in given.items()}, "mse", 1.0)
    assert float(apart) == pytest.approx(0, abs=1e-6)  # a common shift changes no answer


def test_an_answer_has_the_answers_of_all_parts() -> None:
    found = HEAD.decode(
        {"intent": np.array([0.0, 2.0]), "slots": np.array([[0, 0, 0], [5, 0, 0], [0, 5, 0], [0, 0, 0.0]])},
        TOKENS,
        "play here",
    )
    assert found.label == ("music", ("O", "B-room"))
    assert found.score == min(found.scores) == found.scores[0]
    assert found.details["intent"]["label"] == "music"
    assert found.details["slots"]["entities"][0]["text"] == "here"
    assert part_of(found, 0) == Prediction("music", found.scores[0])


def test_the_score_of_an_answer_ignores_numbers() -> None:
    found = combined({"stars": Prediction(4.5, 4.5), "topic": Prediction("food", 0.25, ranking=(1, 0))})
    assert (found.label, found.score, found.scores) == ((4.5, "food"), 0.25, (4.5, 0.25))
    assert found.rankings == ((), (1, 0))
    assert combined({"a": Prediction(2.0, 2.0), "b": Prediction(3.0, 3.0)}).score == 1.0


def test_an_absent_label_is_not_compared() -> None:
    assert agrees(("music", None), ("music", ("O",)))
    assert not agrees((None, ("O",)), ("music", ("B-room",)))
    assert agrees("music", "music")
    assert not agrees((), ("music",))


def test_each_part_reads_its_own_tensor_and_its_own_examples() -> None:
    outputs = {"intent.logits": np.zeros((1, 2), np.float32), "slots.logits": np.ones((1, 4, 3), np.float32)}
    assert {name: value.shape for name, value in HEAD.read(outputs).items()} == {"intent": (2,), "slots": (4, 3)}
    batch = {"intent": np.zeros((2, 2)), "slots": np.zeros((2, 6, 3))}
    assert HEAD.of_text(batch, 1, 4)["slots"].shape == (4, 3)
    rows = [{"intent": "i0", "slots": "s0"}, {"intent": "i1", "slots": "s1"}]
    shares = HEAD.shares(rows, ["e0", "e1"], [("music", None), ("light", ("O",))])
    assert [(part.spec.name, *own) for part, *own in shares] == [
        ("intent", ["i0", "i1"], ["e0", "e1"], ["music", "light"]),
        ("slots", ["s1"], ["e1"], [("O",)]),
    ]


def test_a_threshold_is_tuned_by_the_part_that_has_one() -> None:
    kind = tasks.get("intent=text-classification,topic=text-classification")
    task = tasks.create(kind.spec_for(("intent.on", "intent.oos", "topic.a", "topic.b"), "intent.oos"))
    assert task.out_of_scope_label == "intent.oos"
    rows = [{"intent": np.array([3.0, 0]), "topic": np.zeros(2)}, {"intent": np.array([0.5, 0]), "topic": np.zeros(2)}]
    references = [("on", "a"), ("oos", None)]
    tuned = tasks.create(task.head.tuned(rows, references)).head
    alone = task.head.parts[0].tuned([row["intent"] for row in rows], ["on", "oos"])
    assert tuned.parts[0].spec == alone
    assert tuned.parts[0].options.threshold is not None
    assert tasks.create(tuned.untuned).head.spec == task.head.untuned
    assert task.head.matched(rows, [("on", "a"), ("oos", "b")]) != task.head.spec


def test_the_taggers_shift_has_the_name_of_its_tensor() -> None:
    rows = [{"intent": np.zeros(2, np.float32), "slots": np.array([[0, 0, 0], [1, 0, 0], [2, 0, 0], [0, 0, 0.0]])}]
    found = HEAD.matched_shifts(rows, [TOKENS], [("music", ("B-room", "O"))])
    assert list(found) == ["slots.logits"]
    assert found["slots.logits"][0] < 0
