"""How far logits move when arithmetic rounds otherwise."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from edge_ptf.engines.onnxruntime import GraphSession
from edge_ptf.examples import Encoding
from edge_ptf.package.golden import TOLERANCE, golden_cases
from edge_ptf.package.rounding import rounding_effects
from edge_ptf.runtime import Runner


def effects(payload: Any) -> list[float]:
    runner = Runner(payload)
    encodings: list[Encoding] = [runner.encode(text) for text in ("turn on the lights", "play", "word " * 100)]
    return rounding_effects(payload.model(), runner.session, encodings, runner.task.head.tensors)


def test_in_fp32_rounding_stays_rounding(make_payload: Callable[..., Any]) -> None:
    found = effects(make_payload(mode="fp32"))
    assert all(0 <= effect < 0.005 for effect in found)  # the logits of an untrained model are small
    assert any(found)


def test_the_same_model_gives_the_same_effects(make_payload: Callable[..., Any]) -> None:
    payload = make_payload(mode="dynamic")
    assert effects(payload) == effects(payload)


def test_the_model_itself_is_left_alone(make_payload: Callable[..., Any]) -> None:
    payload = make_payload(mode="dynamic")
    model, runner = payload.model(), Runner(payload)
    encoding = runner.encode("turn on the lights")
    before = runner.logits(encoding)
    rounding_effects(model, runner.session, [encoding], runner.task.head.tensors)
    assert (GraphSession(model).logits(encoding) == before).all()


def test_a_steady_text_has_no_tolerance_of_its_own(make_payload: Callable[..., Any]) -> None:
    for mode in ("fp32", "dynamic"):
        payload = make_payload(mode=mode)
        own = [case.tolerance for case in golden_cases(payload.read("golden.jsonl"))]
        assert all(tolerance is None or (mode == "dynamic" and tolerance > TOLERANCE["int8"]) for tolerance in own)
