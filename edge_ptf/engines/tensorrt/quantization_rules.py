"""Rules about QuantizeLinear and DequantizeLinear: TensorRT quantizes symmetrically, with Q/DQ nodes in the graph."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from onnx import TensorProto

from edge_ptf.engines.tensorrt.findings import Finding
from edge_ptf.engines.tensorrt.graph_view import DEQUANTIZE, QUANTIZE, GraphView, attribute
from edge_ptf.engines.tensorrt.operator_rules import where
from edge_ptf.engines.tensorrt.operator_types import FLOAT, FLOATS, INT8, QUANTIZED, UINT8, name_of
from edge_ptf.engines.tensorrt.targets import Target

SIGNED = "Quantize with --activation int8 --symmetric-activation"
FP8 = TensorProto.FLOAT8E4M3FN
FP8_CAPABILITY = 89
"""The first compute capability (8.9) with FP8."""


def check_quantization(view: GraphView, node: Any, target: Target, capability: int) -> Iterator[Finding]:
    """All rules about a Q/DQ node, and about INT8 constants that other nodes read."""
    if node.op_type not in (QUANTIZE, DEQUANTIZE):
        yield from _constants_elsewhere(view, node)
        yield from _int4_beside_int8(view, node)
        return
    if len(node.input) < 2:
        yield Finding("scale", where(node), "it has no scale", "Give it a scale")
        return
    yield from _types(view, node, target, capability)
    yield from _scale(view, node)
    yield from _zero_point(view, node, target)
    yield from _channels(view, node, target)


def check_outputs(view: GraphView) -> Iterator[Finding]:
    """A quantized constant must not be an output of the graph."""
    for name in view.outputs:
        if view.is_constant(name) and view.types.get(name) in QUANTIZED:
            yield _constant(name, "the graph")


def _types(view: GraphView, node: Any, target: Target, capability: int) -> Iterator[Finding]:
    data, scale = (view.types.get(name, 0) for name in node.input[:2])
    if node.op_type == QUANTIZE and data and data not in FLOATS:
        yield Finding(
            "quantize-type", where(node), f"QuantizeLinear reads {name_of(data)}", "It needs FP32, FP16 or BF16"
        )
    if node.op_type == DEQUANTIZE and data == UINT8:
        yield Finding("uint8", where(node), "the quantized values are UINT8", SIGNED)
    elif node.op_type == DEQUANTIZE and data and data not in QUANTIZED:
        advice = "Leave biases in floating point" if data == TensorProto.INT32 else "It needs INT8"
        yield Finding("dequantize-type", where(node), f"DequantizeLinear reads {name_of(data)}", advice)
    if scale and scale not in FLOATS:
        yield Finding("scale-type", where(node), f"its scale is {name_of(scale)}", "Use FP32")
    if scale and scale != FLOAT and scale in FLOATS and not target.typed:
        yield Finding("scale-type", where(node), f"{target.title} reads scales as FP32", "Use FP32 scales")
    result = view.types.get(node.output[0]) if node.op_type == QUANTIZE else data
    if result == FP8 and capability < FP8_CAPABILITY:
        yield Finding("fp8", where(node), "a GPU of compute capability below 8.9 has no FP8", "Use INT8")
    asked = attribute(node, "output_dtype", 0)
    if node.op_type == QUANTIZE and asked and asked not in QUANTIZED:
        yield Finding("output-type", where(node), f"QuantizeLinear has no {name_of(asked)}", SIGNED)


def _scale(view: GraphView, node: Any) -> Iterator[Finding]:
    values = view.value(node.input[1])
    if values is None:
        return
    if values.size == 0:
        yield Finding("scale", where(node), "its scale has no values", "Give it a scale")
    elif values.dtype.kind != "i" and not (values > 0).all():
        yield Finding("scale", where(node), "a scale is zero, negative or no number", "Measure the range again")


def _zero_point(view: GraphView, node: Any, target: Target) -> Iterator[Finding]:
    name = node.input[2] if len(node.input) > 2 else ""
    if not name:
        if not target.typed:
            yield Finding("zero-point", where(node), f"{target.title} needs a zero point", "Add one that is 0")
        return
    kind, values, scale = view.types.get(name, 0), view.value(name), view.shape(node.input[1])
    if values is None and name in view.of_values:
        yield Finding("zero-point", where(node), "its zero point is no constant", "Store a 0")
    elif values is not None and np.any(values != 0):
        yield Finding("zero-point", where(node), "its zero point is not 0", SIGNED)
    elif values is not None and scale is not None and values.size != int(np.prod([size or 1 for size in scale])):
        yield Finding("zero-point", where(node), "scale and zero point differ in size", "Make them equal")
    if kind == UINT8 and node.op_type == QUANTIZE:
        yield Finding(
            "uint8",
            where(node),
            "it quantizes to UINT8, and TensorRT to INT8",
            SIGNED,
            refused=not target.unsigned_zero,
        )


def _channels(view: GraphView, node: Any, target: Target) -> Iterator[Finding]:
    """One scale, one for each index of an axis, or one for each block along an axis."""
    data, scale = view.shape(node.input[0]), view.shape(node.input[1])
    if data is None or scale is None:
        return
    several, axis = scale not in ((), (1,)), attribute(node, "axis")
    if several and axis is None and target.default_axis != 1:
        yield Finding("axis", where(node), f"{target.title} reads axis 0, and ONNX means axis 1", "Name the axis")
    axis = min(target.default_axis, len(data) - 1) if axis is None else axis
    least, most = -len(data), len(data) - (1 if several else 0)
    if not several and -len(data) <= axis <= len(data):
        return
    if not least <= axis <= most:
        yield Finding("axis", where(node), f"it has no axis {axis}", "Use the axis of the outputs of the weight")
        return
    place = axis % len(data)
    if len(scale) == 1 and data[place] is None:
        yield Finding(
            "axis",
            where(node),
            "it has a scale for each index of an axis that changes",
            "Use one scale for an activation",
        )
    elif len(scale) == 1 and data[place] != scale[0]:
        yield Finding(
            "axis", where(node), f"it has {scale[0]} scales for {data[place]} indices", "Make one for each output"
        )
    elif len(scale) > 1:
        yield from _blocks(node, data, scale, place)
    if len(scale) == 1 and not view.is_constant(node.input[0]) and _quantizes_activation(view, node):
        yield Finding(
            "activation-channels",
            where(node),
            "an activation has a scale for each channel, for which there is no INT8 kernel",
            "Use one scale for an activation",
            refused=False,
        )


def _blocks(node: Any, data: tuple[int | None, ...], scale: tuple[int | None, ...], place: int) -> Iterator[Finding]:
    if len(scale) != len(data):
        yield Finding("blocks", where(node), f"its scale has {len(scale)} axes", "Use one, or those of the tensor")
        return
    if all(size == 1 for size in scale):
        yield Finding("blocks", where(node), "its one scale has several axes", "Store it without axes")
        return
    for at, (size, scales) in enumerate(zip(data, scale, strict=True)):
        if size is None or scales is None:
            continue
        if (at != place and size != scales) or (at == place and (not scales or size % scales)):
            yield Finding("blocks", where(node), "its blocks do not fit the tensor", "Use whole blocks along one axis")
            return


def _quantizes_activation(view: GraphView, node: Any) -> bool:
    return node.op_type == QUANTIZE and node.input[0] not in view.fixed


def _constants_elsewhere(view: GraphView, node: Any) -> Iterator[Finding]:
    """A quantized constant may be read by DequantizeLinear only: not looked up, reshaped or cast."""
    for name in node.input:
        kept = node.op_type in ("Shape", "Size")
        if name and not kept and view.types.get(name) in QUANTIZED and view.is_constant(name):
            yield _constant(name, node.op_type)
    if node.op_type == "ConstantOfShape" and view.types.get(node.output[0]) == INT8:
        yield _constant(node.output[0], "a node that fills a tensor")


def _constant(name: str, reader: str) -> Finding:
    return Finding(
        "quantized-constant",
        name,
        f"the quantized constant is read by {reader}, and only DequantizeLinear may read one",
        "Store an embedding table with --embeddings fp16; put DequantizeLinear directly behind other constants",
    )


def _int4_beside_int8(view: GraphView, node: Any) -> Iterator[Finding]:
    """A matmul of an INT8 activation and an INT4 weight builds with one scale for each channel only."""
    makers = [view.maker.get(name) for name in node.input[:2]] if node.op_type == "MatMul" else []
    sources = {view.types.get(maker.input[0]): maker for maker in makers if maker and maker.op_type == DEQUANTIZE}
    if not {INT8, TensorProto.INT4} <= sources.keys():
        return
    if len(view.shape(sources[TensorProto.INT4].input[1]) or ()) != 1:
        yield Finding(
            "int4-and-int8", where(node), "it multiplies INT8 by INT4", "Leave the activation of an INT4 weight in FP16"
        )


def check_weights(view: GraphView, node: Any, target: Target) -> Iterator[Finding]:
    """TensorRT 8.6 quantizes weights itself: it takes no INT8 constants."""
    if node.op_type == DEQUANTIZE and not target.int8_weights and view.is_constant(node.input[0]):
        yield Finding(
            "int8-weight",
            node.input[0],
            f"{target.title} takes no INT8 weights",
            "Store FP32, and put QuantizeLinear in front of DequantizeLinear",
        )
