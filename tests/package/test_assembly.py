"""Assembling: the same bytes from the same inputs, thresholds from validation, the tokenizer as in training."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from scipy.special import softmax

from edge_ptf import tasks
from edge_ptf.data.dataset import LabelledData
from edge_ptf.engines.onnxruntime import GraphSession
from edge_ptf.errors import BadInputError, ParityError
from edge_ptf.examples import Example
from edge_ptf.graph.artifact import Graph, open_graph
from edge_ptf.graph.rewrite import shift_output
from edge_ptf.heads.temperature import best_temperature
from edge_ptf.heads.token import Decoding
from edge_ptf.package import AssembleConfig, Payload, assemble, assembly, deciding, threshold_texts
from edge_ptf.package.golden import TEXTS, golden_cases
from edge_ptf.runtime import Runner

MakeGraph = Callable[..., Graph]
MakePayload = Callable[..., Payload]
Data = Callable[..., LabelledData]


def test_equal_inputs_give_equal_bytes(make_graph: MakeGraph, tiny_labelled: Data, tmp_path: Path) -> None:
    config = AssembleConfig(name="tiny", licence="MIT")
    first = assemble(make_graph(), tiny_labelled(), config, tmp_path / "one")
    shutil.copytree(make_graph().path, tmp_path / "elsewhere")
    second = assemble(open_graph(tmp_path / "elsewhere"), tiny_labelled(), config, tmp_path / "a" / "deep" / "place")
    assert first.path.read_bytes() == second.path.read_bytes()
    assert first.digest == second.digest
    assert [path.name for path in (tmp_path / "one").iterdir()] == ["payload.eptf"]
    other = assemble(make_graph(), tiny_labelled(), config.replace(name="other"), tmp_path / "one")
    assert other.digest != first.digest


def test_neither_test_texts_nor_their_labels_matter(
    make_graph: MakeGraph, make_payload: MakePayload, tiny_labelled: Data, tmp_path: Path
) -> None:
    data = replace(tiny_labelled(), test=(Example("another text", "b"),))
    assert assemble(make_graph(), data, AssembleConfig(name="tiny"), tmp_path).digest == make_payload().digest


def test_the_manifest_says_what_the_graph_is(make_graph: MakeGraph, make_payload: MakePayload) -> None:
    for family, inputs in {"bert": 3, "distilbert": 2, "roberta": 2}.items():
        graph, manifest = make_graph(family), make_payload(family).manifest
        assert tuple(item.name for item in manifest.graph.inputs) == graph.info.inputs
        assert len(manifest.graph.inputs) == inputs
        assert {item.dtype for item in manifest.graph.inputs} == {"int64"}
        assert [(item.name, item.dtype) for item in manifest.graph.outputs] == [("logits", "float32")]
        assert manifest.graph.outputs[0].shape[-1] == len(manifest.head.labels)
        assert manifest.graph.scheme == graph.info.scheme
        assert manifest.graph.layers == graph.info.layers
        assert manifest.tokenizer.max_length == graph.info.max_length == 64


def test_the_manifest_says_where_the_package_comes_from(make_graph: MakeGraph, make_payload: MakePayload) -> None:
    lineage = make_payload().manifest.lineage
    assert lineage.base_model == "tiny"
    assert lineage.data == "0" * 64
    assert lineage.steps[:-1] == make_graph().info.lineage
    assert [step.stage for step in lineage.steps][-3:] == ["export", "quantize", "assemble"]
    assert lineage.tools["onnxruntime"] == metadata.version("onnxruntime")


def test_the_threshold_is_chosen_on_validation_through_the_graph_that_ships(
    make_payload: MakePayload, tiny_labelled: Data
) -> None:
    payload, data = make_payload(scope="c"), tiny_labelled()
    runner = Runner(payload)
    logits = [runner.logits(runner.encode(example.text)) for example in data.validation]
    task = tasks.create(payload.manifest.head.with_options(threshold=None))
    assert payload.manifest.head == task.head.tuned(logits, [example.label for example in data.validation])
    assert payload.manifest.head.options["threshold"] is not None
    assert payload.manifest.head.options["out_of_scope_label"] == "c"
    assert make_payload().manifest.head.options["threshold"] is None


def test_the_graph_divides_its_logits_by_the_best_temperature(
    make_graph: MakeGraph, tiny_labelled: Data, tmp_path: Path
) -> None:
    for name, scope in {"plain": None, "scope": "c"}.items():
        graph, data = make_graph(scope=scope), tiny_labelled()
        payload = assemble(graph, data, AssembleConfig(), tmp_path / name)
        runner, session = Runner(payload), GraphSession(graph.model)
        encodings = [runner.encode(example.text) for example in data.validation]
        before = np.stack([session.logits(encoding) for encoding in encodings])
        facts = payload.manifest.lineage.steps[-1].facts
        known = [
            number for number, example in enumerate(data.validation) if example.label in payload.manifest.head.labels
        ]
        classes = np.asarray([payload.manifest.head.labels.index(data.validation[number].label) for number in known])
        assert facts["temperature"] == pytest.approx(best_temperature(before[known], classes), abs=1e-3)
        after = np.stack([runner.logits(encoding) for encoding in encodings])
        np.testing.assert_allclose(after, before / facts["temperature"], rtol=1e-5, atol=1e-6)
        for key, rows in {"ece_before": before[known], "ece_after": after[known]}.items():
            shares = softmax(rows, axis=1)
            right = shares.argmax(axis=1) == classes
            expected = sum(
                abs(right[inside].sum() - shares.max(axis=1)[inside].sum()) / len(known)
                for low in np.arange(15) / 15
                if (inside := (shares.max(axis=1) > low) & (shares.max(axis=1) <= low + 1 / 15)).any()
            )
            assert facts[key] == pytest.approx(100 * expected, abs=0.01)


def test_without_a_temperature_the_graph_stays_as_it_is(
    make_graph: MakeGraph, tiny_labelled: Data, tmp_path: Path
) -> None:
    graph = make_graph()
    payload = assemble(graph, tiny_labelled(), AssembleConfig(tune_temperature=False), tmp_path / "off")
    assert payload.read("model.onnx") == graph.model.read_bytes()
    assert payload.manifest.lineage.steps == graph.info.lineage
    unknown = replace(tiny_labelled(), validation=())
    payload = assemble(graph, unknown, AssembleConfig(), tmp_path / "nothing")
    assert payload.read("model.onnx") == graph.model.read_bytes()


def test_with_a_baseline_its_operating_point_is_kept(
    make_graph: MakeGraph, make_payload: MakePayload, tiny_labelled: Data, tmp_path: Path
) -> None:
    data, baseline = tiny_labelled(), make_payload(mode="fp32", scope="c")
    payload = assemble(make_graph(scope="c"), data, AssembleConfig(name="tiny"), tmp_path, baseline=baseline)
    texts, runner, full = threshold_texts(data.validation), Runner(payload), Runner(baseline)
    assert texts[: len(data.validation)] == list(data.validation)
    assert not {example.text for example in texts} <= {example.text for example in data.validation}
    logits = [runner.logits(runner.encode(example.text)) for example in texts]
    task = tasks.create(payload.manifest.head.with_options(threshold=None))
    assert payload.manifest.head == task.head.matched(logits, [full.answer(example.text).label for example in texts])
    assert payload.manifest.head.options["threshold"] is not None


def test_a_baseline_without_a_threshold_is_followed(
    make_graph: MakeGraph, make_payload: MakePayload, tiny_labelled: Data, tmp_path: Path
) -> None:
    graph, data = make_graph(scope="c"), tiny_labelled()
    unset = replace(data, validation=tuple(example for example in data.validation if example.label != "c"))
    baseline = assemble(make_graph(mode="fp32", scope="c"), unset, AssembleConfig(), tmp_path / "full")
    assert baseline.manifest.head.options["threshold"] is None
    payload = assemble(graph, data, AssembleConfig(), tmp_path / "small", baseline=baseline)
    assert payload.manifest.head.options["threshold"] is None


@pytest.mark.parametrize(
    ("mode", "decoding"),
    [
        ("fp32", "greedy"),
        ("dynamic", "greedy"),
        ("static", "greedy"),
        ("fp32", "constrained"),
        ("dynamic", "constrained"),
    ],
)
@pytest.mark.parametrize("by", [-2.0, 2.0])
def test_a_tagger_names_as_many_words_as_its_baseline(
    make_graph: MakeGraph,
    make_payload: MakePayload,
    tiny_labelled: Data,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    mode: str,
    decoding: Decoding,
    by: float,
) -> None:
    """The tagger is the baseline, but readier or less ready to answer O."""
    monkeypatch.setattr(assembly, "SPLICED_TEXTS", 300)
    kind = "token-classification"
    data, config = tiny_labelled(kind), AssembleConfig(decoding=decoding)
    baseline = assemble(make_graph(kind=kind, mode="fp32"), data, config, tmp_path / "full")
    shutil.copytree(make_graph(kind=kind, mode=mode).path, tmp_path / "moved")
    model = onnx.load(tmp_path / "moved" / "model.onnx")
    shift_output(model, "logits", np.eye(len(data.labels), dtype=np.float32)[0] * by)
    onnx.save(model, tmp_path / "moved" / "model.onnx")
    graph = open_graph(tmp_path / "moved")
    payload = assemble(graph, data, config, tmp_path / "out", baseline=baseline)
    texts = threshold_texts(data.validation)

    def named(package: Payload) -> int:
        runner = Runner(package)
        return sum(tag != "O" for example in texts for tag in runner.answer(example.text).label)

    assert named(baseline) > 0
    assert named(payload) == pytest.approx(named(baseline), rel=0.005)  # alike words of alike logits move together
    assert named(assemble(graph, data, config, tmp_path / "alone")) != pytest.approx(named(baseline), rel=0.02)
    (step,) = payload.manifest.lineage.steps[len(graph.info.lineage) :]
    assert step.stage == "assemble"
    assert step.facts["added_to_logits"].keys() == {"O"}
    if mode == "fp32":
        assert step.facts["added_to_logits"]["O"] == pytest.approx(-by, abs=0.5)


def test_a_baseline_that_answers_another_question_is_refused(
    make_graph: MakeGraph, make_payload: MakePayload, tiny_labelled: Data, tmp_path: Path
) -> None:
    with pytest.raises(BadInputError, match="another task, other labels or another decoding"):
        assemble(make_graph(scope="c"), tiny_labelled(), AssembleConfig(), tmp_path, baseline=make_payload())
    kind, constrained = "token-classification", AssembleConfig(decoding="constrained")
    with pytest.raises(BadInputError, match="another decoding than the graph"):
        assemble(make_graph(kind=kind), tiny_labelled(kind), constrained, tmp_path, baseline=make_payload(kind=kind))


def test_the_decoding_is_part_of_the_package(make_graph: MakeGraph, tiny_labelled: Data, tmp_path: Path) -> None:
    kind = "token-classification"
    config = AssembleConfig(decoding="constrained")
    payload = assemble(make_graph(kind=kind), tiny_labelled(kind), config, tmp_path)
    assert payload.manifest.head.options == {"decoding": "constrained"}
    assert json.loads(payload.read("config.json"))["edge_ptf"]["options"] == {"decoding": "constrained"}
    assert "Viterbi" in payload.read("README.md").decode()
    for case in golden_cases(payload.read("golden.jsonl")):
        before = "O"
        for tag in case.answers["main"]:
            assert not tag.startswith("I-") or before[2:] == tag[2:]
            before = tag


def test_a_decoding_of_tags_is_refused_where_there_are_none(
    make_graph: MakeGraph, tiny_labelled: Data, tmp_path: Path
) -> None:
    with pytest.raises(BadInputError, match="text-classification has no tags of words"):
        assemble(make_graph(), tiny_labelled(), AssembleConfig(decoding="constrained"), tmp_path)
    labels = ("O", "I-x")
    task = tasks.create(tasks.get("token-classification").spec_for(labels))
    with pytest.raises(BadInputError, match=r"assemble\.decoding: constrained needs BIO tags"):
        deciding(task, AssembleConfig(decoding="constrained"))


def test_golden_lines_are_what_the_package_answers(make_payload: MakePayload) -> None:
    payload = make_payload(mode="fp32", paired=True)
    runner, cases = Runner(payload), golden_cases(payload.read("golden.jsonl"))
    assert [case.text for case in cases] == list(TEXTS)
    assert [case.text_pair for case in cases] == [*TEXTS[1:], TEXTS[0]]
    for case in cases:
        encoding = runner.encode(case.text, case.text_pair)
        assert (case.input_ids, case.token_type_ids) == (encoding.input_ids, encoding.token_type_ids)
        assert len(case.input_ids) <= 64
        assert list(case.outputs) == ["logits"]
        np.testing.assert_allclose(case.outputs["logits"], runner.logits(encoding), rtol=1e-5, atol=1e-9)


def test_labels_are_one_a_line_in_class_order(make_payload: MakePayload) -> None:
    payload = make_payload(kind="token-classification")
    assert payload.read("labels.txt").decode().splitlines() == list(payload.manifest.head.labels)


def test_padding_and_truncation_of_a_tokenizer_file_do_not_ship(
    make_graph: MakeGraph, make_payload: MakePayload, tiny_labelled: Data, tmp_path: Path
) -> None:
    folder = tmp_path / "graph"
    shutil.copytree(make_graph().path, folder)
    document = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))
    document["truncation"] = {"direction": "Right", "max_length": 4, "strategy": "LongestFirst", "stride": 0}
    document["padding"] = {
        **{"strategy": {"Fixed": 32}, "direction": "Right", "pad_to_multiple_of": None},
        **{"pad_id": 0, "pad_type_id": 0, "pad_token": "[PAD]"},
    }
    (folder / "tokenizer.json").write_text(json.dumps(document), encoding="utf-8")
    payload = assemble(open_graph(folder), tiny_labelled(), AssembleConfig(name="tiny"), tmp_path / "out")
    shipped = json.loads(payload.read("tokenizer.json"))
    assert (shipped["padding"], shipped["truncation"]) == (None, None)
    assert payload.digest == make_payload().digest


def test_a_tokenizer_that_would_cut_otherwise_stops_the_assembling(
    make_graph: MakeGraph, tiny_labelled: Data, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def upper_case_matters(content: bytes) -> bytes:
        document: dict[str, Any] = json.loads(content)
        document["normalizer"] = None
        return json.dumps(document).encode()

    monkeypatch.setattr(assembly, "plain_document", upper_case_matters)
    with pytest.raises(ParityError, match="cuts a text differently"):
        assemble(make_graph(), tiny_labelled(), AssembleConfig(), tmp_path)
    assert not list(tmp_path.iterdir())


def test_an_answer_has_a_length_only_if_it_is_a_part_of_a_text(
    make_graph: Callable[..., Any], tiny_labelled: Callable[..., Any], tmp_path: Path
) -> None:
    config = AssembleConfig(max_answer_tokens=4)
    with pytest.raises(BadInputError, match=r"max_answer_tokens is 4, but an answer of text-classification is no part"):
        assemble(make_graph(), tiny_labelled(), config, tmp_path / "text")
    kind = "question-answering"
    payload = assemble(make_graph("bert", kind), tiny_labelled(kind), config, tmp_path / "questions")
    assert payload.manifest.head.options["max_answer_tokens"] == 4
