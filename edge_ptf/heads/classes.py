"""What the heads share that choose one class by softmax."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge_ptf.heads.base import Head, LogitLoss, Reduction
from edge_ptf.heads.losses import IGNORED, label_loss, logit_distance, soft_cross_entropy

if TYPE_CHECKING:
    from torch import Tensor


class ClassHead(Head):
    """A head whose classes exclude each other: cross-entropy, and distillation by distributions or logits."""

    ignored = IGNORED

    def loss(self, logits: Tensor, targets: Tensor, smoothing: float = 0.0, reduction: Reduction = "mean") -> Tensor:
        """Cross-entropy."""
        return label_loss(logits, targets, smoothing, reduction)

    def distillation_loss(self, student: Tensor, teacher: Tensor, form: LogitLoss, temperature: float) -> Tensor:
        """The divergence of the distributions, or the distance of the centred logits."""
        return soft_cross_entropy(student, teacher, temperature) if form == "kl" else logit_distance(student, teacher)
