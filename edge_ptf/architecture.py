"""Which parts of an encoder can be made smaller, family by family, and how to make them so."""

from __future__ import annotations

from pydantic import Field

from edge_ptf.config import StrictModel


class LayerShape(StrictModel):
    """The width of one encoder layer; 0 heads or 0 units means that half of the layer is gone."""

    heads: int = Field(ge=0, description="Attention heads kept.")
    ffn: int = Field(ge=0, description="Feed-forward units kept.")
