"""Loads the model of a head, also that of several heads on one encoder.

Each of several heads is that of the model class which `transformers` has for its task, with a stand-in for the encoder.
So a head computes what it computes in a model of its own. The encoder has the name that it has in such a model.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from edge_ptf.heads import Head
from edge_ptf.models import loading

PREFIX = "head_"
"""How the names of the modules of heads begin."""


def auto_model(head: Head) -> Any:
    """What loads a model with this head, with the methods of an Auto class."""
    return _Adapted(head) if head.parts == (head,) else _SharedEncoder(head)


class _Adapted:
    """Makes models of the Auto class of one task, as its head needs them."""

    def __init__(self, head: Head) -> None:
        self.head = head

    def from_config(self, config: Any, **_: Any) -> Any:
        """A model with random weights. The options are those of `loading`, which makes it."""
        return self.head.adapted(loading.empty_model(self.head.auto_model(), config))

    def from_pretrained(self, path: Any, *, config: Any, **_: Any) -> tuple[Any, Mapping[str, Any]]:
        """A model with the weights of a directory, and what loading found."""
        model, found = loading.auto_model(self.head.auto_model(), path, config)
        drawn = [*found["missing_keys"], *(key if isinstance(key, str) else key[0] for key in found["mismatched_keys"])]
        return self.head.adapted(model, drawn), found


class _SharedEncoder:
    """Makes models as an Auto class does, with a head for each part."""

    def __init__(self, head: Head) -> None:
        self.head = head

    def from_config(self, config: Any, **_: Any) -> Any:
        """A model with random weights. The options are those of `loading`, which makes each part."""
        return self._made(config)

    def from_pretrained(self, path: Any, *, config: Any, **_: Any) -> tuple[Any, Mapping[str, Any]]:
        """A model with the encoder of a directory and new heads, and what loading the encoder found."""
        made = self._made(config)
        source = self.head.parts[made.source]
        loaded, found = loading.auto_model(auto_model(source), path, _own_config(config, source))
        setattr(made, made.base_model_prefix, getattr(loaded, loaded.base_model_prefix))
        made.config = loaded.config
        return made, found

    def _made(self, config: Any) -> Any:
        parts = {part.spec.name: (auto_model(part), _own_config(config, part)) for part in self.head.parts}
        return _joined({name: loading.empty_model(kind, own) for name, (kind, own) in parts.items()})


def _own_config(config: Any, part: Head) -> Any:
    """The configuration of the model of one task."""
    own = copy.deepcopy(config)
    for name, value in part.model_config().items():
        setattr(own, name, value)
    return own


def _joined(made: Mapping[str, Any]) -> Any:
    """One model of the encoder of one of the models, and the heads of all."""
    import torch
    from torch import nn
    from transformers.modeling_outputs import TokenClassifierOutput

    class Passed(nn.Module):
        """Stands for the encoder in the model of a head: it gives what the encoder has given."""

        given: Any = None

        def forward(self, *args: Any, **kwargs: Any) -> Any:
            return self.given

    class JointModel(nn.Module):
        """An encoder, and a head for each task. The logits are a mapping by the name of the task."""

        def __init__(self) -> None:
            super().__init__()
            models = list(made.values())
            inner = [getattr(model, model.base_model_prefix) for model in models]
            pooled = [getattr(each, "pooler", None) is not None for each in inner]
            self.source = pooled.index(True) if any(pooled) else 0
            first = models[self.source]
            self.base_model_prefix = first.base_model_prefix
            self.config = first.config
            self.names = tuple(made)
            self.add_module(self.base_model_prefix, inner[self.source])
            for name, model, reads_pooler in zip(made, models, pooled, strict=True):
                setattr(model, model.base_model_prefix, Passed())
                model.reads_pooler = reads_pooler
                self.add_module(f"{PREFIX}{name}", model)

        @property
        def heads(self) -> list[Any]:
            """The modules with the heads, in the order of the tasks."""
            return [getattr(self, f"{PREFIX}{name}") for name in self.names]

        def forward(
            self,
            input_ids: torch.Tensor,
            attention_mask: torch.Tensor | None = None,
            token_type_ids: torch.Tensor | None = None,
            output_hidden_states: bool = False,
            return_dict: bool = True,
        ) -> Any:
            inputs = {"input_ids": input_ids, "attention_mask": attention_mask, "token_type_ids": token_type_ids}
            inputs = {name: value for name, value in inputs.items() if value is not None}
            encoder = getattr(self, self.base_model_prefix)
            given = encoder(**inputs, output_hidden_states=output_hidden_states, return_dict=True)
            logits = {}
            for name, head in zip(self.names, self.heads, strict=True):
                stand_in = getattr(head, head.base_model_prefix)
                stand_in.given = given
                logits[name] = head(**inputs, return_dict=True).logits
                stand_in.given = None
            return TokenClassifierOutput(logits=logits, hidden_states=given.hidden_states)

        def get_input_embeddings(self) -> Any:
            """See transformers."""
            return getattr(self, self.base_model_prefix).get_input_embeddings()

        def resize_token_embeddings(self, rows: int, mean_resizing: bool = True) -> Any:
            """See transformers."""
            return getattr(self, self.base_model_prefix).resize_token_embeddings(rows, mean_resizing=mean_resizing)

        def set_attn_implementation(self, name: str) -> None:
            """See transformers."""
            getattr(self, self.base_model_prefix).set_attn_implementation(name)

    return JointModel()
