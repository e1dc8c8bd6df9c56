"""The form for TensorRT: where Q/DQ nodes stand, and that ONNX Runtime answers the same graph as before."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from pydantic import ValidationError

from edge_ptf import tasks
from edge_ptf.data.dataset import LabelledData
from edge_ptf.engines.onnxruntime import GraphSession, logit_distance
from edge_ptf.engines.tensorrt import verify_graph
from edge_ptf.graph import Graph, QuantizeConfig, quantize
from edge_ptf.graph.tensorrt import place, scale_queries
from edge_ptf.models.checkpoint import load_tokenizer

SIGNED = {"mode": "static", "activation": "int8", "symmetric_activation": True, "embeddings": "fp16"}
FAMILIES = ("bert", "distilbert", "roberta", "xlm-roberta", "electra", "albert")
VARIANTS = ("fp16", "int8-ffn", "int8")


def variant(name: str, **options: Any) -> QuantizeConfig:
    given = {"mode": "none"} if name == "fp16" else SIGNED
    common = {"non_int8_dtype": "fp16", "calibration_texts": 16, "tensorrt": name}
    return QuantizeConfig.model_validate({**given, **common, **options})


def answers(graph: Graph, data: LabelledData) -> list[np.ndarray]:
    session = GraphSession(graph.model)
    encodings = tasks.create(graph.info.head).encode(load_tokenizer(graph.path), data.validation, 32)
    return [session.logits(encoding) for encoding in encodings]


def dequantized(model: Any) -> set[str]:
    return {node.output[0] for node in model.graph.node if node.op_type == "DequantizeLinear"}


def test_queries_are_scaled_before_their_product_with_the_keys(
    exported: Callable[..., Graph], tiny_data: Callable[..., LabelledData], tmp_path: Path
) -> None:
    full = exported()
    model = onnx.load(full.model)
    before = Counter(node.op_type for node in model.graph.node)
    assert scale_queries(model) == 3
    after = Counter(node.op_type for node in model.graph.node)
    assert before - after == {"Constant": 3} and not after - before
    onnx.checker.check_model(model, full_check=True)
    makers = {node.output[0]: node for node in model.graph.node}
    sums = [makers[node.input[0]] for node in model.graph.node if node.op_type == "Softmax"]
    assert [makers[node.input[0]].op_type for node in sums] == ["MatMul"] * 3  # only the mask is between them
    onnx.save(model, tmp_path / "scaled.onnx")
    encodings = tasks.create(full.info.head).encode(load_tokenizer(full.path), tiny_data().validation, 32)
    sessions = [GraphSession(path) for path in (full.model, tmp_path / "scaled.onnx")]
    for encoding in encodings:
        expected, found = (session.logits(encoding) for session in sessions)
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", VARIANTS)
@pytest.mark.parametrize("family", FAMILIES)
def test_every_variant_answers_nearly_as_fp32_and_every_rule_of_tensorrt_holds(
    exported: Callable[..., Graph], tiny_data: Callable[..., LabelledData], tmp_path: Path, family: str, name: str
) -> None:
    full, data = exported(family), tiny_data()
    small = quantize(full, data, variant(name), tmp_path / name)
    wanted = answers(full, data)
    spread = float(np.mean([np.abs(logits).max() for logits in wanted]))
    assert logit_distance(wanted, answers(small, data)) <= {"fp16": 0.01, "int8-ffn": 0.1, "int8": 0.15}[name] * spread
    for version in ("10.x", "11.x", "rtx"):
        assert [str(found) for found in verify_graph(small.model.read_bytes(), version)] == []
    model = onnx.load(small.model)
    onnx.checker.check_model(model, full_check=True)
    kinds = {item.data_type for item in model.graph.initializer}
    assert TensorProto.FLOAT not in kinds and TensorProto.FLOAT16 in kinds


def test_int8_is_at_linear_ops_attention_products_and_residuals(
    exported: Callable[..., Graph], tiny_data: Callable[..., LabelledData], tmp_path: Path
) -> None:
    model = onnx.load(quantize(exported(), tiny_data(), variant("int8"), tmp_path / "int8").model)
    known = dequantized(model)
    matmuls = [node for node in model.graph.node if node.op_type in ("MatMul", "Gemm")]
    assert len(matmuls) == 3 * 8 + 2  # each layer has 6 linear ops and 2 products; pooler and classifier
    assert all(set(node.input[:2]) <= known for node in matmuls)
    residuals = [node for node in model.graph.node if node.op_type == "Add" and known & set(node.input)]
    assert len(residuals) == 6
    stored = {item.name: numpy_helper.to_array(item) for item in model.graph.initializer}
    for node in model.graph.node:
        if node.op_type in ("QuantizeLinear", "DequantizeLinear"):
            scale, zero = stored[node.input[1]], stored[node.input[2]]
            assert scale.dtype == np.float16 and zero.dtype == np.int8 and not zero.any()
            assert scale.ndim == (1 if node.input[0] in stored else 0)  # weights by channel, activations by tensor


def test_int8_ffn_leaves_attention_in_fp16(
    exported: Callable[..., Graph], tiny_data: Callable[..., LabelledData], tmp_path: Path
) -> None:
    model = onnx.load(quantize(exported(), tiny_data(), variant("int8-ffn"), tmp_path / "ffn").model)
    known = dequantized(model)
    quantized = [node for node in model.graph.node if node.op_type in ("MatMul", "Gemm") and known & set(node.input)]
    assert len(quantized) == 6
    assert all("intermediate" in node.name or "output/dense" in node.name for node in quantized)
    assert not [node for node in model.graph.node if node.op_type == "Add" and known & set(node.input)]


def test_named_linear_ops_stay_without_int8(
    exported: Callable[..., Graph], tiny_data: Callable[..., LabelledData], tmp_path: Path
) -> None:
    config = variant("int8", keep_fp32=("classifier", "layer.0.attention.qkv"))
    model = onnx.load(quantize(exported(), tiny_data(), config, tmp_path / "int8").model)
    known = dequantized(model)
    plain = [
        node.name for node in model.graph.node if node.op_type in ("MatMul", "Gemm") and not known & set(node.input)
    ]
    assert len(plain) == 4
    assert all("classifier" in name or "layer.0/attention" in name for name in plain)


def test_values_are_rounded_by_the_rule_of_symmetric_int8() -> None:
    """One linear op, against the same sum in numpy."""
    draw = np.random.default_rng(0)
    weight = draw.normal(size=(4, 3)).astype(np.float32)
    weight[:, 1] = 0  # a channel of zeros
    ids = helper.make_tensor_value_info("input_ids", TensorProto.INT64, ["batch", "length"])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", "length", 3])
    table = draw.normal(size=(8, 4)).astype(np.float32)
    nodes = [
        helper.make_node("Gather", ["table", "input_ids"], ["x"]),
        helper.make_node("MatMul", ["x", "w"], ["y"], "m"),
    ]
    stored = [numpy_helper.from_array(table, "table"), numpy_helper.from_array(weight, "w")]
    graph = helper.make_graph(nodes, "graph", [ids], [y], stored)
    source = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)

    class Range:
        range_value = (np.float32(-2.54), np.float32(1.0))

    model = place(source, {"x": Range, "y": Range}, (), "int8")
    scales = np.where(np.abs(weight).max(0) > 0, np.abs(weight).max(0) / 127, 1).astype(np.float32)
    whole = np.clip(np.rint(weight / scales), -127, 127)
    tokens = np.arange(8)[None]
    rows = np.clip(np.rint(table[tokens] / np.float32(0.02)), -128, 127) * np.float32(0.02)
    found = GraphSession(model.SerializeToString()).run({"input_ids": tokens})["y"]
    np.testing.assert_allclose(found, rows @ (whole * scales), atol=1e-5)


@pytest.mark.parametrize(
    ("options", "shown"),
    [
        ({"tensorrt": "fp16"}, "tensorrt fp16 needs --mode none"),
        ({"tensorrt": "int8", **SIGNED}, "tensorrt int8 needs --mode static --non-int8-dtype fp16"),
        (
            {"tensorrt": "int8", "mode": "static", "non_int8_dtype": "fp16", "embeddings": "fp16"},
            "--symmetric-activation",
        ),
        ({"tensorrt": "int8", **SIGNED, "non_int8_dtype": "fp16", "embeddings": "int8"}, "no INT8 tables"),
    ],
)
def test_combinations_that_tensorrt_does_not_run_are_refused(options: dict[str, Any], shown: str) -> None:
    with pytest.raises(ValidationError, match=shown):
        QuantizeConfig.model_validate(options)
