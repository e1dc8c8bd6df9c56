"""Rewrites that remove work from a graph: unread rows, and positions that are constant.

The answers do not change, also for padded texts and for batches. Each function changes the model in place.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

ROW_BY_ROW = {"Add", "Sub", "Mul", "Div", "Sum", "Gelu", "Erf", "Tanh", "Relu", "Identity"}
"""Operators whose result for one token depends only on their inputs for this token."""


def select_early(model: Any) -> int:
    """Moves the selection of the head's token as early as possible. Returns how many operators then see one row only.

    The class of a sentence is read from its first token. In the last layer, the other tokens are only keys and values.
    The operators after attention therefore need not compute them. The result does not change, except for INT8 ranges,
    which are then those of the one row. A graph that reads every token stays unchanged.
    """
    from onnx import helper

    graph = _Graph(model)
    chosen = [node for node in model.graph.node if _is_selection(node, graph.constants)]
    region = graph.row_by_row(chosen[0]) if len(chosen) == 1 else set()
    if not region:
        return 0
    (selection,) = chosen
    token, count = selection.input[1], 0
    kept, rows = list[Any](), {selection.output[0]: selection.input[0]}
    for node in model.graph.node:
        if node.output[0] == selection.output[0]:
            continue
        inside = node.output[0] in region
        count += inside
        for place, name in enumerate(node.input):
            if inside and name and name not in rows and name not in graph.constants and name not in region:
                rows[name] = f"{name}_row"
                kept.append(helper.make_node("Gather", [name, token], [rows[name]], f"{name}_take_row", axis=1))
            if inside or name == selection.output[0]:
                node.input[place] = rows.get(name, name)
        kept.append(node)
    _replace_nodes(model, kept)
    return count


def slice_positions(model: Any, longest: int) -> int:
    """Replaces position embeddings by the first rows of a table of `longest` rows. Returns how many were replaced.

    The function runs the graph to find the rows that a text of n tokens reads. If these are always n consecutive rows
    from the same first row, for every length and all tokens, the operators that compute positions are removed.
    RoBERTa's positions skip padding, and a text may contain the padding token, so its positions stay unchanged.
    """
    from onnx import helper, numpy_helper

    graph = _Graph(model)
    inputs = {item.name for item in model.graph.input}
    kept: list[Any] = []
    changed = 0
    for node in model.graph.node:
        table = graph.constants.get(node.input[0]) if node.op_type == "Gather" else None
        known = table is None or table.ndim != 2 or node.input[1] in inputs or node.input[1] in graph.constants
        first = None if known else _first_row(model, node.input[1], longest)
        if table is None or first is None or first + longest > len(table):
            kept.append(node)
            continue
        name = node.output[0]
        rows = np.ascontiguousarray(table[first : first + longest])[None]
        for key, value in {"table": rows, "from": np.array([0], np.int64), "axis": np.array([1], np.int64)}.items():
            model.graph.initializer.append(numpy_helper.from_array(value, f"{name}_{key}"))
        where = [f"{name}_{key}" for key in ("table", "from", "length", "axis")]
        kept += [
            helper.make_node("Shape", ["input_ids"], [f"{name}_length"], f"{name}_shape", start=1, end=2),
            helper.make_node("Slice", where, [name], f"{name}_slice"),
        ]
        changed += 1
    if changed:
        _replace_nodes(model, kept)
        drop_unread(model)
    return changed


class _Graph:
    """The producer and the readers of each tensor of a model, and its constants."""

    def __init__(self, model: Any) -> None:
        from onnx import numpy_helper

        self.maker = {name: node for node in model.graph.node for name in node.output}
        self.readers: dict[str, list[str]] = defaultdict(list)
        for node in model.graph.node:
            for name in node.input:
                self.readers[name].append(node.output[0])
        self.outputs = {item.name for item in model.graph.output}
        self.constants: dict[str, NDArray[Any]] = {
            item.name: numpy_helper.to_array(item) for item in model.graph.initializer
        }
        for node in model.graph.node:
            if node.op_type == "Constant" and node.attribute[0].name == "value":
                self.constants[node.output[0]] = numpy_helper.to_array(node.attribute[0].t)

    def row_by_row(self, selection: Any) -> set[str]:
        """The results before `selection` that are computed for each token separately and only have such readers."""
        found: set[str] = set()
        waiting = [selection.input[0]]
        while waiting:
            name = waiting.pop()
            node = self.maker.get(name)
            if node is None or name in found | self.outputs or not self._works_on_rows(node):
                continue
            if set(self.readers[name]) - {selection.output[0]} - found:
                continue  # it is tried again when its other readers are known
            found.add(name)
            waiting += [source for source in node.input if source not in self.constants]
        return found

    def _works_on_rows(self, node: Any) -> bool:
        values = [self.constants[name] for name in node.input if name in self.constants]
        if node.op_type == "MatMul":
            return node.input[1] in self.constants and self.constants[node.input[1]].ndim == 2
        if node.op_type == "LayerNormalization":
            return all(item.i == -1 for item in node.attribute if item.name == "axis")
        return node.op_type in ROW_BY_ROW and all(value.ndim <= 1 for value in values)


def _is_selection(node: Any, constants: dict[str, NDArray[Any]]) -> bool:
    """Whether a node selects one token of [batch, length, width]: a Gather with a scalar index on the second axis."""
    index = constants.get(node.input[1]) if node.op_type == "Gather" else None
    axis = next((item.i for item in node.attribute if item.name == "axis"), 0)
    return index is not None and index.ndim == 0 and axis == 1 and node.input[0] not in constants


def _replace_nodes(model: Any, nodes: list[Any]) -> None:
    del model.graph.node[:]
    model.graph.node.extend(nodes)


def drop_unread(model: Any) -> None:
    """Removes operators and constants that no output depends on."""
    needed = {item.name for item in model.graph.output}
    kept: list[Any] = []
    for node in reversed(model.graph.node):
        if needed & set(node.output):
            kept.append(node)
            needed |= set(node.input)
    _replace_nodes(model, kept[::-1])
    weights = [item for item in model.graph.initializer if item.name in needed]
    del model.graph.initializer[:]
    model.graph.initializer.extend(weights)


def _first_row(model: Any, index: str, longest: int) -> int | None:
    """The first of the consecutive rows that texts read; None if a tried text reads other rows."""
    import onnx
    from onnx import TensorProto, helper

    from edge_ptf.engines.onnxruntime import GraphSession
    from edge_ptf.examples import Encoding

    probe = onnx.ModelProto()
    probe.CopyFrom(model)
    del probe.graph.output[:], probe.graph.value_info[:]
    probe.graph.output.append(helper.make_tensor_value_info(index, TensorProto.INT64, None))
    drop_unread(probe)
    session, first = GraphSession(probe.SerializeToString()), set[int]()
    for length in sorted({1, 2, longest // 2, longest - 1, longest} - {0}):
        feeds = session.feeds(Encoding([place % 10 for place in range(length)], [0] * length))
        found = np.asarray(session.session.run(None, feeds)[0])
        start = int(found.flat[0])
        if start < 0 or not np.array_equal(found, start + np.arange(length)[None]):
            return None
        first.add(start)
    return first.pop() if len(first) == 1 else None
