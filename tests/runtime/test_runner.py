"""A package in this process gives the task's own answer, without torch or transformers."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_ptf import tasks
from edge_ptf.engines.onnxruntime import GraphSession
from edge_ptf.errors import PackageError
from edge_ptf.examples import Example
from edge_ptf.graph.artifact import Graph
from edge_ptf.models.checkpoint import load_tokenizer
from edge_ptf.package import Manifest, Payload, open_payload
from edge_ptf.runtime import Runner

MakeGraph = Callable[..., Graph]
MakePayload = Callable[..., Payload]


def inverse_temperature(payload: Payload) -> np.float32:
    """What the graph multiplies its logits by; 1 if it has no temperature."""
    last = payload.manifest.lineage.steps[-1]
    return np.float32(1 / last.facts.get("temperature", 1.0)) if last.stage == "assemble" else np.float32(1)


TEXTS = ("turn on the lights", "", " ", "Play JAZZ!", "日本語 🙂", "now " * 200, "a\tb\nc")
FORMS = [
    *(("bert", "text-classification", mode) for mode in ("fp32", "dynamic", "static")),
    *((family, "text-classification", "dynamic") for family in ("distilbert", "roberta", "xlm-roberta", "electra")),
    *((family, "token-classification", "dynamic") for family in ("bert", "roberta")),
]


@pytest.mark.parametrize(("family", "kind", "mode"), FORMS)
def test_it_answers_as_the_task_does_on_the_graph(
    make_graph: MakeGraph, make_payload: MakePayload, family: str, kind: str, mode: str
) -> None:
    """Compared with the graph that was assembled, its logits divided by the temperature, and the checkpoint's own
    tokenizer."""
    graph, runner = make_graph(family, kind, mode), Runner(make_payload(family, kind, mode))
    session, tokenizer = GraphSession(graph.model), load_tokenizer(graph.path)
    task = tasks.create(graph.info.head)
    for text in TEXTS:
        encoding = task.encode(tokenizer, [Example(text, ())], graph.info.max_length)[0]
        found = runner.encode(text)
        assert found.input_ids == encoding.input_ids
        assert (found.word_starts, found.words) == (encoding.word_starts, encoding.words)
        logits = session.logits(encoding) * inverse_temperature(runner.payload)
        np.testing.assert_array_equal(runner.logits(found), logits)
        assert runner.answer(text) == task.head.decode(logits, encoding, text)


def test_a_second_text_changes_the_answer(make_payload: MakePayload) -> None:
    runner = Runner(make_payload(paired=True))
    one, other = runner.encode("turn on", "play jazz"), runner.encode("turn on", "play music")
    assert one.input_ids != other.input_ids
    assert one.token_type_ids is not None
    assert set(one.token_type_ids) == {0, 1}
    assert not np.array_equal(runner.logits(one), runner.logits(other))
    assert runner.answer("turn on", "play jazz").label in runner.payload.manifest.head.labels


def test_tags_are_one_a_word_even_where_the_text_is_cut(make_payload: MakePayload) -> None:
    runner = Runner(make_payload(kind="token-classification"))
    assert len(runner.answer("turn on the lights").label) == 4
    assert runner.answer("").label == ()
    long = runner.answer("word " * 300).label
    assert len(long) == 300
    assert set(long[64:]) == {"O"}


def test_an_uncertain_answer_is_out_of_scope(make_payload: MakePayload, with_spec: Callable[..., Manifest]) -> None:
    payload = make_payload(scope="c")
    for threshold, labels in ((0.0, {"a", "b", "c"}), (1.0, {"c"})):
        spec = payload.manifest.head.with_options(threshold=threshold)
        runner = Runner(Payload(payload.path, with_spec(payload.manifest, spec), payload.digest, payload.size_bytes))
        assert {runner.answer(text).label for text in TEXTS} <= labels


def test_threads_change_nothing_but_time(make_payload: MakePayload) -> None:
    one, two = Runner(make_payload(mode="fp32")), Runner(make_payload(mode="fp32"), threads=2)
    for text in TEXTS:
        np.testing.assert_allclose(one.logits(one.encode(text)), two.logits(two.encode(text)), atol=1e-5)


def test_a_model_that_is_none_is_a_package_error() -> None:
    with pytest.raises(PackageError, match="the file is no ONNX model"):
        GraphSession(b"no model")


def test_a_device_needs_neither_torch_nor_transformers(make_payload: MakePayload) -> None:
    payload = make_payload(kind="token-classification")
    script = (
        "import sys; from pathlib import Path; import edge_ptf\n"
        "runner = edge_ptf.Runner(edge_ptf.open_package(Path(sys.argv[1])))\n"
        "print(*runner.answer('turn on').label)\n"
        "print(*sorted({'torch', 'transformers', 'onnx', 'datasets', 'scipy'} & set(sys.modules)))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(payload.path)], capture_output=True, text=True, check=True, timeout=60
    )
    answer, modules = done.stdout.split("\n")[:2]
    assert tuple(answer.split()) == Runner(open_payload(payload.path)).answer("turn on").label
    assert modules == ""


@pytest.mark.parametrize("kind", ["text-classification", "token-classification"])
def test_a_lone_surrogate_is_read_as_a_replacement_character(make_payload: MakePayload, kind: str) -> None:
    runner = Runner(make_payload(kind=kind))
    for text in ("\ud800", "turn \udc80on the lights", "a\udfff\ud800b", "😀\ud83d"):
        plain = "".join("\ufffd" if "\ud800" <= letter <= "\udfff" else letter for letter in text)
        assert runner.answer(text) == runner.answer(plain)
        assert runner.encode(text).input_ids == runner.encode(plain).input_ids


ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=40)


@pytest.mark.parametrize("kind", ["text-classification", "token-classification"])
@settings(max_examples=60)
@given(text=ANY_TEXT)
def test_any_string_is_answered(make_payload: MakePayload, kind: str, text: str) -> None:
    runner = Runner(make_payload(kind=kind))
    plain = "".join("\ufffd" if "\ud800" <= letter <= "\udfff" else letter for letter in text)
    found = runner.answer(text)
    assert found == runner.answer(plain)
    str(found.details).encode()  # no half of a pair is left


@settings(max_examples=60)
@given(text=ANY_TEXT, pair=ANY_TEXT)
def test_any_pair_of_strings_is_answered(make_payload: MakePayload, text: str, pair: str) -> None:
    runner = Runner(make_payload(paired=True))
    assert runner.answer(text, pair).label in runner.payload.manifest.head.labels


def test_a_path_opens_the_package(make_payload: MakePayload) -> None:
    payload = make_payload()
    for given_as in (payload.path, str(payload.path), payload):
        assert Runner(given_as).answer(TEXTS[0]) == Runner(payload).answer(TEXTS[0])
