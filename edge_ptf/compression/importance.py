"""How much the loss depends on each attention head and feed-forward unit."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_ptf import architecture
from edge_ptf.progress import Progress
from edge_ptf.training.batching import Item, collate
from edge_ptf.training.trainer import by_length

BATCH = 16


Gradients = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class LayerImportance:
    """Scores of one layer's parts, larger matters more: `heads` [heads], `units` [units].

    Where the scores are Fisher information, the gradients they are made of are kept: [examples, heads] and
    [examples, units].
    """

    heads: NDArray[np.float64]
    units: NDArray[np.float64]
    head_gradients: Gradients | None = None
    unit_gradients: Gradients | None = None


def fisher(
    model: Any, items: Sequence[Item], inputs: Sequence[str], pad: int, progress: Progress
) -> list[LayerImportance]:
    """Diagonal Fisher information of the masks on heads and units (Kwon et al. 2022, eq. 7 and 8).

    A mask of ones is laid on the input of each output projection; the score is the mean over examples of the squared
    gradient of the loss with respect to it. Examples without a label do not count.
    """
    import torch

    parts = architecture.parts(model)
    size = architecture.head_size(model)
    gradients: list[tuple[list[Gradients], list[Gradients]]] = [([], []) for _ in parts]
    labelled = [item for item in items if item.target not in (None, -100)]
    progress.start("Importance", len(labelled))
    model.eval().requires_grad_(False)
    for batch in by_length(labelled, BATCH):
        tensors = collate([labelled[index] for index in batch], inputs, pad)
        masks = [
            tuple(torch.ones(len(batch), 1, width, requires_grad=True) for width in (part.heads, part.ffn))
            for part in parts
        ]
        with ExitStack() as hooks:
            for part, (heads, units) in zip(parts, masks, strict=True):
                if part.heads:
                    wide = _masking(heads.repeat_interleave(size, dim=2))
                    hooks.callback(part.get(part.family.attention_output).register_forward_pre_hook(wide).remove)
                if part.ffn:
                    hooks.callback(part.get(part.family.ffn_output).register_forward_pre_hook(_masking(units)).remove)
            with torch.enable_grad():
                logits = model(**{name: tensors[name] for name in inputs}, return_dict=True).logits
                loss = torch.nn.functional.cross_entropy(
                    logits.reshape(-1, logits.shape[-1]), tensors["targets"].reshape(-1), reduction="sum"
                )
                wanted = [mask for pair in masks for mask in pair]
                found = torch.autograd.grad(loss, wanted, allow_unused=True)
        for index, halves in enumerate(gradients):
            for rows, gradient, mask in zip(halves, found[2 * index : 2 * index + 2], masks[index], strict=True):
                rows.append((torch.zeros_like(mask) if gradient is None else gradient)[:, 0].numpy())
        progress.advance(len(batch))
    progress.finish()
    model.requires_grad_(True)
    return [_layer_importance(np.concatenate(heads), np.concatenate(units)) for heads, units in gradients]


def _layer_importance(heads: Gradients, units: Gradients) -> LayerImportance:
    scores = [np.square(rows, dtype=np.float64).mean(axis=0) for rows in (heads, units)]
    return LayerImportance(scores[0], scores[1], heads, units)


def magnitude(model: Any) -> list[LayerImportance]:
    """Sum of squared weights that leave each head and unit: needs no data."""
    size, found = architecture.head_size(model), []
    for part in architecture.parts(model):
        heads = units = np.zeros(0)
        if part.heads:
            weight = part.get(part.family.attention_output).weight.detach().double()
            heads = weight.square().sum(0).view(-1, size).sum(1).numpy()
        if part.ffn:
            units = part.get(part.family.ffn_output).weight.detach().double().square().sum(0).numpy()
        found.append(LayerImportance(heads, units))
    return found


def strongest(scores: NDArray[np.float64], count: int, gradients: Gradients | None = None) -> list[int]:
    """Indexes of the `count` parts to keep, in increasing order.

    Without gradients these have the largest scores; equal scores go to the lower index. With gradients, parts are then
    exchanged one for one as long as that makes the loss of what is cut smaller: the mean square of the sum of its
    gradients, in which parts that do the same or the opposite count together (Kwon et al. 2022, mask rearrangement).
    """
    order = np.argsort(-scores, kind="stable")
    cut = np.zeros(len(scores), dtype=bool)
    cut[order[count:]] = True
    if gradients is not None and 0 < count < len(scores):
        _exchange(cut, gradients.astype(np.float64))
    return [int(index) for index in np.flatnonzero(~cut)]


def _exchange(cut: NDArray[np.bool_], gradients: NDArray[np.float64]) -> None:
    """Steepest exchanges of a cut part for a kept one, in place; each makes the loss smaller, so it comes to an end."""
    fisher = gradients.T @ gradients / len(gradients)
    alone = np.diag(fisher)
    total = fisher[:, cut].sum(axis=1)
    for _ in range(len(cut)):
        out, into = np.flatnonzero(cut), np.flatnonzero(~cut)
        change = (alone - 2 * total)[out, None] + (alone + 2 * total)[into] - 2 * fisher[np.ix_(out, into)]
        best = int(change.argmin())
        if change.flat[best] >= -1e-9 * max(float(total[cut].sum()), 0.0) - 1e-300:
            return
        leaves, enters = out[best // len(into)], into[best % len(into)]
        cut[leaves], cut[enters] = False, True
        total += fisher[:, enters] - fisher[:, leaves]


def _masking(mask: Any) -> Any:
    def hook(module: Any, arguments: tuple[Any, ...]) -> tuple[Any, ...]:
        return (arguments[0] * mask, *arguments[1:])

    return hook
