"""The structure of least estimated loss that meets a latency: which layers keep how many heads and units."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge_ptf.architecture import LayerShape
from edge_ptf.compression.costs import CostTable, LayerCosts
from edge_ptf.compression.importance import LayerImportance
from edge_ptf.errors import BadInputError

STEPS = 4_000
"""Into how many parts the latency budget is cut; each layer's cost is rounded up to one, so the budget holds."""


@dataclass(frozen=True, slots=True)
class Structure:
    """The width of each layer, all layers still there, with what is expected of it."""

    layers: tuple[LayerShape, ...]
    loss: float
    ms: float


def best_structure(
    importance: Sequence[LayerImportance], costs: CostTable, budget_ms: float, units_step: int
) -> Structure:
    """Minimises the sum of the importance of what is cut, at a predicted latency of at most `budget_ms`.

    The loss of cutting a set of heads or units is estimated by the sum of their scores (Kwon et al. 2022, eq. 8); cost
    and loss are then sums over layers, and the best choice of a width for each is a multiple-choice knapsack, solved
    exactly by dynamic programming over the budget.

    Args:
        units_step: feed-forward widths are multiples of it.

    Raises:
        BadInputError: not even a model without heads and units is as quick.
    """
    choices = [
        _layer_choices(scores, costs.inner if layer < len(importance) - 1 else costs.last, units_step)
        for layer, scores in enumerate(importance)
    ]
    quickest = costs.fixed_ms + sum(float(layer.ms.min()) for layer in choices)
    if quickest > budget_ms:
        most = costs.unpruned_predicted_ms / quickest
        raise BadInputError(
            f"no structure takes {budget_ms:.3f} ms: without any heads and units it would be {quickest:.3f} ms",
            hint=f"Ask for a speed-up below {most:.1f}, or cut whole layers: --layers",
        )
    step = (budget_ms - costs.fixed_ms) / STEPS
    loss, taken = np.zeros(STEPS + 1), []
    for layer in choices:
        weights = np.ceil(layer.ms / step - 1e-9).astype(int)
        options = np.full((len(weights), STEPS + 1), np.inf)
        for option, weight in enumerate(weights):
            if weight <= STEPS:
                options[option, weight:] = loss[: STEPS + 1 - weight] + layer.loss[option]
        taken.append((options.argmin(axis=0), weights))
        loss = options.min(axis=0)
    left, shapes = STEPS, []
    for layer, (best, weights) in zip(reversed(choices), reversed(taken), strict=True):
        option = int(best[left])
        shapes.append(layer.shapes[option])
        left -= int(weights[option])
    layers = tuple(reversed(shapes))
    return Structure(layers, float(loss[STEPS]), costs.predict(layers))


@dataclass(frozen=True, slots=True)
class _Choices:
    shapes: list[LayerShape]
    loss: NDArray[np.float64]
    ms: NDArray[np.float64]


def _layer_choices(scores: LayerImportance, costs: LayerCosts, units_step: int) -> _Choices:
    """Every pair of widths that no quicker pair of the same loss beats."""
    heads = np.arange(len(scores.heads) + 1)
    units = np.array(sorted({*range(0, len(scores.units), units_step), len(scores.units)}))
    lost = [_cut_loss(values)[widths] for values, widths in ((scores.heads, heads), (scores.units, units))]
    loss = (lost[0][:, None] + lost[1][None, :]).ravel()
    ms = (costs.attention.at(heads)[:, None] + costs.ffn.at(units)[None, :]).ravel()
    order, least, kept = np.lexsort((loss, ms)), np.inf, []
    for option in order:
        if loss[option] < least:
            kept.append(option)
            least = loss[option]
    shapes = [LayerShape(heads=int(heads[index // len(units)]), ffn=int(units[index % len(units)])) for index in kept]
    return _Choices(shapes, loss[kept], ms[kept])


def _cut_loss(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """[width + 1]: the sum of all scores but the largest `width`."""
    weakest = np.concatenate([[0.0], np.cumsum(np.sort(scores))])
    return weakest[::-1].copy()
