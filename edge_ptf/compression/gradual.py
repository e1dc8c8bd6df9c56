"""Cutting in several steps, so that a student is taught between them and never loses much at once."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import Field

from edge_ptf.compression.pruning import NEURONS_STEP, PruneConfig, wanted_shapes
from edge_ptf.config import StageConfig
from edge_ptf.models import LayerShape


class GradualConfig(StageConfig):
    """Cutting in steps."""

    steps: int = Field(1, ge=1, le=9, description="Steps of the cut; after each but the last the student is taught.")
    epochs: int = Field(2, ge=1, description="Epochs of that teaching, after each step but the last.")


def in_steps(config: PruneConfig, shapes: Sequence[LayerShape], steps: int) -> list[PruneConfig]:
    """The cut of `config` as so many cuts, each made on the result of the one before.

    Widths of the layers that stay shrink evenly, and so does the number of the layers that go, first ones first; a
    speed-up grows by the same factor each time. The vocabulary is cut at once, because what stays of it does not depend
    on the model; the hidden states, whose cut touches everything, at last.

    Args:
        shapes: of the model before the first cut.

    Raises:
        BadInputError: the wanted size does not fit the model.
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
    """So far on the way from one shape to the other, neurons in whole steps."""
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
    """The vocabulary in the first cut alone, the hidden states in the last."""
    first, last = 0, len(configs) - 1
    return [
        config.replace(
            vocabulary=config.vocabulary and step == first, hidden_size=config.hidden_size if step == last else None
        )
        for step, config in enumerate(configs)
    ]
