"""Finds results of INT8 linear ops that are wrong on x86 processors without VNNI.

The 8-bit multiply-add of these processors (VPMADDUBSW: Intel 64 and IA-32 Architectures Software Developer's Manual,
volume 2) multiplies unsigned activations by signed weights. It adds two neighbouring products in 16 bits, with
saturation. Neighbours are inputs 2i and 2i + 1 of one output, which is the order in which ONNX Runtime's kernels pack a
weight. This module computes the exact result of that instruction and does not need such a processor.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_ptf.engines.onnxruntime import GraphSession
from edge_ptf.examples import Encoding

LARGEST_ACTIVATION = 255
LOWEST, HIGHEST = -(1 << 15), (1 << 15) - 1
LINEAR_OPS = ("MatMulInteger", "QAttention", "MatMul", "Gemm")


def risky_pairs(weight: NDArray[np.int8]) -> NDArray[np.bool_]:
    """Marks the pairs of weights for which the sum can overflow 16 bits, for at least one pair of activations.

    The worst activations are 255 for weights of one sign and 0 for the others.

    Args:
        weight: [inputs, outputs].

    Returns:
        [pairs of inputs, outputs]. An odd last input is paired with zero.
    """
    first, second = _pairs(weight)
    highest = LARGEST_ACTIVATION * (np.maximum(first, 0) + np.maximum(second, 0))
    lowest = LARGEST_ACTIVATION * (np.minimum(first, 0) + np.minimum(second, 0))
    return (highest > HIGHEST) | (lowest < LOWEST)


def saturated(activations: NDArray[np.uint8], weight: NDArray[np.int8]) -> NDArray[np.bool_]:
    """Marks the results with at least one saturated pair of products.

    Args:
        activations: [rows, inputs].
        weight: [inputs, outputs].

    Returns:
        [rows, outputs].
    """
    found = np.zeros((len(activations), weight.shape[1]), dtype=bool)
    risky = risky_pairs(weight)
    first, second = _pairs(weight)
    left, right = _pairs(activations.T)
    for pair in np.flatnonzero(risky.any(axis=1)):
        outputs = np.flatnonzero(risky[pair])
        sums = np.outer(left[pair], first[pair, outputs]) + np.outer(right[pair], second[pair, outputs])
        found[:, outputs] |= (sums > HIGHEST) | (sums < LOWEST)
    return found


def saturation(model: Any, encodings: Sequence[Encoding]) -> dict[str, Any]:
    """Counts what would saturate in an INT8 graph with signed 8-bit weights on such a processor.

    The activations are computed on this machine. Signed activations are shifted by 128, as ONNX Runtime does on x86.

    Returns:
        `outputs`: number of outputs of all linear ops with weights, one for each column of a weight. `can_saturate`:
        the outputs with a risky pair of weights. `saturated_percent`: share of all results over the texts that
        saturate. `texts`: number of texts.
    """
    import onnx
    from onnx import helper

    found = _quantized_linear_ops(model)
    probe = onnx.ModelProto()
    probe.CopyFrom(model)
    del probe.graph.output[:]
    names = list(dict.fromkeys(name for name, _ in found))
    counted = hits = 0
    if names and encodings:
        probe.graph.output.extend(helper.make_empty_tensor_value_info(name) for name in names)
        session = GraphSession(probe.SerializeToString())
        runs = [session.session.run(names, session.feeds(encoding)) for encoding in encodings]
        values = {
            name: np.concatenate([_rows(item) for item in items]) for name, *items in zip(names, *runs, strict=True)
        }
        for name, weight in found:
            results = saturated(values[name], weight)
            counted, hits = counted + results.size, hits + int(results.sum())
    return {
        "outputs": sum(weight.shape[1] for _, weight in found),
        "can_saturate": sum(int(risky_pairs(weight).any(axis=0).sum()) for _, weight in found),
        "saturated_percent": round(100 * hits / counted, 4) if counted else 0.0,
        "texts": len(encodings),
    }


def _quantized_linear_ops(model: Any) -> list[tuple[str, NDArray[np.int8]]]:
    """(tensor of INT8 activations, weight as [inputs, outputs]) of every linear op with a signed INT8 weight."""
    from onnx import numpy_helper

    stored = {item.name: item for item in model.graph.initializer}
    maker = {name: node for node in model.graph.node for name in node.output}
    found = []
    for node in model.graph.node:
        if node.op_type not in LINEAR_OPS:
            continue
        left, right = node.input[0], node.input[1]
        if node.op_type in ("MatMul", "Gemm"):  # static mode: both inputs come from a DequantizeLinear
            made = [maker.get(name) for name in (left, right)]
            if any(part is None or part.op_type != "DequantizeLinear" for part in made):
                continue
            left, right = (part.input[0] for part in made if part is not None)
        if right not in stored:
            continue
        weight = numpy_helper.to_array(stored[right])
        if weight.dtype == np.int8:
            turned = node.op_type == "Gemm" and any(item.name == "transB" and item.i for item in node.attribute)
            found.append((left, weight.T if turned else weight))
    return found


def _rows(activations: NDArray[Any]) -> NDArray[np.uint8]:
    """INT8 activations as unsigned [rows, inputs]."""
    rows = activations.reshape(-1, activations.shape[-1])
    return rows if rows.dtype == np.uint8 else (rows.astype(np.int16) + 128).astype(np.uint8)


def _pairs(values: NDArray[Any]) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Rows 0, 2, 4, … and rows 1, 3, 5, …, equally many, in a type wide enough for their sum."""
    wide = np.asarray(values, dtype=np.int32)
    if len(wide) % 2:
        wide = np.vstack([wide, np.zeros_like(wide[:1])])
    return wide[0::2], wide[1::2]
