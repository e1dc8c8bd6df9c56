"""Rules about the graph as a whole: types of inputs and constants, ranks, order, names."""

from __future__ import annotations

from collections.abc import Iterator
from math import prod
from typing import Any

from onnx import TensorProto

from edge_ptf.engines.tensorrt.findings import Finding
from edge_ptf.engines.tensorrt.graph_view import GraphView
from edge_ptf.engines.tensorrt.operator_types import BFLOAT16, CONSTANTS, INPUTS, name_of
from edge_ptf.engines.tensorrt.targets import Target

MOST_AXES = 8
LEAST_OPSET = 9
BITS = {TensorProto.INT4: 4, TensorProto.UINT4: 4, TensorProto.FLOAT4E2M1: 4}


def check_opset(model: Any, target: Target) -> Iterator[Finding]:
    """The operator set must be one that the documentation names. Others are tried by TensorRT all the same."""
    opset = next((int(item.version) for item in model.opset_import if item.domain in ("", "ai.onnx")), 0)
    if opset and not LEAST_OPSET <= opset <= target.most_opset:
        yield Finding(
            "opset",
            "the graph",
            f"it has operator set {opset}, and {target.title} documents {LEAST_OPSET} to {target.most_opset}",
            "Export with --opset 17",
            refused=False,
        )


def check_structure(view: GraphView, target: Target) -> Iterator[Finding]:
    """Each tensor must be known before it is read, and have a type and a number of axes that TensorRT has."""
    yield from _inputs(view, target)
    yield from _constants(view, target)
    for item in view.graph.sparse_initializer:
        yield Finding("sparse", item.values.name, "the tensor is stored as a sparse one", "Store it as a dense tensor")
    if view.cyclic:
        yield Finding(
            "order", "the graph", "its nodes wait for each other or write a tensor twice", "Export the model again"
        )
    for node in view.graph.node:
        for name in node.input:
            if name and not view.knows(name):
                yield Finding(
                    "unknown-tensor", node.name or node.op_type, f"nothing writes its input '{name}'", "Export again"
                )
    for name in view.outputs:
        if not view.knows(name):
            yield Finding("unknown-output", name, "nothing writes this output of the graph", "Remove the output")
    if not view.outputs and view.outer is None:
        yield Finding("no-output", "the graph", "it has no output", "Name what the graph should answer")


def _inputs(view: GraphView, target: Target) -> Iterator[Finding]:
    for name, item in view.inputs.items():
        kind = item.type.tensor_type
        if view.outer is None and kind.elem_type not in INPUTS:
            yield Finding(
                "input-type",
                name,
                f"the input has type {name_of(kind.elem_type)}, which TensorRT does not have",
                "Use INT64 for tokens and FP32 for numbers",
            )
        if kind.elem_type == BFLOAT16 and not target.bfloat16:
            yield Finding("bfloat16", name, f"{target.title} has no BF16", "Use FP16")
        if len(kind.shape.dim) > MOST_AXES:
            yield Finding("rank", name, f"the input has {len(kind.shape.dim)} axes", f"Use at most {MOST_AXES} axes")


def _constants(view: GraphView, target: Target) -> Iterator[Finding]:
    for name, item in view.stored.items():
        if item.data_location == TensorProto.EXTERNAL:
            yield Finding("external-data", name, "the tensor lies in another file", "Save the graph as one file")
        elif item.data_type not in CONSTANTS:
            yield Finding(
                "constant-type",
                name,
                f"the stored tensor has type {name_of(item.data_type)}, which TensorRT does not have",
                "Store it as INT32, INT64, FP16 or FP32",
            )
        elif item.HasField("raw_data") and len(item.raw_data) != _bytes(item):
            yield Finding(
                "constant-size", name, "the stored tensor has another number of values than its shape", "Export again"
            )
        if item.data_type == BFLOAT16 and not target.bfloat16:
            yield Finding("bfloat16", name, f"{target.title} has no BF16", "Use FP16")


def _bytes(item: Any) -> int:
    from onnx import helper

    count = prod(item.dims)
    if item.data_type in BITS:
        return int(count * BITS[item.data_type] + 7) // 8
    return int(count * helper.tensor_dtype_to_np_dtype(item.data_type).itemsize)
