"""Which parts of an encoder can be made smaller, family by family, and how to cut them."""

from __future__ import annotations

from edge_ptf.architecture.cutting import (
    fill_layer,
    keep_hidden,
    keep_layers,
    keep_pieces,
    reshape,
    set_layers,
    slice_layer,
)
from edge_ptf.architecture.families import (
    FAMILIES,
    Family,
    LayerParts,
    LayerShape,
    embedded,
    encoder,
    family_named,
    family_of,
    head_size,
    hidden_width,
    is_known,
    layers,
    parts,
    projections,
    shapes,
    word_embeddings,
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
    "head_size",
    "hidden_width",
    "is_known",
    "keep_hidden",
    "keep_layers",
    "keep_pieces",
    "layers",
    "parts",
    "projections",
    "reshape",
    "set_layers",
    "shapes",
    "slice_layer",
    "word_embeddings",
]
