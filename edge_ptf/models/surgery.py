"""Removes parts of an encoder: layers, heads, feed-forward neurons, hidden dimensions, rows of the embedding table."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from edge_ptf.models.families import Family
from edge_ptf.models.structure import (
    LayerParts,
    LayerShape,
    encoder,
    family_of,
    headed,
    hidden_size,
    is_known,
    layers,
    parts,
    word_embeddings,
)


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


def slice_layer(part: LayerParts, heads: Sequence[int], neurons: Sequence[int]) -> None:
    """Keeps only these heads and feed-forward neurons of one layer, in place.

    The result equals the full layer with the outputs of the other heads and neurons set to zero.
    """
    import torch

    family = part.family
    size = part.head_size
    rows = torch.tensor([head * size + offset for head in heads for offset in range(size)], dtype=torch.long)
    if 0 < len(heads) != part.num_heads:
        for path in family.projections:
            part.set(path, _rows(part.get(path), rows))
        part.set(family.attention_output, _columns(part.get(family.attention_output), rows))
    if 0 < len(neurons) != part.intermediate_size:
        kept = torch.tensor(list(neurons), dtype=torch.long)
        part.set(family.feed_forward_input, _rows(part.get(family.feed_forward_input), kept))
        part.set(family.feed_forward_output, _columns(part.get(family.feed_forward_output), kept))
    _drop_empty(part, len(heads), len(neurons))


def fill_layer(part: LayerParts, shape: LayerShape) -> None:
    """Gives one layer, which has heads and neurons, other widths and random weights, in place, to measure latency."""
    from torch import nn

    family = part.family
    size, width = part.head_size, part.get(family.feed_forward_input).in_features
    if shape.num_heads:
        for path in family.projections:
            part.set(path, nn.Linear(width, shape.num_heads * size))
        part.set(family.attention_output, nn.Linear(shape.num_heads * size, width))
    if shape.intermediate_size:
        part.set(family.feed_forward_input, nn.Linear(width, shape.intermediate_size))
        part.set(family.feed_forward_output, nn.Linear(shape.intermediate_size, width))
    _drop_empty(part, shape.num_heads, shape.intermediate_size)


def keep_hidden(model: Any, kept: Sequence[int]) -> None:
    """Keeps only these hidden dimensions, in place, in every module that writes or reads them.

    Attention heads, feed-forward neurons and the output of the task's head stay as they are.
    """
    import torch

    if len(kept) == hidden_size(model):
        return
    rows = torch.tensor(list(kept), dtype=torch.long)
    family = family_of(model)
    _keep_embedded(encoder(model), family, rows)
    for part in parts(model):
        for path in (*family.projections, family.feed_forward_input):
            _reads(part.layer, path, rows)
        for path in (family.attention_output, family.feed_forward_output):
            _writes(part.layer, path, rows)
        for path in family.norms:
            _narrow_norm(part.get(path), rows)
    pooled = bool(family.pooler) and _reads(encoder(model), str(family.pooler), rows)
    for module in headed(model):
        if pooled and getattr(module, "reads_pooler", True):
            continue
        next((path for path in family.heads if _reads(module, path, rows)), None)


def keep_subwords(model: Any, kept: Sequence[int]) -> None:
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
    """Gives every layer the widths of `shape`, and the model the hidden size `hidden`, before a state is loaded.

    It changes the model in place. It keeps any heads, neurons and dimensions, because the state replaces their weights.
    A model of a family that cannot be pruned stays as it is.
    """
    if not is_known(model):
        return
    if hidden is not None:
        keep_hidden(model, range(min(hidden, hidden_size(model))))
    for part, wanted in zip(parts(model), shape, strict=True):
        slice_layer(
            part,
            range(min(wanted.num_heads, part.num_heads)),
            range(min(wanted.intermediate_size, part.intermediate_size)),
        )


def _keep_embedded(encoder: Any, family: Family, kept: Any) -> None:
    """Narrows the output of the embeddings: the projection if the model has one, else the tables."""
    from torch import nn

    if family.embeddings_projection and _writes(encoder, family.embeddings_projection, kept):
        return
    for module in encoder.get_submodule(family.embeddings).modules():
        if isinstance(module, nn.Embedding):
            module.weight = nn.Parameter(module.weight.detach()[:, kept].clone())
            module.embedding_dim = len(kept)
    _narrow_norm(encoder.get_submodule(family.embeddings_norm), kept)


def _module(root: Any, path: str) -> Any:
    """The module at a path, or None."""
    for name in path.split("."):
        root = getattr(root, name, None)
    return root


def _reads(root: Any, path: str, kept: Any) -> bool:
    """Narrows the input of the linear module at a path. Returns False if there is no such module."""
    module = _module(root, path)
    if not hasattr(module, "in_features"):
        return False
    root.set_submodule(path, _columns(module, kept))
    return True


def _writes(root: Any, path: str, kept: Any) -> bool:
    """Narrows the output of the linear module or bias at a path. Returns False if there is no such module."""
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


def _drop_empty(part: LayerParts, heads: int, neurons: int) -> None:
    """A half without heads or neurons keeps only its output bias, and no linear op of width zero."""
    family = part.family
    if heads == 0:
        bias = _bias_only(part.get(family.attention_output))
        part.set(family.attention, _no_attention(part))
        part.set(family.attention_output, bias)
    if neurons == 0:
        from torch import nn

        part.set(family.feed_forward_input, nn.Identity())
        part.set(family.feed_forward_output, _bias_only(part.get(family.feed_forward_output)))


def _bias_only(linear: Any) -> Any:
    import torch
    from torch import nn

    class BiasOnly(nn.Module):
        """The output of a linear module with an all-zero input: [width], the same for every token."""

        def __init__(self) -> None:
            super().__init__()
            self.bias = nn.Parameter(linear.bias.detach().clone())

        def forward(self, hidden: torch.Tensor) -> torch.Tensor:
            return self.bias

    return BiasOnly()


def _no_attention(part: LayerParts) -> Any:
    from torch import nn

    family, size = part.family, part.head_size
    inside = family.output_inside_attention

    class NoAttention(nn.Module):
        """Attention without heads. It does not mix tokens."""

        def __init__(self) -> None:
            super().__init__()
            setattr(self, family.head_size, size)
            if inside:
                self.add_module(inside, nn.Identity())

        def forward(self, hidden_states: Any, *args: Any, **kwargs: Any) -> tuple[Any, None]:
            return (self.get_submodule(inside)(hidden_states) if inside else hidden_states), None

    return NoAttention()
