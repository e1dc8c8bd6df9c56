"""Prunes in several steps. The student is trained between them, so that no single step loses much accuracy."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import Field

from edge_ptf.compression.pruning import NEURONS_STEP, PruneConfig, wanted_shapes
from edge_ptf.config import StageConfig
from edge_ptf.models import LayerShape


class GradualConfig(StageConfig):
    """Options for pruning in steps."""

    steps: int = Field(1, ge=1, le=9, description="Pruning steps. The student is trained after each step but the last.")
    epochs: int = Field(2, ge=1, description="Epochs of the training after each step but the last.")


def in_steps(config: PruneConfig, shapes: Sequence[LayerShape], steps: int) -> list[PruneConfig]:
    """Splits the pruning of `config` into `steps` steps. Each step prunes the result of the step before.

    The widths of the layers that stay shrink evenly. The number of removed layers grows evenly, and the first layers go
    first. A speed-up grows by the same factor in each step. The first step prunes the vocabulary, because the choice of
    subwords does not depend on the model. The last step prunes the hidden size, because this affects every part.

    Args:
        shapes: the layers of the model before the first step.

    Raises:
        BadInputError: the requested size does not fit the model.
    """
    if steps == 1:
        return [config]
    if config.speedup is not None:
        found = [config.replace(speedup=config.speedup ** (step / steps)) for step in range(1, steps + 1)]
        return _in_order(found)
    final = wanted_shapes(config, shapes)
    present, found = list(range(len(shapes))), []
    doomed = [layer for layer in present if layer not in final]
    for step in range(1, steps + 1):
        gone = set(doomed[: round(len(doomed) * step / steps)])
        left = [layer for layer in present if layer not in gone]
        widths = [_between(shapes[layer], final.get(layer, shapes[layer]), step / steps) for layer in left]
        found.append(
            config.replace(
                num_layers=None,
                keep_layers=tuple(present.index(layer) for layer in left),
                num_heads=tuple(shape.num_heads for shape in widths),
                intermediate_size=tuple(shape.intermediate_size for shape in widths),
            )
        )
        present = left
    return _in_order(found)


def _between(before: LayerShape, after: LayerShape, share: float) -> LayerShape:
    """The shape at `share` (0 to 1) of the way from `before` to `after`, with neurons rounded to whole steps."""
    if share == 1:
        return after
    heads = round(before.num_heads + share * (after.num_heads - before.num_heads))
    neurons = (
        round((before.intermediate_size + share * (after.intermediate_size - before.intermediate_size)) / NEURONS_STEP)
        * NEURONS_STEP
    )
    return LayerShape(
        num_heads=heads, intermediate_size=min(max(neurons, after.intermediate_size), before.intermediate_size)
    )


def _in_order(configs: list[PruneConfig]) -> list[PruneConfig]:
    """Prunes the vocabulary in the first step only, and the hidden size in the last step only."""
    first, last = 0, len(configs) - 1
    return [
        config.replace(
            vocabulary=config.vocabulary and step == first, hidden_size=config.hidden_size if step == last else None
        )
        for step, config in enumerate(configs)
    ]
