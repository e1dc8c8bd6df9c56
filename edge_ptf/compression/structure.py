"""Finds the structure with the least estimated loss within a latency: which layers stay, with which widths."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge_ptf.compression.importance import LayerImportance
from edge_ptf.compression.latency_table import LatencyTable, LayerLatencies
from edge_ptf.errors import BadInputError
from edge_ptf.models import LayerShape

STEPS = 4_000
"""Number of steps of the latency budget. Each layer's latency is rounded up to a step, so the budget is met."""


@dataclass(frozen=True, slots=True)
class Structure:
    """The layers that stay, their widths, and the predicted loss and latency."""

    kept: tuple[int, ...]
    """Indexes of the layers in increasing order. The last layer is always included."""
    layers: tuple[LayerShape, ...]
    """Their widths."""
    loss: float
    ms: float


def best_structure(
    importance: Sequence[LayerImportance], latencies: LatencyTable, budget_ms: float, neurons_step: int
) -> Structure:
    """Minimizes the summed importance of the removed parts, at a predicted latency of at most `budget_ms`.

    The loss from pruning a set of heads or neurons is estimated by the sum of their scores (Kwon et al. 2022, eq. 8).
    Latency and loss are then sums over layers. The best width of each layer is a multiple-choice knapsack problem;
    dynamic programming over the budget solves it exactly. A layer before the last that keeps no parts is removed with
    its LayerNorms, and then has no latency.

    Args:
        neurons_step: feed-forward widths are multiples of it.

    Raises:
        BadInputError: even a model without heads and neurons is too slow.
    """
    *inner, last = importance
    choices = [_layer_choices(scores, latencies.inner, neurons_step, removable=True) for scores in inner]
    choices.append(_layer_choices(last, latencies.last, neurons_step, removable=False))
    quickest = float(latencies.whole(latencies.fixed_ms + sum(float(layer.ms.min()) for layer in choices)))
    if quickest > budget_ms:
        most = latencies.unpruned_predicted_ms / quickest
        raise BadInputError(
            f"no structure takes {budget_ms:.3f} ms: even without heads and neurons it would take {quickest:.3f} ms",
            hint=f"Set a speed-up below {most:.1f}",
        )
    step = (latencies.sum_within(budget_ms) - latencies.fixed_ms) / STEPS
    loss, taken = np.zeros(STEPS + 1), []
    for layer in choices:
        weights = np.ceil(layer.ms / step - 1e-9).astype(int)
        options = np.full((len(weights), STEPS + 1), np.inf)
        for option, weight in enumerate(weights):
            if weight <= STEPS:
                options[option, weight:] = loss[: STEPS + 1 - weight] + layer.loss[option]
        taken.append((options.argmin(axis=0), weights))
        loss = options.min(axis=0)
    left, found = STEPS, dict[int, LayerShape]()
    for index in reversed(range(len(choices))):
        best, weights = taken[index]
        option = int(best[left])
        if shape := choices[index].shapes[option]:
            found[index] = shape
        left -= int(weights[option])
    kept = tuple(sorted(found))
    layers = tuple(found[index] for index in kept)
    return Structure(kept, layers, float(loss[STEPS]), latencies.predict(layers))


@dataclass(frozen=True, slots=True)
class _Choices:
    shapes: list[LayerShape | None]
    """None: the layer is removed."""
    loss: NDArray[np.float64]
    ms: NDArray[np.float64]


def _layer_choices(
    scores: LayerImportance, latencies: LayerLatencies, neurons_step: int, *, removable: bool
) -> _Choices:
    """All pairs of widths, without pairs that a faster pair of the same loss beats; also no layer, if `removable`."""
    heads = np.arange(len(scores.heads) + 1)
    neurons = np.array(sorted({*range(0, len(scores.neurons), neurons_step), len(scores.neurons)}))
    lost = [_pruning_loss(values)[widths] for values, widths in ((scores.heads, heads), (scores.neurons, neurons))]
    loss = (lost[0][:, None] + lost[1][None, :]).ravel()
    ms = (latencies.attention.at(heads)[:, None] + latencies.feed_forward.at(neurons)[None, :]).ravel()
    shapes: list[LayerShape | None] = [
        LayerShape(num_heads=int(head), intermediate_size=int(unit)) for head in heads for unit in neurons
    ]
    if removable:
        shapes[0], ms[0] = None, 0.0
    order, least, kept = np.lexsort((loss, ms)), np.inf, []
    for option in order:
        if loss[option] < least:
            kept.append(int(option))
            least = loss[option]
    return _Choices([shapes[option] for option in kept], loss[kept], ms[kept])


def _pruning_loss(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """[width + 1]: for each width, the sum of all scores but the `width` largest."""
    weakest = np.concatenate([[0.0], np.cumsum(np.sort(scores))])
    return weakest[::-1].copy()
