"""The form of a graph that TensorRT wants: explicit, symmetric Q/DQ, and queries scaled before their product with keys.

TensorRT takes every precision from the graph. It computes a matmul, a residual sum or an attention product in INT8 only
if QuantizeLinear and DequantizeLinear stand at all its inputs ("Working with Quantized Types", TensorRT documentation).
Weights have a scale for each output, activations one scale; every zero point is 0. `fp16.to_fp16` converts the rest.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from edge_ptf.graph import linear_ops, optimizations, rewrite

Variant = Literal["none", "fp16", "int8-ffn", "int8"]
"""fp16: no INT8; int8-ffn: INT8 in feed-forward layers; int8: also in attention, its products and residual sums."""
LARGEST = 127
FEED_FORWARD = ("feed_forward.input", "feed_forward.output")


def scale_queries(model: Any) -> int:
    """Scales the queries instead of their product with the keys, in place. Returns the number of changed products.

    The product of INT8 queries and keys is then all that is between their Q/DQ nodes and the mask.
    """
    from onnx import helper, numpy_helper

    constants = _constants(model)
    readers = defaultdict(list)
    for node in model.graph.node:
        for name in node.input:
            readers[name].append(node)
    kept, removed, changed = list[Any](), set[str](), 0
    for node in model.graph.node:
        after = readers[node.output[0]] if _multiplies_activations(node, constants) else []
        scaling = after[0] if len(after) == 1 and after[0].op_type in ("Div", "Mul") else None
        factor = constants.get(scaling.input[1]) if scaling is not None else None
        if scaling is not None and factor is not None and factor.size == 1 and scaling.input[0] == node.output[0]:
            query = node.input[0]
            scaled, stored = f"{node.output[0]}_scaled_query", f"{node.output[0]}_query_scale"
            model.graph.initializer.append(numpy_helper.from_array(factor.reshape(()), stored))
            kept.append(helper.make_node(scaling.op_type, [query, stored], [scaled], scaled))
            node.input[0] = scaled
            removed.add(scaling.output[0])
            node.output[0] = scaling.output[0]
            changed += 1
        elif node.output[0] in removed:
            continue
        kept.append(node)
    del model.graph.node[:]
    model.graph.node.extend(kept)
    optimizations.drop_unread(model)
    return changed


def place(
    source: Any, ranges: Any, kept: Collection[str], variant: Literal["int8-ffn", "int8"], per_channel: bool = True
) -> Any:
    """A copy of an FP32 graph with Q/DQ nodes.

    Args:
        source: the `onnx.ModelProto`, after `scale_queries`.
        ranges: of the inputs of matmuls (`TensorsData` of `calibration.calibrate`).
        kept: names of the nodes that stay without INT8.
        per_channel: one scale for each output of a weight, not one for all.
    """
    import onnx

    model = onnx.ModelProto()
    model.CopyFrom(source)
    read = {name for node in model.graph.node if node.op_type in ("MatMul", "Gemm") for name in node.input[:2]}
    limits = {name: _limit(item.range_value) for name, item in ranges.items() if name in read}
    form = _QdqWriter(model, limits, per_channel)
    nodes = _linear_nodes(model, variant) - set(kept)
    for node in model.graph.node:
        if node.name in nodes:
            form.activation(node, 0)
            form.weight(node)
        elif variant == "int8" and _multiplies_activations(node, form.constants):
            form.activation(node, 0)
            form.activation(node, 1)
        elif variant == "int8" and (residual := form.residual(node)) is not None:
            form.activation(node, residual)
    form.finish()
    return model


@dataclass
class _QdqWriter:
    """Q/DQ nodes that are put into a model."""

    model: Any
    limits: Mapping[str, float]
    """The largest absolute value of what matmuls read."""
    per_channel: bool
    after: dict[str, list[Any]] = field(default_factory=lambda: defaultdict(list))
    """New nodes by the tensor that they read; '' for those that read constants."""
    dequantized: dict[str, str] = field(default_factory=dict)
    """The result of DequantizeLinear, by the name of the Q/DQ nodes."""

    def __post_init__(self) -> None:
        self.constants = _constants(self.model)
        self.maker = {name: node for node in self.model.graph.node for name in node.output}
        self.readers: dict[str, list[str]] = defaultdict(list)
        for node in self.model.graph.node:
            for name in node.input:
                self.readers[name].append(node.op_type)

    def activation(self, node: Any, place: int) -> None:
        """Puts Q/DQ before an input of a node. All quantized readers of a tensor share them."""
        name = node.input[place]
        limit = self._limit(name)
        if limit is None:
            return
        if name not in self.dequantized:
            self._add(name, name, np.asarray(limit / LARGEST, np.float32), None)
        node.input[place] = self.dequantized[name]

    def weight(self, node: Any) -> None:
        """Stores a weight in INT8, followed by DequantizeLinear. Nodes that share it share both."""
        name = node.input[1]
        turned = node.op_type == "Gemm" and any(item.name == "transB" and item.i for item in node.attribute)
        axis = 0 if turned else self.constants[name].ndim - 1
        label = f"{name}_axis{axis}"
        if label not in self.dequantized:
            self._store(name, label, axis)
        node.input[1] = self.dequantized[label]

    def residual(self, node: Any) -> int | None:
        """Which input of a sum before a LayerNormalization is the residual: the one that linear ops read too."""
        if node.op_type != "Add" or "LayerNormalization" not in self.readers[node.output[0]]:
            return None
        if any(name in self.constants for name in node.input):
            return None
        return next((place for place, name in enumerate(node.input) if self._limit(name) is not None), None)

    def finish(self) -> None:
        """Writes the new nodes, each directly after what it reads."""
        inputs = [item.name for item in self.model.graph.input]
        nodes = [*self.after[""], *(new for name in inputs for new in self.after[name])]
        for node in self.model.graph.node:
            nodes.append(node)
            nodes += [new for name in node.output for new in self.after[name]]
        del self.model.graph.node[:]
        self.model.graph.node.extend(nodes)
        used = {name for node in nodes for name in node.input}
        weights = [item for item in self.model.graph.initializer if item.name in used]
        del self.model.graph.initializer[:]
        self.model.graph.initializer.extend(weights)

    def _limit(self, name: str) -> float | None:
        """The largest absolute value of a tensor; a row of a tensor has the limit of the whole."""
        if name in self.limits:
            return self.limits[name]
        node = self.maker.get(name)
        return self._limit(node.input[0]) if node is not None and node.op_type == "Gather" else None

    def _store(self, name: str, label: str, axis: int) -> None:
        values = self.constants[name]
        others = tuple(place for place in range(values.ndim) if place != axis) if self.per_channel else None
        largest = np.abs(values).max(axis=others, keepdims=True)
        scales = np.where(largest > 0, largest / LARGEST, 1).astype(np.float32)
        whole = np.clip(np.rint(values / scales), -LARGEST, LARGEST).astype(np.int8)
        self._add(label, "", scales.reshape(-1) if self.per_channel else scales.reshape(()), whole, axis)

    def _add(
        self, name: str, reads: str, scale: NDArray[np.float32], whole: NDArray[np.int8] | None, axis: int = 0
    ) -> None:
        """Adds DequantizeLinear of stored values, or QuantizeLinear and DequantizeLinear of a tensor."""
        from onnx import helper, numpy_helper

        quantized, result = f"{name}_quantized", f"{name}_dequantized"
        stored = {f"{name}_scale": scale, f"{name}_zero_point": np.zeros(scale.shape, np.int8)}
        given = {"axis": axis} if scale.ndim else {}
        if whole is not None:
            stored[quantized] = whole
        else:
            inputs = [name, f"{name}_scale", f"{name}_zero_point"]
            self.after[reads].append(
                helper.make_node("QuantizeLinear", inputs, [quantized], f"{name}_QuantizeLinear", **given)
            )
        inputs = [quantized, f"{name}_scale", f"{name}_zero_point"]
        self.after[reads].append(
            helper.make_node("DequantizeLinear", inputs, [result], f"{name}_DequantizeLinear", **given)
        )
        self.model.graph.initializer.extend(numpy_helper.from_array(value, key) for key, value in stored.items())
        self.dequantized[name] = result


def _linear_nodes(model: Any, variant: str) -> set[str]:
    """Names of the matmuls with weights that the variant stores in INT8."""
    found = {*rewrite.weighted_linear_ops(model)}
    if variant == "int8":
        return found
    named = linear_ops.linear_ops(model).items()
    return found & {node for name, nodes in named if name.endswith(FEED_FORWARD) for node in nodes}


def _multiplies_activations(node: Any, constants: Mapping[str, Any]) -> bool:
    """Whether a node multiplies two activations."""
    return node.op_type == "MatMul" and not any(name in constants for name in node.input)


def _constants(model: Any) -> dict[str, NDArray[Any]]:
    from onnx import numpy_helper

    found = {item.name: numpy_helper.to_array(item) for item in model.graph.initializer}
    for node in model.graph.node:
        if node.op_type == "Constant" and node.attribute[0].name == "value":
            found[node.output[0]] = numpy_helper.to_array(node.attribute[0].t)
    return found


def _limit(found: tuple[Any, Any]) -> float:
    """The largest absolute value of a range."""
    largest = max(abs(float(np.asarray(end).reshape(()))) for end in found)
    return largest if largest > 0 else 1.0
