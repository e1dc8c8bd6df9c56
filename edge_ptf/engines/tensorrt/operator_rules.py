"""Rules about single nodes: operators, outputs, types, inputs that must be constant, control flow."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from edge_ptf.engines.tensorrt.findings import Finding
from edge_ptf.engines.tensorrt.graph_view import GraphView, attribute, graphs_of
from edge_ptf.engines.tensorrt.operator_types import (
    ALIKE,
    BOOL,
    CASTS,
    DATA,
    FLOATS,
    INT8,
    INTEGERS,
    TYPES,
    UINT8,
    name_of,
)
from edge_ptf.engines.tensorrt.targets import TARGETS, Target

DYNAMIC_INT8 = frozenset(
    [
        "DynamicQuantizeLinear",
        "MatMulInteger",
        "ConvInteger",
        "QLinearMatMul",
        "QLinearConv",
        "QAttention",
        "DynamicQuantizeMatMul",
        "MatMulIntegerToFloat",
        "QGemm",
        "QLinearAdd",
        "QLinearMul",
    ]
)
LEAST_INPUTS = {"MatMul": 2, "Gemm": 2, "LayerNormalization": 2}
SHAPES = {
    "Reshape": (1,),
    "Expand": (1,),
    "Slice": (1, 2, 3, 4),
    "Pad": (1,),
    "Tile": (1,),
    "TopK": (1,),
    "CumSum": (1,),
    "ConstantOfShape": (0,),
    "Range": (0, 1, 2),
}
"""The inputs that say how large a result is. They may depend on shapes, not on values of an input of the graph."""
AXES = dict.fromkeys(("Unsqueeze", "Squeeze"), 1)
AXES |= dict.fromkeys(
    [
        "ReduceSum",
        "ReduceMean",
        "ReduceMax",
        "ReduceMin",
        "ReduceProd",
        "ReduceL1",
        "ReduceL2",
        "ReduceLogSum",
        "ReduceLogSumExp",
        "ReduceSumSquare",
    ],
    1,
)
"""The input that lists axes. It must be constant."""


def where(node: Any) -> str:
    """The name of a node, or its operator and first result."""
    return node.name or f"{node.op_type} of '{node.output[0] if node.output else ''}'"


def check_node(view: GraphView, node: Any, target: Target) -> Iterator[Finding]:
    """All rules about one node, except those about quantization and shapes."""
    if node.op_type not in target.operators:
        yield _unsupported(node, target)
        return
    yield from _form(node)
    yield from _types(view, node)
    yield from _constants(view, node)
    if node.op_type == "If":
        yield from _branches(view, node)


def _unsupported(node: Any, target: Target) -> Finding:
    if node.op_type in DYNAMIC_INT8:
        return Finding(
            "dynamic-int8",
            where(node),
            f"{target.title} has no operator {node.op_type}: it knows INT8 by QuantizeLinear and DequantizeLinear only",
            "Quantize with --mode static",
        )
    if node.domain not in ("", "ai.onnx"):
        return Finding(
            "domain",
            where(node),
            f"the operator {node.op_type} is of the domain {node.domain}, and {target.title} has no plugin for it",
            "Give the graph before it was optimized for ONNX Runtime; use --embeddings fp16 instead of int4",
        )
    later = [other.title for other in TARGETS.values() if node.op_type in other.operators]
    return Finding(
        "operator",
        where(node),
        f"{target.title} has no operator {node.op_type}",
        f"{' and '.join(later)} have it" if later else "Write it with other operators",
    )


def _form(node: Any) -> Iterator[Finding]:
    """Outputs and attributes that TensorRT lacks."""
    least = LEAST_INPUTS.get(node.op_type, 0)
    if len(node.input) < least:
        yield Finding("inputs", where(node), f"{node.op_type} has too few inputs", f"It needs {least}")
    written = sum(bool(name) for name in node.output)
    if node.op_type == "LayerNormalization" and written > 1:
        yield Finding("outputs", where(node), "LayerNormalization may have one output only", "Remove the others")
    if node.op_type == "TopK" and written != 2:
        yield Finding("outputs", where(node), "TopK must have two outputs", "Write values and indices")
    if node.op_type == "Split":
        asked = attribute(node, "num_outputs", written)
        if asked != written:
            yield Finding("outputs", where(node), f"num_outputs is {asked}, and it has {written}", "Make them equal")
    if node.op_type == "ScatterND":
        mode = attribute(node, "reduction", b"none")
        if mode != b"none":
            yield Finding("attribute", where(node), f"ScatterND has no reduction '{mode.decode()}'", "Use none")


def _types(view: GraphView, node: Any) -> Iterator[Finding]:
    """Types of what a node reads: those that the operator has, all alike where this is needed."""
    kinds = [view.types.get(name, 0) for name in node.input]
    places = DATA.get(node.op_type, (0,))
    read = [kinds[place] for place in (range(len(kinds)) if places is None else places) if place < len(kinds)]
    allowed = FLOATS if node.op_type == "Mod" and attribute(node, "fmod", 0) else TYPES.get(node.op_type)
    wrong = [kind for kind in read if kind and allowed is not None and kind not in allowed]
    if wrong and wrong[0] == INT8:
        yield Finding(
            "dangling-int8",
            where(node),
            f"{node.op_type} reads INT8, which it cannot compute with",
            "Put a DequantizeLinear in front of it",
        )
    elif wrong:
        yield Finding(
            "type",
            where(node),
            f"{node.op_type} has no {name_of(wrong[0])}",
            f"Convert it with Cast to {name_of(min(allowed or ()))}",
        )
    alike = ALIKE.get(node.op_type, ())
    compared = kinds if alike is None else [kinds[place] for place in alike if place < len(kinds)]
    different = sorted({kind for kind in compared if kind})
    if len(different) > 1 and not wrong:
        names = " and ".join(name_of(kind) for kind in different)
        yield Finding(
            "mixed-types",
            where(node),
            f"{node.op_type} reads {names}",
            "Convert one of them with Cast: nothing else does",
        )
    yield from _casts_and_indices(view, node, kinds)


def _casts_and_indices(view: GraphView, node: Any, kinds: list[int]) -> Iterator[Finding]:
    if node.op_type == "Cast":
        to = int(attribute(node, "to", 0))
        if to not in CASTS and not (to == UINT8 and node.output[0] in view.outputs):
            yield Finding(
                "cast", where(node), f"Cast has no {name_of(to)} inside a graph", "Use INT32, INT64, FP16 or FP32"
            )
    gathers = node.op_type in ("Gather", "GatherND", "GatherElements") and len(kinds) > 1
    if gathers and kinds[1] and kinds[1] not in INTEGERS:
        yield Finding("index-type", where(node), f"its indices are {name_of(kinds[1])}", "Use INT64 or INT32")
    if node.op_type in ("Where", "If") and kinds and kinds[0] not in (0, BOOL):
        yield Finding("condition-type", where(node), f"its condition is {name_of(kinds[0])}", "Use BOOL")


def _constants(view: GraphView, node: Any) -> Iterator[Finding]:
    """Inputs that must be known when the engine is built."""
    axes = AXES.get(node.op_type)
    if axes is not None and len(node.input) > axes and node.input[axes] and node.input[axes] not in view.fixed:
        yield Finding(
            "computed-axes",
            where(node),
            f"the axes of {node.op_type} are computed in the graph",
            "Store them as a constant",
        )
    for place in SHAPES.get(node.op_type, ()):
        name = node.input[place] if place < len(node.input) else ""
        if name and name in view.of_values:
            yield Finding(
                "value-dependent-shape",
                where(node),
                f"the values of an input decide the size of its result ('{name}')",
                "Compute the size from a shape or store it as a constant",
            )
            return


def _branches(view: GraphView, node: Any) -> Iterator[Finding]:
    """Both branches of If must give results of one type and rank, unless the condition is constant."""
    condition = view.shape(node.input[0]) if node.input else None
    if condition is not None and any(size not in (1, None) for size in condition):
        yield Finding("condition-size", where(node), "the condition of If has several values", "Use one value")
    inside = [
        [(item.type.tensor_type.elem_type, len(item.type.tensor_type.shape.dim)) for item in graph.output]
        for graph in graphs_of(node)
    ]
    for first, second in zip(*inside, strict=False):
        if first[0] != second[0]:
            yield Finding(
                "branches",
                where(node),
                f"one branch of If gives {name_of(first[0])}, the other {name_of(second[0])}",
                "Convert one with Cast",
            )
        elif first[1] != second[1] and not (node.input and node.input[0] in view.fixed):
            yield Finding(
                "branches",
                where(node),
                f"one branch of If gives {first[1]} axes, the other {second[1]}",
                "Give both the same number of axes",
            )
