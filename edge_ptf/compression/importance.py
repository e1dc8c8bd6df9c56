"""Computes how much the loss depends on each attention head and each feed-forward neuron."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_ptf import models
from edge_ptf.heads import Head
from edge_ptf.progress import Progress
from edge_ptf.training.batching import Item, collate
from edge_ptf.training.trainer import by_length

BATCH = 16


Gradients = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class LayerImportance:
    """Scores of one layer's parts, larger is more important: `heads` [heads], `neurons` [neurons].

    If the scores are Fisher information, the object also has the gradients: [examples, heads] and [examples, neurons].
    """

    heads: NDArray[np.float64]
    neurons: NDArray[np.float64]
    head_gradients: Gradients | None = None
    neuron_gradients: Gradients | None = None


def fisher(
    model: Any, head: Head, items: Sequence[Item], inputs: Sequence[str], pad: int, progress: Progress
) -> list[LayerImportance]:
    """Diagonal Fisher information of the masks on heads and neurons (Kwon et al. 2022, eq. 7 and 8).

    The input of each output projection is multiplied by a mask of ones. The score is the mean over examples of the
    squared gradient of the loss with respect to the mask. Examples without a label do not count. If several tasks share
    the encoder, each gives a gradient of its own, so that their importance adds up.
    """
    import torch

    parts = models.parts(model)
    size = models.head_size(model)
    gradients: list[tuple[list[Gradients], list[Gradients]]] = [([], []) for _ in parts]
    for tensors, count in _labelled_batches(model, head, items, inputs, pad, "Importance", progress):
        masks = [
            tuple(torch.ones(count, 1, width, requires_grad=True) for width in (part.num_heads, part.intermediate_size))
            for part in parts
        ]
        with ExitStack() as hooks:
            for part, (heads, neurons) in zip(parts, masks, strict=True):
                if part.num_heads:
                    wide = _masking(heads.repeat_interleave(size, dim=2))
                    hooks.callback(part.get(part.family.attention_output).register_forward_pre_hook(wide).remove)
                if part.intermediate_size:
                    hooks.callback(
                        part.get(part.family.feed_forward_output).register_forward_pre_hook(_masking(neurons)).remove
                    )
            by_part = _gradients(model, head, tensors, inputs, [mask for pair in masks for mask in pair])
        for found in by_part:
            for index, halves in enumerate(gradients):
                for rows, gradient, mask in zip(halves, found[2 * index : 2 * index + 2], masks[index], strict=True):
                    rows.append((torch.zeros_like(mask) if gradient is None else gradient)[:, 0].numpy())
    return [_layer_importance(np.concatenate(heads), np.concatenate(neurons)) for heads, neurons in gradients]


def fisher_hidden(
    model: Any, head: Head, items: Sequence[Item], inputs: Sequence[str], pad: int, progress: Progress
) -> NDArray[np.float64]:
    """Diagonal Fisher information of one mask on the hidden dimensions, applied wherever they are written: [width].

    Like `fisher`, but for the dimensions that all layers share (Xia et al. 2022, "CoFi", learn such a mask).
    """
    import torch

    places = [models.embedded(model)]
    places += [part.get(path) for part in models.parts(model) for path in part.family.norms]
    squares, counted = np.zeros(models.hidden_size(model)), 0
    for tensors, count in _labelled_batches(
        model, head, items, inputs, pad, "Importance of hidden dimensions", progress
    ):
        mask = torch.ones(count, 1, len(squares), requires_grad=True)
        with ExitStack() as hooks:
            for place in places:
                hooks.callback(place.register_forward_hook(_masking_output(mask)).remove)
            by_part = _gradients(model, head, tensors, inputs, [mask])
        for (gradient,) in by_part:
            squares += gradient[:, 0].double().square().sum(dim=0).numpy()
        counted += count
    return squares / max(counted, 1)


def magnitude_hidden(model: Any) -> NDArray[np.float64]:
    """Sum over all layers of the squared weights that write each hidden dimension: [width]. Needs no data."""
    found = np.zeros(models.hidden_size(model))
    for part in models.parts(model):
        for path in (part.family.attention_output, part.family.feed_forward_output):
            if (weight := getattr(part.get(path), "weight", None)) is not None:
                found += weight.detach().double().square().sum(1).numpy()
    return found


def _labelled_batches(
    model: Any, head: Head, items: Sequence[Item], inputs: Sequence[str], pad: int, title: str, progress: Progress
) -> Iterator[tuple[dict[str, Any], int]]:
    """Yields batches of the labelled examples with their sizes. During the iteration, no weight needs a gradient."""
    labelled = [item for item in items if head.is_labelled(item.target)]
    progress.start(title, len(labelled))
    model.eval().requires_grad_(False)
    for batch in by_length(labelled, BATCH):
        yield collate([labelled[index] for index in batch], inputs, pad, head), len(batch)
        progress.advance(len(batch))
    progress.finish()
    model.requires_grad_(True)


def _gradients(
    model: Any, head: Head, tensors: Mapping[str, Any], inputs: Sequence[str], masks: Sequence[Any]
) -> list[Sequence[Any]]:
    """For each part of the head the gradients of its loss, summed over examples, for each mask; None where the loss
    does not depend on the mask."""
    import torch

    with torch.enable_grad():
        logits = model(**{name: tensors[name] for name in inputs}, return_dict=True).logits
        losses = head.losses(logits, tensors["targets"], reduction="sum")
        last = len(losses) - 1
        return [
            torch.autograd.grad(loss, masks, allow_unused=True, retain_graph=place < last)
            for place, loss in enumerate(losses)
        ]


def _layer_importance(heads: Gradients, neurons: Gradients) -> LayerImportance:
    scores = [np.square(rows, dtype=np.float64).mean(axis=0) for rows in (heads, neurons)]
    return LayerImportance(scores[0], scores[1], heads, neurons)


def magnitude(model: Any) -> list[LayerImportance]:
    """Sum of the squared output weights of each head and each neuron. Needs no data."""
    size, found = models.head_size(model), []
    for part in models.parts(model):
        heads = neurons = np.zeros(0)
        if part.num_heads:
            weight = part.get(part.family.attention_output).weight.detach().double()
            heads = weight.square().sum(0).view(-1, size).sum(1).numpy()
        if part.intermediate_size:
            neurons = part.get(part.family.feed_forward_output).weight.detach().double().square().sum(0).numpy()
        found.append(LayerImportance(heads, neurons))
    return found


def strongest(scores: NDArray[np.float64], count: int, gradients: Gradients | None = None) -> list[int]:
    """Indexes of the `count` parts to keep, in increasing order.

    Without gradients, these are the parts with the largest scores; of equal scores, the lower index stays. With
    gradients, a second step exchanges kept and removed parts one for one, as long as the loss of the removed parts
    falls. This loss is the mean square of the sum of their gradients, so parts with the same or the opposite effect
    count together (Kwon et al. 2022, mask rearrangement).
    """
    order = np.argsort(-scores, kind="stable")
    pruned = np.zeros(len(scores), dtype=bool)
    pruned[order[count:]] = True
    if gradients is not None and 0 < count < len(scores):
        _exchange(pruned, gradients.astype(np.float64))
    return [int(index) for index in np.flatnonzero(~pruned)]


def _exchange(pruned: NDArray[np.bool_], gradients: NDArray[np.float64]) -> None:
    """Exchanges a removed part for a kept one, best exchange first, in place. It ends, as each lowers the loss."""
    fisher = gradients.T @ gradients / len(gradients)
    alone = np.diag(fisher)
    total = fisher[:, pruned].sum(axis=1)
    for _ in range(len(pruned)):
        out, into = np.flatnonzero(pruned), np.flatnonzero(~pruned)
        change = (alone - 2 * total)[out, None] + (alone + 2 * total)[into] - 2 * fisher[np.ix_(out, into)]
        best = int(change.argmin())
        if change.flat[best] >= -1e-9 * max(float(total[pruned].sum()), 0.0) - 1e-300:
            return
        leaves, enters = out[best // len(into)], into[best % len(into)]
        pruned[leaves], pruned[enters] = False, True
        total += fisher[:, enters] - fisher[:, leaves]


def _masking(mask: Any) -> Any:
    def hook(module: Any, arguments: tuple[Any, ...]) -> tuple[Any, ...]:
        return (arguments[0] * mask, *arguments[1:])

    return hook


def _masking_output(mask: Any) -> Any:
    def hook(module: Any, arguments: tuple[Any, ...], output: Any) -> Any:
        return output * mask

    return hook
