"""Converts the non-INT8 part of a graph to FP16. TensorRT needs this, as it takes every precision from the graph.

A scale of Q/DQ nodes has the type of the tensor that it divides. Operator set 19 allows this, and TensorRT requires it
(its operator reference, "Quantize": input and scale share T1). FP16 ends at 65,504, so values near this limit stay
FP32.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_ptf.engines.onnxruntime import GraphSession
from edge_ptf.examples import Encoding
from edge_ptf.graph import optimizations

OPSET = 19
"""The first operator set whose Q/DQ nodes accept FP16."""
LARGEST = float(np.finfo(np.float16).max) / 4
"""The largest activation that becomes FP16. The margin is for other texts, which may have larger activations."""
FILL, MASK = 1e9, 1e4
"""A constant of at least FILL represents infinity in a mask. It becomes MASK.

The exponential of -MASK is also 0, and other values can be added to MASK without overflow.
"""
COARSE = 0.01
"""A scale stays FP32 if FP16 would change it by more than this share. Such scales are below 10⁻⁶."""
QDQ = ("QuantizeLinear", "DequantizeLinear")
NARROWING = "_cast_to_fp16_node"
"""The suffix that the converter gives to a Cast after an FP32 node."""


def to_fp16(model: Any, large: Collection[str] = ()) -> tuple[Any, tuple[str, ...]]:
    """Converts the floating-point part of a graph to FP16. Inputs and outputs keep their types.

    Args:
        model: an FP32 graph, or one with static Q/DQ nodes, with operators of ONNX only.
        large: names of its tensors that are too large for FP16, from `large_tensors`.

    Returns:
        The new model, and the names of the nodes that stayed FP32, in graph order.
    """
    from onnx import version_converter
    from onnxruntime.transformers.float16 import DEFAULT_OP_BLOCK_LIST, convert_float_to_float16
    from onnxruntime.transformers.onnx_model import OnnxModel

    if opset(model) < OPSET and any(node.op_type in QDQ for node in model.graph.node):
        model = version_converter.convert_version(model, OPSET)
    for node in model.graph.node:
        node.name = node.name or f"{node.output[0]}_{node.op_type}"  # the converter identifies nodes by name
    kept = _kept(model, large)
    model = convert_float_to_float16(
        model, max_finite_val=MASK, keep_io_types=True, op_block_list=DEFAULT_OP_BLOCK_LIST, node_block_list=list(kept)
    )
    OnnxModel(model).topological_sort()
    _join(model)
    del model.graph.value_info[:]
    return model, kept


def large_tensors(model: Any, encodings: Iterable[Encoding]) -> frozenset[str]:
    """Names of the activations of an FP32 graph that exceed `LARGEST` for one of the texts."""
    import onnx
    from onnx import helper

    probe = onnx.ModelProto()
    probe.CopyFrom(model)
    names = list(dict.fromkeys(name for node in model.graph.node for name in node.output if name))
    del probe.graph.output[:], probe.graph.value_info[:]
    probe.graph.output.extend(helper.make_empty_tensor_value_info(name) for name in names)
    session, found = GraphSession(probe.SerializeToString()), set[str]()
    for encoding in encodings:
        for name, values in zip(names, session.session.run(names, session.feeds(encoding)), strict=True):
            if values.dtype == np.float32 and values.size and _reaches(values):
                found.add(name)
    return frozenset(found)


def opset(model: Any) -> int:
    """The version of ONNX's own operators that a graph needs."""
    return next(int(item.version) for item in model.opset_import if item.domain in ("", "ai.onnx"))


def _reaches(values: NDArray[np.float32]) -> bool:
    """Whether a value exceeds the range of FP16 and does not represent infinity in a mask."""
    sizes = np.abs(values)
    return bool(((sizes > LARGEST) & (sizes < FILL)).any())


def _kept(model: Any, large: Collection[str]) -> tuple[str, ...]:
    """Nodes that read or write values that do not fit into FP16. A Q/DQ pair passes values on unchanged."""
    beyond = {*large, *_unfit_constants(model)}
    names = []
    for node in model.graph.node:
        if node.op_type in QDQ and node.input[0] in beyond:
            beyond |= set(node.output)
        if beyond & {*node.input, *node.output}:
            names.append(node.name)
    return tuple(names)


def _unfit_constants(model: Any) -> set[str]:
    """Constants above `MASK` that do not represent infinity, and scales that FP16 would change too much."""
    from onnx import TensorProto, numpy_helper

    stored = [(item.name, item) for item in model.graph.initializer]
    for node in model.graph.node:
        if node.op_type == "Constant" and node.attribute[0].name == "value":
            stored.append((node.output[0], node.attribute[0].t))
    scales = {node.input[1] for node in model.graph.node if node.op_type in QDQ}
    unfit = set()
    for name, tensor in stored:
        if tensor.data_type != TensorProto.FLOAT:
            continue
        values = numpy_helper.to_array(tensor)
        sizes = np.abs(values)
        with np.errstate(over="ignore"):
            coarse = name in scales and (np.abs(values.astype(np.float16) - values) > COARSE * sizes).any()
        if coarse or ((sizes > MASK) & (sizes < FILL)).any():
            unfit.add(name)
    return unfit


def _join(model: Any) -> None:
    """Connects consecutive FP32 nodes directly. The converter puts casts to FP16 and back between them."""
    from onnx import TensorProto

    narrowed, widened = dict[str, str](), dict[str, str]()
    for node in model.graph.node:
        if node.op_type == "Cast" and node.name.endswith(NARROWING):
            narrowed[node.output[0]] = node.input[0]
        elif node.op_type == "Cast" and node.attribute[0].i == TensorProto.FLOAT and node.input[0] in narrowed:
            widened[node.output[0]] = narrowed[node.input[0]]
    outputs = {item.name for item in model.graph.output}
    for node in model.graph.node:
        for place, name in enumerate(node.input):
            node.input[place] = widened.get(name, name)
        if node.output[0] in outputs & set(widened):  # an output of the graph keeps its name
            node.input[0], node.op_type = widened[node.output[0]], "Identity"
            del node.attribute[:]
    optimizations.drop_unread(model)
