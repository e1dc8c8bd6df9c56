"""Rewrites that make an ONNX graph faster or smaller under ONNX Runtime. Each returns a new or a changed model."""

from __future__ import annotations

import logging
from collections import Counter, defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from edge_ptf.graph import optimizations

CONTRIBUTED = "com.microsoft"
"""The operator domain of ONNX Runtime's own fused operators."""

LEAST_TABLE = 1 << 16
"""Smaller embedding tables (in elements) are not compressed. Position and type tables are small."""


def fuse(path: Path) -> Any:
    """Fuses attention, GELU and the embeddings' LayerNorm with ONNX Runtime's transformer optimizer.

    The mask stays raw (no index form). Bias and residual additions are not fused. ONNX Runtime then fuses the bias with
    the dynamic INT8 linear op.
    """
    from onnxruntime.transformers import optimizer
    from onnxruntime.transformers.fusion_options import FusionOptions

    options = FusionOptions("bert")
    options.use_raw_attention_mask(True)
    options.enable_skip_layer_norm = False
    options.enable_bias_skip_layer_norm = False
    options.enable_bias_gelu = False
    options.enable_embed_layer_norm = False
    level = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        fused = optimizer.optimize_model(
            str(path), model_type="bert", num_heads=0, hidden_size=0, opt_level=0, optimization_options=options
        )
    finally:
        logging.disable(level)
    _import_contributed(fused.model)
    return fused.model


def keep_residuals_apart(model: Any) -> int:
    """Replaces each Add before a LayerNormalization by a Sum. Returns the number of replacements.

    ONNX Runtime would fuse Add and LayerNormalization when it loads the graph. Its fused kernel is slower than two
    separate kernels, whichever node then adds the bias of the INT8 linear op. Without the fusion, the whole graph is
    1.2 to 1.4 times as fast for 8 to 32 tokens (`benchmarks/graph_forms.py`).
    """
    consumers = defaultdict(list)
    for node in model.graph.node:
        for name in node.input:
            consumers[name].append(node.op_type)
    changed = 0
    for node in model.graph.node:
        if node.op_type == "Add" and "LayerNormalization" in consumers[node.output[0]]:
            node.op_type = "Sum"
            changed += 1
    return changed


def split_gemms(model: Any) -> int:
    """Replaces each Gemm with a stored weight by MatMul and Add, in place. Returns the number of replacements.

    A Gemm with an unquantized bias has no INT8 kernel in ONNX Runtime. MatMul has one.
    """
    from onnx import helper, numpy_helper

    stored = {item.name: item for item in model.graph.initializer}
    nodes, changed = list[Any](), 0
    for node in model.graph.node:
        given = {item.name: helper.get_attribute_value(item) for item in node.attribute}
        weight = stored.get(node.input[1]) if node.op_type == "Gemm" else None
        plain = given.get("alpha", 1.0) == given.get("beta", 1.0) == 1.0 and not given.get("transA", 0)
        if weight is None or not plain:
            nodes.append(node)
            continue
        name = weight.name
        if given.get("transB", 0):
            name = f"{name}_transposed"
            if name not in stored:
                turned = np.ascontiguousarray(numpy_helper.to_array(weight).T)
                stored[name] = numpy_helper.from_array(turned, name)
                model.graph.initializer.append(stored[name])
        result, path = node.output[0], node.name.removesuffix("Gemm")
        biases = list(node.input[2:3])
        multiplied = f"{result}_without_bias" if biases else result
        nodes.append(helper.make_node("MatMul", [node.input[0], name], [multiplied], f"{path}MatMul"))
        if biases:
            nodes.append(helper.make_node("Add", [multiplied, *biases], [result], f"{path}Add"))
        changed += 1
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    optimizations.drop_unread(model)
    return changed


def keep_biases_apart(model: Any) -> int:
    """Replaces each Add of a vector to an INT8 matmul by a Sum, in place. Returns the number of replacements.

    ONNX Runtime would join MatMul and Add to Gemm when it loads the graph. Gemm with an unquantized bias has no INT8
    kernel.
    """
    vectors = {item.name for item in model.graph.initializer if len(item.dims) == 1}
    maker = {name: node for node in model.graph.node for name in node.output}

    def is_int8(name: str) -> bool:
        node = maker.get(name)
        sources = [maker.get(source) for source in node.input] if node is not None and node.op_type == "MatMul" else []
        return bool(sources) and all(each is not None and each.op_type == "DequantizeLinear" for each in sources)

    changed = 0
    for node in model.graph.node:
        if node.op_type == "Add" and any(map(is_int8, node.input)) and vectors & {*node.input}:
            node.op_type = "Sum"
            changed += 1
    return changed


TableForm = Literal["int4", "int8", "fp16", "fp32"]
BLOCK = 32
"""Number of INT4 values of a row that share a scale."""
CLIPS = (1.0, 0.95, 0.9, 0.85, 0.8, 0.75, 0.7)
"""Candidates for a block's scale, as shares of its largest value. Clipping this value can make the others finer."""


def rewritten(content: bytes, change: Callable[[Any], None]) -> bytes:
    """The bytes of a graph after a change in place."""
    import onnx

    model = onnx.load_from_string(content)
    change(model)
    result: bytes = model.SerializeToString()
    return result


def shift_output(model: Any, output: str, by: NDArray[np.float32]) -> None:
    """Adds a vector [classes] to an output [..., classes], in place. If the last operation adds a bias, it changes
    that.
    """
    from onnx import helper, numpy_helper

    graph = model.graph
    last = next(node for node in graph.node if output in node.output)
    stored = {item.name: item for item in graph.initializer}
    biases = [stored[name] for name in last.input if name in stored and tuple(stored[name].dims) == by.shape]
    used = Counter(name for node in graph.node for name in node.input)
    if last.op_type in ("Add", "Sum") and len(biases) == 1 and used[biases[0].name] == 1:
        moved = numpy_helper.to_array(biases[0]) + by
        biases[0].CopyFrom(numpy_helper.from_array(moved.astype(np.float32), biases[0].name))
        return
    before, vector = f"{output}_before_shift", f"{output}_shift"
    last.output[list(last.output).index(output)] = before
    graph.initializer.append(numpy_helper.from_array(by, vector))
    place = list(graph.node).index(last) + 1
    graph.node.insert(place, helper.make_node("Add", [before, vector], [output], vector))


def scale_output(model: Any, output: str, by: float) -> None:
    """Multiplies an output by a number, in place."""
    from onnx import helper, numpy_helper

    graph = model.graph
    last = next(node for node in graph.node if output in node.output)
    before, factor = f"{output}_before_factor", f"{output}_factor"  # a quantized graph can have logits_scale
    last.output[list(last.output).index(output)] = before
    graph.initializer.append(numpy_helper.from_array(np.asarray(by, np.float32), factor))
    place = list(graph.node).index(last) + 1
    graph.node.insert(place, helper.make_node("Mul", [before, factor], [output], factor))


def compress_embeddings(model: Any, form: TableForm) -> int:
    """Stores large embedding tables in fewer bits. Returns the number of changed tables.

    INT8 has a scale for each row. INT4 has a scale for each `BLOCK` values of a row, chosen for the least squared
    error. Only the rows that a text reads are converted back to FP32. So a smaller table takes less disk space without
    more time. With INT4, sliced tables (those of positions) and tables with an odd width become INT8.
    """
    from onnx import helper, numpy_helper

    if form == "fp32":
        return 0
    tables = {item.name: item for item in model.graph.initializer}
    uses = Counter(name for node in model.graph.node for name in node.input)
    nodes, changed = [], 0
    for node in model.graph.node:
        kind = node.op_type
        table = tables.get(node.input[0]) if kind in ("Gather", "Slice") else None
        if table is None or len(table.dims) < 2 or np.prod(table.dims) < LEAST_TABLE or uses[table.name] != 1:
            nodes.append(node)
            continue
        values = numpy_helper.to_array(table).astype(np.float32)
        name, rows, result = table.name, node.input[1:], node.output[0]
        model.graph.initializer.remove(table)
        if form == "fp16":
            model.graph.initializer.append(numpy_helper.from_array(values.astype(np.float16), name))
            nodes.append(helper.make_node(kind, [name, *rows], [f"{name}_rows"], f"{name}_rows"))
            nodes.append(helper.make_node("Cast", [f"{name}_rows"], [result], f"{name}_cast", to=1))
        elif form == "int4" and kind == "Gather" and values.ndim == 2 and values.shape[1] % 2 == 0:
            packed, scales = in_blocks(values)
            model.graph.initializer.append(numpy_helper.from_array(packed, name))
            model.graph.initializer.append(numpy_helper.from_array(scales, f"{name}_scales"))
            picked = {"gather_axis": 0, "quantize_axis": 1, "block_size": BLOCK, "bits": 4, "domain": CONTRIBUTED}
            inputs = [name, *rows, f"{name}_scales"]
            nodes.append(helper.make_node("GatherBlockQuantized", inputs, [result], f"{name}_rows", **picked))
        else:
            scales = np.maximum(np.abs(values).max(axis=-1, keepdims=True) / 127.0, 1e-12).astype(np.float32)
            whole = np.clip(np.rint(values / scales), -127, 127).astype(np.int8)
            model.graph.initializer.append(numpy_helper.from_array(whole, name))
            model.graph.initializer.append(numpy_helper.from_array(scales, f"{name}_scales"))
            nodes += [
                helper.make_node(kind, [name, *rows], [f"{name}_rows"], f"{name}_rows"),
                helper.make_node(kind, [f"{name}_scales", *rows], [f"{name}_row_scales"], f"{name}_row_scales"),
                helper.make_node("Cast", [f"{name}_rows"], [f"{name}_cast"], f"{name}_cast", to=1),
                helper.make_node("Mul", [f"{name}_cast", f"{name}_row_scales"], [result], f"{name}_scale"),
            ]
        changed += 1
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    _import_contributed(model)
    return changed


def _import_contributed(model: Any) -> None:
    """Declares the domain of ONNX Runtime's own operators if the graph uses it."""
    from onnx import helper

    known = {item.domain for item in model.opset_import}
    if CONTRIBUTED not in known and any(node.domain == CONTRIBUTED for node in model.graph.node):
        model.opset_import.append(helper.make_opsetid(CONTRIBUTED, 1))


def in_blocks(values: NDArray[np.float32]) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """A table in INT4, two values per byte (the first in the low half, offset by 8), and the scales of its blocks.

    Args:
        values: [rows, width], with an even width.

    Returns:
        [rows, width / 2], and [rows, width / BLOCK] rounded up.
    """
    rows, width = values.shape
    padded = np.pad(values, ((0, 0), (0, -width % BLOCK))).reshape(rows, -1, BLOCK)
    largest = np.maximum(np.abs(padded).max(axis=-1, keepdims=True), 1e-12)
    least, scales, numbers = np.full(largest.shape, np.inf), largest / 7.0, np.zeros_like(padded)
    for share in CLIPS:
        scale = share * largest / 7.0
        whole = np.clip(np.rint(padded / scale), -8, 7)
        error = np.square(whole * scale - padded).sum(axis=-1, keepdims=True)
        better = error < least
        least, scales, numbers = (
            np.where(better, new, old) for new, old in ((error, least), (scale, scales), (whole, numbers))
        )
    flat = (numbers.reshape(rows, -1)[:, :width] + 8).astype(np.uint8)
    packed: NDArray[np.uint8] = (flat[:, ::2] | (flat[:, 1::2] << 4)).astype(np.uint8)
    return packed, scales[..., 0].astype(np.float32)


def weighted_linear_ops(model: Any) -> list[str]:
    """Names of the MatMul and Gemm nodes that multiply by a weight, in graph order."""
    weights = {item.name for item in model.graph.initializer}
    return [node.name for node in model.graph.node if node.op_type in ("MatMul", "Gemm") and node.input[1] in weights]
