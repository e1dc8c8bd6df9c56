"""Train only the embedding rows that occur: the optimizer need not walk tens of thousands of rows without gradient."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import numpy as np

from edge_ptf import models
from edge_ptf.examples import Encoding


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
