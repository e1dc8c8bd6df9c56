"""Which linear ops of a graph ONNX Runtime runs in INT8 kernels, counted in the optimized graph that it writes.

ONNX Runtime optimizes a graph for the processor that loads it. A matmul with Q/DQ nodes that it does not fuse runs in
FP32, and its weight is converted on each call.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

INT8_KERNELS: Mapping[str, int] = {
    "DynamicQuantizeMatMul": 1,
    "MatMulInteger": 1,
    "MatMulIntegerToFloat": 1,
    "QAttention": 1,
    "QGemm": 3,
    "QLinearMatMul": 3,
}
"""Operators that multiply INT8 values by an INT8 weight, and which input the weight is."""
OTHER_KERNELS = ("Attention", "FusedGemm", "FusedMatMul", "Gemm", "MatMul")
"""Operators that multiply by a weight in floating point; it is their second input."""
CONVERSIONS = ("Cast", "DequantizeLinear", "Transpose")
"""What may stand between a weight and its matmul."""


@dataclass(frozen=True, slots=True)
class LinearOpKernels:
    """The linear ops with a weight of an optimized graph. Fused attention is one: queries, keys and values."""

    int8: int
    others: tuple[str, ...]
    """Names of the nodes that run in floating point."""

    @property
    def count(self) -> int:
        """All linear ops."""
        return self.int8 + len(self.others)

    @property
    def share(self) -> float:
        """The share of linear ops in INT8 kernels, 0 to 1; 0 if the graph has none."""
        return self.int8 / self.count if self.count else 0.0


def linear_op_kernels(optimized: Path) -> LinearOpKernels:
    """Counts the linear ops of a graph that ONNX Runtime wrote after optimization."""
    import onnx

    graph = onnx.load(optimized).graph
    weights = {item.name for item in graph.initializer}
    maker = {name: node for node in graph.node for name in node.output}
    int8, others = 0, list[str]()
    for node in graph.node:
        place = INT8_KERNELS.get(node.op_type, 1 if node.op_type in OTHER_KERNELS else None)
        if place is None or _source(node.input[place], maker) not in weights:
            continue
        if node.op_type in INT8_KERNELS:
            int8 += 1
        else:
            others.append(node.name)
    return LinearOpKernels(int8, tuple(others))


def write_optimized(model: Path, out: Path) -> None:
    """Writes the graph that ONNX Runtime executes on this machine, with all optimizations."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath = str(out)
    options.log_severity_level = 4  # else it warns that the written graph is for this processor
    onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])


def _source(name: str, maker: Mapping[str, Any]) -> str:
    """The tensor that a tensor is converted from."""
    while name in maker and maker[name].op_type in CONVERSIONS:
        name = maker[name].input[0]
    return name
