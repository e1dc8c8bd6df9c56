"""Losses over the inner states of an encoder, as pure functions on tensors. Losses over logits belong to the heads."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor


def hidden_distance(student: Tensor, teacher: Tensor) -> Tensor:
    """Mean squared distance of hidden states [tokens, width], as a multiple of the teacher's variance."""
    return (student - teacher).square().mean() / teacher.var().clamp_min(1e-6)


def nearest_in_order(apart: NDArray[np.float64]) -> list[int]:
    """For each student layer a teacher layer, such that the order is kept and the sum of distances is least.

    Args:
        apart: distances [student layers, teacher layers]; several student layers may have the same teacher layer.
    """
    least, taken = np.zeros(apart.shape[1]), []
    for row in apart:
        found = np.minimum.accumulate(least)
        taken.append([int(np.argmin(least[: column + 1])) for column in range(len(row))])
        least = row + found
    chosen = [int(np.argmin(least))]
    for before in reversed(taken[1:]):
        chosen.append(before[chosen[-1]])
    return chosen[::-1]


def relation_divergence(student: Tensor, teacher: Tensor, mask: Tensor, relations: int) -> Tensor:
    """KL of token-to-token relations (Wang et al. 2021, "MiniLMv2", eq. 5), mean over tokens and relation heads.

    Args:
        student, teacher: queries, keys or values [batch, length, width]; the widths may differ.
        mask: 1 for real tokens, [batch, length].
        relations: into how many relation heads the width is split.
    """
    import torch
    from torch.nn.functional import log_softmax

    def relate(hidden: Tensor) -> Tensor:
        batch, length, width = hidden.shape
        heads = hidden.view(batch, length, relations, width // relations).transpose(1, 2)
        scores = heads @ heads.transpose(2, 3) / (width // relations) ** 0.5
        hidden_keys = mask[:, None, None, :] == 0
        return log_softmax(scores.masked_fill(hidden_keys, torch.finfo(scores.dtype).min), -1)

    own, wanted = relate(student), relate(teacher)
    terms = (wanted.exp() * (wanted - own)).sum(-1)
    weights = mask[:, None, :].expand_as(terms)
    return (terms * weights).sum() / weights.sum()
