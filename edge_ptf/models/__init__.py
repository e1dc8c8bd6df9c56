"""The parts of an encoder that can be pruned, for each family, and the functions that prune them."""

from __future__ import annotations

from edge_ptf.models.families import FAMILIES, Family, family_named
from edge_ptf.models.structure import (
    LayerParts,
    LayerShape,
    embedded,
    encoder,
    family_of,
    first_position,
    head_size,
    headed,
    hidden_size,
    is_known,
    layers,
    parts,
    projections,
    shapes,
    word_embeddings,
)
from edge_ptf.models.surgery import (
    fill_layer,
    keep_hidden,
    keep_layers,
    keep_subwords,
    reshape,
    set_layers,
    slice_layer,
)

__all__ = [
    "FAMILIES",
    "Family",
    "LayerParts",
    "LayerShape",
    "embedded",
    "encoder",
    "family_named",
    "family_of",
    "fill_layer",
    "first_position",
    "head_size",
    "headed",
    "hidden_size",
    "is_known",
    "keep_hidden",
    "keep_layers",
    "keep_subwords",
    "layers",
    "parts",
    "projections",
    "reshape",
    "set_layers",
    "shapes",
    "slice_layer",
    "word_embeddings",
]
