"""Rules about shapes, as far as ONNX's inference finds them: an axis whose size changes is not checked."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from math import prod
from typing import Any

from edge_ptf.engines.tensorrt.findings import Finding
from edge_ptf.engines.tensorrt.graph_view import GraphView, Shape, attribute
from edge_ptf.engines.tensorrt.operator_rules import where
from edge_ptf.engines.tensorrt.targets import Target

BROADCAST = frozenset(
    [
        "Add",
        "Sub",
        "Mul",
        "Div",
        "Max",
        "Min",
        "Sum",
        "Mean",
        "Pow",
        "Equal",
        "Greater",
        "GreaterOrEqual",
        "Less",
        "LessOrEqual",
        "And",
        "Or",
        "Xor",
        "Where",
        "Mod",
    ]
)
WITH_AXIS = {
    "Concat": None,
    "Gather": 0,
    "Softmax": -1,
    "LogSoftmax": -1,
    "LayerNormalization": -1,
    "Split": 0,
    "ArgMax": 0,
    "ArgMin": 0,
    "TopK": -1,
    "GatherElements": 0,
}
"""Operators with the attribute `axis`, and its default."""


def check_shapes(view: GraphView, node: Any, target: Target) -> Iterator[Finding]:
    """Sizes that cannot be: the matmul's inner sizes, broadcasts, axes, reshapes."""
    shapes = [view.shape(name) if name else None for name in node.input]
    found = _axis(node, shapes) or _by_operator(view, node, shapes)
    if found:
        yield Finding("shape", where(node), found, "Export the model again; the sizes of its tensors do not fit")


def _by_operator(view: GraphView, node: Any, shapes: list[Shape | None]) -> str:
    if node.op_type in BROADCAST:
        return _broadcast([shape for shape in shapes if shape is not None])
    check = CHECKS.get(node.op_type)
    return check(view, node, shapes) if check else ""


def _matmul(view: GraphView, node: Any, shapes: list[Shape | None]) -> str:
    if len(shapes) < 2 or not shapes[0] or not shapes[1]:
        return ""
    inner = shapes[1][-2] if len(shapes[1]) > 1 else shapes[1][-1]
    return "" if _fit(shapes[0][-1], inner) else f"it multiplies {shapes[0][-1]} by {inner} values"


def _gemm(view: GraphView, node: Any, shapes: list[Shape | None]) -> str:
    return "Gemm needs two axes" if any(shape is not None and len(shape) != 2 for shape in shapes[:2]) else ""


def _norm(view: GraphView, node: Any, shapes: list[Shape | None]) -> str:
    if len(shapes) < 2 or not shapes[0] or not shapes[1]:
        return ""
    return "" if _fit(shapes[0][-1], shapes[1][-1]) or shapes[1][-1] == 1 else "its scale has another size"


def _transpose(view: GraphView, node: Any, shapes: list[Shape | None]) -> str:
    perm = attribute(node, "perm", ())
    return "perm names an axis twice" if len(set(perm)) < len(perm) else ""


def _axis(node: Any, shapes: list[Shape | None]) -> str:
    """An axis must be one of the tensor."""
    rank = len(shapes[0]) if shapes and shapes[0] is not None else None
    if rank is None:
        return ""
    axes = attribute(node, "axes", []) if node.op_type.startswith("Reduce") else []
    if node.op_type in WITH_AXIS:
        axis = attribute(node, "axis", WITH_AXIS[node.op_type])
        if axis is None:
            return "it has no axis"
        axes = [axis]
    return next((f"it has no axis {axis}" for axis in axes if not -rank <= axis < max(rank, 1)), "")


def _broadcast(shapes: list[Shape]) -> str:
    for place in range(1, max((len(shape) for shape in shapes), default=0) + 1):
        sizes = {shape[-place] for shape in shapes if len(shape) >= place} - {1, None}
        if len(sizes) > 1:
            return f"sizes {' and '.join(str(size) for size in sorted(filter(None, sizes)))} do not fit"
    return ""


def _concat(view: GraphView, node: Any, shapes: list[Shape | None]) -> str:
    known = [shape for shape in shapes if shape is not None]
    if len({len(shape) for shape in known}) > 1:
        return "its inputs differ in the number of axes"
    axis = attribute(node, "axis", 0) % max(len(known[0]), 1) if known else 0
    for place in range(len(known[0]) if known else 0):
        if place != axis and len({shape[place] for shape in known} - {None}) > 1:
            return f"its inputs differ in axis {place}"
    return ""


def _reshape(view: GraphView, node: Any, shapes: list[Shape | None]) -> str:
    wanted = view.value(node.input[1]) if len(node.input) > 1 else None
    if wanted is None:
        return ""
    shape = shapes[0]
    if (wanted == -1).sum() > 1:
        return "two sizes are -1"
    known = [size for size in shape or (None,) if size is not None]
    fixed = shape is not None and len(known) == len(shape) and (wanted > 0).all()
    return (
        f"{prod(known)} values become {prod(wanted.tolist())}" if fixed and prod(known) != prod(wanted.tolist()) else ""
    )


def _split(view: GraphView, node: Any, shapes: list[Shape | None]) -> str:
    sizes = view.value(node.input[1]) if len(node.input) > 1 else None
    if sizes is None:
        return ""
    shape = shapes[0]
    if sizes.size != len(node.output):
        return f"{sizes.size} sizes for {len(node.output)} outputs"
    whole = shape[attribute(node, "axis", 0)] if shape else None
    return "" if _fit(whole, int(sizes.sum())) else f"it splits {whole} values into {int(sizes.sum())}"


def _squeeze(view: GraphView, node: Any, shapes: list[Shape | None]) -> str:
    shape, listed = shapes[0], attribute(node, "axes")
    if listed is None and len(node.input) > 1:
        value = view.value(node.input[1])
        listed = None if value is None else value.reshape(-1).tolist()
    if node.op_type == "Unsqueeze":
        return "it names no axes" if listed is None and len(node.input) < 2 else ""
    if shape is None:
        return ""
    fixed = [axis for axis in listed or () if -len(shape) <= axis < len(shape) and shape[axis] not in (1, None)]
    return f"axis {fixed[0]} has {shape[fixed[0]]} values, so it cannot be removed" if fixed else ""


def _fit(first: int | None, second: int | None) -> bool:
    return first is None or second is None or first == second


CHECKS: dict[str, Callable[[GraphView, Any, list[Shape | None]], str]] = {
    "MatMul": _matmul,
    "Gemm": _gemm,
    "LayerNormalization": _norm,
    "Transpose": _transpose,
    "Concat": _concat,
    "Reshape": _reshape,
    "Split": _split,
    "Squeeze": _squeeze,
    "Unsqueeze": _squeeze,
}
