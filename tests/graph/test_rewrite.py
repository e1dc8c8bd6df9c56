from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper

from edge_ptf import tasks
from edge_ptf.compression import PruneConfig
from edge_ptf.data.dataset import LabelledData
from edge_ptf.engines.onnxruntime import GraphSession
from edge_ptf.graph import Graph, rewrite
from edge_ptf.models.checkpoint import load_tokenizer

FAMILIES = ("bert", "distilbert", "roberta", "xlm-roberta", "electra")
MIXED = PruneConfig(num_heads=(1, 0, 3), intermediate_size=(0, 0.5, 0.99), importance="magnitude")

torch.set_num_threads(1)


def lookup(table: np.ndarray, *, uses: int = 1) -> onnx.ModelProto:
    """A graph that gathers rows of a table `uses` times and adds them up."""
    nodes = [helper.make_node("Gather", ["table", "ids"], [f"rows{use}"], f"gather{use}") for use in range(uses)]
    nodes.append(helper.make_node("Sum", [f"rows{use}" for use in range(uses)], ["found"], "sum"))
    graph = helper.make_graph(
        nodes,
        "lookup",
        [helper.make_tensor_value_info("ids", TensorProto.INT64, ["batch", "length"])],
        [helper.make_tensor_value_info("found", TensorProto.FLOAT, ["batch", "length", table.shape[-1]])],
        [numpy_helper.from_array(table, "table")],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def rows(model: onnx.ModelProto, ids: np.ndarray) -> np.ndarray:
    onnx.checker.check_model(model)
    return GraphSession(model.SerializeToString()).session.run(None, {"ids": ids})[0]


def stored(model: onnx.ModelProto) -> dict[str, np.ndarray]:
    return {item.name: numpy_helper.to_array(item) for item in model.graph.initializer}


@pytest.fixture
def table() -> np.ndarray:
    """Rows of very different magnitude. Some are zero or have a single value."""
    draw = np.random.default_rng(0)
    values = draw.normal(size=(2048, 32)) * 10.0 ** draw.integers(-4, 3, (2048, 1))
    values[5] = 0
    values[6] = np.eye(32)[3] * -7
    return values.astype(np.float32)


def test_int8_tables_give_rows_back_within_half_a_step(table: np.ndarray) -> None:
    model = lookup(table)
    assert rewrite.compress_embeddings(model, "int8") == 1
    ids = np.arange(2048)[None]
    scales = np.maximum(np.abs(table).max(axis=1, keepdims=True) / 127, 1e-12)
    assert (np.abs(rows(model, ids)[0] - table) <= scales / 2 * 1.0001).all()
    assert np.array_equal(rows(model, np.array([[5, 6]]))[0, 0], table[5])
    assert np.allclose(rows(model, np.array([[5, 6]]))[0, 1], table[6])
    kept = stored(model)
    assert kept["table"].dtype == np.int8
    assert kept["table"].min() >= -127
    assert {value.nbytes for value in kept.values()} == {2048 * 32, 2048 * 4}


@pytest.mark.parametrize("width", [32, 40, 66])
def test_int4_tables_give_rows_back_within_a_step_of_their_block(width: int) -> None:
    table = np.random.default_rng(0).standard_t(4, size=(2048, width)).astype(np.float32)
    table[5] = 0
    model = lookup(table)
    assert rewrite.compress_embeddings(model, "int4") == 1
    found = rows(model, np.arange(2048)[None])[0]
    padded = np.pad(table, ((0, 0), (0, -width % rewrite.BLOCK))).reshape(2048, -1, rewrite.BLOCK)
    steps = np.repeat(np.abs(padded).max(axis=-1) / 7, rewrite.BLOCK, axis=1)[:, :width]
    assert (np.abs(found - table) <= max(1 - min(rewrite.CLIPS), 0.0) * 7 * steps + steps / 2 * 1.0001).all()
    assert np.array_equal(found[5], table[5])
    plain = np.clip(np.rint(table / np.maximum(steps, 1e-12)), -8, 7) * steps
    assert np.square(found - table).sum() < 0.97 * np.square(plain - table).sum()
    assert np.array_equal(rows(model, np.array([[5, 6], [7, 7]]))[1, 1], found[7])
    kept = stored(model)
    assert kept["table"].shape == (2048, width // 2) and kept["table"].dtype == np.uint8
    assert kept["table_scales"].shape == (2048, -(-width // rewrite.BLOCK))


def test_fp16_tables_are_half_the_size(table: np.ndarray) -> None:
    model = lookup(table)
    assert rewrite.compress_embeddings(model, "fp16") == 1
    ids = np.array([[0, 5, 2047], [1, 1, 6]])
    assert np.array_equal(rows(model, ids), table.astype(np.float16).astype(np.float32)[ids])
    assert [value.dtype for value in stored(model).values()] == [np.float16]


@pytest.mark.parametrize(("form", "weight"), [("int8", np.int8), ("fp16", np.float16), ("int4", np.int8)])
def test_tables_of_which_the_first_rows_are_cut_off_are_stored_alike(
    table: np.ndarray, form: str, weight: type
) -> None:
    """As position embeddings are read."""
    model = lookup(table)
    assert rewrite.compress_embeddings(model, "int8" if form == "int4" else form) == 1
    wanted = rows(model, np.arange(7)[None])
    sliced = lookup(table)
    del sliced.graph.node[:], sliced.graph.initializer[:]
    sliced.graph.node.append(helper.make_node("Shape", ["ids"], ["length"], "shape", start=1, end=2))
    sliced.graph.node.append(helper.make_node("Slice", ["table", "from", "length", "axis"], ["found"], "slice"))
    for name, value in {"table": table[None], "from": np.array([0]), "axis": np.array([1])}.items():
        sliced.graph.initializer.append(numpy_helper.from_array(value, name))
    assert rewrite.compress_embeddings(sliced, form) == 1
    assert np.array_equal(rows(sliced, np.arange(7)[None]), wanted)
    assert stored(sliced)["table"].dtype == weight


@pytest.mark.parametrize("form", ["int8", "fp16", "fp32"])
def test_tables_that_are_small_or_used_twice_stay(table: np.ndarray, form: str) -> None:
    for model in (lookup(table[:2047]), lookup(table, uses=2), *([lookup(table)] if form == "fp32" else [])):
        before = model.SerializeToString()
        assert rewrite.compress_embeddings(model, form) == 0
        assert model.SerializeToString() == before


@pytest.mark.parametrize("bias", ["alone", "used twice", "none"])
def test_an_output_is_shifted_in_its_bias_or_by_an_addition(bias: str) -> None:
    """Rows of 2 numbers times a matrix [2, 3]. A bias that another node also reads must not change."""
    draw = np.random.default_rng(0)
    matrix, vector = (draw.normal(size=shape).astype(np.float32) for shape in ((2, 3), (3,)))
    last = "plain" if bias != "none" else "logits"
    nodes = [helper.make_node("MatMul", ["x", "matrix"], [last], "product")]
    if bias != "none":
        nodes.append(helper.make_node("Add", ["plain", "vector"], ["logits"], "bias"))
    outputs = ["logits"]
    if bias == "used twice":
        nodes.append(helper.make_node("Mul", ["logits", "vector"], ["other"], "other"))
        outputs.append("other")
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["rows", 3]) for name in outputs]
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["rows", 2])],
        values,
        [numpy_helper.from_array(matrix, "matrix"), numpy_helper.from_array(vector, "vector")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    feeds = {"x": draw.normal(size=(4, 2)).astype(np.float32)}
    before = GraphSession(model.SerializeToString()).session.run(["logits"], feeds)[0]
    by = np.asarray([-1.5, 0, 2], dtype=np.float32)
    rewrite.shift_output(model, "logits", by)
    onnx.checker.check_model(model)
    assert len(model.graph.node) == len(nodes) + (bias != "alone")
    found = GraphSession(model.SerializeToString()).session.run(None, feeds)
    assert np.allclose(found[0], before + by, atol=1e-6)
    if bias == "used twice":
        assert np.allclose(found[1], (before + by) * vector, atol=1e-6)


def test_only_additions_that_feed_a_layer_norm_are_kept_apart() -> None:
    names = ["x", "y", "z", "out"]
    nodes = [
        helper.make_node("Add", ["x", "y"], ["z"], "residual"),
        helper.make_node("LayerNormalization", ["z", "scale", "shift"], ["normed"], "norm"),
        helper.make_node("Add", ["normed", "x"], ["out"], "other"),
    ]
    values = {name: helper.make_tensor_value_info(name, TensorProto.FLOAT, [2, 4]) for name in names}
    graph = helper.make_graph(
        nodes,
        "g",
        [values["x"], values["y"]],
        [values["out"]],
        [numpy_helper.from_array(np.ones(4, np.float32), name) for name in ("scale", "shift")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    draw = np.random.default_rng(0)
    feeds = {name: draw.normal(size=(2, 4)).astype(np.float32) for name in ("x", "y")}
    before = GraphSession(model.SerializeToString()).session.run(None, feeds)[0]
    assert rewrite.keep_residuals_apart(model) == 1
    assert [node.op_type for node in model.graph.node] == ["Sum", "LayerNormalization", "Add"]
    assert np.allclose(GraphSession(model.SerializeToString()).session.run(None, feeds)[0], before, atol=1e-6)
    assert rewrite.keep_residuals_apart(model) == 0


@pytest.mark.parametrize("family", FAMILIES)
def test_fused_graphs_answer_as_before(
    exported: Callable[..., Graph], tiny_data: Callable[..., LabelledData], family: str
) -> None:
    graph = exported(family, pruning=MIXED)
    fused = rewrite.fuse(graph.model)
    onnx.checker.check_model(fused)
    kinds = [node.op_type for node in fused.graph.node]
    assert kinds.count("Attention") == 2
    assert kinds.count("Gelu") >= 2
    assert not {"Softmax", "Erf", "SkipLayerNormalization", "EmbedLayerNormalization", "BiasGelu"} & set(kinds)
    before, after = GraphSession(graph.model), GraphSession(fused.SerializeToString())
    task = tasks.create(graph.info.head)
    for encoding in task.encode(load_tokenizer(graph.path), tiny_data().validation, 32):
        assert np.abs(before.logits(encoding) - after.logits(encoding)).max() < 1e-5


@pytest.mark.parametrize("family", FAMILIES)
def test_fused_attention_does_not_look_at_padding(exported: Callable[..., Graph], family: str) -> None:
    graph = exported(family, pruning=MIXED)
    before, after = GraphSession(graph.model), GraphSession(rewrite.fuse(graph.model).SerializeToString())
    ids = np.random.default_rng(0).integers(5, 60, (3, 9))
    mask = np.ones_like(ids)
    mask[1, 4:] = mask[2, 1:] = 0
    feeds = {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}
    feeds = {name: feeds[name] for name in graph.info.inputs}
    expected, found = (session.session.run(None, feeds)[0] for session in (before, after))
    assert np.abs(expected - found).max() < 1e-5


def test_fusing_twice_gives_the_same_bytes(exported: Callable[..., Graph]) -> None:
    model = exported(pruning=MIXED).model
    first, second = (rewrite.fuse(model).SerializeToString(deterministic=True) for _ in range(2))
    assert first == second


def test_weighted_products_are_found_by_their_weight(exported: Callable[..., Graph], tmp_path: Path) -> None:
    model = onnx.load(exported(pruning=MIXED).model)
    found = rewrite.weighted_linear_ops(model)
    kinds = {node.name: node.op_type for node in model.graph.node}
    # four projections in each of two layers with heads, two in each of two with neurons, pooler and head
    assert len(found) == len(set(found)) == 4 * 2 + 2 * 2 + 2
    assert {kinds[name] for name in found} == {"MatMul", "Gemm"}
    others = [name for name, kind in kinds.items() if kind == "MatMul" and name not in found]
    assert len(others) == 2 * 2  # attention scores, and the weighted sum of values


def dense(**attributes: float) -> onnx.ModelProto:
    """A Gemm of 3 inputs and 4 outputs with a bias."""
    draw = np.random.default_rng(1)
    shape = (4, 3) if attributes.get("transB") else (3, 4)
    weights = {"weight": draw.normal(size=shape), "bias": draw.normal(size=4)}
    graph = helper.make_graph(
        [helper.make_node("Gemm", ["ids", "weight", "bias"], ["found"], "/model/dense/Gemm", **attributes)],
        "dense",
        [helper.make_tensor_value_info("ids", TensorProto.FLOAT, ["batch", 3])],
        [helper.make_tensor_value_info("found", TensorProto.FLOAT, ["batch", 4])],
        [numpy_helper.from_array(value.astype(np.float32), name) for name, value in weights.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


@pytest.mark.parametrize("attributes", [{}, {"transB": 1}], ids=["plain", "turned"])
def test_a_gemm_becomes_matmul_and_add(attributes: dict[str, float]) -> None:
    model, given = dense(**attributes), np.random.default_rng(2).normal(size=(2, 3)).astype(np.float32)
    before = rows(model, given)
    assert rewrite.split_gemms(model) == 1
    assert [(node.op_type, node.name) for node in model.graph.node] == [
        ("MatMul", "/model/dense/MatMul"),
        ("Add", "/model/dense/Add"),
    ]
    assert len(stored(model)) == 2
    np.testing.assert_allclose(rows(model, given), before, rtol=1e-6)


@pytest.mark.parametrize("attributes", [{"alpha": 0.5}, {"beta": 2.0}])
def test_a_gemm_with_factors_stays(attributes: dict[str, float]) -> None:
    model = dense(**attributes)
    assert rewrite.split_gemms(model) == 0
    assert [node.op_type for node in model.graph.node] == ["Gemm"]


def test_biases_of_int8_matmuls_alone_become_sums() -> None:
    def node(kind: str, inputs: str, output: str) -> onnx.NodeProto:
        return helper.make_node(kind, inputs.split(), [output], output)

    zero = numpy_helper.from_array(np.zeros((), np.float32), "scale")
    graph = helper.make_graph(
        [
            node("DequantizeLinear", "x scale", "x_dq"),
            node("DequantizeLinear", "w scale", "w_dq"),
            node("MatMul", "x_dq w_dq", "int8"),
            node("Add", "int8 bias", "a"),
            node("MatMul", "a plain", "fp32"),
            node("Add", "fp32 bias", "b"),
            node("Add", "int8 b", "residual"),
        ],
        "biases",
        [],
        [],
        [zero, numpy_helper.from_array(np.zeros(4, np.float32), "bias")],
    )
    model = helper.make_model(graph)
    assert rewrite.keep_biases_apart(model) == 1
    assert [each.op_type for each in model.graph.node if each.name in ("a", "b", "residual")] == ["Sum", "Add", "Add"]
