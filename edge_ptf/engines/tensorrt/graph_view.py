"""A graph with what the rules ask for: who writes and reads a tensor, types, shapes, constants."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto

from edge_ptf.engines.tensorrt.operator_types import BOOL, FLOAT, INT8, INT64

Shape: TypeAlias = tuple[int | None, ...]
TRUTH = frozenset(
    ["Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual", "And", "Or", "Xor", "Not", "IsInf", "IsNaN"]
)
COUNTS = frozenset(["Shape", "Size", "ArgMax", "ArgMin", "NonZero"])
WITH_GRAPHS = frozenset(("If", "Loop", "Scan"))
QUANTIZE, DEQUANTIZE = "QuantizeLinear", "DequantizeLinear"


class GraphView:
    """One graph, which may be a branch or the body of a loop of another graph."""

    def __init__(self, graph: Any, inferred: Mapping[str, tuple[int, Shape | None]], outer: GraphView | None = None):
        """Args:
        graph: the `onnx.GraphProto`, in any order of its nodes.
        inferred: types and shapes by ONNX's own inference; 0 is an unknown type.
        outer: the graph that this one is inside of.
        """
        self.graph = graph
        self.outer = outer
        self.inputs = {item.name: item for item in graph.input}
        self.outputs = [item.name for item in graph.output]
        self.stored = {item.name: item for item in graph.initializer}
        self.maker = {name: node for node in graph.node for name in node.output if name}
        self.readers: dict[str, list[tuple[Any, int]]] = defaultdict(list)
        for node in graph.node:
            for place, name in enumerate(node.input):
                self.readers[name].append((node, place))
        self.inferred = inferred
        self.nodes = list(self._ordered())

    @property
    def cyclic(self) -> bool:
        """Whether nodes wait for each other, or a tensor is written twice."""
        written = [name for node in self.graph.node for name in node.output if name]
        return len(self.nodes) < len(self.graph.node) or len({*written, *self.inputs}) < len(written) + len(self.inputs)

    def knows(self, name: str) -> bool:
        """Whether the graph, or one around it, writes or is given the tensor."""
        here = name in self.inputs or name in self.stored or name in self.maker
        return here or (self.outer is not None and self.outer.knows(name))

    @cached_property
    def types(self) -> dict[str, int]:
        """The type of each tensor as TensorRT sees it, 0 if it is not known."""
        found = dict(self.outer.types) if self.outer else {}
        for name, item in self.inputs.items():
            found[name] = item.type.tensor_type.elem_type or self.inferred.get(name, (0, None))[0]
        found |= {name: item.data_type for name, item in self.stored.items()}
        found = {name: single(kind) for name, kind in found.items()}
        for node in self.nodes:
            kinds = [found.get(name, 0) for name in node.input]
            for place, name in enumerate(node.output):
                found[name] = single(self._written(node, kinds, place, self.inferred.get(name, (0, None))[0]))
        return found

    def shape(self, name: str) -> Shape | None:
        """The shape of a tensor, None if its rank is not known; None for an axis that changes."""
        if name in self.stored:
            return tuple(self.stored[name].dims)
        if name in self.inferred:
            return self.inferred[name][1]
        return self.outer.shape(name) if self.outer else None

    def value(self, name: str) -> NDArray[Any] | None:
        """The values of a stored tensor or a Constant node, None for all others."""
        from onnx import numpy_helper

        node = self.maker.get(name)
        if node is not None and node.op_type == "Identity":
            return self.value(node.input[0])
        if name in self.stored:
            return np.asarray(numpy_helper.to_array(self.stored[name]))
        if node is not None and node.op_type == "Constant":
            given = next((item for item in node.attribute if item.name.startswith("value")), None)
            if given is None:
                return None
            if given.name == "value":
                return np.asarray(numpy_helper.to_array(given.t))
            plain = {"value_int": given.i, "value_float": given.f}
            return np.asarray(plain.get(given.name) if given.name in plain else [*given.ints, *given.floats])
        return self.outer.value(name) if self.outer and node is None and name not in self.inputs else None

    @cached_property
    def fixed(self) -> frozenset[str]:
        """The tensors that are computed from stored values only, not from shapes either."""
        found = {*self.stored} | (self.outer.fixed if self.outer else set())
        for node in self.nodes:
            if node.op_type not in WITH_GRAPHS and all(name in found for name in node.input if name):
                found |= set(node.output)
        return frozenset(found)

    @cached_property
    def of_values(self) -> frozenset[str]:
        """The tensors that depend on the values of an input, not only on its shape."""
        found = ({*self.inputs} - {*self.stored}) | (self.outer.of_values if self.outer else set())
        for node in self.nodes:
            if node.op_type not in ("Shape", "Size") and (found & {*node.input} or node.op_type in WITH_GRAPHS):
                found |= set(node.output)
        return frozenset(found)

    def is_constant(self, name: str) -> bool:
        """Whether a tensor is stored, or the result of a Constant node."""
        node = self.maker.get(name)
        return name in self.stored if node is None else node.op_type == "Constant"

    def _ordered(self) -> Iterable[Any]:
        """The nodes, each after those whose results it reads; nodes of a cycle are left out."""
        waiting = {id(node): len({name for name in _reads(node) if name in self.maker}) for node in self.graph.node}
        read_by: dict[str, list[Any]] = defaultdict(list)
        for node in self.graph.node:
            for name in {name for name in _reads(node) if name in self.maker}:
                read_by[name].append(node)
        ready = [node for node in self.graph.node if not waiting[id(node)]]
        while ready:
            node = ready.pop()
            yield node
            for name in {name for name in node.output if name and self.maker[name] is node}:
                for reader in read_by[name]:
                    waiting[id(reader)] -= 1
                    if not waiting[id(reader)]:
                        ready.append(reader)

    def _written(self, node: Any, kinds: list[int], place: int, inferred: int) -> int:
        """The type of an output of a node."""
        kind = node.op_type
        if kind == QUANTIZE:
            return _quantized_type(node, kinds)
        if kind == "Cast":
            return int(attribute(node, "to"))
        if kind in TRUTH:
            found = BOOL
        elif kind in COUNTS or (kind == "TopK" and place == 1):
            found = INT64
        elif kind in _OF_SECOND:
            found = kinds[1] if len(kinds) > 1 else 0
        else:
            found = inferred if kind in _BY_ONNX or not kinds else kinds[0]
        return int(found)


def _quantized_type(node: Any, kinds: list[int]) -> int:
    """What QuantizeLinear gives. TensorRT reads a zero point of another type as INT8."""
    asked = kinds[2] if len(kinds) > 2 else int(attribute(node, "output_dtype", INT8))
    return asked if asked in (TensorProto.FLOAT8E4M3FN, TensorProto.INT4) else int(INT8)


_OF_SECOND = frozenset(("DequantizeLinear", "Where", "CastLike"))
"""Operators whose result has the type of the second input."""
_BY_ONNX = frozenset(
    ["Constant", "ConstantOfShape", "OneHot", "EyeLike", "RandomNormal", "RandomUniform", "If", "Loop", "Scan"]
)


def single(kind: int) -> int:
    """TensorRT converts FP64 to FP32."""
    return FLOAT if kind == TensorProto.DOUBLE else kind


def graphs_of(node: Any) -> list[Any]:
    """The graphs inside a node: branches and bodies."""
    return [item.g for item in node.attribute if item.HasField("g")]


def _reads(node: Any) -> set[str]:
    """What a node reads, also from within its graphs."""
    found = {name for name in node.input if name}
    for graph in graphs_of(node):
        made = {item.name for item in (*graph.input, *graph.initializer)}
        made |= {name for inner in graph.node for name in inner.output}
        found |= {name for inner in graph.node for name in _reads(inner)} - made
        found |= {item.name for item in graph.output} - made
    return found


def attribute(node: Any, name: str, default: Any = None) -> Any:
    """The value of an attribute of a node."""
    from onnx import helper

    return next((helper.get_attribute_value(item) for item in node.attribute if item.name == name), default)


def infer(model: Any) -> dict[str, tuple[int, Shape | None]]:
    """Types and shapes of a model's tensors, as far as ONNX's own inference finds them."""
    import onnx

    try:
        graph = onnx.shape_inference.infer_shapes(model, data_prop=True).graph
    except Exception:  # the inference has errors of many kinds; what it does not know is not checked
        graph = model.graph
    found = {}
    for item in (*graph.value_info, *graph.output, *graph.input):
        kind = item.type.tensor_type
        found[item.name] = (kind.elem_type, _dims(kind.shape) if kind.HasField("shape") else None)
    return found


def _dims(shape: Any) -> Shape:
    return tuple(int(axis.dim_value) if axis.HasField("dim_value") else None for axis in shape.dim)
