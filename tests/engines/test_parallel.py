"""Texts side by side through one session."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from edge_ptf.engines import Session, answer_all, parallel
from edge_ptf.engines.base import Inputs, Outputs, TensorInfo
from edge_ptf.examples import Encoding
from edge_ptf.machine import this_machine

CORES = 3


class Counting(Session):
    """Gives the first token back. With `meets`, the calls of each `CORES` texts meet, so no call ends alone."""

    inputs, outputs = ("input_ids",), ("logits",)

    def __init__(self) -> None:
        self.calls, self.meeting, self.meets = list[int](), threading.Barrier(CORES, timeout=30), False

    def run(self, feeds: Inputs) -> Outputs:
        number = int(feeds["input_ids"][0, 0])
        self.calls.append(number)
        if self.meets:
            self.meeting.wait()
        if number == 40:
            raise RuntimeError("text 40")
        return {"logits": np.full((1, 1), number, np.float32)}

    def tensors(self) -> tuple[tuple[TensorInfo, ...], tuple[TensorInfo, ...]]:
        return (), ()


@pytest.fixture
def session(monkeypatch: pytest.MonkeyPatch) -> Counting:
    monkeypatch.setattr(parallel, "this_machine", lambda: this_machine().replace(cores=CORES))
    return Counting()


def texts(count: int) -> list[Encoding]:
    return [Encoding([number], None) for number in range(count)]


def test_each_core_answers_and_the_order_is_that_of_the_texts(session: Counting) -> None:
    session.meets = True
    found = [float(outputs["logits"][0, 0]) for outputs in answer_all(session, texts(30))]
    assert found == list(range(30))
    assert sorted(session.calls) == list(range(30))
    assert list(answer_all(session, [])) == []


def test_an_error_of_a_call_ends_all(session: Counting) -> None:
    found = []
    with pytest.raises(RuntimeError, match="text 40"):
        for outputs in answer_all(session, texts(3000)):
            found.append(outputs)
            if len(found) > 40:
                break
    assert len(found) == 40


def test_calls_that_have_not_begun_are_dropped(session: Counting) -> None:
    answers = answer_all(session, texts(3000))
    next(answers)
    answers.close()
    assert len(session.calls) < 3000
