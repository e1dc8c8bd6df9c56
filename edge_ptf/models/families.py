"""Where each family of encoders keeps its parts, and how large they are.

A model of another family works everywhere but in pruning: its shape is what its configuration says.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pydantic import Field

from edge_ptf.config import StrictModel
from edge_ptf.errors import CheckpointError


class LayerShape(StrictModel):
    """The width of one encoder layer; 0 heads or 0 neurons means that half of the layer is gone."""

    num_heads: int = Field(ge=0, description="Attention heads kept.")
    intermediate_size: int = Field(ge=0, description="Feed-forward neurons kept.")


@dataclass(frozen=True, slots=True)
class Family:
    """Where a family of encoders keeps its parts: attribute paths from the encoder, and from one layer."""

    name: str
    layers: str
    attention: str
    projections: tuple[str, str, str]
    attention_output: str
    attention_norm: str
    feed_forward_input: str
    feed_forward_output: str
    feed_forward_norm: str
    layer_count: str = "num_hidden_layers"
    feed_forward_size: str = "intermediate_size"

    @property
    def norms(self) -> tuple[str, str]:
        """Where a layer has written to the hidden states."""
        return self.attention_norm, self.feed_forward_norm


_BERT = {
    "layers": "encoder.layer",
    "attention": "attention.self",
    "projections": ("attention.self.query", "attention.self.key", "attention.self.value"),
    "attention_output": "attention.output.dense",
    "attention_norm": "attention.output.LayerNorm",
    "feed_forward_input": "intermediate.dense",
    "feed_forward_output": "output.dense",
    "feed_forward_norm": "output.LayerNorm",
}

FAMILIES: dict[str, Family] = {
    **{name: Family(name=name, **_BERT) for name in ("bert", "roberta", "xlm-roberta", "electra")},  # type: ignore[arg-type]
    "distilbert": Family(
        name="distilbert",
        layers="transformer.layer",
        attention="attention",
        projections=("attention.q_lin", "attention.k_lin", "attention.v_lin"),
        attention_output="attention.out_lin",
        attention_norm="sa_layer_norm",
        feed_forward_input="ffn.lin1",
        feed_forward_output="ffn.lin2",
        feed_forward_norm="output_layer_norm",
        layer_count="n_layers",
        feed_forward_size="hidden_dim",
    ),
}


HEADS = ("classifier.dense", "pre_classifier", "classifier")
"""Where a task's head reads the hidden states; the first of these that a model has."""


class LayerParts:
    """Reads and replaces the linear modules of one layer by their role."""

    def __init__(self, family: Family, layer: Any) -> None:
        self.family = family
        self.layer = layer

    def get(self, path: str) -> Any:
        """The module at an attribute path from the layer."""
        return self.layer.get_submodule(path)

    def set(self, path: str, module: Any) -> None:
        """Puts another module there."""
        self.layer.set_submodule(path, module)

    @property
    def num_heads(self) -> int:
        """Attention heads."""
        attention = self.get(self.family.attention)
        query = getattr(attention, self.family.projections[0].rpartition(".")[2], None)
        return 0 if query is None else int(query.out_features) // int(attention.attention_head_size)

    @property
    def intermediate_size(self) -> int:
        """Feed-forward neurons."""
        inner = self.get(self.family.feed_forward_input)
        return int(inner.out_features) if hasattr(inner, "out_features") else 0


def family_named(name: str) -> Family:
    """The family of a configuration's `model_type`.

    Raises:
        CheckpointError: edge-ptf does not know how to prune it.
    """
    if name not in FAMILIES:
        raise CheckpointError(
            f"the model family '{name}' cannot be pruned", hint=f"Supported families: {', '.join(FAMILIES)}"
        )
    return FAMILIES[name]


def family_of(model: Any) -> Family:
    """The family of a model, with or without a task's head."""
    return family_named(model.config.model_type)


def is_known(model: Any) -> bool:
    """Whether the model's family is one whose layers can be taken apart."""
    return model.config.model_type in FAMILIES


def encoder(model: Any) -> Any:
    """The encoder inside a model with a head."""
    return getattr(model, model.base_model_prefix, model)


def layers(model: Any) -> Any:
    """The list of encoder layers (`torch.nn.ModuleList`)."""
    return encoder(model).get_submodule(family_of(model).layers)


def parts(model: Any) -> list[LayerParts]:
    """The prunable parts of each layer, first layer first."""
    family = family_of(model)
    return [LayerParts(family, layer) for layer in layers(model)]


def word_embeddings(model: Any) -> Any:
    """The word-embedding module, [vocabulary, width]."""
    return encoder(model).get_input_embeddings()


def embedded(model: Any) -> Any:
    """The module that gives the first hidden states."""
    return getattr(encoder(model), "embeddings_project", None) or encoder(model).embeddings


def head_size(model: Any) -> int:
    """Width of one attention head."""
    if not is_known(model):
        config = model.config
        return int(getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads)
    first = parts(model)[0]
    return int(first.get(first.family.attention).attention_head_size)


def hidden_size(model: Any) -> int:
    """Width of the hidden states, which every layer reads and adds to."""
    norms = [part.get(part.family.feed_forward_norm) for part in parts(model)] if is_known(model) else []
    return int(norms[0].weight.shape[0] if norms else model.config.hidden_size)


def projections(model: Any) -> tuple[Any, Any, Any]:
    """The modules that give query, key and value in the last layer that has heads.

    Raises:
        CheckpointError: there is none, or the model's family is not known.
    """
    family = family_of(model)
    for part in reversed(parts(model)):
        if part.num_heads:
            query, key, value = (part.get(path) for path in family.projections)
            return query, key, value
    raise CheckpointError("no layer has attention heads, so it relates no tokens")


def shapes(model: Any) -> tuple[LayerShape, ...]:
    """The shape of each layer."""
    if not is_known(model):
        config = model.config
        width = getattr(config, "intermediate_size", None) or 4 * config.hidden_size  # XLM and Flaubert do not say it
        return (LayerShape(num_heads=config.num_attention_heads, intermediate_size=width),) * int(
            config.num_hidden_layers
        )
    return tuple(
        LayerShape(num_heads=part.num_heads, intermediate_size=part.intermediate_size) for part in parts(model)
    )
