"""What `predict` takes: a package, a run, a checkpoint; and what it says about anything else."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_ptf.errors import BadInputError, PackageError
from edge_ptf.models.checkpoint import open_checkpoint
from edge_ptf.package import unpack
from edge_ptf.runtime import Runner
from edge_ptf.runtime.checkpoint import CheckpointRunner
from edge_ptf.runtime.subject import open_subject

TEXTS = ("turn on the lights", "play some jazz", "", "now " * 100)


@pytest.mark.parametrize("family", ["bert", "distilbert", "roberta"])
@pytest.mark.parametrize("kind", ["text-classification", "token-classification"])
def test_a_checkpoint_answers_as_its_fp32_package(
    make_graph: Callable[..., Any], make_payload: Callable[..., Any], family: str, kind: str
) -> None:
    payload = make_payload(family, kind, "fp32")
    found = open_subject(make_graph(family, kind, "fp32").path.parent / "checkpoint")
    assert isinstance(found, CheckpointRunner)
    package, last = Runner(payload), payload.manifest.lineage.steps[-1]
    temperature = last.facts.get("temperature", 1.0) if last.stage == "assemble" else 1.0
    for text in TEXTS:
        assert found.encode(text).input_ids == package.encode(text).input_ids
        np.testing.assert_allclose(
            found.logits(found.encode(text)) / temperature, package.logits(package.encode(text)), rtol=1e-3, atol=1e-4
        )
        answer, wanted = found.answer(text), package.answer(text)
        assert (answer.label, answer.details.keys()) == (wanted.label, wanted.details.keys())


def test_a_package_is_found_in_its_file_its_directory_and_its_run(
    make_payload: Callable[..., Any], tmp_path: Path
) -> None:
    payload = make_payload()
    run, stage = tmp_path / "run", tmp_path / "stage"
    for folder in (run, stage):
        folder.mkdir()
    (run / "voice.eptf").write_bytes(payload.path.read_bytes())
    (run / "run.json").write_text(json.dumps({"package": "voice.eptf"}), encoding="utf-8")
    (stage / "payload.eptf").write_bytes(payload.path.read_bytes())
    for path in (payload.path, unpack(payload, tmp_path / "unpacked"), run, stage):
        found = open_subject(path)
        assert isinstance(found, Runner)
        assert found.payload.digest == payload.digest
    (run / "run.json").write_text("{}", encoding="utf-8")
    with pytest.raises(PackageError, match=r"run\.json: damaged"):
        open_subject(run)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("none", "none: does not exist"),
        ("model.onnx", "not a package; it looks like an ONNX graph"),
        ("notes.md", "not a package; it looks like another file"),
        ("run/stages/x", "it looks like a run that has not finished"),
        ("graph/graph.json", "it looks like an ONNX graph"),
        ("other/file", "it looks like another directory"),
    ],
)
def test_anything_else_is_refused_by_what_it_looks_like(tmp_path: Path, name: str, message: str) -> None:
    if name != "none":
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("hello", encoding="utf-8")
    with pytest.raises(BadInputError, match=message) as caught:
        open_subject(tmp_path / name.split("/", maxsplit=1)[0])
    assert "Give a package" in caught.value.hint
    assert "\n" not in caught.value.message


def test_a_fine_tuned_model_of_transformers_answers(tiny_base: Callable[[str], Path], tmp_path: Path) -> None:
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    base = tiny_base("bert")
    model = AutoModelForSequenceClassification.from_pretrained(base, id2label={0: "off", 1: "on"})
    model.save_pretrained(tmp_path)
    AutoTokenizer.from_pretrained(base).save_pretrained(tmp_path)
    answer = open_subject(tmp_path).answer("turn on the lights")
    assert answer.label in ("off", "on")


def test_a_checkpoint_answers_with_and_without_a_pair(make_graph: Callable[..., Any]) -> None:
    folder = make_graph("bert", "text-classification", "fp32", paired=True).path.parent / "checkpoint"
    runner = CheckpointRunner(open_checkpoint(folder))
    assert runner.answer("turn on", "the lights").label in "abc"
    assert runner.encode("turn on", "the lights").input_ids != runner.encode("the lights", "turn on").input_ids
