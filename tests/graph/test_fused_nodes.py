"""How many linear ops of an INT8 graph ONNX Runtime runs in INT8 kernels on x86, counted in its optimized graph.

On ARM other fusions apply: see test_arm_kernels.py.
"""

from __future__ import annotations

import platform
from collections.abc import Callable
from pathlib import Path
from typing import Any

import onnx
import pytest

from edge_ptf import profiles, tasks
from edge_ptf.data.dataset import LabelledData
from edge_ptf.engines.onnxruntime.kernels import linear_op_kernels, write_optimized
from edge_ptf.graph import Graph, QuantizeConfig, quantize
from edge_ptf.recipe import resolve_recipe


def quantized_linear_ops(model: Path) -> int:
    """The linear ops whose weight and input both come from DequantizeLinear."""
    graph = onnx.load(model).graph
    dequantized = {node.output[0] for node in graph.node if node.op_type == "DequantizeLinear"}
    return sum(node.op_type in ("MatMul", "Gemm") and set(node.input[:2]) <= dequantized for node in graph.node)


JETSON: dict[str, Any] = {"outputs": False, "activation": "int8", "symmetric_activation": True, "embeddings": "fp16"}


@pytest.mark.skipif(platform.machine() != "x86_64", reason="counts of ONNX Runtime's fusions on x86")
@pytest.mark.parametrize(
    ("options", "fused"),
    [
        (JETSON, 8),
        ({**JETSON, "outputs": True}, 8),
        ({"activation": "uint8"}, 20),
        ({"activation": "uint8", "outputs": False}, 20),
    ],
    ids=["jetson", "jetson with results in INT8", "U8S8", "U8S8 with results in FP32"],
)
def test_on_x86_few_linear_ops_of_the_jetson_form_run_in_int8(
    exported: Callable[..., Graph],
    tiny_data: Callable[..., LabelledData],
    tmp_path: Path,
    options: dict[str, Any],
    fused: int,
) -> None:
    """As decision 0044 states for 4 layers: 10 of 26 of the jetson form, and all 26 of U8S8."""
    config = QuantizeConfig.model_validate({"mode": "static", "calibration_texts": 16, **options})
    model = quantize(exported(), tiny_data(), config, tmp_path / "int8").model
    assert quantized_linear_ops(model) == 20
    write_optimized(model, tmp_path / "optimized.onnx")
    found = linear_op_kernels(tmp_path / "optimized.onnx")
    assert (found.int8, found.count) == (fused, 20)


@pytest.mark.parametrize("name", [name for name in profiles.names() if profiles.load(name).scheme.mode == "dynamic"])
def test_every_linear_op_of_the_dynamic_form_runs_in_int8(
    exported: Callable[..., Graph], tiny_data: Callable[..., LabelledData], tmp_path: Path, name: str
) -> None:
    config = resolve_recipe(profiles.load(name), tasks.get("text-classification")).quantize
    model = quantize(exported(), tiny_data(), config, tmp_path / "int8").model
    write_optimized(model, tmp_path / "optimized.onnx")
    found = linear_op_kernels(tmp_path / "optimized.onnx")
    assert (found.int8, found.others) == (14, ())
    assert found.share == 1.0


def test_linear_ops_in_floating_point_are_counted_too(exported: Callable[..., Graph], tmp_path: Path) -> None:
    write_optimized(exported().model, tmp_path / "optimized.onnx")
    found = linear_op_kernels(tmp_path / "optimized.onnx")
    assert (found.int8, found.count, found.share) == (0, 20, 0.0)


def test_the_form_of_the_test_is_that_of_the_profile() -> None:
    profile = profiles.load("jetson")
    given = {**profile.recipe["quantize"], **profile.scheme.model_dump()}
    assert {name: given[name] for name in JETSON} == JETSON
