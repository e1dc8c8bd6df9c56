from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from edge_ptf import tasks
from edge_ptf.compression import PruneConfig
from edge_ptf.data.dataset import LabelledData
from edge_ptf.engines.onnxruntime import GraphSession
from edge_ptf.graph import Graph, QuantizeConfig, optimizations, quantize, rewrite
from edge_ptf.models.checkpoint import load_tokenizer

FAMILIES = ("bert", "distilbert", "roberta", "xlm-roberta", "electra")
TEXT, TOKEN = "text-classification", "token-classification"
UNLIKE = PruneConfig(num_heads=(1, 0, 3), intermediate_size=(0, 0.5, 0.99), importance="magnitude", vocabulary=False)
SHAPES = {
    "whole": None,
    "unlike layers": UNLIKE,
    "no attention at the end": PruneConfig(
        num_heads=(2, 1, 0), intermediate_size=(32,), importance="magnitude", vocabulary=False
    ),
    "no attention": PruneConfig(
        num_heads=(0,), intermediate_size=(32, 0, 32), importance="magnitude", vocabulary=False
    ),
}

CASES = [
    *((family, "unlike layers") for family in FAMILIES),
    *(("bert", shape) for shape in SHAPES if shape != "unlike layers"),
]

torch.set_num_threads(1)


def kinds(model: Any) -> Counter[str]:
    return Counter(node.op_type for node in model.graph.node)


def slice_positions(model: Any) -> int:
    return optimizations.slice_positions(model, 32)


def answers_alike(graph: Graph, changed: Any, data: LabelledData) -> None:
    """For every text, for the longest text that the graph accepts, and for a padded batch."""
    onnx.checker.check_model(changed)
    before, after = GraphSession(graph.model), GraphSession(changed.SerializeToString())
    assert after.inputs == before.inputs
    task, tokenizer = tasks.create(graph.info.head), load_tokenizer(graph.path)
    longest = [type(data.test[0])(" ".join(["light"] * 60), data.test[0].label)] if graph.info.head.task == TEXT else []
    encodings = task.encode(tokenizer, [*data.test, *longest], graph.info.max_length)
    for encoding in encodings:
        expected, found = before.logits(encoding), after.logits(encoding)
        assert found.shape == expected.shape
        assert np.abs(expected - found).max() < 1e-5
    ids = np.random.default_rng(0).integers(0, 60, (3, 9))
    mask = (np.arange(9) < np.array([[9], [4], [1]])).astype(np.int64)
    given = {"input_ids": ids, "attention_mask": mask, "token_type_ids": ids % 2}
    feeds = {name: given[name] for name in before.inputs}
    expected, found = (session.session.run(None, feeds)[0] for session in (before, after))
    assert np.abs(expected - found).max() < 1e-5


@pytest.mark.parametrize(("family", "shape"), CASES)
@pytest.mark.parametrize("task", [TEXT, TOKEN])
def test_every_rewrite_answers_as_before(
    exported: Callable[..., Graph], tiny_data: Callable[..., LabelledData], family: str, task: str, shape: str
) -> None:
    graph = exported(family, task, SHAPES[shape])
    for rewrites in ([optimizations.select_early], [slice_positions], [optimizations.select_early, slice_positions]):
        fused = rewrite.fuse(graph.model)
        done = [change(fused) for change in rewrites]
        if optimizations.select_early in rewrites:
            assert (done[0] > 0) == (task == TEXT)
        if slice_positions in rewrites:
            assert done[-1] == ("roberta" not in family)
        answers_alike(graph, fused, tiny_data(task))


@pytest.mark.parametrize("shape", SHAPES)
def test_rows_are_selected_early_in_plain_graphs_too(
    exported: Callable[..., Graph], tiny_data: Callable[..., LabelledData], shape: str
) -> None:
    graph = exported(pruning=SHAPES[shape])
    model = onnx.load(graph.model)
    assert optimizations.select_early(model) >= 3
    answers_alike(graph, model, tiny_data())


@pytest.mark.parametrize("fused", [False, True])
def test_tagging_reads_every_row(exported: Callable[..., Graph], fused: bool) -> None:
    graph = exported("bert", TOKEN, UNLIKE)
    model = rewrite.fuse(graph.model) if fused else onnx.load(graph.model)
    before = model.SerializeToString(deterministic=True)
    assert optimizations.select_early(model) == 0
    assert model.SerializeToString(deterministic=True) == before


def test_a_graph_that_selects_tokens_twice_stays(exported: Callable[..., Graph]) -> None:
    model = rewrite.fuse(exported(pruning=UNLIKE).model)
    selection = next(
        node for node in model.graph.node if optimizations._is_selection(node, optimizations._Graph(model).constants)
    )
    model.graph.node.add().CopyFrom(selection)
    model.graph.node[-1].output[0] = "another"
    model.graph.output.append(onnx.helper.make_tensor_value_info("another", onnx.TensorProto.FLOAT, None))
    before = model.SerializeToString(deterministic=True)
    assert optimizations.select_early(model) == 0
    assert model.SerializeToString(deterministic=True) == before


def test_positions_that_depend_on_the_tokens_stay(exported: Callable[..., Graph]) -> None:
    """A `<pad>` in a text is a subword whose position does not count."""
    graph = exported("roberta", pruning=UNLIKE)
    model = rewrite.fuse(graph.model)
    before = model.SerializeToString(deterministic=True)
    assert slice_positions(model) == 0
    assert model.SerializeToString(deterministic=True) == before


def test_positions_beyond_the_table_are_not_sliced(exported: Callable[..., Graph]) -> None:
    model = rewrite.fuse(exported(pruning=UNLIKE).model)
    assert optimizations.slice_positions(model, 131) == 0


@pytest.mark.parametrize("family", ["bert", "distilbert", "electra"])
def test_positions_are_the_first_rows_of_the_table(exported: Callable[..., Graph], family: str) -> None:
    model = rewrite.fuse(exported(family, pruning=UNLIKE).model)
    before = {item.name: onnx.numpy_helper.to_array(item) for item in model.graph.initializer}
    (positions,) = [value for name, value in before.items() if "position_embeddings" in name]
    assert slice_positions(model) == 1
    (table,) = [item for item in model.graph.initializer if item.name.endswith("_table")]
    assert np.array_equal(onnx.numpy_helper.to_array(table), positions[None, :32])
    assert positions.shape not in [tuple(item.dims) for item in model.graph.initializer]


@pytest.mark.parametrize("mode", ["dynamic", "static"])
def test_what_follows_the_last_attention_sees_one_row(
    exported: Callable[..., Graph], tiny_data: Callable[..., LabelledData], tmp_path: Path, mode: str
) -> None:
    """The output of attention, both linear ops of the feed-forward part, pooler and head."""
    small = quantize(exported(pruning=UNLIKE), tiny_data(), QuantizeConfig(mode=mode), tmp_path / "out")
    model = onnx.load(small.model)
    last = max(place for place, node in enumerate(model.graph.node) if node.op_type in ("QAttention", "Softmax"))
    later = [node for node in model.graph.node[last:] if node.op_type in ("MatMulInteger", "MatMul", "Gemm")]
    products = [node.output[0] for node in later][-5:]
    for name in products:
        model.graph.output.append(onnx.helper.make_empty_tensor_value_info(name))
    session = GraphSession(model.SerializeToString()).session
    ids = np.full((1, 7), 20)
    feeds = {item.name: ids if item.name == "input_ids" else ids // 20 for item in session.get_inputs()}
    shapes = [value.shape for value in session.run(products, feeds)]
    assert [shape[0] for shape in shapes] == [1] * 5
    assert {len(shape) for shape in shapes} == {2}


@pytest.mark.parametrize("task", [TEXT, TOKEN])
def test_the_shipped_graph_has_these_operators_and_no_others(
    exported: Callable[..., Graph], tiny_data: Callable[..., LabelledData], tmp_path: Path, task: str
) -> None:
    """The graph that ONNX Runtime executes, after its fusions at load time."""
    small = quantize(exported("bert", task), tiny_data(task), QuantizeConfig(), tmp_path / "out")
    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath = str(tmp_path / "executed.onnx")
    options.log_severity_level = 3
    onnxruntime.InferenceSession(str(small.model), options, providers=["CPUExecutionProvider"])
    found = kinds(onnx.load(tmp_path / "executed.onnx"))
    layers = {"DynamicQuantizeMatMul": 3 * 3, "Gelu": 3, "LayerNormalization": 1 + 2 * 3, "Sum": 1 + 2 * 3}
    attention = {"QAttention": 3, "DynamicQuantizeLinear": 3, "Cast": 1}
    embeddings = {"Gather": 2, "Add": 1, "Shape": 1, "Slice": 1}
    head = {"DynamicQuantizeMatMul": 2, "Tanh": 1, "Gather": 2} if task == TEXT else {"DynamicQuantizeMatMul": 1}
    assert found == sum(map(Counter, (layers, embeddings, head, attention)), Counter())
