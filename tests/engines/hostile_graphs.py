"""Graphs that a package must not have: each takes endless time, huge memory, or weights from elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from onnx import TensorProto, helper, numpy_helper
from onnx.external_data_helper import set_external_data


def model(nodes: Sequence[Any], constants: dict[str, Any] | None = None, output: str = "big") -> Any:
    """A model that takes ids and answers 3 logits; `nodes` stand before the answer, which reads `output` too."""
    whole = constants or {}
    ids = helper.make_tensor_value_info("input_ids", TensorProto.INT64, ["batch", "length"])
    mask = helper.make_tensor_value_info("attention_mask", TensorProto.INT64, ["batch", "length"])
    types = helper.make_tensor_value_info("token_type_ids", TensorProto.INT64, ["batch", "length"])
    logits = helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", 3])
    end = [
        helper.make_node("Cast", [output], ["floats"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMax", ["floats"], ["one"], keepdims=0),
        helper.make_node("Mul", ["table", "one"], ["logits"]),
    ]
    tensors = [numpy_helper.from_array(np.asarray(value), name) for name, value in whole.items()]
    tensors.append(numpy_helper.from_array(np.ones((1, 3), np.float32), "table"))
    graph = helper.make_graph([*nodes, *end], "hostile", [ids, mask, types], [logits], tensors)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def op(kind: str, inputs: list[str], outputs: list[str], **attributes: Any) -> Any:
    """A node."""
    return helper.make_node(kind, inputs, outputs, **attributes)


def integers(*values: int) -> Any:
    """A constant shape."""
    return np.array(values, np.int64)


def _body(name: str, tensor: Any) -> Any:
    """A graph inside an operator that gives a tensor."""
    result = helper.make_tensor_value_info("inner", TensorProto.FLOAT, [3])
    return helper.make_graph([op("Constant", [], ["inner"], value=tensor)], name, [], [result])


def _loop() -> Any:
    """A loop that copies its truth value and the table 2^62 times."""
    turn = helper.make_tensor_value_info("turn", TensorProto.INT64, [])
    truth = [helper.make_tensor_value_info(name, TensorProto.BOOL, []) for name in ("again", "out")]
    table = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 3]) for name in ("before", "after")]
    copies = [op("Identity", ["again"], ["out"]), op("Identity", ["before"], ["after"])]
    body = helper.make_graph(copies, "loop", [turn, truth[0], table[0]], [truth[1], table[1]])
    loop = op("Loop", ["many", "yes", "table"], ["big"], body=body)
    return model([loop], {"many": np.array(1 << 62), "yes": np.array(True)})


def outside(values: Any) -> Any:
    """A tensor whose values are said to lie in another file."""
    tensor = numpy_helper.from_array(np.asarray(values), "secret")
    set_external_data(tensor, "weights.bin")
    tensor.ClearField("raw_data")
    return tensor


def _if(tensor: Any) -> Any:
    nodes = [op("If", ["yes"], ["big"], then_branch=_body("a", tensor), else_branch=_body("b", tensor))]
    return model(nodes, {"yes": np.array(True)})


def _function(tensor: Any) -> Any:
    made = model([helper.make_node("Twice", [], ["big"], domain="local")])
    inner = [op("Constant", [], ["inner"], value=tensor)]
    made.functions.append(helper.make_function("local", "Twice", [], ["inner"], inner, made.opset_import))
    made.opset_import.append(helper.make_opsetid("local", 1))
    return made


def _nested() -> Any:
    """Functions that call each other: 40 of them are 2^40 operators."""
    made = model([helper.make_node("F40", ["table"], ["big"], domain="local")])
    imports = [helper.make_opsetid("", 17), helper.make_opsetid("local", 1)]
    for level in range(1, 41):
        calls = [
            helper.make_node(f"F{level - 1}", [source], [target], domain="local")
            for source, target in (("x", "y"), ("y", "z"))
        ]
        made.functions.append(helper.make_function("local", f"F{level}", ["x"], ["z"], calls, imports))
    copy = [op("Identity", ["x"], ["z"])]
    made.functions.append(helper.make_function("local", "F0", ["x"], ["z"], copy, imports))
    made.opset_import.append(imports[1])
    return made


def _initializer(change: Callable[[Any], Any]) -> Any:
    made = model([op("Identity", ["table"], ["big"])])
    change(made.graph.initializer[0])
    return made


def _outside(tensor: Any) -> None:
    tensor.CopyFrom(outside(np.ones((1, 3), np.float32)))
    tensor.name = "table"


def _sparse() -> Any:
    made = model([op("Identity", ["sparse"], ["big"])])
    values = numpy_helper.from_array(np.ones(1, np.float32), "sparse")
    made.graph.sparse_initializer.append(
        helper.make_sparse_tensor(values, numpy_helper.from_array(integers(0)), [1 << 30])
    )
    return made


def _unlike(values: list[float], dims: list[int]) -> Any:
    return _initializer(lambda tensor: tensor.CopyFrom(_with_dims(values, dims)))


def _with_dims(values: list[float], dims: list[int]) -> Any:
    tensor = numpy_helper.from_array(np.array(values, np.float32), "table")
    del tensor.dims[:]
    tensor.dims.extend(dims)
    return tensor


def _trained() -> Any:
    made = model([op("Identity", ["table"], ["big"])])
    made.training_info.add()
    return made


WEIGHTS = numpy_helper.from_array(np.ones(3, np.float32))
DOUBLED = [op("Concat", [f"x{n}", f"x{n}"], [f"x{n + 1}"], axis=0) for n in range(29)]
ALIKE = op("Identity", ["table"], ["big"])

HOSTILE: dict[str, tuple[Callable[[], Any], str]] = {
    "an endless loop": (_loop, "graph inside"),
    "a branch": (lambda: _if(WEIGHTS), "graph inside"),
    "an operator of its own domain": (
        lambda: model([helper.make_node("Evil", ["table"], ["big"], domain="evil")]),
        "operator 'Evil' of the domain 'evil'",
    ),
    "an operator that is not listed": (
        lambda: model([op("RandomNormal", [], ["big"], shape=[1 << 30])]),
        "operator 'RandomNormal'",
    ),
    "a function": (lambda: _function(WEIGHTS), "operator 'Twice'|functions of its own"),
    "functions that call each other": (_nested, "operator 'F40'|functions of its own"),
    "a huge ConstantOfShape": (
        lambda: model([op("ConstantOfShape", ["n"], ["big"])], {"n": integers(1 << 31)}),
        "'ConstantOfShape' makes a tensor of more than",
    ),
    "a size that is multiplied": (
        lambda: model([op("Mul", ["n", "n"], ["m"]), op("ConstantOfShape", ["m"], ["big"])], {"n": integers(1 << 16)}),
        "'ConstantOfShape' makes",
    ),
    "a size in parts": (
        lambda: model(
            [op("Concat", ["n", "n"], ["m"], axis=0), op("ConstantOfShape", ["m"], ["big"])],
            {"n": integers(1 << 16)},
        ),
        "'ConstantOfShape' makes",
    ),
    "a size that is a node": (
        lambda: model([op("Constant", [], ["n"], value_ints=[1 << 31]), op("ConstantOfShape", ["n"], ["big"])]),
        "'ConstantOfShape' makes",
    ),
    "a size from floating point": (
        lambda: model(
            [op("Cast", ["f"], ["n"], to=TensorProto.INT64), op("ConstantOfShape", ["n"], ["big"])],
            {"f": np.array([3e9], np.float32)},
        ),
        "'ConstantOfShape' has a constant size that cannot be read",
    ),
    "a huge Expand": (
        lambda: model([op("Expand", ["table", "n"], ["big"])], {"n": integers(1 << 25, 3)}),
        "'Expand' makes",
    ),
    "a huge Expand of the text": (
        lambda: model([op("Expand", ["input_ids", "n"], ["big"])], {"n": integers(1 << 31, 1)}),
        "'Expand' makes",
    ),
    "a huge Tile": (
        lambda: model([op("Tile", ["table", "n"], ["big"])], {"n": integers(1 << 15, 1 << 15)}),
        "'Tile' makes",
    ),
    "a huge Range": (
        lambda: model(
            [op("Range", ["a", "b", "c"], ["big"])],
            {"a": np.array(0), "b": np.array(1 << 31), "c": np.array(1)},
        ),
        "'Range' makes",
    ),
    "a huge sum": (
        lambda: model(
            [op("Add", ["a", "b"], ["big"])],
            {"a": np.zeros((9000, 1), np.float32), "b": np.zeros((1, 9000), np.float32)},
        ),
        "'Add' makes the constant parts of the graph too large",
    ),
    "a huge product": (
        lambda: model(
            [op("MatMul", ["a", "b"], ["big"])],
            {"a": np.zeros((9000, 1), np.float32), "b": np.zeros((1, 9000), np.float32)},
        ),
        "'MatMul' makes the constant parts of the graph too large",
    ),
    "a tensor that doubles": (
        lambda: model([*DOUBLED, op("Identity", ["x29"], ["big"])], {"x0": np.zeros(8, np.float32)}),
        "'Concat' makes the constant parts of the graph too large",
    ),
    "weights outside": (lambda: _initializer(_outside), "outside the package"),
    "a constant outside": (
        lambda: model([op("Constant", [], ["big"], value=outside(np.ones(3, np.float32)))]),
        "outside the package",
    ),
    "weights outside in a branch": (lambda: _if(outside(np.ones(3, np.float32))), "graph inside|outside"),
    "weights outside in a function": (
        lambda: _function(outside(np.ones(3, np.float32))),
        "operator 'Twice'|functions of its own",
    ),
    "a place without a name": (
        lambda: _initializer(lambda tensor: setattr(tensor, "data_location", TensorProto.EXTERNAL)),
        "outside the package",
    ),
    "sparse weights": (_sparse, "sparse weights"),
    "weights that are not there": (lambda: _unlike([], [1 << 40]), "not as many values as its shape says"),
    "a shape without end": (lambda: _unlike([1.0], [1] * 20), "list is too long|not as many values"),
    "a shape of many sizes": (lambda: _unlike([1.0], [1 << 62] * 300_000), "list is too long"),
    "an operator of many inputs": (
        lambda: model(
            [op("Concat", ["a", "a"], ["x"], axis=0), op("Max", ["x"] * 300_000, ["big"])],
            {"a": np.zeros(1 << 17, np.float32)},
        ),
        "'Max' makes the constant parts of the graph too large",
    ),
    "texts as weights": (
        lambda: _initializer(lambda tensor: tensor.CopyFrom(numpy_helper.from_array(np.array(["a"]), "table"))),
        "texts as weights",
    ),
    "two graphs in one": (lambda: model([ALIKE]).SerializeToString() * 2, "field 1 twice|field 7 twice"),
    "a crowd of operators": (
        lambda: model([ALIKE, *(op("Identity", ["table"], [f"y{n}"]) for n in range(20_000))]),
        "more than 20,000 operators",
    ),
    "operators out of order": (
        lambda: model([op("Identity", ["late"], ["big"]), op("Identity", ["table"], ["late"])]),
        "reads 'late', which no earlier operator writes",
    ),
    "a tensor that is written twice": (lambda: model([ALIKE, ALIKE]), "writes 'big' twice"),
    "training information": (_trained, "training information"),
    "no model": (lambda: b"nothing", "is no ONNX model|not allowed"),
    "an empty file": (lambda: b"", "is no ONNX model"),
    "a truncated model": (lambda: model([ALIKE]).SerializeToString()[:-9], "is no ONNX model|not allowed"),
}
"""What makes the model, and what the one line of refusal holds."""

OUTSIDE = tuple(name for name in HOSTILE if "outside" in name)
"""Those that name a file `weights.bin` with 3 numbers."""


def content(name: str) -> bytes:
    """The bytes of one of them."""
    made = HOSTILE[name][0]()
    return made if isinstance(made, bytes) else made.SerializeToString()
