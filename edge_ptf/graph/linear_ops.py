"""The linear ops of a graph that have a weight, under readable names that stay the same after a fusion.

A node has the path of the module that it was traced from, `/model/bert/encoder/layer.1/output/dense/MatMul`. Its
linear op is called `layer.1.feed_forward.output`. Query, key and value are one linear op, `layer.1.attention.qkv`,
because they have one input and ONNX Runtime fuses them into one node. So the exported graph and the fused one have the
same names.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Any

from edge_ptf.errors import BadInputError, near_matches
from edge_ptf.models import FAMILIES

ATTENTION = "Attention"
OTHER_ROLES = (
    (r"attention(\.self|\.attn)?(\.(query|key|value|q|k|v))?", "attention.qkv"),
    (r"attention\.(output(\.dense)?|attn\.o|dense)", "attention.output"),
    (r"intermediate\.dense|ffn", "feed_forward.input"),
    (r"output\.dense|ffn_output", "feed_forward.output"),
)
"""Paths within a layer and their roles, for exported plain attention and for families that are not registered."""


def linear_ops(model: Any) -> dict[str, tuple[str, ...]]:
    """The name of each linear op with a weight, and the nodes that compute it, in graph order.

    A weight that layers share (ALBERT) makes one linear op, named after its first use.
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
    """The nodes of the named linear ops.

    Raises:
        BadInputError: the graph has no linear op of that name.
    """
    known = linear_ops(model)
    check_known(names, known)
    return [node for name in names for node in known[name]]


def check_known(names: Collection[str], known: Collection[str]) -> None:
    """Checks that a linear op exists for each name.

    Raises:
        BadInputError: a name has no linear op.
    """
    for name in names:
        if name not in known:
            raise BadInputError(f"keep_fp32: the graph has no linear op '{name}'", hint=near_matches(name, known))


def readable(module: str) -> str:
    """The name of a linear op from the path of its module, such as `/model/bert/encoder/layer.1/output/dense`."""
    parts = [part for part in module.split("/") if part]
    layer = next((place for place, part in enumerate(parts) if re.fullmatch(r".*layers?\.\d+", part)), None)
    if layer is None:
        kept = [part for part in parts if part not in _OMITTED]
        return ".".join(kept or parts)
    inside = ".".join(parts[layer + 1 :])
    role = _roles().get(inside) or next((role for path, role in OTHER_ROLES if re.fullmatch(path, inside)), inside)
    return f"{parts[layer]}.{role}"


def _roles() -> dict[str, str]:
    """Paths within a layer and their roles, from the registered families."""
    roles: dict[str, str] = {}
    for family in FAMILIES.values():
        roles |= dict.fromkeys((family.attention, *family.projections), "attention.qkv")
        roles[family.attention_output] = "attention.output"
        roles[family.feed_forward_input] = "feed_forward.input"
        roles[family.feed_forward_output] = "feed_forward.output"
    return roles


_OMITTED = {"model", "encoder", *FAMILIES}
"""Parts of a path that a readable name omits."""
