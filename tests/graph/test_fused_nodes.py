"""How many linear ops of a static INT8 graph ONNX Runtime executes in INT8, counted in its optimized graph.

The counts are those of x86. On ARM another fusion may apply.
"""

from __future__ import annotations

import platform
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import onnx
import onnxruntime
import pytest

from edge_ptf import profiles
from edge_ptf.data.dataset import LabelledData
from edge_ptf.graph import Graph, QuantizeConfig, quantize

INT8 = ("MatMulIntegerToFloat", "QLinearMatMul", "QGemm")


def quantized_linear_ops(model: Path) -> int:
    """The linear ops whose weight and input both come from DequantizeLinear."""
    graph = onnx.load(model).graph
    dequantized = {node.output[0] for node in graph.node if node.op_type == "DequantizeLinear"}
    return sum(node.op_type in ("MatMul", "Gemm") and set(node.input[:2]) <= dequantized for node in graph.node)


def kernels(model: Path, folder: Path) -> Counter[str]:
    """The nodes of the graph that ONNX Runtime executes, by operator."""
    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath = str(folder / "optimized.onnx")
    options.log_severity_level = 4
    onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
    return Counter(node.op_type for node in onnx.load(folder / "optimized.onnx").graph.node)


JETSON: dict[str, Any] = {"outputs": False, "activation": "int8", "symmetric_activation": True, "embeddings": "fp16"}


@pytest.mark.skipif(platform.machine() != "x86_64", reason="counts of ONNX Runtime's fusions on x86")
@pytest.mark.parametrize(
    ("options", "fused"),
    [
        (JETSON, 4),
        ({**JETSON, "outputs": True}, 8),
        ({"activation": "uint8"}, 20),
    ],
    ids=["jetson", "jetson with results in INT8", "U8S8"],
)
def test_on_x86_few_linear_ops_of_the_jetson_form_run_in_int8(
    exported: Callable[..., Graph],
    tiny_data: Callable[..., LabelledData],
    tmp_path: Path,
    options: dict[str, Any],
    fused: int,
) -> None:
    """As profiles/jetson.yaml and decision 0044 state for 4 layers: 6 of 26, 10 of 26, and all 26 of U8S8."""
    config = QuantizeConfig.model_validate({"mode": "static", "calibration_texts": 16, **options})
    model = quantize(exported(), tiny_data(), config, tmp_path / "int8").model
    assert quantized_linear_ops(model) == 20
    assert sum(count for kind, count in kernels(model, tmp_path).items() if kind in INT8) == fused


def test_the_form_of_the_test_is_that_of_the_profile() -> None:
    profile = profiles.load("jetson")
    given = {**profile.recipe["quantize"], **profile.scheme.model_dump()}
    assert {name: given[name] for name in JETSON} == JETSON
