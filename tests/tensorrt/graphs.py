"""The parts of small graphs. They are made here, so that no graph is committed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from onnx import TensorProto, helper, numpy_helper

FLOAT, HALF, BFLOAT, DOUBLE = TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.BFLOAT16, TensorProto.DOUBLE
INT8, UINT8, INT64, INT32, BOOL = (
    TensorProto.INT8,
    TensorProto.UINT8,
    TensorProto.INT64,
    TensorProto.INT32,
    TensorProto.BOOL,
)
WIDTH = 16
DRAW = np.random.default_rng(0)
WEIGHT = DRAW.normal(size=(WIDTH, WIDTH)).astype(np.float32)
Shape = Sequence[str | int] | None


def node(kind: str, inputs: str, outputs: str, **attributes: Any) -> Any:
    """A node; names are separated by spaces, and `-` is an input that is not given."""
    names = [name.strip("-") for name in inputs.split()]
    return helper.make_node(kind, names, outputs.split(), outputs.split(maxsplit=1)[0], **attributes)


def model(
    nodes: Sequence[Any],
    constants: Mapping[str, Any] | None = None,
    *,
    opset: int = 17,
    inputs: Mapping[str, tuple[int, Shape]] | None = None,
    outputs: Mapping[str, tuple[int, Shape]] | None = None,
    domains: Sequence[str] = (),
) -> Any:
    """A model. By default it reads `x`, FP32 [batch, length, 16], and gives `y` of the same shape."""
    form = {"x": (FLOAT, ("batch", "length", WIDTH))}
    ins = [helper.make_tensor_value_info(name, *form) for name, form in (inputs or form).items()]
    outs = [helper.make_tensor_value_info(name, *form) for name, form in (outputs or {"y": form["x"]}).items()]
    tensors = [
        numpy_helper.from_array(value, name) if isinstance(value, np.ndarray) else value
        for name, value in (constants or {}).items()
    ]
    made = helper.make_graph(list(nodes), "graph", ins, outs, tensors)
    opsets = [helper.make_opsetid("", opset), *(helper.make_opsetid(name, 1) for name in domains)]
    return helper.make_model(made, opset_imports=opsets, ir_version=10)


def scalar(value: float, kind: Any = np.float32) -> Any:
    """A constant without axes."""
    return np.array(value, kind)


def ints(*values: int) -> Any:
    """A constant shape."""
    return np.array(values, np.int64)


def raw(name: str, kind: int, dims: Sequence[int], content: bytes) -> Any:
    """A constant of a type that numpy does not have."""
    return helper.make_tensor(name, kind, dims, content, raw=True)


def quantized(
    kind: Any = np.int8, zero: int = 0, scale: Any = None, out: str = "xd", source: str = "x", **attributes: Any
) -> tuple[list[Any], dict[str, Any]]:
    """Q and DQ of an activation, and their constants."""
    scales = np.array(0.05, np.float32) if scale is None else scale
    nodes = [
        node("QuantizeLinear", f"{source} xs xz", "xq", **attributes),
        node("DequantizeLinear", "xq xs xz", out, **attributes),
    ]
    return nodes, {"xs": scales, "xz": np.full(np.shape(scales), zero, kind)}


def int8_weight(axis: int = 1, size: int = WIDTH) -> tuple[list[Any], dict[str, Any]]:
    """A weight in INT8, with one scale for each index of an axis."""
    values = np.clip(np.rint(WEIGHT / 0.03), -127, 127).astype(np.int8)
    constants = {"wq": values, "ws": np.full(size, 0.03, np.float32), "wz": np.zeros(size, np.int8)}
    return [node("DequantizeLinear", "wq ws wz", "wd", axis=axis)], constants


def linear(
    activation: tuple[list[Any], dict[str, Any]] | None = None,
    weight: tuple[list[Any], dict[str, Any]] | None = None,
    **options: Any,
) -> Any:
    """One linear op, with Q/DQ at its input and its weight."""
    before, first = activation if activation is not None else quantized()
    beside, second = weight if weight is not None else int8_weight()
    given = options.pop("constants", {})
    nodes = [*before, *beside, node("MatMul", "xd wd", "m"), node("Add", "m bias", "y")]
    return model(nodes, {**first, **second, "bias": np.zeros(WIDTH, np.float32), **given}, **options)


def single(kind: str, extra: str = "", constants: Mapping[str, Any] | None = None, **given: Any) -> Any:
    """One operator over `x`."""
    options = {key: given.pop(key) for key in ("opset", "inputs", "outputs", "domains") if key in given}
    return model([node(kind, f"x {extra}".strip(), "y", **given)], constants or {}, **options)


X = {"x": (FLOAT, ("batch", "length", WIDTH))}
H = {"x": (HALF, ("batch", "length", WIDTH))}
IDS = {"x": (INT64, ("batch", "length"))}


def out(kind: int, shape: Shape = ("batch", "length", WIDTH)) -> dict[str, tuple[int, Shape]]:
    """The output `y`."""
    return {"y": (kind, shape)}


def int4_weight(scales: Any, **attributes: Any) -> tuple[list[Any], dict[str, Any]]:
    """A weight in INT4, with scales by channel or by block."""
    values = raw("wq", TensorProto.INT4, (WIDTH, WIDTH), bytes([0x21] * (WIDTH * WIDTH // 2)))
    return [node("DequantizeLinear", "wq ws", "wd", **attributes)], {"wq": values, "ws": scales.astype(np.float32)}


def branch(name: str, values: Any, kind: int = FLOAT) -> Any:
    """A branch of If that gives a constant."""
    given = values.astype(helper.tensor_dtype_to_np_dtype(kind))
    result = helper.make_tensor_value_info(name, kind, given.shape)
    return helper.make_graph([node("Constant", "", name, value=numpy_helper.from_array(given))], name, [], [result])
