"""One graph for each operator and type: the table in `edge_ptf/engines/tensorrt/operator_types.py`, measured again."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from tests.tensorrt.graphs import BFLOAT, BOOL, FLOAT, HALF, INT8, INT32, INT64, ints, model, node, out, scalar

KINDS = {"FP32": FLOAT, "FP16": HALF, "BF16": BFLOAT, "INT32": INT32, "INT64": INT64, "BOOL": BOOL, "INT8": INT8}
SIZES = ("batch", 4, 16)
PLAIN = (
    "Abs Acos Acosh ArgMax ArgMin Asin Asinh Atan Atanh Ceil Celu Cos Cosh Dropout Elu Erf Exp EyeLike Flatten Floor "
    "Gelu GlobalAveragePool GlobalMaxPool HardSigmoid HardSwish Hardmax Identity IsInf IsNaN LeakyRelu Log LogSoftmax "
    "LpNormalization Mish Neg Not RandomNormalLike RandomUniformLike Reciprocal ReduceL1 ReduceL2 ReduceLogSum "
    "ReduceLogSumExp ReduceMax ReduceMean ReduceMin ReduceProd ReduceSum ReduceSumSquare Relu Round Selu Shape Shrink "
    "Sigmoid Sign Sin Sinh Size Softmax Softplus Softsign Sqrt Swish Tan Tanh ThresholdedRelu Transpose Trilu"
)
TWICE = (
    "Add And CastLike Div Equal Greater GreaterOrEqual Less LessOrEqual Max Mean Min Mod Mul Or PRelu Pow Sub Sum Xor"
)
MORE: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {
    "Concat": ("x", {}, {"axis": 1}),
    "CumSum": ("a", {"a": scalar(1, np.int64)}, {}),
    "DepthToSpace": ("", {}, {"blocksize": 2}),
    "Einsum": ("x", {}, {"equation": "bij,bkj->bik"}),
    "Expand": ("s", {"s": ints(1, 1, 16)}, {}),
    "Gather": ("i", {"i": ints(0)}, {"axis": 1}),
    "GatherElements": ("i", {"i": np.zeros((1, 1, 1), np.int64)}, {}),
    "GatherND": ("i", {"i": np.zeros((1, 2), np.int64)}, {}),
    "Pad": ("p", {"p": ints(0, 0, 0, 0, 1, 0)}, {}),
    "Reshape": ("s", {"s": ints(0, 0, 4, 4)}, {}),
    "Slice": ("a b c", {"a": ints(0), "b": ints(1), "c": ints(1)}, {}),
    "Squeeze": ("s", {"s": ints(0)}, {}),
    "Tile": ("s", {"s": ints(1, 2, 1)}, {}),
    "Unsqueeze": ("s", {"s": ints(0)}, {}),
}
"""Further inputs, constants and attributes."""
NORMS = {
    "LayerNormalization": ("one zero", 16, {"axis": -1}),
    "RMSNormalization": ("one", 16, {"axis": -1}),
    "GroupNormalization": ("one zero", 4, {"num_groups": 2}),
    "InstanceNormalization": ("one zero", 4, {}),
    "BatchNormalization": ("one zero zero one", 4, {}),
}
SHAPES: dict[str, tuple[Any, ...]] = {
    "DepthToSpace": (1, 4, 4, 4),
    "EyeLike": (4, 4),
    "GlobalAveragePool": (1, 4, 4, 4),
    "GlobalMaxPool": (1, 4, 4, 4),
    "Squeeze": (1, 4, 16),
    "GatherElements": (1, 4, 16),
}
OPSETS = {"Swish": 24, "HardSwish": 22, "Mish": 22}


def graphs() -> Iterator[tuple[str, Any]]:
    """A name and a model for each operator and type."""
    for name, kind in KINDS.items():
        for operator in (*PLAIN.split(), *TWICE.split(), *MORE):
            yield f"{operator} of {name}", _simple(operator, kind)
        for operator in NORMS:
            yield f"{operator} of {name}", _norm(operator, kind)
        for operator, made in _others(kind).items():
            yield f"{operator} of {name}", made


def _simple(operator: str, kind: int) -> Any:
    extra, constants, attributes = MORE.get(operator, ("x" if operator in TWICE.split() else "", {}, {}))
    if operator == "Hardmax":
        attributes = {"axis": -1}
    return model(
        [node(operator, f"x {extra}".strip(), "y", **attributes)],
        constants,
        inputs={"x": (kind, SHAPES.get(operator, SIZES))},
        outputs=out(kind, None),
        opset=OPSETS.get(operator, 20),
    )


def _norm(operator: str, kind: int) -> Any:
    extra, size, attributes = NORMS[operator]
    nodes = [node("Cast", f"{name}32", name, to=kind) for name in dict.fromkeys(extra.split())]
    constants = {"one32": np.ones(size, np.float32), "zero32": np.zeros(size, np.float32)}
    used = {f"{name}32": constants[f"{name}32"] for name in extra.split()}
    last = node(operator, f"x {extra}", "y", **attributes)
    return model([*nodes, last], used, inputs={"x": (kind, SIZES)}, outputs=out(kind, None), opset=23)


def _others(kind: int) -> dict[str, Any]:
    x = {"x": (kind, SIZES)}
    part = {"x": (kind, (4, 16)), "u": (kind, (1, 16))}
    one = {"x": (kind, (4, 16)), "u": (kind, (1, 1))}
    index = {"i": np.zeros((1, 1), np.int64)}
    y, pair = out(kind, None), {"y": (kind, None), "z": (kind, None)}
    return {
        "MatMul": model(
            [node("Transpose", "x", "t", perm=[0, 2, 1]), node("MatMul", "x t", "y")], inputs=x, outputs=y, opset=20
        ),
        "Gemm": model(
            [node("Transpose", "x", "t", perm=[1, 0]), node("Gemm", "x t", "y")],
            inputs={"x": (kind, ("batch", 16))},
            outputs=y,
            opset=20,
        ),
        "Where": model([node("Where", "c x x", "y")], inputs={**x, "c": (BOOL, SIZES)}, outputs=y, opset=20),
        "Split": model([node("Split", "x", "y z", axis=2, num_outputs=2)], inputs=x, outputs=pair, opset=20),
        "TopK": model(
            [node("TopK", "x k", "y z")], {"k": ints(2)}, inputs=x, outputs={"y": (kind, None), "z": (INT64, None)}
        ),
        "Clip": model(
            [node("Cast", "c", "d", to=kind), node("Clip", "x d d", "y")], {"c": scalar(1.0)}, inputs=x, outputs=y
        ),
        "ScatterND": model([node("ScatterND", "x i u", "y")], index, inputs=part, outputs=y),
        "ScatterElements": model([node("ScatterElements", "x i u", "y")], index, inputs=one, outputs=y),
        "OneHot": model(
            [node("OneHot", "i d x", "y")],
            {"i": ints(1, 2), "d": scalar(4, np.int64)},
            inputs={"x": (kind, (2,))},
            outputs=y,
        ),
    }
