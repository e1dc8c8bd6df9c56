"""Class centres in the C++ runner: answers, and manifests that make no sense."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest

from edge_ptf.errors import PackageError, VerificationError
from edge_ptf.heads.probabilities import softmax
from edge_ptf.package import open_payload
from edge_ptf.package.golden import TEXTS
from edge_ptf.runtime import Runner
from edge_ptf.runtime.native import Library, NativeRunner

TASK = "prototype-classification"
NEAR = 1e-5


@pytest.mark.parametrize("mode", ["none", "dynamic"])
def test_answers_are_those_of_python_before_and_after_a_class_is_added(
    library: Library, make_payload: Callable[..., Any], mode: str
) -> None:
    payload = make_payload("bert", TASK, mode)
    python = Runner(payload)
    with NativeRunner(payload.path, 1, library) as native:
        for added in (None, "new", "another"):
            if added:
                texts = [TEXTS[len(added) % 5], TEXTS[7], "\ud800"]
                python.add_class(added, texts)
                native.add_class(added, texts)
            assert native.heads[0].labels == python.task.head.spec.labels
            for text in TEXTS:
                wanted, found = python.answer(text), native.answer(text)
                assert found.label == wanted.label and found.score == pytest.approx(wanted.score, abs=NEAR)
                ranked = {each["label"]: each["score"] for each in wanted.details["classes"]}
                assert {each["label"]: each["score"] for each in found.details["classes"]} == pytest.approx(
                    ranked, abs=NEAR
                )
                vector = native.output("vector")
                assert np.linalg.norm(vector) == pytest.approx(1, abs=1e-4)
                assert len(native.logits) == 3  # those of the graph
        assert python.answer(TEXTS[7]).label in python.task.head.spec.labels


def test_another_program_gets_the_scores_from_the_graph_alone(make_payload: Callable[..., Any]) -> None:
    payload = make_payload("bert", TASK, "dynamic")
    session = onnxruntime.InferenceSession(payload.read("model.onnx"), providers=["CPUExecutionProvider"])
    runner = Runner(payload)
    for text in TEXTS[:5]:
        encoding = runner.encode(text)
        known = {
            "input_ids": encoding.input_ids,
            "attention_mask": [1] * len(encoding.input_ids),
            "token_type_ids": encoding.token_type_ids,
        }
        logits = session.run(["logits"], {each.name: np.asarray([known[each.name]]) for each in session.get_inputs()})
        assert runner.answer(text).score == pytest.approx(float(softmax(logits[0][0]).max()))


@pytest.mark.parametrize(
    ("place", "value", "message"),
    [
        (("heads", 0, "options", "scale"), 0, "scale is not a number larger than 0"),
        (("heads", 0, "options", "scale"), None, "scale"),
        (("heads", 0, "options", "threshold"), "far", "threshold is not a number"),
        (("heads", 0, "outputs", "vector", "axes"), ["batch", "label"], "labels; its output 'vector' has"),
        (("heads", 0, "outputs", "vector"), None, "vector"),
        (("graphs", 0, "outputs", 1, "shape"), ["batch", "numbers"], "'vector' does not say how many numbers it has"),
        (("graphs", 0, "outputs", 1, "shape"), ["batch", 7], "another shape"),
    ],
)
def test_a_manifest_that_makes_no_sense_is_refused(
    library: Library,
    make_payload: Callable[..., Any],
    changed: Callable[..., Path],
    place: tuple[Any, ...],
    value: Any,
    message: str,
) -> None:
    payload = make_payload("bert", TASK, "dynamic")
    document = json.loads(payload.manifest.model_dump_json())
    inner = document
    for step in place[:-1]:
        inner = inner[step]
    inner[place[-1]] = value
    path = changed(payload, {"manifest.json": json.dumps(document).encode()})
    with pytest.raises((PackageError, VerificationError), match=message):
        NativeRunner(path, 1, library)
    if "how many numbers" in message:
        with pytest.raises(PackageError, match=message):
            open_payload(path)
