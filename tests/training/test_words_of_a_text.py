"""What distillation does for heads that compare the words of a text with each other."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from edge_ptf import tasks
from edge_ptf.digests import file_digests, signed
from edge_ptf.examples import Encoding
from edge_ptf.heads import Head, TokenHead
from edge_ptf.heads.triple import column_names
from edge_ptf.training.batching import Item
from edge_ptf.training.distillation import DistillConfig
from edge_ptf.training.distillation_loss import DistillationLoss
from edge_ptf.training.teacher_outputs import TeacherOutputs

TAGS = ("O", "B-a", "I-a")
HEAD = tasks.create(tasks.get("entities-and-relations").spec_for(column_names(TAGS, ("r", "s"), 2))).head
COLUMNS = len(HEAD.spec.labels)


def loss_of(head: Head, teacher: np.ndarray, starts: list[tuple[tuple[int, ...], tuple[int, ...]]]) -> DistillationLoss:
    """The loss of texts of five tokens; the student and the teacher have their own first tokens of words."""
    outputs: Any = SimpleNamespace(logits={"logits": teacher}, offsets=np.arange(0, len(teacher) + 1, 5))
    own, asked = (
        [Item(Encoding([0] * 5, None, each[side]), np.zeros(0), row) for row, each in enumerate(starts)]
        for side in (0, 1)
    )
    capture: Any = None
    return DistillationLoss(DistillConfig(), head, outputs, (own, asked), [True] * len(starts), (), capture)


def test_each_text_is_compared_alone_by_the_words_that_both_know() -> None:
    random = np.random.default_rng(0)
    teacher = random.normal(size=(15, COLUMNS)).astype(np.float32)
    student = torch.from_numpy(random.normal(size=(3, 5, COLUMNS)).astype(np.float32))
    starts = [((1, 2, 3), (1, 3, 4)), ((1, -1, 2), (2, 3, -1)), ((-1,), (1,))]
    found = loss_of(HEAD, teacher, starts)._part_apart(HEAD, student, [0, 1, 2], [0, 1, 2])
    config = DistillConfig()
    wanted = [
        HEAD.distillation_loss(
            student[row, own],
            torch.from_numpy(teacher[5 * row + np.asarray(theirs)]),
            config.logit_loss,
            config.temperature,
        )
        for row, own, theirs in ((0, [1, 2, 3], [1, 3, 4]), (1, [1], [2]))
    ]
    assert float(found) == pytest.approx(float(sum(wanted)) / 2)


def test_tags_of_all_texts_are_compared_together() -> None:
    head = TokenHead(TokenHead.declare("token-classification", TAGS))
    random = np.random.default_rng(1)
    teacher = random.normal(size=(10, 3)).astype(np.float32)
    student = torch.from_numpy(random.normal(size=(2, 5, 3)).astype(np.float32))
    starts = [((1, 2, 3), (1, 3, 4)), ((1, -1, 2), (2, 3, -1))]
    found = loss_of(head, teacher, starts)._part_apart(head, student, [0, 1], [0, 1])
    own = torch.cat([student[0, [1, 2, 3]], student[1, [1]]])
    config = DistillConfig()
    wanted = head.distillation_loss(own, torch.from_numpy(teacher[[1, 3, 4, 7]]), config.logit_loss, config.temperature)
    assert float(found) == pytest.approx(float(wanted))


def test_the_links_of_several_teachers_are_those_of_the_first(tmp_path: Path) -> None:
    found = []
    for number in range(3):
        folder = tmp_path / str(number)
        folder.mkdir()
        logits = np.random.default_rng(number).normal(size=(7, COLUMNS)).astype(np.float32)
        (folder / "logits.bin").write_bytes(logits.tobytes())
        np.save(folder / "offsets.npy", np.asarray([0, 3, 7]))
        shapes = {"logits": {"logits": logits.shape}, "hidden": (7, 0, 4), "projections": (7, 0, 0), "per_token": True}
        (folder / "shapes.json").write_text(signed({**shapes, "files": file_digests(folder)}), encoding="utf-8")
        found.append(TeacherOutputs(folder))
    joined = found[0].joined(found[1:], tmp_path / "mean", HEAD).logits["logits"]
    links = len(TAGS) + 4
    mean = np.mean([outputs.logits["logits"] for outputs in found], axis=0)
    assert np.allclose(joined[:, :links], mean[:, :links], atol=1e-6)
    assert (joined[:, links:] == found[0].logits["logits"][:, links:]).all()
