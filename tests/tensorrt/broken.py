"""Small graphs that TensorRT-RTX refuses, and the rule that each breaks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from onnx import TensorProto, helper, numpy_helper
from onnx.external_data_helper import set_external_data

from tests.tensorrt.accepted import FP8, SCALE
from tests.tensorrt.graphs import (
    BFLOAT,
    BOOL,
    FLOAT,
    HALF,
    IDS,
    INT8,
    INT32,
    INT64,
    UINT8,
    WEIGHT,
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

Q, DQ = "QuantizeLinear", "DequantizeLinear"
Made = Callable[[], Any]


def weight(values: Any, scales: Any, zeros: Any | None = None, **attributes: Any) -> Any:
    """A linear op with this weight."""
    names = "wq ws" if zeros is None else "wq ws wz"
    given = {"wq": values, "ws": scales, **({} if zeros is None else {"wz": zeros})}
    return linear(weight=([node(DQ, names, "wd", **{"axis": 1, **attributes})], given))


def before_dq(kind: str, values: Any, extra: str = "", constants: dict[str, Any] | None = None, **given: Any) -> Any:
    """An operator between an INT8 constant and its DequantizeLinear."""
    nodes = [node(kind, f"wq {extra}".strip(), "wt", **given), node(DQ, "wt ws", "wd", axis=1)]
    return linear(weight=(nodes, {"wq": values, "ws": np.full(16, 0.03, np.float32), **(constants or {})}))


def mixed(kind: str, first: str = "x h", **attributes: Any) -> Any:
    """An operator over FP32 and FP16."""
    shapes = {
        "x": (FLOAT, (4, 16)),
        "h": (HALF, (4, 16)),
        "w": (HALF, (16,)),
        "t": (HALF, (16, 4)),
        "c": (BOOL, (4, 16)),
    }
    inputs = {name: shapes[name] for name in dict.fromkeys(first.split())}
    return model([node(kind, first, "y", **attributes)], inputs=inputs, outputs=out(FLOAT, None))


def _conditional(second: Any, kind: int = FLOAT, condition: tuple[int, Any] = (BOOL, ())) -> Any:
    chosen = node("If", "c", "y", then_branch=branch("a", np.ones(3)), else_branch=branch("b", second, kind))
    return model([chosen], inputs={**X, "c": condition}, outputs=out(FLOAT, None))


def _inside(kind: str) -> Any:
    first = branch("a", np.ones(3))
    first.node.append(helper.make_node(kind, ["a"], ["unread"]))
    chosen = node("If", "c", "y", then_branch=first, else_branch=branch("b", np.zeros(3)))
    return model([chosen], inputs={**X, "c": (BOOL, ())}, outputs=out(FLOAT, None))


def _bias_in_int32() -> Any:
    beside, constants = int8_weight()
    made = linear(
        weight=(
            [*beside, node(DQ, "bq bs bz", "bd")],
            {**constants, "bq": np.ones(16, np.int32), "bs": scalar(0.01), "bz": scalar(0, np.int32)},
        )
    )
    made.graph.node[-1].input[1] = "bd"
    return made


def _looked_up(last: list[Any], constants: dict[str, Any]) -> Any:
    table = {"t": np.ones((32, 16), np.int8), **constants}
    return model([node("Gather", "t x", "r"), *last], table, inputs=IDS)


def _outside() -> Any:
    made = model([node("Add", "x w", "y")], {"w": np.ones(16, np.float32)})
    set_external_data(made.graph.initializer[0], "weights.bin")
    made.graph.initializer[0].ClearField("raw_data")
    return made


def _sparse() -> Any:
    made = model([node("Add", "x w", "y")])
    values = numpy_helper.from_array(np.ones(1, np.float32), "w")
    made.graph.sparse_initializer.append(helper.make_sparse_tensor(values, numpy_helper.from_array(ints(0)), [16]))
    return made


def _short() -> Any:
    made = model([node("Add", "x w", "y")], {"w": np.ones(16, np.float32)})
    made.graph.initializer[0].dims[0] = 32
    return made


def _without_outputs() -> Any:
    made = single("Relu")
    made.graph.output.pop()
    return made


ONES, SCALES = np.ones((16, 16), np.int8), np.full(16, 0.03, np.float32)
TWO = {"x": (FLOAT, (2, 16))}
CAST = node("Cast", "x", "i", to=INT64)
BROKEN: dict[str, tuple[str, Made]] = {
    # Q/DQ
    "zero point 128 of UINT8": ("zero-point", lambda: linear(quantized(np.uint8, 128))),
    "zero point 3": ("zero-point", lambda: linear(quantized(np.int8, 3))),
    "zero point of a weight": ("zero-point", lambda: weight(ONES, SCALES, np.ones(16, np.int8))),
    "zero point as input": (
        "zero-point",
        lambda: linear(
            ([node(Q, "x s z", "xq"), node(DQ, "xq s z", "xd")], {"s": scalar(0.05)}), inputs={**X, "z": (INT8, ())}
        ),
    ),
    "two zero points": (
        "zero-point",
        lambda: linear(
            ([node(Q, "x s z", "xq"), node(DQ, "xq s z", "xd")], {"s": scalar(0.05), "z": np.zeros(2, np.int8)})
        ),
    ),
    "weight of UINT8": ("uint8", lambda: weight(np.ones((16, 16), np.uint8), SCALES, np.zeros(16, np.uint8))),
    "input of UINT8": (
        "uint8",
        lambda: model(
            [node(DQ, "x s z", "y")],
            {"s": scalar(0.05), "z": scalar(0, np.uint8)},
            inputs={"x": (UINT8, ("batch", "length", 16))},
        ),
    ),
    "output_dtype UINT8": (
        "output-type",
        lambda: model([node(Q, "x s", "q", output_dtype=UINT8), node(DQ, "q s", "y")], {"s": scalar(0.05)}, opset=21),
    ),
    "scale 0": ("scale", lambda: linear(quantized(scale=scalar(0.0)))),
    "negative scale": ("scale", lambda: linear(quantized(scale=scalar(-0.1)))),
    "scale that is no number": ("scale", lambda: linear(quantized(scale=scalar(np.nan)))),
    "empty scale": ("scale", lambda: linear(quantized(scale=np.zeros(0, np.float32)))),
    "no scale": ("scale", lambda: model([node(Q, "x", "q"), node(DQ, "q s", "y")], {"s": scalar(0.05)})),
    "INT64 scale": ("scale-type", lambda: linear(quantized(scale=scalar(1, np.int64)))),
    "too few scales": ("axis", lambda: linear(weight=int8_weight(1, 8))),
    "axis 2 of a weight": ("axis", lambda: linear(weight=int8_weight(2))),
    "axis -3 of a weight": ("axis", lambda: linear(weight=int8_weight(-3))),
    "axis of ONNX, not of TensorRT": (
        "axis",
        lambda: model(
            [node(DQ, "wq ws", "wd"), node("MatMul", "x wd", "y")],
            {"wq": np.ones((16, 8), np.int8), "ws": SCALES},
            outputs=out(FLOAT, None),
        ),
    ),
    "channels along an axis that changes": (
        "axis",
        lambda: linear(quantized(scale=np.full(4, 0.05, np.float32), axis=1)),
    ),
    "scales of two axes": ("blocks", lambda: weight(ONES, np.full((1, 16), 0.03, np.float32))),
    "scales of three axes": ("blocks", lambda: weight(ONES, np.full((1, 1, 16), 0.03, np.float32))),
    "one scale of two axes": ("blocks", lambda: linear(quantized(scale=np.full((1, 1), 0.05, np.float32)))),
    "blocks that do not fit": (
        "blocks",
        lambda: linear(weight=int4_weight(np.ones((3, 16)), axis=0, block_size=6), opset=21),
    ),
    "INT4 by INT8": ("int4-and-int8", lambda: linear(weight=int4_weight(np.ones(1).reshape(())), opset=21)),
    "INT4 blocks by INT8": (
        "int4-and-int8",
        lambda: linear(weight=int4_weight(np.ones((2, 16)), axis=0, block_size=8), opset=21),
    ),
    "FP8 on an old GPU": ("fp8", lambda: FP8),
    "Q of INT8": (
        "quantize-type",
        lambda: model([node(Q, "x s z", "q"), node(Q, "q s z", "r"), node(DQ, "r s z", "y")], SCALE),
    ),
    "Q of tokens": (
        "quantize-type",
        lambda: model([node(Q, "x s z", "q"), node(DQ, "q s z", "y")], SCALE, inputs=IDS, outputs=out(FLOAT, None)),
    ),
    "DQ of FP32": ("dequantize-type", lambda: model([node(DQ, "x s", "y")], {"s": scalar(0.05)})),
    "DQ of DQ": (
        "dequantize-type",
        lambda: model([node(Q, "x s z", "q"), node(DQ, "q s z", "d"), node(DQ, "d s z", "y")], SCALE),
    ),
    "bias in INT32": ("dequantize-type", _bias_in_int32),
    "INT8 into a matmul": (
        "dangling-int8",
        lambda: model(
            [*quantized()[0][:1], node("Transpose", "xq", "t", perm=[0, 2, 1]), node("MatMul", "xq t", "y")],
            quantized()[1],
            outputs=out(INT8, None),
        ),
    ),
    "INT8 into a softmax": (
        "dangling-int8",
        lambda: model([node(Q, "x s z", "q"), node("Softmax", "q", "r"), node(DQ, "r s z", "y")], SCALE),
    ),
    "INT8 weight into a matmul": (
        "quantized-constant",
        lambda: model([node(Q, "x s z", "q"), node("MatMul", "q w", "y")], {**SCALE, "w": ONES}, outputs=out(INT8)),
    ),
    "INT8 weight converted by Cast": (
        "quantized-constant",
        lambda: model([node("Cast", "w", "wf", to=FLOAT), node("MatMul", "x wf", "y")], {"w": ONES}),
    ),
    "INT8 weight transposed first": ("quantized-constant", lambda: before_dq("Transpose", ONES, perm=[1, 0])),
    "INT8 weight reshaped first": (
        "quantized-constant",
        lambda: before_dq("Reshape", np.ones(256, np.int8), "sh", {"sh": ints(16, 16)}),
    ),
    "INT8 constant as output": (
        "quantized-constant",
        lambda: model(
            [node("Relu", "x", "y"), node("Identity", "c", "z")],
            {"c": np.ones(4, np.int8)},
            outputs={"y": X["x"], "z": (INT8, None)},
        ),
    ),
    "INT8 table": (
        "quantized-constant",
        lambda: _looked_up(
            [node("Gather", "ts x", "s"), node("Cast", "r", "f", to=FLOAT), node("Mul", "f s", "y")],
            {"ts": np.ones((32, 1), np.float32)},
        ),
    ),
    "INT8 table before DQ": ("quantized-constant", lambda: _looked_up([node(DQ, "r s z", "y")], SCALE)),
    # operators
    "dynamic INT8": ("dynamic-int8", lambda: model([node("DynamicQuantizeLinear", "x", "y s z")], outputs=out(UINT8))),
    "MatMulInteger": (
        "dynamic-int8",
        lambda: model(
            [node("Cast", "x", "q", to=INT8), node("MatMulInteger", "q w", "y")], {"w": ONES}, outputs=out(INT32)
        ),
    ),
    "QAttention": ("dynamic-int8", lambda: single("QAttention", domain="com.microsoft", domains=["com.microsoft"])),
    "operator of ONNX Runtime": (
        "domain",
        lambda: single("FastGelu", domain="com.microsoft", domains=["com.microsoft"]),
    ),
    "INT4 table of ONNX Runtime": (
        "domain",
        lambda: single("GatherBlockQuantized", domain="com.microsoft", domains=["com.microsoft"]),
    ),
    "operator of somebody": ("domain", lambda: single("Evil", domain="evil", domains=["evil"])),
    "operator that nobody has": ("operator", lambda: single("Evil")),
    "Unique": ("operator", lambda: single("Unique", outputs=out(FLOAT, None))),
    "Bernoulli": ("operator", lambda: single("Bernoulli")),
    "NonZero": ("operator", lambda: single("NonZero", outputs=out(INT64, None))),
    "Attention": (
        "operator",
        lambda: model(
            [node("Attention", "x x x", "y", q_num_heads=2, kv_num_heads=2)], opset=23, outputs=out(FLOAT, None)
        ),
    ),
    "operator inside a branch": ("operator", lambda: _inside("Unique")),
    "two outputs of LayerNormalization": (
        "outputs",
        lambda: model(
            [node("LayerNormalization", "x g g", "y m", axis=-1)],
            {"g": np.ones(16, np.float32)},
            outputs={"y": (FLOAT, None), "m": (FLOAT, None)},
        ),
    ),
    "one output of TopK": ("outputs", lambda: single("TopK", "k", {"k": ints(1)}, outputs=out(FLOAT, None))),
    "ScatterND that adds": (
        "attribute",
        lambda: single(
            "ScatterND",
            "i u",
            {"i": np.zeros((1, 3), np.int64), "u": np.ones(1, np.float32)},
            opset=18,
            reduction="add",
        ),
    ),
    "matmul of one input": ("inputs", lambda: single("MatMul")),
    # types
    "FP16 and FP32 in Add": ("mixed-types", lambda: mixed("Add")),
    "FP16 and FP32 in MatMul": ("mixed-types", lambda: mixed("MatMul", "x t")),
    "FP16 and FP32 in Where": ("mixed-types", lambda: mixed("Where", "c x h")),
    "FP16 and FP32 in Concat": ("mixed-types", lambda: mixed("Concat", axis=1)),
    "FP16 and FP32 in LayerNormalization": ("mixed-types", lambda: mixed("LayerNormalization", "x w w", axis=-1)),
    "FP32 weight behind FP16": (
        "mixed-types",
        lambda: linear(
            quantized(scale=scalar(0.05, np.float16)),
            inputs=H,
            outputs=out(HALF),
            opset=19,
            constants={"bias": np.zeros(16, np.float16)},
        ),
    ),
    "square root of INT64": ("type", lambda: model([CAST, node("Sqrt", "i", "y")], outputs=out(INT64, None))),
    "matmul of INT64": (
        "type",
        lambda: model([CAST, node("MatMul", "i w", "y")], {"w": np.ones((16, 4), np.int64)}, outputs=out(INT64, None)),
    ),
    "And of FP32": ("type", lambda: single("And", "x", outputs=out(BOOL))),
    "Celu of FP16": ("type", lambda: single("Celu", inputs=H, outputs=out(HALF))),
    "Cast to INT16": ("cast", lambda: model([node("Cast", "x", "u", to=5), node("Cast", "u", "y", to=FLOAT)])),
    "Cast to UINT8 inside": (
        "cast",
        lambda: model([node("Cast", "x", "u", to=UINT8), node("Cast", "u", "y", to=FLOAT)]),
    ),
    "Cast to a string": ("cast", lambda: model([node("Cast", "x", "y", to=8)], outputs=out(TensorProto.STRING))),
    "FP32 indices": ("index-type", lambda: single("Gather", "i", {"i": scalar(0.0)}, outputs=out(FLOAT, None))),
    "FP32 condition": ("condition-type", lambda: single("Where", "x x")),
    "string input": (
        "input-type",
        lambda: single(
            "Identity", inputs={"x": (TensorProto.STRING, ("batch",))}, outputs=out(TensorProto.STRING, None)
        ),
    ),
    "INT16 input": (
        "input-type",
        lambda: single("Cast", inputs={"x": (TensorProto.INT16, ("batch",))}, outputs=out(FLOAT, None), to=FLOAT),
    ),
    "INT16 constant": ("constant-type", lambda: single("Relu", "", {"c": np.ones(4, np.int16)})),
    "UINT32 constant": ("constant-type", lambda: single("Relu", "", {"c": np.ones(4, np.uint32)})),
    # shapes
    "widths of a matmul": ("shape", lambda: single("MatMul", "w", {"w": WEIGHT[:8]}, outputs=out(FLOAT, None))),
    "broadcast": ("shape", lambda: single("Add", "w", {"w": np.ones(8, np.float32)}, outputs=out(FLOAT, None))),
    "Concat of other sizes": (
        "shape",
        lambda: single(
            "Concat", "w", {"w": np.ones((2, 15), np.float32)}, inputs=TWO, axis=0, outputs=out(FLOAT, None)
        ),
    ),
    "scale of LayerNormalization": (
        "shape",
        lambda: single(
            "LayerNormalization", "g", {"g": np.ones(8, np.float32)}, inputs=TWO, axis=-1, outputs=out(FLOAT, None)
        ),
    ),
    "Reshape": ("shape", lambda: single("Reshape", "s", {"s": ints(7, 3)}, inputs=TWO, outputs=out(FLOAT, None))),
    "axis 7": ("shape", lambda: single("Softmax", axis=7)),
    "Transpose": ("shape", lambda: single("Transpose", perm=[0, 1, 1], outputs=out(FLOAT, None))),
    "Gemm of three axes": ("shape", lambda: single("Gemm", "w", {"w": WEIGHT}, outputs=out(FLOAT, None))),
    "Split into other sizes": (
        "shape",
        lambda: model(
            [node("Split", "x s", "y z", axis=2)], {"s": ints(8, 9)}, outputs={"y": (FLOAT, None), "z": (FLOAT, None)}
        ),
    ),
    "nine axes": ("rank", lambda: single("Relu", inputs={"x": (FLOAT, (1,) * 9)}, outputs=out(FLOAT, None))),
    "axes as input": (
        "computed-axes",
        lambda: single("ReduceSum", "a", inputs={**X, "a": (INT64, (1,))}, outputs=out(FLOAT, None)),
    ),
    "shape as input": (
        "value-dependent-shape",
        lambda: single("Reshape", "a", inputs={**X, "a": (INT64, (3,))}, outputs=out(FLOAT, None)),
    ),
    # control flow
    "branches of two types": ("branches", lambda: _conditional(np.zeros(3), INT64)),
    "branches of two ranks": ("branches", lambda: _conditional(np.zeros((3, 1)))),
    "condition of FP32": ("condition-type", lambda: _conditional(np.zeros(3), condition=(FLOAT, ()))),
    "two conditions": ("condition-size", lambda: _conditional(np.zeros(3), condition=(BOOL, (2,)))),
    # structure
    "unknown input": ("unknown-tensor", lambda: single("Add", "nowhere")),
    "unknown output": ("unknown-output", lambda: model([node("Relu", "x", "h")])),
    "no output": ("no-output", _without_outputs),
    "cycle": ("order", lambda: model([node("Add", "h x", "y"), node("Tanh", "y", "h")])),
    "written twice": ("order", lambda: model([node("Relu", "x", "h"), node("Tanh", "x", "h"), node("Relu", "h", "y")])),
    "input that is written": ("order", lambda: model([node("Relu", "x", "x")], outputs=X)),
    "weights in another file": ("external-data", _outside),
    "sparse weight": ("sparse", _sparse),
    "constant without its values": ("constant-size", _short),
}
NOT_OF_RTX = {"BF16 on TensorRT 8.6": ("bfloat16", lambda: single("Relu", inputs={"x": (BFLOAT, ("batch",))}))}
