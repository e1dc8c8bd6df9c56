"""The bytes of an ONNX model, read without trust and without protobuf: what `model_check` looks at.

Protobuf merges what is given twice and skips what it does not know. This reader refuses both, so ONNX Runtime cannot
find something else in the same bytes. `cpp_runner/src/engines/onnx_reader.cpp` reads in the same way.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

from edge_ptf.errors import PackageError

MOST_NODES = 20_000
MOST_TENSORS = 20_000
MOST_RANK = 16
MOST_INTS = 1 << 16
"""Integers of one attribute."""
MOST_VALUES = 64
"""Integers of a constant that are kept: enough for every shape."""
INT32, INT64 = 6, 7
NUMBERS = frozenset((1, 2, 3, 4, 5, 6, 7, 9, 10, 11, 12, 13, 16, 21, 22))
"""Types of tensors: floating point, integers of 4 to 64 bits, truth values."""
VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
# Fields by number: True where a field may be repeated. Those that nobody looks at are skipped.
MODEL = dict.fromkeys((1, 2, 3, 4, 5, 6, 7), False) | {8: True, 14: True}
GRAPH = {1: True, 2: False, 5: True, 10: False, 11: True, 12: True, 13: True, 14: True, 16: True}
NODE = {1: True, 2: True, 3: False, 4: False, 5: True, 6: False, 7: False, 9: True}
ATTRIBUTE = {1: False, 2: False, 3: False, 4: False, 5: False, 7: True, 8: True, 9: True, 13: False, 20: False}
TENSOR = {1: True, 2: False, 4: False, 5: False, 7: False, 8: False, 9: False, 10: False, 11: False, 12: False} | {
    14: False,
    16: True,
}
REASONS = {
    ("model", 20): "has training information",
    ("model", 25): "has functions of its own",
    ("graph", 15): "has sparse weights",
    ("attribute", 6): "has a graph inside an operator",
    ("attribute", 11): "has a graph inside an operator",
    ("attribute", 10): "has a list of tensors in an operator",
    ("attribute", 22): "has sparse weights",
    ("attribute", 23): "has sparse weights",
    ("tensor", 3): "has weights in segments",
    ("tensor", 6): "has texts as weights",
    ("tensor", 13): "keeps weights outside the package",
}
"""Why a field is refused, where more can be said than its number."""


@dataclass(frozen=True, slots=True)
class Tensor:
    """A tensor of the file. `values` holds its integers if it has few."""

    name: str
    shape: tuple[int, ...]
    count: int
    values: list[int] | None


@dataclass(slots=True)
class Node:
    """An operator. `tensor` is its attribute of that type, `ints` the integers of its other attributes by name."""

    op: str = ""
    domain: str = ""
    name: str = ""
    inputs: list[str] = field(default_factory=list)
    outputs: list[str] = field(default_factory=list)
    tensor: Tensor | None = None
    ints: dict[str, list[int]] = field(default_factory=dict)


@dataclass(slots=True)
class Model:
    """The one graph of a model."""

    inputs: list[str] = field(default_factory=list)
    initializers: list[Tensor] = field(default_factory=list)
    nodes: list[Node] = field(default_factory=list)


def read_model(content: bytes) -> Model:
    """The parts of a model.

    Raises:
        PackageError: it is no ONNX model, has a part that is not allowed, or too many of them.
    """
    model, graphs = Model(), 0
    for number, value in _fields(memoryview(content), "model", MODEL):
        if number == 7:
            graphs += 1
            _read_graph(_bytes(value), model)
    if not graphs:
        raise PackageError("the file is no ONNX model")
    return model


def _read_graph(content: memoryview, model: Model) -> None:
    for number, value in _fields(content, "graph", GRAPH):
        if number == 1:
            model.nodes.append(_node(_bytes(value)))
        elif number == 5:
            model.initializers.append(_tensor(_bytes(value)))
        elif number == 11:
            model.inputs.append(_value_name(_bytes(value)))
        if len(model.nodes) > MOST_NODES or len(model.initializers) > MOST_TENSORS:
            raise PackageError(f"the graph has more than {MOST_NODES:,} operators or {MOST_TENSORS:,} tensors")


def _node(content: memoryview) -> Node:
    node = Node()
    for number, value in _fields(content, "node", NODE):
        if number == 1:
            node.inputs.append(_text(value))
        elif number == 2:
            node.outputs.append(_text(value))
        elif number == 3:
            node.name = _text(value)
        elif number == 4:
            node.op = _text(value)
        elif number == 7:
            node.domain = _text(value)
        elif number == 5:
            _read_attribute(_bytes(value), node)
    return node


def _read_attribute(content: memoryview, node: Node) -> None:
    name, found = "", list[int]()
    for number, value in _fields(content, "attribute", ATTRIBUTE):
        if number == 1:
            name = _text(value)
        elif number == 3:
            found.append(_signed(value))
        elif number == 8:
            _append(value, MOST_INTS, found)
        elif number == 5:
            if node.tensor is not None:
                raise PackageError(f"the operator {node.op[:80]!r} has two tensors")
            node.tensor = _tensor(_bytes(value))
    if found:
        node.ints[name] = found


def _tensor(content: memoryview) -> Tensor:
    name, shape, kind, place = "", list[int](), 0, 0
    data: dict[int, memoryview] = {}
    for number, value in _fields(content, "tensor", TENSOR):
        if number == 1:
            _append(value, MOST_RANK, shape)
        elif number == 2:
            kind = _signed(value)
        elif number == 8:
            name = _text(value)
        elif number == 14:
            place = _signed(value)
        elif number not in (12, 16):
            data[number] = _bytes(value)
    if place != 0:
        raise PackageError("the graph keeps weights outside the package")
    if kind not in NUMBERS:
        raise PackageError(f"the tensor {name[:80]!r} has the type {kind}, which is not allowed")
    count = 1
    for size in shape:
        count *= size
    if min(shape, default=0) < 0 or count > 2 * len(content):
        raise PackageError(f"the tensor {name[:80]!r} has not as many values as its shape says")
    return Tensor(name, tuple(shape), count, _values(kind, data) if count <= MOST_VALUES else None)


def _values(kind: int, data: dict[int, memoryview]) -> list[int] | None:
    """The integers of a small tensor; None: it has none."""
    if kind not in (INT32, INT64) or len(data) != 1:
        return [] if kind in (INT32, INT64) and not data else None
    ((number, content),) = data.items()
    if number == 9:
        size, code = (4, "i") if kind == INT32 else (8, "q")
        return list(struct.unpack(f"<{len(content) // size}{code}", content[: len(content) // size * size]))
    return _packed(content, MOST_VALUES) if number == (5 if kind == INT32 else 7) else None


def _value_name(content: memoryview) -> str:
    """The name of an input."""
    name = ""
    for number, value in _fields(content, "input", {1: False, 2: False, 3: False, 4: True}):
        name = _text(value) if number == 1 else name
    return name


def _fields(content: memoryview, what: str, known: dict[int, bool]) -> Iterator[tuple[int, int | memoryview]]:
    """Number and value of each field: an integer, or bytes."""
    at, size, seen = 0, len(content), set[int]()
    while at < size:
        key, at = _varint(content, at)
        number, wire = key >> 3, key & 7
        if number not in known:
            if what == "model" and (what, number) not in REASONS:
                raise PackageError(f"the file is no ONNX model (field {number})")
            reason = REASONS.get((what, number), f"has a part that is not allowed ({what}, field {number})")
            raise PackageError(f"the graph {reason}")
        if not known[number] and number in seen:
            raise PackageError(f"the file is no ONNX model that can be read in one way ({what}, field {number} twice)")
        seen.add(number)
        value: int | memoryview
        if wire == VARINT:
            value, at = _varint(content, at)
        elif wire in (BYTES, FIXED32, FIXED64):
            length = 4 if wire == FIXED32 else 8
            if wire == BYTES:
                length, at = _varint(content, at)
            if length > size - at:
                raise PackageError("the file is no ONNX model")
            value, at = content[at : at + length], at + length
        else:
            raise PackageError("the file is no ONNX model")
        yield number, value


def _varint(content: memoryview, at: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        if at >= len(content):
            break
        byte = content[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            if value >> 64:
                break
            return value, at
    raise PackageError("the file is no ONNX model")


def _append(value: int | memoryview, most: int, found: list[int]) -> None:
    """Appends an integer or a packed list of integers to a list that has at most `most`."""
    found += [_signed(value)] if isinstance(value, int) else _packed(value, most)
    if len(found) > most:
        raise PackageError("the file is no ONNX model: a list is too long")


def _packed(content: memoryview, most: int) -> list[int]:
    found, at = list[int](), 0
    while at < len(content):
        value, at = _varint(content, at)
        found.append(_signed(value))
        if len(found) > most:
            raise PackageError("the file is no ONNX model: a list is too long")
    return found


def _signed(value: int | memoryview) -> int:
    if not isinstance(value, int):
        raise PackageError("the file is no ONNX model")
    return value - (1 << 64) if value >> 63 else value


def _bytes(value: int | memoryview) -> memoryview:
    if isinstance(value, int):
        raise PackageError("the file is no ONNX model")
    return value


def _text(value: int | memoryview) -> str:
    return bytes(_bytes(value)).decode("latin-1")  # names are compared, not shown: any bytes are one
