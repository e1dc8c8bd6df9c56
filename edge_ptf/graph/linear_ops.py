"""The products of a graph that have a weight, under names that people read and that outlive a fusion.

A node is named by the path of the module it was traced from, `/model/bert/encoder/layer.1/output/dense/MatMul`; its
product is called `layer.1.feed_forward.output`. Query, key and value are one product, `layer.1.attention.qkv`, because they have
one input and ONNX Runtime fuses them into one node. So the exported graph and the fused one have the same names.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Any

from edge_ptf.errors import BadInputError, near_matches
from edge_ptf.models import FAMILIES

ATTENTION = "Attention"
ROLES = (
    (r"attention(\.self|\.attn)?(\.(query|key|value|q|k|v|q_lin|k_lin|v_lin))?", "attention.qkv"),
    (r"attention\.(output(\.dense)?|attn\.o|out_lin|dense)", "attention.output"),
    (r"intermediate\.dense|ffn\.lin1|ffn", "feed_forward.input"),
    (r"output\.dense|ffn\.lin2|ffn_output", "feed_forward.output"),
)
"""Paths within a layer, and the role of what is found there."""


def linear_ops(model: Any) -> dict[str, tuple[str, ...]]:
    """The name of each product with a weight, and the nodes that work it out, in graph order.

    A weight that layers share (ALBERT) makes one product, named after its first use.
    """
    weights = {item.name for item in model.graph.initializer}
    by_weight: dict[str, str] = {}
    found: dict[str, list[str]] = {}
    for node in model.graph.node:
        fused = node.op_type == ATTENTION
        if (fused or node.op_type in ("MatMul", "Gemm")) and node.input[1] in weights:
            path = node.output[0] if fused else node.name
            name = by_weight.setdefault(node.input[1], readable(path.rpartition("/")[0]))
            found.setdefault(name, []).append(node.name)
    return {name: tuple(nodes) for name, nodes in found.items()}


def nodes_of(model: Any, names: Collection[str]) -> list[str]:
    """The nodes of the named products.

    Raises:
        BadInputError: the graph has no product of that name.
    """
    known = linear_ops(model)
    check_known(names, known)
    return [node for name in names for node in known[name]]


def check_known(names: Collection[str], known: Collection[str]) -> None:
    """Refuses a name that no product has.

    Raises:
        BadInputError: says which.
    """
    for name in names:
        if name not in known:
            raise BadInputError(f"keep_fp32: the graph has no product '{name}'", hint=near_matches(name, known))


def readable(module: str) -> str:
    """The product's name from the path of its module, such as `/model/bert/encoder/layer.1/output/dense`."""
    parts = [part for part in module.split("/") if part]
    layer = next((place for place, part in enumerate(parts) if re.fullmatch(r".*layers?\.\d+", part)), None)
    if layer is None:
        kept = [part for part in parts if part not in _UNTOLD]
        return ".".join(kept or parts)
    inside = ".".join(parts[layer + 1 :])
    role = next((role for pattern, role in ROLES if re.fullmatch(pattern, inside)), inside)
    return f"{parts[layer]}.{role}"


_UNTOLD = {"model", "encoder", *FAMILIES}
"""Parts of a path that say nothing."""
