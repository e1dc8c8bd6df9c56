"""Which parts of an encoder can be made smaller, family by family, and how to make them so.

A model of another family works everywhere but in pruning: its shape is what its configuration says.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import Field

from edge_ptf.config import StrictModel
from edge_ptf.errors import CheckpointError


class LayerShape(StrictModel):
    """The width of one encoder layer; 0 heads or 0 units means that half of the layer is gone."""

    heads: int = Field(ge=0, description="Attention heads kept.")
    ffn: int = Field(ge=0, description="Feed-forward units kept.")


@dataclass(frozen=True, slots=True)
class Family:
    """Where a family of encoders keeps its parts: attribute paths from the encoder, and from one layer."""

    name: str
    layers: str
    attention: str
    projections: tuple[str, str, str]
    attention_output: str
    attention_norm: str
    ffn_input: str
    ffn_output: str
    ffn_norm: str
    layer_count: str = "num_hidden_layers"
    ffn_width: str = "intermediate_size"

    @property
    def norms(self) -> tuple[str, str]:
        """Where a layer has written to the hidden states."""
        return self.attention_norm, self.ffn_norm


_BERT = {
    "layers": "encoder.layer",
    "attention": "attention.self",
    "projections": ("attention.self.query", "attention.self.key", "attention.self.value"),
    "attention_output": "attention.output.dense",
    "attention_norm": "attention.output.LayerNorm",
    "ffn_input": "intermediate.dense",
    "ffn_output": "output.dense",
    "ffn_norm": "output.LayerNorm",
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
        ffn_input="ffn.lin1",
        ffn_output="ffn.lin2",
        ffn_norm="output_layer_norm",
        layer_count="n_layers",
        ffn_width="hidden_dim",
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
    def heads(self) -> int:
        """Attention heads."""
        attention = self.get(self.family.attention)
        query = getattr(attention, self.family.projections[0].rpartition(".")[2], None)
        return 0 if query is None else int(query.out_features) // int(attention.attention_head_size)

    @property
    def ffn(self) -> int:
        """Feed-forward units."""
        inner = self.get(self.family.ffn_input)
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


def hidden_width(model: Any) -> int:
    """Width of the hidden states, which every layer reads and adds to."""
    norms = [part.get(part.family.ffn_norm) for part in parts(model)] if is_known(model) else []
    return int(norms[0].weight.shape[0] if norms else model.config.hidden_size)


def projections(model: Any) -> tuple[Any, Any, Any]:
    """The modules that give query, key and value in the last layer that has heads.

    Raises:
        CheckpointError: there is none, or the model's family is not known.
    """
    family = family_of(model)
    for part in reversed(parts(model)):
        if part.heads:
            query, key, value = (part.get(path) for path in family.projections)
            return query, key, value
    raise CheckpointError("no layer has attention heads, so it relates no tokens")


def shapes(model: Any) -> tuple[LayerShape, ...]:
    """The shape of each layer."""
    if not is_known(model):
        config = model.config
        width = getattr(config, "intermediate_size", None) or 4 * config.hidden_size  # XLM and Flaubert do not say it
        return (LayerShape(heads=config.num_attention_heads, ffn=width),) * int(config.num_hidden_layers)
    return tuple(LayerShape(heads=part.heads, ffn=part.ffn) for part in parts(model))


def keep_layers(model: Any, kept: Sequence[int]) -> None:
    """Removes all layers but `kept` (indexes from 0, increasing), in place."""
    module = layers(model)
    set_layers(model, [module[index] for index in kept])


def set_layers(model: Any, chosen: Sequence[Any]) -> None:
    """Replaces all layers by these modules, in place."""
    from torch import nn

    family = family_of(model)
    encoder(model).set_submodule(family.layers, nn.ModuleList(chosen))
    setattr(model.config, family.layer_count, len(chosen))


def slice_layer(part: LayerParts, heads: Sequence[int], units: Sequence[int]) -> None:
    """Keeps only these heads and feed-forward units of one layer, in place.

    The result equals the full layer with the outputs of the other heads and units set to zero.
    """
    import torch

    family = part.family
    size = int(part.get(family.attention).attention_head_size)
    rows = torch.tensor([head * size + offset for head in heads for offset in range(size)], dtype=torch.long)
    if 0 < len(heads) != part.heads:
        for path in family.projections:
            part.set(path, _rows(part.get(path), rows))
        part.set(family.attention_output, _columns(part.get(family.attention_output), rows))
    if 0 < len(units) != part.ffn:
        kept = torch.tensor(list(units), dtype=torch.long)
        part.set(family.ffn_input, _rows(part.get(family.ffn_input), kept))
        part.set(family.ffn_output, _columns(part.get(family.ffn_output), kept))
    _drop_empty(part, len(heads), len(units))


def fill_layer(part: LayerParts, shape: LayerShape) -> None:
    """Gives one layer, which has heads and units, other widths and random weights, in place: for measuring its cost."""
    from torch import nn

    family = part.family
    size, width = int(part.get(family.attention).attention_head_size), part.get(family.ffn_input).in_features
    if shape.heads:
        for path in family.projections:
            part.set(path, nn.Linear(width, shape.heads * size))
        part.set(family.attention_output, nn.Linear(shape.heads * size, width))
    if shape.ffn:
        part.set(family.ffn_input, nn.Linear(width, shape.ffn))
        part.set(family.ffn_output, nn.Linear(shape.ffn, width))
    _drop_empty(part, shape.heads, shape.ffn)


def keep_hidden(model: Any, kept: Sequence[int]) -> None:
    """Keeps only these numbers of the hidden states, in place, wherever they are written or read.

    Attention's heads, feed-forward units and what a head makes of the hidden states stay as they are.
    """
    import torch

    if len(kept) == hidden_width(model):
        return
    rows = torch.tensor(list(kept), dtype=torch.long)
    _keep_embedded(encoder(model), rows)
    for part in parts(model):
        family = part.family
        for path in (*family.projections, family.ffn_input):
            _reads(part.layer, path, rows)
        for path in (family.attention_output, family.ffn_output):
            _writes(part.layer, path, rows)
        for path in family.norms:
            _narrow_norm(part.get(path), rows)
    for path in (f"{model.base_model_prefix}.pooler.dense", *HEADS):
        if _reads(model, path, rows):
            return


def keep_pieces(model: Any, kept: Sequence[int]) -> None:
    """Keeps only these rows of the word embeddings, in place, and renumbers the special tokens of the configuration."""
    import torch
    from torch import nn

    table = word_embeddings(model)
    numbers = {old: new for new, old in enumerate(kept)}
    table.weight = nn.Parameter(table.weight.detach()[torch.tensor(list(kept))].clone())
    table.num_embeddings = len(kept)
    table.padding_idx = numbers.get(table.padding_idx)
    model.config.vocab_size = len(kept)
    for name in ("pad_token_id", "bos_token_id", "eos_token_id", "cls_token_id", "sep_token_id"):
        old = getattr(model.config, name, None)
        if isinstance(old, int):
            setattr(model.config, name, numbers.get(old))


def reshape(model: Any, shape: Iterable[LayerShape], hidden: int | None = None) -> None:
    """Gives every layer the widths of `shape`, and hidden states theirs, in place, before a state is loaded.

    Which numbers, heads and units stay is arbitrary. A model of a family that cannot be pruned stays as it is.
    """
    if not is_known(model):
        return
    if hidden is not None:
        keep_hidden(model, range(min(hidden, hidden_width(model))))
    for part, wanted in zip(parts(model), shape, strict=True):
        slice_layer(part, range(min(wanted.heads, part.heads)), range(min(wanted.ffn, part.ffn)))


def _keep_embedded(encoder: Any, kept: Any) -> None:
    """Narrows what the embeddings give: the projection where there is one (ELECTRA), else the tables themselves."""
    from torch import nn

    if _writes(encoder, "embeddings_project", kept):
        return
    for module in encoder.embeddings.modules():
        if isinstance(module, nn.Embedding):
            module.weight = nn.Parameter(module.weight.detach()[:, kept].clone())
            module.embedding_dim = len(kept)
    _narrow_norm(encoder.embeddings.LayerNorm, kept)


def _module(root: Any, path: str) -> Any:
    """The module at a path, or None."""
    for name in path.split("."):
        root = getattr(root, name, None)
    return root


def _reads(root: Any, path: str, kept: Any) -> bool:
    """Narrows the input of the linear module at a path; False: there is none."""
    module = _module(root, path)
    if not hasattr(module, "in_features"):
        return False
    root.set_submodule(path, _columns(module, kept))
    return True


def _writes(root: Any, path: str, kept: Any) -> bool:
    """Narrows the output of the module at a path, a linear one or a bias; False: there is none."""
    from torch import nn

    module = _module(root, path)
    if hasattr(module, "out_features"):
        root.set_submodule(path, _rows(module, kept))
    elif getattr(module, "bias", None) is not None:
        module.bias = nn.Parameter(module.bias.detach()[kept].clone())
    else:
        return False
    return True


def _narrow_norm(norm: Any, kept: Any) -> None:
    from torch import nn

    for name in ("weight", "bias"):
        setattr(norm, name, nn.Parameter(getattr(norm, name).detach()[kept].clone()))
    norm.normalized_shape = (len(kept),)


def _rows(linear: Any, kept: Any) -> Any:
    return _linear(linear.weight[kept], None if linear.bias is None else linear.bias[kept])


def _columns(linear: Any, kept: Any) -> Any:
    return _linear(linear.weight[:, kept], linear.bias)


def _linear(weight: Any, bias: Any) -> Any:
    from torch import nn

    small = nn.Linear(weight.shape[1], weight.shape[0], bias=bias is not None, device="meta")
    small.weight = nn.Parameter(weight.detach().clone())
    if bias is not None:
        small.bias = nn.Parameter(bias.detach().clone())
    return small


def _drop_empty(part: LayerParts, heads: int, units: int) -> None:
    """A half without heads or units keeps only its output bias, and no product of width zero."""
    family = part.family
    if heads == 0:
        output = part.get(family.attention_output)
        if family.name == "distilbert":
            part.set(family.attention, _bias_attention(output, part.get(family.attention)))
        else:
            part.set(family.attention, _bias_attention(None, part.get(family.attention)))
            part.set(family.attention_output, _bias_only(output))
    if units == 0:
        part.set(family.ffn_input, _passing())
        part.set(family.ffn_output, _bias_only(part.get(family.ffn_output)))


def _bias_only(linear: Any) -> Any:
    import torch
    from torch import nn

    class BiasOnly(nn.Module):
        """The output of a linear module whose input is all zero: [width], the same for every token."""

        def __init__(self) -> None:
            super().__init__()
            self.bias = nn.Parameter(linear.bias.detach().clone())

        def forward(self, hidden: torch.Tensor) -> torch.Tensor:
            return self.bias

    return BiasOnly()


def _passing() -> Any:
    from torch import nn

    return nn.Identity()


def _bias_attention(output: Any, old: Any) -> Any:
    from torch import nn

    bias = _bias_only(output) if output is not None else nn.Identity()

    class NoAttention(nn.Module):
        """Attention without heads: nothing is mixed between tokens."""

        def __init__(self) -> None:
            super().__init__()
            self.attention_head_size = old.attention_head_size
            self.out_lin = bias

        def forward(self, hidden_states: Any, *args: Any, **kwargs: Any) -> tuple[Any, None]:
            return self.out_lin(hidden_states), None

    return NoAttention()
