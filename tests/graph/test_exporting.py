from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch

from edge_ptf import models, tasks
from edge_ptf.compression import PruneConfig, prune
from edge_ptf.data.dataset import LabelledData
from edge_ptf.engines.onnxruntime import GraphSession
from edge_ptf.errors import CheckpointError, PackageError, ParityError
from edge_ptf.examples import Encoding, Example
from edge_ptf.graph import ExportConfig, Graph, export, open_graph
from edge_ptf.graph.exporting import spread
from edge_ptf.models.checkpoint import (
    Checkpoint,
    fresh_info,
    load_base_model,
    load_model,
    load_tokenizer,
    model_inputs,
    open_checkpoint,
    save_checkpoint,
)

FAMILIES = ("bert", "distilbert", "roberta", "xlm-roberta", "electra")
TEXT, TOKEN = "text-classification", "token-classification"
LIMIT = 1e-5
MIXED = PruneConfig(num_heads=(1, 0, 3), intermediate_size=(0, 0.5, 0.99), importance="magnitude")

torch.set_num_threads(1)


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def batch(model: Any, rows: int, length: int) -> dict[str, np.ndarray]:
    """Random tokens; all rows but the first end early."""
    draw = np.random.default_rng(rows * 1000 + length)
    ids = draw.integers(5, 60, (rows, length))
    mask = np.ones_like(ids)
    for row in range(1, rows):
        mask[row, draw.integers(1, length) :] = 0
    ids[mask == 0] = model.config.pad_token_id
    types = (np.arange(length) >= length // 2).astype(np.int64) * mask
    return {"input_ids": ids, "attention_mask": mask, "token_type_ids": types}


def largest_difference(model: Any, graph: Graph, rows: int, length: int) -> float:
    session = GraphSession(graph.model)
    tensors = batch(model, rows, length)
    feeds = {name: tensors[name] for name in graph.info.inputs}
    with torch.no_grad():
        expected = model(**{name: torch.from_numpy(value) for name, value in feeds.items()}).logits.numpy()
    found = session.session.run(None, feeds)[0]
    assert found.shape == expected.shape
    real = tensors["attention_mask"].astype(bool) if found.ndim == 3 else slice(None)
    return float(np.abs(found - expected)[real].max())


@pytest.mark.parametrize("hidden", [None, 20])
@pytest.mark.parametrize("task", [TEXT, TOKEN])
@pytest.mark.parametrize("family", FAMILIES)
def test_pruned_models_of_any_batch_and_length_answer_as_in_torch(
    tiny_teacher: Callable[..., Checkpoint],
    tiny_data: Callable[..., LabelledData],
    tmp_path: Path,
    family: str,
    task: str,
    hidden: int | None,
) -> None:
    data = tiny_data(task)
    student = prune(tiny_teacher(family, task), data, MIXED.replace(hidden_size=hidden), tmp_path / "student")
    graph = export(student, data, ExportConfig(), tmp_path / "graph")
    assert graph.info.parity_max_difference <= LIMIT
    assert [(layer.num_heads, layer.intermediate_size) for layer in graph.info.layers] == [(1, 0), (0, 32), (3, 64)]
    model = load_model(student)
    for rows, length in ((1, 1), (1, 2), (1, 32), (2, 9), (5, 17)):
        assert largest_difference(model, graph, rows, length) <= LIMIT
    onnx.checker.check_model(str(graph.model), full_check=True)


@pytest.mark.parametrize("shape", ["as it is", "no heads", "no feed-forward", "nothing", "one layer"])
@pytest.mark.parametrize("family", ["bert", "distilbert", "roberta"])
def test_every_shape_a_layer_can_have_is_exported(
    tiny_base: Callable[[str], Path], tiny_data: Callable[..., LabelledData], tmp_path: Path, family: str, shape: str
) -> None:
    data = tiny_data(TEXT)
    task = tasks.create(tasks.get(TEXT).spec_for(data.labels))
    torch.manual_seed(0)
    model = load_base_model(tiny_base(family), task).eval()
    with torch.no_grad():
        for value in model.parameters():
            value.add_(torch.randn_like(value) * 0.1)
    if shape == "one layer":
        models.keep_layers(model, [2])
    elif shape != "as it is":
        for part in models.parts(model):
            heads = [] if shape in ("no heads", "nothing") else range(4)
            neurons = [] if shape in ("no feed-forward", "nothing") else range(64)
            models.slice_layer(part, heads, neurons)
    info = fresh_info(model, task, "tiny", 32)
    checkpoint = save_checkpoint(model, load_tokenizer(tiny_base(family)), info, tmp_path / "checkpoint")
    graph = export(checkpoint, data, ExportConfig(), tmp_path / "graph")
    assert graph.info.parity_max_difference <= LIMIT
    assert largest_difference(load_model(checkpoint), graph, 3, 11) <= LIMIT
    assert graph.info.nodes.get("Softmax", 0) == sum(layer.num_heads > 0 for layer in info.layers)


@pytest.mark.parametrize("task", [TEXT, TOKEN])
def test_a_family_that_cannot_be_pruned_is_exported(
    tiny_teacher: Callable[..., Checkpoint], tiny_data: Callable[..., LabelledData], tmp_path: Path, task: str
) -> None:
    checkpoint = tiny_teacher("albert", task)
    graph = export(checkpoint, tiny_data(task), ExportConfig(), tmp_path / "graph")
    assert graph.info.parity_max_difference <= LIMIT
    for rows, length in ((1, 2), (1, 32), (4, 13)):
        assert largest_difference(load_model(checkpoint), graph, rows, length) <= LIMIT
    assert "Identity" not in graph.info.nodes
    assert [(layer.num_heads, layer.intermediate_size) for layer in graph.info.layers] == [(4, 64)] * 3


def test_the_same_checkpoint_gives_the_same_bytes(
    tiny_teacher: Callable[..., Checkpoint], tiny_data: Callable[..., LabelledData], tmp_path: Path
) -> None:
    first = export(tiny_teacher("bert"), tiny_data(), ExportConfig(), tmp_path / "first")
    second = export(tiny_teacher("bert"), tiny_data(), ExportConfig(), tmp_path / "elsewhere" / "second")
    assert contents(first.path) == contents(second.path)
    assert first.digest == second.digest
    for name, content in contents(first.path).items():
        for folder in (tmp_path, tiny_teacher("bert").path.parent, Path.home()):
            assert str(folder).encode() not in content, name


def test_a_graph_directory_holds_what_is_needed_to_run_it_and_no_weights(
    tiny_teacher: Callable[..., Checkpoint], tiny_data: Callable[..., LabelledData], tmp_path: Path
) -> None:
    teacher = tiny_teacher("bert")
    graph = export(teacher, tiny_data(), ExportConfig(), tmp_path / "graph")
    names = set(contents(graph.path))
    assert {"graph.json", "model.onnx", "tokenizer.json", "config.json"} <= names
    assert not names & {"model.safetensors", "edge_ptf.json"}
    assert open_graph(graph.path) == graph
    assert graph.info.head == teacher.info.head
    assert graph.info.max_length == teacher.info.max_length
    assert [step.stage for step in graph.info.lineage] == ["finetune", "export"]
    assert graph.info.lineage[-1].facts["parity_texts"] == len(tiny_data().validation)
    text = "turn on the light in kitchen"
    assert load_tokenizer(graph.path)(text) == load_tokenizer(teacher.path)(text)


@pytest.mark.parametrize("opset", [17, 19, 21])
def test_the_operator_set_is_the_one_asked_for(
    tiny_teacher: Callable[..., Checkpoint], tiny_data: Callable[..., LabelledData], tmp_path: Path, opset: int
) -> None:
    graph = export(tiny_teacher("bert"), tiny_data(), ExportConfig(opset=opset), tmp_path / "graph")
    assert {item.domain: item.version for item in onnx.load(graph.model).opset_import} == {"": opset}
    assert graph.info.opset == opset
    assert graph.info.parity_max_difference <= LIMIT


@pytest.mark.parametrize("task", [TEXT, TOKEN])
def test_batch_and_length_are_named_axes(
    tiny_teacher: Callable[..., Checkpoint], tiny_data: Callable[..., LabelledData], tmp_path: Path, task: str
) -> None:
    model = onnx.load(export(tiny_teacher("bert", task), tiny_data(task), ExportConfig(), tmp_path / "graph").model)
    axes = {
        item.name: [axis.dim_param or axis.dim_value for axis in item.type.tensor_type.shape.dim]
        for item in (*model.graph.input, *model.graph.output)
    }
    classes = len(tiny_data(task).labels)
    wanted = ["batch", classes] if task == TEXT else ["batch", "length", classes]
    assert axes.pop("logits") == wanted
    assert axes == {name: ["batch", "length"] for name in ("input_ids", "attention_mask", "token_type_ids")}


def test_pairs_keep_their_token_types(
    tiny_teacher: Callable[..., Checkpoint], tiny_data: Callable[..., LabelledData], tmp_path: Path
) -> None:
    data = tiny_data()
    pairs = tuple(replace(example, text_pair=example.text[::-1]) for example in data.validation)
    teacher = tiny_teacher("bert")
    graph = export(teacher, replace(data, validation=pairs), ExportConfig(), tmp_path / "graph")
    encoding = tasks.create(teacher.info.head).encode(load_tokenizer(graph.path), pairs[:1], 32)[0]
    session = GraphSession(graph.model)
    assert 1 in (encoding.token_type_ids or [])
    assert session.feeds(encoding)["token_type_ids"].tolist() == [encoding.token_type_ids]
    assert np.abs(session.logits(encoding) - session.logits(Encoding(encoding.input_ids, None))).max() > 1e-4


@pytest.mark.parametrize(
    ("family", "inputs"),
    [
        ("bert", ("input_ids", "attention_mask", "token_type_ids")),
        ("electra", ("input_ids", "attention_mask", "token_type_ids")),
        ("albert", ("input_ids", "attention_mask", "token_type_ids")),
        ("distilbert", ("input_ids", "attention_mask")),
        ("roberta", ("input_ids", "attention_mask")),
    ],
)
def test_inputs_the_model_does_not_look_at_are_left_out(
    tiny_base: Callable[[str], Path], family: str, inputs: tuple[str, ...]
) -> None:
    """Models on the hub often have a BERT tokenizer, which adds token types even if the model has none."""
    task = tasks.create(tasks.get(TEXT).spec_for(("a", "b")))
    model, tokenizer = load_base_model(tiny_base(family), task), load_tokenizer(tiny_base("bert"))
    assert "token_type_ids" in tokenizer.model_input_names
    assert model_inputs(model, tokenizer) == inputs


def off_by(wrong: float) -> Callable[..., dict[str, Any]]:
    right = GraphSession.run
    return lambda self, feeds: {name: value + wrong for name, value in right(self, feeds).items()}


@pytest.mark.parametrize("wrong", [0.01, np.nan, np.inf])
@pytest.mark.parametrize("where", ["each text", "the batch"])
def test_a_graph_that_answers_otherwise_is_refused(
    tiny_teacher: Callable[..., Checkpoint],
    tiny_data: Callable[..., LabelledData],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    wrong: float,
    where: str,
) -> None:
    if where == "each text":
        monkeypatch.setattr(GraphSession, "run", off_by(wrong))
    else:
        import onnxruntime

        class Off(onnxruntime.InferenceSession):
            def run(self, names: Any, feeds: dict[str, Any], options: Any = None) -> list[Any]:
                answers = super().run(names, feeds, options)
                return [answers[0] + (wrong if len(feeds["input_ids"]) > 1 else 0)]

        monkeypatch.setattr(onnxruntime, "InferenceSession", Off)
    with pytest.raises(ParityError, match="differs from PyTorch") as caught:
        export(tiny_teacher("bert"), tiny_data(), ExportConfig(), tmp_path / "graph")
    assert "13 validation texts" in caught.value.message


def test_the_tolerance_decides(
    tiny_teacher: Callable[..., Checkpoint],
    tiny_data: Callable[..., LabelledData],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(GraphSession, "run", off_by(np.float32(0.01)))
    graph = export(tiny_teacher("bert"), tiny_data(), ExportConfig(parity_tolerance=0.02), tmp_path / "graph")
    assert graph.info.parity_max_difference == 0.01
    assert graph.info.lineage[-1].facts["parity_max_difference"] == 0.01


def test_texts_to_compare_are_spread_over_the_lengths() -> None:
    texts = [Example("x" * length, "a") for length in (5, 1, 9, 2, 7, 3, 8, 4, 6)]
    assert [len(example.text) for example in spread(texts, 3)] == [1, 5, 9]
    assert [len(example.text) for example in spread(texts, 100)] == list(range(1, 10))
    assert spread(texts, 4) == spread(texts[::-1], 4)
    assert spread(texts[:1], 64) == texts[:1]
    pairs = [Example("x", "a", "y" * length) for length in (4, 1, 9)]
    assert [len(example.text_pair or "") for example in spread(pairs, 2)] == [1, 9]


def test_a_session_refuses_what_is_no_graph(tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(b"no model")
    for model in (tmp_path / "model.onnx", tmp_path / "none.onnx", b"no model", b""):
        with pytest.raises(PackageError, match=r"cannot be loaded by ONNX Runtime|is no ONNX model") as caught:
            GraphSession(model)
        assert "\n" not in caught.value.message


@pytest.fixture(scope="module")
def graph(exported: Callable[..., Graph]) -> Graph:
    return exported()


def test_a_session_runs_from_bytes_as_from_a_file(graph: Graph) -> None:
    encoding = Encoding([2, 60, 61, 3], [0, 0, 0, 0])
    assert np.array_equal(
        GraphSession(graph.model).logits(encoding), GraphSession(graph.model.read_bytes()).logits(encoding)
    )
    assert GraphSession(graph.model).logits(encoding).shape == (4,)


@pytest.mark.parametrize("name", ["graph.json", "model.onnx", "tokenizer.json"])
def test_a_graph_directory_without_a_file_is_refused(graph: Graph, tmp_path: Path, name: str) -> None:
    copy = Path(shutil.copytree(graph.path, tmp_path / "copy"))
    (copy / name).unlink()
    with pytest.raises(CheckpointError, match=f"no {name}"):
        open_graph(copy)


@pytest.mark.parametrize("content", ["", "[]", "{", "{}", '{"schema_version": 3}'])
def test_a_damaged_graph_directory_is_refused(graph: Graph, tmp_path: Path, content: str) -> None:
    copy = Path(shutil.copytree(graph.path, tmp_path / "copy"))
    (copy / "graph.json").write_text(content)
    with pytest.raises(CheckpointError, match="damaged"):
        open_graph(copy)


def test_a_digest_follows_the_files(graph: Graph, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(graph.path, tmp_path / "copy"))
    assert open_graph(copy).digest == graph.digest
    values = json.loads((copy / "graph.json").read_text())
    (copy / "graph.json").write_text(json.dumps({**values, "base_model": "other"}))
    assert open_graph(copy).digest != graph.digest


def test_a_checkpoint_of_another_place_gives_the_same_graph(
    tiny_teacher: Callable[..., Checkpoint], tiny_data: Callable[..., LabelledData], graph: Graph, tmp_path: Path
) -> None:
    moved = open_checkpoint(Path(shutil.copytree(tiny_teacher("bert").path, tmp_path / "moved")))
    assert export(moved, tiny_data(), ExportConfig(), tmp_path / "graph").digest == graph.digest
