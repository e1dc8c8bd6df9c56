"""The bytes of a package: by file, and inside the model by the purpose of the weights."""

from __future__ import annotations

from dataclasses import dataclass

from edge_ptf.package.payload import Payload

PARTS = {
    "embeddings": ("embed",),
    "attention": ("attention", "attn", "qkv"),
    "feed-forward": ("intermediate", "ffn", "output/dense", "output.dense", "mlp", "lin1", "lin2"),
    "head": ("classifier", "pooler", "pre_classifier"),
}
"""Parts of the names of weights and of the nodes that read them, in this order."""


@dataclass(frozen=True, slots=True)
class Subword:
    """One part of a package and its bytes."""

    name: str
    size_bytes: int


def files(payload: Payload) -> list[Subword]:
    """The payload's unpacked files, largest first."""
    found = [Subword(entry.path, entry.size) for entry in payload.manifest.files]
    return sorted(found, key=lambda subword: (-subword.size_bytes, subword.name))


def model_parts(payload: Payload) -> list[Subword]:
    """The model's weights by purpose, largest first. 'structure' is all of the file except weights."""
    import onnx

    content = payload.model()
    graph = onnx.load_model_from_string(content).graph
    readers: dict[str, list[str]] = {}
    for node in graph.node:
        for name in node.input:
            readers.setdefault(name, []).append(node.name)
    found: dict[str, int] = {}
    for weight in graph.initializer:
        part = _part(" ".join([weight.name, *readers.get(weight.name, [])]).lower())
        found[part] = found.get(part, 0) + weight.ByteSize()
    found["structure"] = len(content) - sum(found.values())
    return sorted((Subword(*item) for item in found.items()), key=lambda subword: (-subword.size_bytes, subword.name))


def _part(names: str) -> str:
    return next((part for part, marks in PARTS.items() if any(mark in names for mark in marks)), "other weights")
