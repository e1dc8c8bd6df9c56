"""What a student is asked to match. Pure functions on tensors; every loss is a mean over texts or tokens."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor


def soft_cross_entropy(student: Tensor, teacher: Tensor, temperature: float) -> Tensor:
    """T² · KL(teacher ‖ student) of the distributions at temperature T (Hinton et al. 2015), mean over rows.

    Args:
        student, teacher: logits [rows, classes].
    """
    from torch.nn.functional import kl_div, log_softmax

    own, wanted = log_softmax(student / temperature, -1), log_softmax(teacher / temperature, -1)
    return kl_div(own, wanted, reduction="batchmean", log_target=True) * temperature**2


def logit_distance(student: Tensor, teacher: Tensor) -> Tensor:
    """Mean squared distance of centred logits [rows, classes] (Ba & Caruana 2014).

    Unlike a distribution's, the distance keeps the size of small logits too: a text that fits no class stays one that
    fits none. A shift common to all classes changes no answer and is taken out.
    """
    own, wanted = student - student.mean(-1, keepdim=True), teacher - teacher.mean(-1, keepdim=True)
    return (own - wanted).square().mean()


def hidden_distance(student: Tensor, teacher: Tensor) -> Tensor:
    """Mean squared distance of hidden states [tokens, width], as a multiple of the teacher's variance."""
    return (student - teacher).square().mean() / teacher.var().clamp_min(1e-6)


def label_loss(logits: Tensor, targets: Tensor, smoothing: float = 0.0) -> Tensor:
    """Cross-entropy of logits [texts, classes] or [texts, tokens, classes] over the targets other than -100; 0 where
    there are none."""
    from torch.nn.functional import cross_entropy

    if not bool((targets != -100).any()):
        return logits.sum() * 0.0  # has a gradient all the same
    return cross_entropy(logits.reshape(-1, logits.shape[-1]), targets.reshape(-1), label_smoothing=smoothing)


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
