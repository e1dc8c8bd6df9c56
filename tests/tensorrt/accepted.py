"""Small graphs that TensorRT-RTX builds an engine from."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from tests.tensorrt.graphs import (
    BFLOAT,
    BOOL,
    DOUBLE,
    FLOAT,
    HALF,
    IDS,
    INT8,
    INT32,
    INT64,
    UINT8,
    WEIGHT,
    WIDTH,
    H,
    X,
    branch,
    int4_weight,
    int8_weight,
    ints,
    linear,
    model,
    node,
    out,
    quantized,
    scalar,
    single,
)

ONE_SCALE = {"wq": np.ones((16, 16), np.int8), "ws": scalar(0.03), "wz": scalar(0, np.int8)}
SCALE = {"s": scalar(0.05), "z": scalar(0, np.int8)}
HALF_WEIGHT = (
    [node("DequantizeLinear", "wq ws wz", "wd", axis=1)],
    {"wq": np.ones((16, 16), np.int8), "ws": np.full(16, 0.03, np.float16), "wz": np.zeros(16, np.int8)},
)


def between(kind: str, extra: str = "", constants: dict[str, Any] | None = None, **attributes: Any) -> Any:
    """An operator that moves INT8 values, between QuantizeLinear and DequantizeLinear."""
    nodes = [
        node("QuantizeLinear", "x s z", "q"),
        node(kind, f"q {extra}".strip(), "r", **attributes),
        node("DequantizeLinear", "r s z", "y"),
    ]
    return model(nodes, {**SCALE, **(constants or {})}, outputs=out(FLOAT, None))


def _half() -> Any:
    given = {"inputs": H, "outputs": out(HALF), "constants": {"bias": np.zeros(16, np.float16)}}
    return linear(quantized(scale=scalar(0.05, np.float16)), HALF_WEIGHT, opset=19, **given)


def _weight_quantized_in_the_graph() -> Any:
    nodes = [node("QuantizeLinear", "w ws wz", "wq", axis=1), node("DequantizeLinear", "wq ws wz", "wd", axis=1)]
    return linear(weight=(nodes, {"w": WEIGHT, "ws": np.full(16, 0.03, np.float32), "wz": np.zeros(16, np.int8)}))


def _attention() -> Any:
    before, constants = quantized()
    nodes = [
        *before,
        node("Transpose", "xd", "t", perm=[0, 2, 1]),
        node("MatMul", "xd t", "p"),
        node("Softmax", "p", "weights", axis=-1),
        node("MatMul", "weights x", "y"),
    ]
    return model(nodes, constants)


def _conditional(condition: bool) -> Any:
    chosen = node("If", "c", "y", then_branch=branch("a", np.ones(3)), else_branch=branch("b", np.zeros(4)))
    inputs = X if condition else {**X, "c": (BOOL, ())}
    return model([chosen], {"c": np.array(True)} if condition else {}, inputs=inputs, outputs=out(FLOAT, None))


def _loop() -> Any:
    again, done = (helper.make_tensor_value_info(name, BOOL, []) for name in ("again", "done"))
    before, after = (helper.make_tensor_value_info(name, FLOAT, None) for name in ("before", "after"))
    turn = helper.make_tensor_value_info("turn", INT64, [])
    nodes = [helper.make_node("Identity", ["again"], ["done"]), helper.make_node("Relu", ["before"], ["after"])]
    body = helper.make_graph(nodes, "body", [turn, again, before], [done, after])
    constants = {"n": scalar(3, np.int64), "yes": np.array(True)}
    return model([node("Loop", "n yes x", "y", body=body)], constants, outputs=out(FLOAT, None))


def _function() -> Any:
    made = single("Twice", domain="local", domains=["local"])
    inner = [helper.make_node("Add", ["a", "a"], ["b"])]
    made.functions.append(helper.make_function("local", "Twice", ["a"], ["b"], inner, [helper.make_opsetid("", 17)]))
    return made


def _sliced() -> Any:
    nodes = [node("Shape", "x", "s"), node("Gather", "s one", "e", axis=0), node("Slice", "x zero e one", "y")]
    return model(nodes, {"one": ints(1), "zero": ints(0)}, outputs=out(FLOAT, None))


def _bfloat() -> Any:
    nodes = [
        node("Cast", "x", "h", to=BFLOAT),
        node("Transpose", "h", "t", perm=[0, 2, 1]),
        node("MatMul", "h t", "p"),
        node("Cast", "p", "y", to=FLOAT),
    ]
    return model(nodes, outputs=out(FLOAT, None))


def _table(kind: Any) -> Any:
    nodes = [node("Gather", "t x", "r"), node("Cast", "r", "y", to=FLOAT)]
    return model(nodes, {"t": np.ones((32, 16), kind)}, inputs=IDS)


def _dequantized_table() -> Any:
    nodes = [node("DequantizeLinear", "t s z", "d", axis=0), node("Gather", "d x", "y")]
    constants = {"t": np.ones((32, 16), np.int8), "s": np.ones(32, np.float32), "z": np.zeros(32, np.int8)}
    return model(nodes, constants, inputs=IDS)


def _given_zero(kind: Any) -> Any:
    return linear(quantized(kind))


NORM = {"g": np.ones(WIDTH, np.float32)}
Q = "QuantizeLinear"
ACCEPTED: dict[str, Callable[[], Any]] = {
    "Q/DQ": linear,
    "Q/DQ with the weight's axis 0": lambda: linear(weight=int8_weight(0)),
    "Q/DQ with the weight's last axis": lambda: linear(weight=int8_weight(-1)),
    "Q/DQ with one scale of the weight": lambda: linear(
        weight=([node("DequantizeLinear", "wq ws wz", "wd")], ONE_SCALE)
    ),
    "Q/DQ in FP16": _half,
    "Q/DQ of an FP32 weight": _weight_quantized_in_the_graph,
    "Q/DQ without zero points": lambda: linear(
        ([node(Q, "x xs", "xq"), node("DequantizeLinear", "xq xs", "xd")], {"xs": scalar(0.05)})
    ),
    "Q/DQ with a computed scale": lambda: linear(
        (
            [node("ReduceMax", "x", "s", keepdims=0), node(Q, "x s z", "xq"), node("DequantizeLinear", "xq s z", "xd")],
            {"z": scalar(0, np.int8)},
        )
    ),
    "Q/DQ with the scale as input": lambda: linear(
        ([node(Q, "x s z", "xq"), node("DequantizeLinear", "xq s z", "xd")], {"z": scalar(0, np.int8)}),
        inputs={**X, "s": (FLOAT, ())},
    ),
    "Q/DQ with an INT32 zero point": lambda: _given_zero(np.int32),
    "Q/DQ with an FP64 scale": lambda: linear(quantized(scale=scalar(0.05, np.float64))),
    "Q/DQ to FP16 by the scale": lambda: model(
        quantized(out="y")[0], quantized(scale=scalar(0.05, np.float16))[1], outputs=out(HALF), opset=19
    ),
    "Q/DQ by output_dtype": lambda: model(
        [node(Q, "x s", "q", output_dtype=INT8), node("DequantizeLinear", "q s", "y")], {"s": scalar(0.05)}, opset=21
    ),
    "attention with Q/DQ": _attention,
    "residual with Q/DQ": lambda: model([*quantized()[0], node("Add", "xd x", "y")], quantized()[1]),
    "Q and Transpose": lambda: between("Transpose", perm=[0, 2, 1]),
    "Q and Reshape": lambda: between("Reshape", "sh", {"sh": ints(0, 0, 4, 4)}),
    "Q and Gather": lambda: between("Gather", "i", {"i": ints(0)}, axis=1),
    "Q and Concat": lambda: between("Concat", "q", axis=1),
    "Q and Relu": lambda: between("Relu"),
    "Q unread": lambda: model([node(Q, "x s z", "q"), node("Relu", "x", "y")], SCALE),
    "Q as output": lambda: model([node(Q, "x s z", "y")], SCALE, outputs=out(INT8)),
    "INT8 input": lambda: model(
        [node("DequantizeLinear", "x s z", "y")], SCALE, inputs={"x": (INT8, ("batch", "length", 16))}
    ),
    "weight of INT8 alone": lambda: model([*int8_weight()[0], node("MatMul", "x wd", "y")], int8_weight()[1]),
    "INT8 weight, transposed later": lambda: linear(
        weight=(
            [node("DequantizeLinear", "wq ws wz", "w0", axis=0), node("Transpose", "w0", "wd", perm=[1, 0])],
            int8_weight()[1],
        )
    ),
    "INT8 weight read twice": lambda: linear(
        weight=([*int8_weight()[0], node("DequantizeLinear", "wq ws wz", "again", axis=1)], int8_weight()[1])
    ),
    "INT4 weight in blocks": lambda: model(
        [*int4_weight(np.ones((2, 16)), axis=0, block_size=8)[0], node("MatMul", "x wd", "y")],
        int4_weight(np.ones((2, 16)))[1],
        opset=21,
    ),
    "INT4 weight by channel, INT8 activation": lambda: linear(weight=int4_weight(np.ones(16), axis=1), opset=21),
    "table in FP16": lambda: _table(np.float16),
    "table in FP32": lambda: _table(np.float32),
    "table with DequantizeLinear": _dequantized_table,
    "BF16": _bfloat,
    "FP64 is converted": lambda: model(
        [node("Cast", "x", "d", to=DOUBLE), node("Sqrt", "d", "e"), node("Cast", "e", "y", to=FLOAT)]
    ),
    "FP64 input": lambda: model(
        [node("Cast", "x", "y", to=FLOAT)], inputs={"x": (DOUBLE, ("batch", 16))}, outputs=out(FLOAT, None)
    ),
    "UINT8 input": lambda: model(
        [node("Cast", "x", "y", to=FLOAT)], inputs={"x": (UINT8, ("batch", 16))}, outputs=out(FLOAT, None)
    ),
    "UINT8 output": lambda: model([node("Cast", "x", "y", to=UINT8)], outputs=out(UINT8)),
    "INT32 tokens": lambda: model(
        [node("Gather", "t x", "y")], {"t": np.ones((32, 16), np.float32)}, inputs={"x": (INT32, ("batch", "length"))}
    ),
    "Where": lambda: model([node("Greater", "x c", "g"), node("Where", "g x c", "y")], {"c": scalar(0.0)}),
    "Pow with an INT64 exponent": lambda: model([node("Pow", "x c", "y")], {"c": ints(2)}),
    "Mod of FP32": lambda: model([node("Mod", "x c", "y", fmod=1)], {"c": scalar(3.0)}),
    "infinite constant": lambda: model([node("Add", "x c", "y")], {"c": scalar(-np.inf)}),
    "INT64 beyond 32 bits": lambda: model(
        [node("Add", "x c", "y")], {"c": ints(2**40)}, inputs=IDS, outputs=out(INT64, None)
    ),
    "Gelu": lambda: single("Gelu", opset=20),
    "Erf": lambda: single("Erf"),
    "LayerNormalization": lambda: single("LayerNormalization", "g g", NORM, axis=-1),
    "LayerNormalization of operator set 13": lambda: single("LayerNormalization", "g", NORM, axis=-1, opset=13),
    "RMSNormalization": lambda: single("RMSNormalization", "g", NORM, axis=-1, opset=23),
    "Softmax": lambda: single("Softmax", axis=-1),
    "ReduceMean": lambda: single("ReduceMean", "a", {"a": ints(-1)}, opset=18, outputs=out(FLOAT, None)),
    "ReduceSum with computed axes": lambda: model(
        [node("Cast", "a0", "a", to=INT64), node("ReduceSum", "x a", "y")],
        {"a0": np.array([1.0], np.float32)},
        outputs=out(FLOAT, None),
    ),
    "CumSum": lambda: single("CumSum", "a", {"a": scalar(1, np.int64)}),
    "TopK": lambda: model(
        [node("TopK", "x k", "y i", axis=-1)], {"k": ints(2)}, outputs={"y": (FLOAT, None), "i": (INT64, None)}
    ),
    "Einsum": lambda: single("Einsum", "x", equation="bij,bkj->bik", outputs=out(FLOAT, None)),
    "Dropout": lambda: single("Dropout"),
    "Unsqueeze of operator set 11": lambda: single("Unsqueeze", axes=[0], opset=11, outputs=out(FLOAT, None)),
    "Squeeze without axes": lambda: single("Squeeze", outputs=out(FLOAT, None)),
    "Slice by a shape": _sliced,
    "Expand to a shape": lambda: model(
        [node("Shape", "x", "s"), node("Expand", "c s", "y")], {"c": scalar(1.0)}, outputs=out(FLOAT, None)
    ),
    "indices as input": lambda: model(
        [node("Gather", "x a", "y", axis=1)], inputs={**X, "a": (INT64, (1,))}, outputs=out(FLOAT, None)
    ),
    "If": lambda: _conditional(False),
    "If with a constant condition": lambda: _conditional(True),
    "Loop": _loop,
    "function of its own": _function,
    "GELU of ONNX Runtime's domain": lambda: single("Gelu", domain="com.microsoft", domains=["com.microsoft"]),
    "nodes in another order": lambda: model([node("Relu", "h", "y"), node("Tanh", "x", "h")]),
    "input without a rank": lambda: single("Relu", inputs={"x": (FLOAT, None)}, outputs=out(FLOAT, None)),
    "eight axes": lambda: single("Relu", inputs={"x": (FLOAT, (1,) * 8)}, outputs=out(FLOAT, None)),
    "broadcast of sizes that change": lambda: model(
        [node("Add", "x z", "y")],
        inputs={"x": (FLOAT, ("a", 16)), "z": (FLOAT, ("b", 16))},
        outputs=out(FLOAT, None),
    ),
    "constant as output": lambda: model(
        [node("Identity", "c", "y")], {"c": np.ones(3, np.float32)}, outputs=out(FLOAT, None)
    ),
    "Constant node": lambda: model(
        [node("Constant", "", "c", value=numpy_helper.from_array(np.ones(16, np.float32))), node("Add", "x c", "y")]
    ),
    "operator set 9": lambda: single("Relu", opset=9),
    "operator set 24": lambda: single("Swish", opset=24),
}
FP8 = model(
    [node(Q, "x s z", "q"), node("DequantizeLinear", "q s z", "d"), node("MatMul", "d w", "y")],
    {"s": scalar(0.05), "z": helper.make_tensor("z", TensorProto.FLOAT8E4M3FN, [], [0.0]), "w": WEIGHT},
    opset=19,
)
"""Accepted from compute capability 8.9 on."""
