from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_ptf.architecture import LayerShape
from edge_ptf.compression.costs import CostConfig, CostTable, Curve, LayerCosts
from edge_ptf.compression.importance import LayerImportance
from edge_ptf.compression.structure import best_structure
from edge_ptf.errors import BadInputError
from edge_ptf.export import QuantizeConfig
from edge_ptf.machine import this_machine

HEADS, UNITS, STEP = 3, 4, 2


def table(
    layers: int, *, attention: float = 1.0, ffn: float = 0.5, last: float = 0.5, fixed: float = 0.25
) -> CostTable:
    """Attention jumps by its overhead at the first head, the feed-forward part grows from nothing."""

    def costs(scale: float) -> LayerCosts:
        return LayerCosts(
            attention=Curve(widths=(0, 1, HEADS), ms=(0.0, scale * attention, scale * attention * 2)),
            ffn=Curve(widths=(0, UNITS), ms=(0.0, scale * 0.5 * UNITS)),
        )

    return CostTable(
        source="estimated",
        config=CostConfig(),
        quantize=QuantizeConfig(),
        lengths=(8,),
        unpruned=(LayerShape(heads=HEADS, ffn=UNITS),) * layers,
        fixed_ms=0.25,
        inner=costs(1.0),
        last=costs(last),
        unpruned_ms=1.0,
        machine=this_machine(),
    )


def scores(values: list[list[float]]) -> list[LayerImportance]:
    return [LayerImportance(np.array(row[:HEADS]), np.array(row[HEADS:])) for row in values]


def loss_of(importance: list[LayerImportance], shapes: tuple[LayerShape, ...]) -> float:
    return sum(
        float(np.sort(values)[: len(values) - width].sum())
        for layer, shape in zip(importance, shapes, strict=True)
        for values, width in ((layer.heads, shape.heads), (layer.units, shape.ffn))
    )


values = st.lists(
    st.lists(st.floats(0, 10, allow_subnormal=False), min_size=HEADS + UNITS, max_size=HEADS + UNITS),
    min_size=1,
    max_size=3,
)


@given(values, st.floats(0.05, 1.0))
def test_no_structure_of_any_widths_within_the_budget_loses_less(rows: list[list[float]], share: float) -> None:
    importance, costs = scores(rows), table(len(rows))
    budget = costs.fixed_ms + share * (costs.unpruned_predicted_ms - costs.fixed_ms)
    found = best_structure(importance, costs, budget, STEP)
    assert costs.predict(found.layers) == pytest.approx(found.ms)
    assert found.ms <= budget + 1e-9
    assert found.loss == pytest.approx(loss_of(importance, found.layers), abs=1e-9)
    shapes = [LayerShape(heads=h, ffn=u) for h in range(HEADS + 1) for u in range(0, UNITS + 1, STEP)]
    rounding = 1 - len(rows) / 4_000  # each layer's cost is rounded up to a part of the budget
    for other in product(shapes, repeat=len(rows)):
        if costs.predict(other) - costs.fixed_ms <= rounding * (budget - costs.fixed_ms):
            assert found.loss <= loss_of(importance, other) + 1e-9


def test_the_whole_model_fits_its_own_budget() -> None:
    costs = table(2)
    found = best_structure(scores([[1.0] * 7] * 2), costs, costs.unpruned_predicted_ms * 1.001, STEP)
    assert found.layers == costs.unpruned
    assert found.loss == 0


def test_what_costs_nothing_to_lose_goes_first() -> None:
    costs = table(2)
    found = best_structure(scores([[0, 0, 5, 1, 1, 1, 1], [1] * 7]), costs, costs.unpruned_predicted_ms * 0.95, STEP)
    assert found.layers == (LayerShape(heads=1, ffn=4), LayerShape(heads=3, ffn=4))


def test_a_half_of_little_importance_goes_whole_where_its_overhead_is_large() -> None:
    """Attention costs as much for one head as for the two others together."""
    costs = table(1, attention=10.0, last=1.0)
    found = best_structure(scores([[0.1, 0.1, 0.1, 5, 5, 5, 5]]), costs, 0.25 + 2.0, STEP)
    assert found.layers == (LayerShape(heads=0, ffn=4),)


def test_a_budget_that_nothing_meets_is_refused_with_what_can_be_had() -> None:
    costs = table(2)
    with pytest.raises(BadInputError) as caught:
        best_structure(scores([[1.0] * 7] * 2), costs, 0.2, STEP)
    assert "no structure takes 0.200 ms" in caught.value.message
    assert "0.250 ms" in caught.value.message
    assert f"below {costs.unpruned_predicted_ms / 0.25:.1f}" in str(caught.value.hint)
