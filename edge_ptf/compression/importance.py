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


@dataclass(frozen=True, slots=True)
class LayerImportance:
    """Scores of one layer's parts, larger matters more: `heads` [heads], `units` [units]."""

    heads: NDArray[np.float64]
    units: NDArray[np.float64]


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
    sums = [LayerImportance(np.zeros(part.heads), np.zeros(part.ffn)) for part in parts]
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
        for index, total in enumerate(sums):
            for scores, gradient in ((total.heads, found[2 * index]), (total.units, found[2 * index + 1])):
                if gradient is not None:
                    np.add(scores, gradient.square().sum(dim=(0, 1)).double().numpy(), out=scores)
        progress.advance(len(batch))
    progress.finish()
    model.requires_grad_(True)
    return [LayerImportance(total.heads / len(labelled), total.units / len(labelled)) for total in sums]


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


def strongest(scores: NDArray[np.float64], count: int) -> list[int]:
    """Indexes of the `count` largest scores in increasing order; equal scores go to the lower index."""
    return sorted(int(index) for index in np.argsort(-scores, kind="stable")[:count])


def _masking(mask: Any) -> Any:
    def hook(module: Any, arguments: tuple[Any, ...]) -> tuple[Any, ...]:
        return (arguments[0] * mask, *arguments[1:])

    return hook
