"""Batches of texts of like length: the order depends on seed and epoch alone, so a resumed run sees the same."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Any

import numpy as np

from edge_ptf.examples import Encoding
from edge_ptf.heads import Head, Target
from edge_ptf.heads.outputs import mapped

POOL_BATCHES = 64
"""Batches that are sorted together: enough for little padding, few enough that neighbours still change each epoch."""


@dataclass(frozen=True, slots=True)
class Item:
    """One text, or one window of it, to train on: its tokens, its target in the form of the head, and its row in the
    teacher's outputs.

    `example` counts the texts where one text may have several items; None: each text has one.
    """

    encoding: Encoding
    target: Target
    row: int
    example: int | None = None

    @property
    def text(self) -> int:
        """The number of the text."""
        return self.row if self.example is None else self.example


class LengthGroupedBatches:
    """A batch sampler: shuffles, sorts pools of `POOL_BATCHES` batches by length, cuts them, shuffles the batches."""

    def __init__(self, lengths: Sequence[int], batch_size: int, seed: int) -> None:
        self.lengths = np.asarray(lengths)
        self.batch_size = batch_size
        self.seed = seed
        self.epoch = 0

    @classmethod
    def of(cls, items: Sequence[Item], head: Head, batch_size: int, seed: int) -> LengthGroupedBatches:
        """The sampler that a head needs."""
        groups = head.batches_with([item.target for item in items])
        if head.reads_texts_apart or groups is not None:
            return TogetherBatches(items, groups, batch_size, seed)
        return cls([len(item.encoding.input_ids) for item in items], batch_size, seed)

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


class TogetherBatches(LengthGroupedBatches):
    """Batches in which the items of one text, such as both texts of a pair, stand side by side.

    With groups, two texts of a group stand side by side, other ones in each epoch. A text that is left over in its
    group makes a third. A batch then has half as many such twos as `batch_size`.
    """

    def __init__(self, items: Sequence[Item], groups: Sequence[float] | None, batch_size: int, seed: int) -> None:
        """Args:
        groups: of each item; None: there are none.
        """
        self.members = _members([item.text if groups is None else groups[at] for at, item in enumerate(items)])
        self.grouped = groups is not None
        self.item_lengths = np.asarray([len(item.encoding.input_ids) for item in items])
        size = max(1, batch_size // 2) if self.grouped else batch_size
        super().__init__([0] * len(self._neighbours(None)), size, seed)

    def __iter__(self) -> Iterator[list[int]]:
        neighbours = self._neighbours(np.random.default_rng([self.seed, self.epoch, 1]))
        self.lengths = np.asarray([int(self.item_lengths[each].max()) for each in neighbours])
        for batch in super().__iter__():
            yield [member for each in batch for member in neighbours[each]]

    def _neighbours(self, random: np.random.Generator | None) -> list[list[int]]:
        """What stands side by side; without a generator in the order of the items."""
        if not self.grouped:
            return self.members
        found: list[list[int]] = []
        for members in self.members:
            order = members if random is None else [int(member) for member in random.permutation(members)]
            twos = [order[at : at + 2] for at in range(0, len(order), 2)]
            if len(twos) > 1 and len(twos[-1]) == 1:
                twos[-2:] = [twos[-2] + twos[-1]]
            found += twos
        return found


def _members(keys: Sequence[float]) -> list[list[int]]:
    """The places of each key, in the order in which the keys occur first."""
    found: dict[float, list[int]] = {}
    for place, key in enumerate(keys):
        found.setdefault(key, []).append(place)
    return list(found.values())


def pad_inputs(items: Sequence[Item], inputs: Sequence[str], pad: int) -> dict[str, Any]:
    """The model's inputs for one batch, int64 [batch, length]."""
    import torch

    longest = max(len(item.encoding.input_ids) for item in items)
    ids = torch.full((len(items), longest), pad, dtype=torch.long)
    mask = torch.zeros((len(items), longest), dtype=torch.long)
    types = torch.zeros((len(items), longest), dtype=torch.long)
    for index, item in enumerate(items):
        length = len(item.encoding.input_ids)
        ids[index, :length] = torch.tensor(item.encoding.input_ids)
        mask[index, :length] = 1
        if item.encoding.token_type_ids:
            types[index, :length] = torch.tensor(item.encoding.token_type_ids)
    known = {"input_ids": ids, "attention_mask": mask, "token_type_ids": types}
    return {name: known[name] for name in inputs}


def collate(items: Sequence[Item], inputs: Sequence[str], pad: int, head: Head) -> dict[str, Any]:
    """One padded batch: the model's inputs [batch, length], `targets` with the head's `target_axes`, `rows` [batch]."""
    import torch

    longest = max(len(item.encoding.input_ids) for item in items)
    targets = mapped(head.batch_targets([item.target for item in items], longest), torch.from_numpy)
    rows = torch.tensor([item.row for item in items])
    return {**pad_inputs(items, inputs, pad), "targets": targets, "rows": rows}
