"""The token embeddings in training: rows for new tokens, and only the rows that occur.

The optimizer need not walk tens of thousands of rows without gradient.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from edge_ptf import models
from edge_ptf.examples import Encoding


def add_tokens(tokenizer: Any, model: Any, tokens: Sequence[str]) -> None:
    """Gives tokenizer and model each token that they lack, in place; its embedding is drawn from torch's generator.

    A text is split at such a token before anything else.
    """
    from tokenizers import AddedToken

    known = tokenizer.get_vocab()
    added = [AddedToken(token, special=True, normalized=False) for token in tokens if token not in known]
    if not added:
        return
    tokenizer.add_tokens(added, special_tokens=True)
    rows = max(len(tokenizer), int(model.config.vocab_size))
    model.resize_token_embeddings(rows, mean_resizing=False)


class CompactVocabulary:
    """A renumbering of token ids that leaves out what the texts at hand never use.

    AdamW without weight decay leaves a row without gradient as it is, so training the small table and writing it back
    gives the same weights as training the whole. Ids up to the padding id keep their number.
    """

    def __init__(self, encodings: Iterable[Encoding], size: int, pad: int) -> None:
        seen = np.zeros(size, dtype=bool)
        seen[: pad + 1] = True
        for encoding in encodings:
            seen[encoding.input_ids] = True
        self.kept = np.flatnonzero(seen)
        self.numbers = np.cumsum(seen) - 1

    def renumbered(self, encoding: Encoding) -> Encoding:
        """The encoding in the small numbering."""
        return replace(encoding, input_ids=[int(number) for number in self.numbers[encoding.input_ids]])

    def shrink(self, model: Any) -> Any:
        """Cuts the model's embedding table to the kept rows, in place; returns the full table for `restore`."""
        import torch

        table = models.word_embeddings(model)
        full = table.weight.detach().clone()
        self._put(table, full[torch.from_numpy(self.kept)])
        return full

    def restore(self, model: Any, full: Any) -> None:
        """Writes the trained rows back into the full table, in place."""
        import torch

        table = models.word_embeddings(model)
        whole = full.to(table.weight.device).clone()
        whole[torch.from_numpy(self.kept).to(whole.device)] = table.weight.detach()
        self._put(table, whole)

    @staticmethod
    def _put(table: Any, weight: Any) -> None:
        from torch import nn

        table.weight = nn.Parameter(weight, requires_grad=table.weight.requires_grad)
        table.num_embeddings = weight.shape[0]
