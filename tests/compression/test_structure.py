from __future__ import annotations

from collections.abc import Sequence
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_ptf.compression.importance import LayerImportance
from edge_ptf.compression.latency_table import Curve, LatencyTable, LatencyTableConfig, LayerLatencies
from edge_ptf.compression.structure import Structure, best_structure
from edge_ptf.errors import BadInputError
from edge_ptf.graph import QuantizeConfig
from edge_ptf.machine import this_machine
from edge_ptf.models import LayerShape

HEADS, UNITS, STEP = 3, 4, 2


def table(
    layers: int, *, attention: float = 1.0, empty: float = 0.0, last: float = 0.5, fixed: float = 0.25
) -> LatencyTable:
    """Attention has an overhead at the first head. The feed-forward latency grows from that of an empty layer."""

    def latencies(scale: float) -> LayerLatencies:
        return LayerLatencies(
            attention=Curve(widths=(0, 1, HEADS), ms=(0.0, scale * attention, scale * attention * 2)),
            feed_forward=Curve(widths=(0, UNITS), ms=(scale * empty, scale * (empty + 0.5 * UNITS))),
        )

    return LatencyTable(
        source="estimated",
        config=LatencyTableConfig(),
        quantize=QuantizeConfig(),
        lengths=(8,),
        unpruned=(LayerShape(num_heads=HEADS, intermediate_size=UNITS),) * layers,
        fixed_ms=fixed,
        inner=latencies(1.0),
        last=latencies(last),
        unpruned_ms=1.0,
        machine=this_machine(),
    )


def scores(values: list[list[float]]) -> list[LayerImportance]:
    return [LayerImportance(np.array(row[:HEADS]), np.array(row[HEADS:])) for row in values]


GONE = LayerShape(num_heads=0, intermediate_size=0)


def loss_of(importance: list[LayerImportance], shapes: Sequence[LayerShape]) -> float:
    return sum(
        float(np.sort(values)[: len(values) - width].sum())
        for layer, shape in zip(importance, shapes, strict=True)
        for values, width in ((layer.heads, shape.num_heads), (layer.neurons, shape.intermediate_size))
    )


def with_gaps(found: Structure, count: int) -> list[LayerShape]:
    """A shape for each layer of the original model."""
    widths = dict(zip(found.kept, found.layers, strict=True))
    return [widths.get(layer, GONE) for layer in range(count)]


values = st.lists(
    st.lists(st.floats(0, 10, allow_subnormal=False), min_size=HEADS + UNITS, max_size=HEADS + UNITS),
    min_size=1,
    max_size=3,
)


@given(values, st.floats(0.3, 1.0), st.sampled_from([0.0, 0.4]))
def test_no_structure_of_any_widths_within_the_budget_loses_less(
    rows: list[list[float]], share: float, empty: float
) -> None:
    importance, latencies = scores(rows), table(len(rows), empty=empty)
    budget = latencies.fixed_ms + share * (latencies.unpruned_predicted_ms - latencies.fixed_ms)
    found = best_structure(importance, latencies, budget, STEP)
    assert latencies.predict(found.layers) == pytest.approx(found.ms)
    assert found.ms <= budget + 1e-9
    assert found.loss == pytest.approx(loss_of(importance, with_gaps(found, len(rows))), abs=1e-9)
    assert found.kept[-1] == len(rows) - 1
    shapes = [LayerShape(num_heads=h, intermediate_size=u) for h in range(HEADS + 1) for u in range(0, UNITS + 1, STEP)]
    rounding = 1 - len(rows) / 4_000  # each layer's latency is rounded up to a step of the budget
    for other in product(shapes, repeat=len(rows)):
        left = [shape for shape in other[:-1] if shape != GONE] + [other[-1]]
        if latencies.predict(left) - latencies.fixed_ms <= rounding * (budget - latencies.fixed_ms):
            assert found.loss <= loss_of(importance, other) + 1e-9


def test_the_whole_model_fits_its_own_budget() -> None:
    latencies = table(2)
    found = best_structure(scores([[1.0] * 7] * 2), latencies, latencies.unpruned_predicted_ms * 1.001, STEP)
    assert found.layers == latencies.unpruned
    assert found.loss == 0


def test_what_costs_nothing_to_lose_goes_first() -> None:
    latencies = table(2)
    found = best_structure(
        scores([[0, 0, 5, 1, 1, 1, 1], [1] * 7]), latencies, latencies.unpruned_predicted_ms * 0.95, STEP
    )
    assert found.layers == (LayerShape(num_heads=1, intermediate_size=4), LayerShape(num_heads=3, intermediate_size=4))


def test_a_half_of_little_importance_goes_whole_where_its_overhead_is_large() -> None:
    """One head of the first kind takes as long as the two others together."""
    latencies = table(1, attention=10.0, last=1.0)
    found = best_structure(scores([[0.1, 0.1, 0.1, 5, 5, 5, 5]]), latencies, 0.25 + 2.0, STEP)
    assert found.layers == (LayerShape(num_heads=0, intermediate_size=4),)


def test_a_layer_of_little_importance_goes_whole_and_its_own_cost_with_it() -> None:
    latencies = table(3, empty=1.0)
    found = best_structure(
        scores([[5] * 7, [0.1] * 7, [5] * 7]), latencies, latencies.unpruned_predicted_ms - 4.9, STEP
    )
    assert found.kept == (0, 2)
    assert found.layers == (LayerShape(num_heads=3, intermediate_size=4),) * 2
    assert found.ms == pytest.approx(latencies.unpruned_predicted_ms - 5.0)


def test_the_last_layer_stays_even_where_it_matters_least() -> None:
    latencies = table(2, empty=0.1)
    found = best_structure(scores([[5] * 7, [0.0] * 7]), latencies, 0.25 + 4.2, STEP)
    assert found.kept == (0, 1)
    assert found.layers == (LayerShape(num_heads=3, intermediate_size=4), GONE)


def test_a_budget_that_nothing_meets_is_refused_with_what_can_be_had() -> None:
    latencies = table(2)
    with pytest.raises(BadInputError) as caught:
        best_structure(scores([[1.0] * 7] * 2), latencies, 0.2, STEP)
    assert "no structure takes 0.200 ms" in caught.value.message
    assert "0.250 ms" in caught.value.message
    assert f"below {latencies.unpruned_predicted_ms / 0.25:.1f}" in str(caught.value.hint)
