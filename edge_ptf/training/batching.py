"""Batches of texts of like length: the order depends on seed and epoch alone, so a resumed run sees the same."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Any

import numpy as np

from edge_ptf.tasks.base import Encoding

POOL_BATCHES = 64
"""Batches that are sorted together: enough for little padding, few enough that neighbours still change each epoch."""


@dataclass(frozen=True, slots=True)
class Item:
    """One text to train on: tokens, target (None for a text without label), and its row in the teacher's outputs.

    The target is a list with one id for each token where the head's logits are `per_token`.
    """

    encoding: Encoding
    target: int | list[int] | None
    row: int
    per_token: bool = False


class LengthGroupedBatches:
    """A batch sampler: shuffles, sorts pools of `POOL_BATCHES` batches by length, cuts them, shuffles the batches."""

    def __init__(self, lengths: Sequence[int], batch_size: int, seed: int) -> None:
        self.lengths = np.asarray(lengths)
        self.batch_size = batch_size
        self.seed = seed
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """The epoch whose order comes next."""
        self.epoch = epoch

    def __len__(self) -> int:
        return ceil(len(self.lengths) / self.batch_size)

    def __iter__(self) -> Iterator[list[int]]:
        random = np.random.default_rng([self.seed, self.epoch])
        order = random.permutation(len(self.lengths))
        pool = POOL_BATCHES * self.batch_size
        batches = []
        for start in range(0, len(order), pool):
            members = order[start : start + pool]
            members = members[np.argsort(-self.lengths[members], kind="stable")]
            batches += [members[at : at + self.batch_size] for at in range(0, len(members), self.batch_size)]
        for index in random.permutation(len(batches)):
            yield [int(member) for member in batches[index]]


def collate(items: Sequence[Item], inputs: Sequence[str], pad: int) -> dict[str, Any]:
    """One padded batch: the model's inputs [batch, length], `targets` [batch] or [batch, length], `rows` [batch]."""
    import torch

    longest = max(len(item.encoding.input_ids) for item in items)
    ids = torch.full((len(items), longest), pad, dtype=torch.long)
    mask = torch.zeros((len(items), longest), dtype=torch.long)
    types = torch.zeros((len(items), longest), dtype=torch.long)
    per_token = items[0].per_token
    targets = torch.full((len(items), longest) if per_token else (len(items),), -100, dtype=torch.long)
    for index, item in enumerate(items):
        length = len(item.encoding.input_ids)
        ids[index, :length] = torch.tensor(item.encoding.input_ids)
        mask[index, :length] = 1
        if item.encoding.token_type_ids:
            types[index, :length] = torch.tensor(item.encoding.token_type_ids)
        if item.target is not None:
            (targets[index, :length] if per_token else targets[index]).copy_(torch.tensor(item.target))
    known = {"input_ids": ids, "attention_mask": mask, "token_type_ids": types}
    rows = torch.tensor([item.row for item in items])
    return {**{name: known[name] for name in inputs}, "targets": targets, "rows": rows}
