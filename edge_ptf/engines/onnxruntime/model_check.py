"""Whether a graph may be given to ONNX Runtime: its operators, and the sizes that do not depend on a text.

ONNX Runtime computes the constant parts of a graph while it loads it. So this check comes first.
`cpp_runner/src/engines/onnx_check.cpp` does the same.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import prod

from edge_ptf.engines.onnxruntime.model_reader import MOST_VALUES, Model, Node, read_model
from edge_ptf.engines.onnxruntime.operators import ALLOWED, BROADCAST, SAME_SIZE, SIZED
from edge_ptf.errors import PackageError

MOST_SIZE = 1 << 24
"""Values that a constant size may ask for, and that a graph may compute from its constants beyond `PER_WEIGHT`."""
PER_WEIGHT = 4
"""Values computed from constants, for each value of the weights: they are dequantized, cast and transposed."""
LARGEST = 1 << 62
KEEPS_VALUES = frozenset(("Cast", "Flatten", "Identity", "Reshape", "Squeeze", "Unsqueeze"))
KEEPS_SHAPE = frozenset(("Cast", "DequantizeLinear", "Identity", "QuantizeLinear"))


@dataclass(frozen=True, slots=True)
class Constant:
    """A tensor that no text changes: at most how many values, its shape and integers if they are known."""

    count: int
    shape: tuple[int, ...] | None = None
    values: list[int] | None = None


def check_model(content: bytes) -> None:
    """Refuses what a graph in a package must not have.

    Raises:
        PackageError: the reason in one line; it names the operator or tensor.
    """
    model = read_model(content)
    known = _inputs(model)
    budget = MOST_SIZE + PER_WEIGHT * sum(tensor.count for tensor in model.initializers)
    for node in model.nodes:
        if node.op not in ALLOWED.get(node.domain, ()):
            where = f" of the domain {node.domain[:80]!r}" if node.domain else ""
            raise PackageError(f"the graph has the operator {node.op[:80]!r}{where}, which is not allowed in a package")
        if missing := next((name for name in node.inputs if name and name not in known), None):
            raise PackageError(f"the operator '{node.op}' reads {missing[:80]!r}, which no earlier operator writes")
        found = _computed(node, [known[name] if name else Constant(0) for name in node.inputs])
        for name in filter(None, node.outputs):
            if name in known:
                raise PackageError(f"the graph writes {name[:80]!r} twice")
            known[name] = found
            budget -= found.count if found is not None and node.op != "Constant" else 0
        if budget < 0:
            raise PackageError(f"the operator '{node.op}' makes the constant parts of the graph too large")


def _inputs(model: Model) -> dict[str, Constant | None]:
    """What is known before the first operator. None: it depends on the text."""
    known: dict[str, Constant | None] = dict.fromkeys(model.inputs)
    names = set[str]()
    for tensor in model.initializers:
        if tensor.name in names:
            raise PackageError(f"the graph has two tensors {tensor.name[:80]!r}")
        names.add(tensor.name)
        known[tensor.name] = Constant(tensor.count, tensor.shape, tensor.values)
    return known


def _computed(node: Node, inputs: list[Constant | None]) -> Constant | None:
    """What is known of the outputs of an operator."""
    sized = _sized(node, inputs) if node.op in SIZED and not node.domain.startswith("com") else None
    given = [each for each in inputs if each is not None]
    if len(given) != len(inputs):
        return None
    if sized is not None:
        return sized
    if node.op == "Constant":
        return _constant(node)
    return _folded(node, given)


def _folded(node: Node, given: list[Constant]) -> Constant:
    """What is known of the outputs of an operator whose inputs are all constant."""
    first = given[0] if given else Constant(0)
    if node.op == "Shape":
        shape = first.shape if first.shape and len(first.shape) <= MOST_VALUES else None
        return Constant(MOST_VALUES, None, list(shape) if shape and not node.ints else None)
    if node.op == "Concat":
        parts = [each.values or [] for each in given]
        known = all(each.values is not None for each in given) and sum(map(len, parts)) <= MOST_VALUES
        values = [value for part in parts for value in part] if known else None
        return Constant(_limited(sum(each.count for each in given)), None, values)
    if node.op in SAME_SIZE:
        values = first.values if node.op in KEEPS_VALUES else None
        return Constant(first.count, first.shape if node.op in KEEPS_SHAPE else None, values)
    if node.op in BROADCAST:
        return _broadcast(node, given)
    return Constant(_multiplied(max(each.count, 1) for each in given))


def _sized(node: Node, inputs: list[Constant | None]) -> Constant | None:
    """The output of an operator whose size is a value, if the size is constant."""
    ranges = node.op == "Range"
    sizes = inputs if ranges else inputs[:1] if node.op == "ConstantOfShape" else inputs[1:2]
    if not sizes or None in sizes:
        return None
    values = [each.values for each in sizes if each is not None]
    known = [value for part in values for value in part or ()]
    unfit = any(abs(value) >= LARGEST for value in known) or (ranges and (len(known) != 3 or known[2] == 0))
    if None in values or unfit:
        raise PackageError(f"the operator '{node.op}' has a constant size that cannot be read")
    size = max(-((known[0] - known[1]) // known[2]), 0) if ranges else prod(max(value, 1) for value in known)
    data = inputs[0] if node.op in ("Expand", "Tile") else None
    size = _limited(size * max(data.count, 1) if data is not None else size)
    if data is not None and node.op == "Expand" and data.shape is not None:
        size = _limited(prod(_joined_shape([data.shape, tuple(max(value, 1) for value in known)])))
    if size > MOST_SIZE:
        raise PackageError(f"the operator '{node.op}' makes a tensor of more than {MOST_SIZE:,} values")
    return Constant(size)


def _broadcast(node: Node, given: list[Constant]) -> Constant:
    shapes = [each.shape for each in given if each.shape is not None]
    if len(shapes) == len(given):
        shape = _joined_shape(shapes)
        return Constant(_limited(prod(shape)), shape, _arithmetic(node.op, given))
    return Constant(_multiplied(max(each.count, 1) for each in given), None, _arithmetic(node.op, given))


def _joined_shape(shapes: list[tuple[int, ...]]) -> tuple[int, ...]:
    rank = max(map(len, shapes))
    wide = [(1,) * (rank - len(shape)) + shape for shape in shapes]
    return tuple(max(sizes) for sizes in zip(*wide, strict=True))


def _arithmetic(op: str, given: list[Constant]) -> list[int] | None:
    """The values of a sum, difference, product or quotient of two small lists of integers."""
    if len(given) != 2 or op not in ("Add", "Sub", "Mul", "Div"):
        return None
    left, right = given[0].values, given[1].values
    if not left or not right or (len(left) != len(right) and 1 not in (len(left), len(right))):
        return None
    found = []
    for index in range(max(len(left), len(right))):
        a, b = left[index % len(left)], right[index % len(right)]
        if op == "Div":
            if b == 0:
                return None
            value = abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1)
        else:
            value = a + b if op == "Add" else a - b if op == "Sub" else a * b
        if abs(value) >= LARGEST:
            return None
        found.append(value)
    return found


def _constant(node: Node) -> Constant:
    if node.tensor is not None:
        return Constant(node.tensor.count, node.tensor.shape, node.tensor.values)
    values = node.ints.get("value_int") or node.ints.get("value_ints")
    if values is None:
        return Constant(MOST_VALUES)
    return Constant(len(values), None, values if len(values) <= MOST_VALUES else None)


def _multiplied(counts: Iterable[int]) -> int:
    """The product, at most `LARGEST`; it takes no longer however many there are."""
    found = 1
    for count in counts:
        found = min(found * count, LARGEST)
    return found


def _limited(count: int) -> int:
    return min(count, LARGEST)
