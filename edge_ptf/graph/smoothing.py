"""SmoothQuant: equalizes the ranges of the channels of a linear op's input before quantization.

Source: Xiao et al. 2023, "SmoothQuant: Accurate and Efficient Post-Training Quantization for Large Language Models",
section 4. An input channel with large values makes the step of a common scale coarse. Therefore channel j is divided by
a factor, and row j of the weight is multiplied by it. The result of the linear op stays the same. Part of the range
moves to the weight, which has its own scale.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_ptf.engines.onnxruntime import GraphSession
from edge_ptf.examples import Encoding

Channels = NDArray[np.float32]
LINEAR_OPS = ("MatMul", "Gemm", "Attention")


def smooth(model: Any, encodings: Sequence[Encoding], alpha: float) -> int:
    """Equalizes the channels between LayerNorm and linear ops: query, key, value and feed-forward input. In place.

    If only linear ops read the LayerNorm's result, the weights of the LayerNorm are divided. In encoders with
    post-norm, such as BERT, the residual sum also reads it. There, a multiplication before the linear ops divides it. A
    linear op with a weight that other nodes also read (ALBERT) stays unchanged.

    Args:
        model: an FP32 graph, fused or not.
        encodings: the texts for measuring the channels' ranges.
        alpha: from 0 to 1. A larger value moves more of the inputs' range to the weights.

    Returns:
        The number of equalized inputs.
    """
    from onnx import helper, numpy_helper

    stored = {item.name: item for item in model.graph.initializer}
    readers: dict[str, list[Any]] = defaultdict(list)
    for node in model.graph.node:
        for name in dict.fromkeys(node.input):
            readers[name].append(node)
    sites = _sites(model, readers)
    largest = channel_maxima(model, sites, encodings)
    made_before: dict[str, Any] = {}
    for tensor, operations in sites.items():
        weights = [_by_row(numpy_helper.to_array(stored[node.input[1]]), node) for node in operations]
        divisor = factors(largest[tensor], np.max([np.abs(weight).max(axis=1) for weight in weights], axis=0), alpha)
        for node, weight in zip(operations, weights, strict=True):
            _replace(stored[node.input[1]], _by_row(weight * divisor[:, None], node))
        norm = next(node for node in model.graph.node if tensor in node.output)
        own = [name for name in norm.input[1:] if name]
        if len(readers[tensor]) == len(operations) and all(name in stored and len(readers[name]) == 1 for name in own):
            for name in own:
                _replace(stored[name], numpy_helper.to_array(stored[name]) / divisor)
            continue
        smoothed = f"{tensor}_smoothed"
        model.graph.initializer.append(numpy_helper.from_array((1 / divisor).astype(np.float32), f"{smoothed}_by"))
        made_before[operations[0].output[0]] = helper.make_node(
            "Mul", [tensor, f"{smoothed}_by"], [smoothed], smoothed.replace("_output_0", "")
        )
        for node in operations:
            node.input[0] = smoothed
    nodes = [part for node in model.graph.node for part in (made_before.get(node.output[0]), node) if part is not None]
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    return len(sites)


def factors(inputs: Channels, weights: Channels, alpha: float) -> Channels:
    """The divisor of each input channel: max|X|^alpha / max|W|^(1 - alpha), the paper's equation 4.

    Args:
        inputs: largest absolute value of each channel, [in].
        weights: largest absolute weight that reads it, [in].

    Returns:
        Positive factors, [in]. The factor is 1 for a channel that is always zero or that nothing reads.
    """
    known = (inputs > 0) & (weights > 0)
    x, w = np.where(known, inputs, 1.0), np.where(known, weights, 1.0)
    found = np.exp(alpha * np.log(x) - (1 - alpha) * np.log(w))
    return np.where(known, found, 1.0).astype(np.float32)


def channel_maxima(model: Any, tensors: Iterable[str], encodings: Sequence[Encoding]) -> Mapping[str, Channels]:
    """Largest absolute value of each channel (last axis) of the named tensors, over all texts, one text at a time."""
    import onnx
    from onnx import TensorProto, helper

    names = list(tensors)
    if not names:
        return {}
    probe = onnx.ModelProto()
    probe.CopyFrom(model)
    del probe.graph.output[:]
    probe.graph.output.extend(helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in names)
    session = GraphSession(probe.SerializeToString())
    largest: dict[str, Channels] = {}
    for encoding in encodings:
        for name, values in zip(names, session.session.run(names, session.feeds(encoding)), strict=True):
            found = np.abs(values).reshape(-1, values.shape[-1]).max(axis=0)
            largest[name] = np.maximum(largest.get(name, found), found)
    return largest


def _sites(model: Any, readers: Mapping[str, list[Any]]) -> dict[str, list[Any]]:
    """The results of LayerNorm that linear ops read, with these linear ops."""
    weights = {item.name for item in model.graph.initializer}
    found = {}
    for norm in model.graph.node:
        if norm.op_type != "LayerNormalization":
            continue
        operations = [
            node
            for node in readers[norm.output[0]]
            if node.op_type in LINEAR_OPS and node.input[0] == norm.output[0] and node.input[1] in weights
        ]
        if operations and all(len(readers[node.input[1]]) == 1 for node in operations):
            found[norm.output[0]] = operations
    return found


def _by_row(weight: NDArray[Any], node: Any) -> NDArray[Any]:
    """Converts the weight to [in, out], and back."""
    turned = node.op_type == "Gemm" and any(item.name == "transB" and item.i for item in node.attribute)
    return weight.T if turned else weight


def _replace(tensor: Any, values: NDArray[Any]) -> None:
    from onnx import numpy_helper

    tensor.CopyFrom(numpy_helper.from_array(np.ascontiguousarray(values, dtype=np.float32), tensor.name))
