"""What edge-ptf must know about a family of encoders in order to prune, export and measure its models."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

NormPlacement = Literal["post", "pre"]
"""Whether a layer normalizes the sum of its input and its output ("post"), or its input alone ("pre")."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """One family of encoders: where it keeps its parts, and the names that its configuration uses.

    A path is a chain of attribute names with dots between them. `layers`, `pooler` and the paths of the embeddings
    start at the encoder. The paths in `heads` start at the model with its head. All other paths start at one layer.
    """

    name: str
    """The `model_type` of the configuration."""

    layers: str
    attention: str
    """The module that mixes tokens. It has the attribute named by `head_size`."""
    projections: tuple[str, str, str]
    """Query, key and value: linear modules, each a direct child of `attention`."""
    attention_output: str
    attention_norm: str
    feed_forward_input: str
    feed_forward_output: str
    feed_forward_norm: str
    norm_placement: NormPlacement = "post"

    embeddings: str = "embeddings"
    word_embeddings: str = "embeddings.word_embeddings"
    position_embeddings: str = "embeddings.position_embeddings"
    embeddings_norm: str = "embeddings.LayerNorm"
    embeddings_projection: str | None = None
    """A linear module between the embeddings and the first layer. A model has it only where the two widths differ."""

    pooler: str | None = None
    """A linear module that a text classifier applies to the hidden states before its head."""
    heads: tuple[str, ...] = ("classifier",)
    """Where the head of a task reads the hidden states: the first of these paths that the model has."""

    head_size: str = "attention_head_size"
    layer_count: str = "num_hidden_layers"
    feed_forward_size: str = "intermediate_size"

    @property
    def norms(self) -> tuple[str, str]:
        """The modules whose outputs are the hidden states of a layer."""
        return self.attention_norm, self.feed_forward_norm

    @property
    def output_inside_attention(self) -> str | None:
        """The name of the output projection within the attention module; None if it is outside of that module."""
        prefix = f"{self.attention}."
        return self.attention_output.removeprefix(prefix) if self.attention_output.startswith(prefix) else None
