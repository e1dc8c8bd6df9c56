"""Losses of sentence vectors. Each takes vectors of length 1."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge_ptf.heads.base import LogitLoss

if TYPE_CHECKING:
    from torch import Tensor

SCALE = 20.0
"""Of the cosines in the losses: 1 ÷ 0.05, as in SimCSE (Gao et al. 2021, section 3)."""
LEAST = -1e9
"""In the place of a cosine that does not count."""


def cosent(cosines: Tensor, scores: Tensor) -> Tensor:
    """Cosines in the order of the scores: the logarithm of 1 + the sum of exp(20 (cosine of b - cosine of a)) over all
    pairs a and b where a has the larger score (CoSENT: Su 2022, "CoSENT: a more efficient sentence vector scheme than
    Sentence-BERT", kexue.fm/archives/8847).

    Args:
        cosines, scores: of each pair of texts, [pairs].
    """
    import torch

    if len(cosines) < 2:
        return cosines.sum() * 0.0
    apart = SCALE * (cosines[None, :] - cosines[:, None])
    counted = scores[:, None] > scores[None, :]
    found = torch.cat([apart.new_zeros(1), apart[counted]])
    return torch.logsumexp(found, 0)


def contrastive(vectors: Tensor, groups: Tensor, texts: Tensor) -> Tensor:
    """Each text finds those of its group among the batch: supervised contrastive loss (Khosla et al. 2020, equation 2).
    With two texts in each group this is NT-Xent (Chen et al. 2020, "SimCLR").

    Equal texts are not compared. If a text occurs in two groups, the texts of both are alike.

    Args:
        vectors: [texts, numbers].
        groups, texts: the number of the group and of the text of each row.
    """
    import torch

    same_text = texts[:, None] == texts[None, :]
    linked = same_text.double() @ (groups[:, None] == groups[None, :]).double() @ same_text.double() > 0
    counted, alike = ~same_text, linked & ~same_text
    anchors = alike.any(1)
    if not bool(anchors.any()):
        return vectors.sum() * 0.0
    cosines = (SCALE * vectors @ vectors.T).masked_fill(~counted, LEAST)
    known = (cosines - torch.logsumexp(cosines, 1, keepdim=True)).masked_fill(~alike, 0.0)
    return (-known.sum(1) / alike.sum(1).clamp(min=1))[anchors].mean()


def similarity_distance(student: Tensor, teacher: Tensor, form: LogitLoss, temperature: float) -> Tensor:
    """How far the similarities of all texts of a batch with each other are from the teacher's.

    Args:
        student, teacher: [texts, numbers].
        form: mse: the mean squared distance (after Tung and Mori 2019, "Similarity-Preserving Knowledge Distillation").
            kl: the divergence of their softmax for each text, at temperature ÷ 20.
    """
    import torch

    count = len(student)
    if count < 2:
        return student.sum() * 0.0
    others = ~torch.eye(count, dtype=torch.bool, device=student.device)
    own, wanted = (vectors @ vectors.T for vectors in (student, teacher))
    if form == "mse":
        return (own - wanted)[others].square().mean()
    rows = [(SCALE / temperature * each[others].view(count, count - 1)).log_softmax(1) for each in (own, wanted)]
    return torch.nn.functional.kl_div(rows[0], rows[1], reduction="batchmean", log_target=True)
