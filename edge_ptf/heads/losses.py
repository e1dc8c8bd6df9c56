"""Losses over logits, as pure functions on tensors. Every loss is a mean over texts or tokens."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

IGNORED = -100
"""The target of a text or token that the loss leaves out."""


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

    A distribution loses the size of small logits; this distance keeps it, so a text that fits no class stays one that
    fits none. A shift that is common to all classes changes no answer and is removed.
    """
    own, wanted = student - student.mean(-1, keepdim=True), teacher - teacher.mean(-1, keepdim=True)
    return (own - wanted).square().mean()


def label_loss(logits: Tensor, targets: Tensor, smoothing: float = 0.0, reduction: str = "mean") -> Tensor:
    """Cross-entropy over the targets other than `IGNORED`; 0 where there are none.

    Args:
        logits: [texts, classes] or [texts, tokens, classes].
        targets: class ids, [texts] or [texts, tokens].
        smoothing: share of each target that is spread over all classes.
        reduction: mean or sum over the targets that count.
    """
    from torch.nn.functional import cross_entropy

    if not bool((targets != IGNORED).any()):
        return logits.sum() * 0.0  # has a gradient all the same
    rows, classes = logits.reshape(-1, logits.shape[-1]), targets.reshape(-1)
    return cross_entropy(rows, classes, label_smoothing=smoothing, reduction=reduction)
