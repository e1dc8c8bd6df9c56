"""What the heads share that choose one class by softmax."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

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


def labelled_rows(
    rows: Sequence[NDArray[Any]], references: Sequence[Any], label_ids: Mapping[str, int]
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """The rows [examples, labels] and class ids [examples] of the examples whose label has a class id."""
    known = [(row, label_ids[label]) for row, label in zip(rows, references, strict=True) if label in label_ids]
    wide = np.asarray([row for row, _ in known], np.float64).reshape(len(known), len(label_ids))
    return wide, np.asarray([number for _, number in known], np.int64)
