"""The parts of a model and their sizes, found through the model's family.

A model of an unknown family cannot be pruned, but everything else works. Its shape comes from its configuration.
"""

from __future__ import annotations

from typing import Any

from pydantic import Field

from edge_ptf.config import StrictModel
from edge_ptf.errors import CheckpointError
from edge_ptf.models.families import FAMILIES, Family, family_named


class LayerShape(StrictModel):
    """The size of one encoder layer. A layer with 0 heads has no attention; 0 neurons means no feed-forward part."""

    num_heads: int = Field(ge=0, description="Number of attention heads.")
    intermediate_size: int = Field(ge=0, description="Number of feed-forward neurons.")


class LayerParts:
    """Reads and replaces the linear modules of one layer by their role."""

    def __init__(self, family: Family, layer: Any) -> None:
        self.family = family
        self.layer = layer

    def get(self, path: str) -> Any:
        """The module at an attribute path from the layer."""
        return self.layer.get_submodule(path)

    def set(self, path: str, module: Any) -> None:
        """Puts another module at an attribute path from the layer."""
        self.layer.set_submodule(path, module)

    @property
    def num_heads(self) -> int:
        """Attention heads."""
        attention = self.get(self.family.attention)
        query = getattr(attention, self.family.projections[0].rpartition(".")[2], None)
        return 0 if query is None else int(query.out_features) // self.head_size

    @property
    def head_size(self) -> int:
        """Width of one attention head."""
        return int(getattr(self.get(self.family.attention), self.family.head_size))

    @property
    def intermediate_size(self) -> int:
        """Feed-forward neurons."""
        inner = self.get(self.family.feed_forward_input)
        return int(inner.out_features) if hasattr(inner, "out_features") else 0


def family_of(model: Any) -> Family:
    """The family of a model, with or without a task's head."""
    return family_named(model.config.model_type)


def is_known(model: Any) -> bool:
    """Whether edge-ptf can prune the model's family."""
    return model.config.model_type in FAMILIES


def encoder(model: Any) -> Any:
    """The encoder inside a model with a head."""
    return getattr(model, model.base_model_prefix, model)


def headed(model: Any) -> list[Any]:
    """The modules with a head: the model itself, or one for each task that shares its encoder."""
    return list(getattr(model, "heads", ()) or [model])


def layers(model: Any) -> Any:
    """The list of encoder layers (`torch.nn.ModuleList`)."""
    return encoder(model).get_submodule(family_of(model).layers)


def parts(model: Any) -> list[LayerParts]:
    """The prunable parts of each layer, first layer first."""
    family = family_of(model)
    return [LayerParts(family, layer) for layer in layers(model)]


def word_embeddings(model: Any) -> Any:
    """The word-embedding module, [vocabulary, width]."""
    if not is_known(model):
        return encoder(model).get_input_embeddings()
    return encoder(model).get_submodule(family_of(model).word_embeddings)


def first_position(model: Any) -> int:
    """The position of the first token: 0, or one more than the padding id where the model counts from there.

    The table of positions of such a model has a padding row.
    """
    for name, module in encoder(model).named_modules():
        padding = getattr(module, "padding_idx", None)
        if name.rpartition(".")[2] == "position_embeddings" and padding is not None:
            return int(padding) + 1
    return 0


def embedded(model: Any) -> Any:
    """The module whose output is the input of the first layer."""
    family = family_of(model)
    projection = getattr(encoder(model), family.embeddings_projection, None) if family.embeddings_projection else None
    return projection or encoder(model).get_submodule(family.embeddings)


def head_size(model: Any) -> int:
    """Width of one attention head."""
    if not is_known(model):
        config = model.config
        return int(getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads)
    return parts(model)[0].head_size


def hidden_size(model: Any) -> int:
    """Hidden size: the width of the hidden states."""
    norms = [part.get(part.family.feed_forward_norm) for part in parts(model)] if is_known(model) else []
    return int(norms[0].weight.shape[0] if norms else model.config.hidden_size)


def projections(model: Any) -> tuple[Any, Any, Any]:
    """The modules of query, key and value in the last layer that has heads.

    Raises:
        CheckpointError: no layer has heads, or the model's family is unknown.
    """
    family = family_of(model)
    for part in reversed(parts(model)):
        if part.num_heads:
            query, key, value = (part.get(path) for path in family.projections)
            return query, key, value
    raise CheckpointError("no layer has attention heads, so there is no query, key and value")


def shapes(model: Any) -> tuple[LayerShape, ...]:
    """The shape of each layer."""
    if not is_known(model):
        config = model.config
        width = getattr(config, "intermediate_size", None) or 4 * config.hidden_size  # XLM and Flaubert lack the field
        return (LayerShape(num_heads=config.num_attention_heads, intermediate_size=width),) * int(
            config.num_hidden_layers
        )
    return tuple(
        LayerShape(num_heads=part.num_heads, intermediate_size=part.intermediate_size) for part in parts(model)
    )
