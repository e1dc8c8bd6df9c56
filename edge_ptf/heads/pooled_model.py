"""The model of a sentence embedding: an encoder, pooling over its tokens, a linear layer, and the length 1.

Its modules are those of a token classifier of transformers. So pruning finds all parts, and weights have usual names.
"""

from __future__ import annotations

from collections.abc import Collection
from functools import cache, wraps
from typing import Any, Literal

Pooling = Literal["mean", "first"]
LEAST_SQUARE = 1e-12
"""Added to the squared length of a vector, so that a vector of zeros stays one."""


def with_pooling(model: Any, pooling: Pooling, drawn: Collection[str] = ()) -> Any:
    """A token classifier of transformers that from now on answers with one vector for each text.

    Args:
        pooling: mean: of the states of all tokens; first: the state of the first token.
        drawn: names of weights that the model's directory lacks. A linear layer among them passes the pooled states on
            as they are.
    """
    kind: Any = type(model)
    model.__class__ = _pooled_class(kind, pooling)
    name, linear = _projection(model)
    if any(each.startswith(f"{name}.") for each in drawn):
        _pass_on(linear)
    return model


@cache
def _pooled_class(kind: Any, pooling: Pooling) -> Any:
    """A token classifier that answers with one vector for each text. The name of the class stays."""

    @wraps(kind.forward)
    def forward(self: Any, *args: Any, real_tokens: Any = None, **options: Any) -> Any:
        """`real_tokens` is the mask [batch, length], if `attention_mask` has another form."""
        from transformers.modeling_outputs import TokenClassifierOutput

        encoder = getattr(self, self.base_model_prefix)
        found = encoder(*args, **{**options, "return_dict": True})
        mask = options.get("attention_mask") if real_tokens is None else real_tokens
        vectors = unit(_projection(self)[1](pooled(found.last_hidden_state, mask, pooling)))
        return TokenClassifierOutput(logits=vectors, hidden_states=found.hidden_states)

    return type(kind.__name__, (kind,), {"forward": forward, "__module__": kind.__module__, "pools": True})


def pooled(states: Any, mask: Any, pooling: Pooling) -> Any:
    """One row for each text [batch, width], from the states of its tokens [batch, length, width].

    Args:
        mask: 1 for tokens, 0 for padding [batch, length]; None: there is no padding.
    """
    if pooling == "first":
        return states[:, 0]
    if mask is None:
        return states.mean(1)
    real = mask.to(states.dtype)
    shares = real / real.sum(1, keepdim=True)
    return (shares.unsqueeze(1) @ states).squeeze(1)


def unit(vectors: Any) -> Any:
    """The vectors [..., width] with the length 1."""
    return vectors / ((vectors * vectors).sum(-1, keepdim=True) + LEAST_SQUARE).sqrt()


def _projection(model: Any) -> tuple[str, Any]:
    """The linear layer of a token classifier, with its name."""
    from torch import nn

    found = [(name, part) for name, part in model.named_children() if isinstance(part, nn.Linear)]
    if not found:
        raise ValueError(f"the model family '{model.config.model_type}' has no linear layer behind its encoder")
    return found[-1]


def _pass_on(linear: Any) -> None:
    """Makes the first rows of a linear layer those of the identity."""
    import torch

    with torch.no_grad():
        torch.nn.init.eye_(linear.weight)
        if linear.bias is not None:
            linear.bias.zero_()
