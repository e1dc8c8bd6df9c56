"""Checks an ONNX graph against the rules of a version of TensorRT, without TensorRT."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from edge_ptf.engines.tensorrt.findings import Finding
from edge_ptf.engines.tensorrt.graph_view import GraphView, graphs_of, infer
from edge_ptf.engines.tensorrt.operator_rules import check_node
from edge_ptf.engines.tensorrt.quantization_rules import check_outputs, check_quantization, check_weights
from edge_ptf.engines.tensorrt.shape_rules import check_shapes
from edge_ptf.engines.tensorrt.structure_rules import check_opset, check_structure
from edge_ptf.engines.tensorrt.targets import Target, target

ORIN = 87
"""The compute capability of Jetson Orin, 8.7."""


def verify_graph(content: bytes, version: str = "10.x", capability: int = ORIN) -> list[Finding]:
    """Each violation of a rule of TensorRT, in the order of the graph.

    Args:
        content: the ONNX file.
        version: a name in `TARGETS`.
        capability: the compute capability of the GPU, 87 for 8.7.

    Returns:
        The findings; TensorRT refuses the graph if one has `refused`.

    Raises:
        BadInputError: the version is not known.
    """
    import onnx

    chosen = target(version)
    try:
        model = onnx.load_model_from_string(content)
    except Exception:  # protobuf's own error, whose package has no types
        return [Finding("no-onnx", "the file", "it is no ONNX model", "Give an .onnx file")]
    if model.functions:
        from onnx import inliner

        model = inliner.inline_local_functions(model)
    inferred = infer(model)
    return [*check_opset(model, chosen), *_graph(GraphView(model.graph, inferred), chosen, capability, inferred)]


def _graph(view: GraphView, chosen: Target, capability: int, inferred: Any) -> Iterator[Finding]:
    structure = list(check_structure(view, chosen))
    yield from structure
    if any(finding.rule == "order" for finding in structure):
        return  # the rest needs an order
    for node in view.nodes:
        found = list(check_node(view, node, chosen))
        yield from found
        if any(finding.rule in ("operator", "domain", "dynamic-int8") for finding in found):
            continue
        yield from check_shapes(view, node, chosen)
        yield from check_quantization(view, node, chosen, capability)
        yield from check_weights(view, node, chosen)
        for inside in graphs_of(node):
            yield from _graph(GraphView(inside, inferred, view), chosen, capability, inferred)
    yield from check_outputs(view)
