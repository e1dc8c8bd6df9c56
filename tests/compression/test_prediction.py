"""Predicted speed-up and size of a student, before it is made."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edge_ptf import models
from edge_ptf.compression import LatencyTable, LatencyTableConfig, Limits, Prediction, Predictor, PruneConfig, prune
from edge_ptf.compression.latency_table import Curve, LayerLatencies
from edge_ptf.compression.prediction import ASSUMED_INT8_SPEEDUP, CALL, TABLE_BYTES
from edge_ptf.graph import QuantizeConfig
from edge_ptf.machine import this_machine
from edge_ptf.models import LayerShape
from edge_ptf.models.checkpoint import Checkpoint, load_model, load_tokenizer

HEADS, UNITS = 4, 64


def table(*, full_ms: float | None = 4.0, quantize: QuantizeConfig | None = None) -> LatencyTable:
    latencies = LayerLatencies(
        attention=Curve(widths=(0, HEADS), ms=(0.0, 0.3)), feed_forward=Curve(widths=(0, UNITS), ms=(0.0, 0.3))
    )
    return LatencyTable(
        source="measured" if full_ms else "estimated",
        config=LatencyTableConfig(),
        quantize=quantize or QuantizeConfig(),
        lengths=(8,),
        unpruned=(LayerShape(num_heads=HEADS, intermediate_size=UNITS),) * 3,
        fixed_ms=0.2,
        inner=latencies,
        last=latencies,
        unpruned_ms=2.0,
        full_precision_ms=full_ms,
        machine=this_machine(),
    )


@pytest.fixture
def predictor(tiny_teacher: Callable[..., Any], tiny_data: Callable[..., Any]) -> Predictor:
    return Predictor(tiny_teacher(), tiny_data(), table(), PruneConfig())


def bytes_of(small: Checkpoint) -> float:
    """Of an INT8 student, counted as the predictions do."""
    model, subwords = load_model(small), len(load_tokenizer(small.path))
    kept = sum(value.numel() for part in models.layers(model) for value in part.parameters() if value.ndim < 2)
    weights = sum(value.numel() for value in model.parameters()) - kept
    return weights + 4 * kept + subwords * (TABLE_BYTES + 4)


@pytest.mark.parametrize("family", ["bert", "distilbert", "roberta", "electra"])
@pytest.mark.parametrize(("layers", "neurons"), [(2, 32), (1, 64)])
def test_bytes_are_those_of_the_model_that_pruning_makes(
    tiny_teacher: Callable[..., Any],
    tiny_data: Callable[..., Any],
    family: str,
    layers: int,
    neurons: int,
    tmp_path: Path,
) -> None:
    config = PruneConfig(num_layers=layers, intermediate_size=(neurons,), refit="none")
    small = prune(tiny_teacher(family), tiny_data(), config, tmp_path / "small")
    found = Predictor(tiny_teacher(family), tiny_data(), table(), config)
    assert found.subwords == len(load_tokenizer(small.path))
    predicted = found.of((LayerShape(num_heads=HEADS, intermediate_size=neurons),) * layers).size_mb
    assert predicted == pytest.approx(bytes_of(small) / 1e6, abs=6e-4)


@pytest.mark.parametrize("family", ["bert", "electra"])
def test_narrower_hidden_states_are_fewer_bytes_and_held_against_the_same_teacher(
    tiny_teacher: Callable[..., Any], tiny_data: Callable[..., Any], family: str, tmp_path: Path
) -> None:
    teacher, data = tiny_teacher(family), tiny_data()
    cut = PruneConfig(hidden_size=16, importance="magnitude", vocabulary=False)
    narrow = prune(teacher, data, cut, tmp_path / "narrow")
    whole = Predictor(teacher, data, table(), PruneConfig())
    found = Predictor(narrow, data, table(full_ms=1.0), PruneConfig(), whole)
    assert (whole.hidden, found.hidden) == (32, 16)
    assert found.full_ms == whole.full_ms == 4.0
    assert found.full_weights == whole.full_weights
    small = prune(
        teacher,
        data,
        PruneConfig(num_layers=2, intermediate_size=(32,), hidden_size=16, refit="none"),
        tmp_path / "small",
    )
    predicted = found.of((LayerShape(num_heads=HEADS, intermediate_size=32),) * 2)
    assert predicted.size_mb == pytest.approx(bytes_of(small) / 1e6, abs=6e-4)
    assert (
        predicted.speedup == whole.of((LayerShape(num_heads=HEADS, intermediate_size=32),) * 2).speedup
    )  # with the same latency table


@pytest.mark.parametrize(("form", "more"), [("int4", 0.625 - 1), ("fp16", 1.0), ("fp32", 3.0)])
def test_the_form_of_the_table_counts(
    tiny_teacher: Callable[..., Any], tiny_data: Callable[..., Any], predictor: Predictor, form: Any, more: float
) -> None:
    other = Predictor(tiny_teacher(), tiny_data(), table(quantize=QuantizeConfig(embeddings=form)), PruneConfig())
    layers = (LayerShape(num_heads=HEADS, intermediate_size=UNITS),)
    numbers = predictor.subwords * int(load_model(tiny_teacher()).config.hidden_size)
    difference = 1e6 * (other.of(layers).size_mb - predictor.of(layers).size_mb)
    assert difference == pytest.approx(more * numbers - 4 * predictor.subwords, abs=1001)


@pytest.mark.parametrize(("non_int8_dtype", "times"), [("fp32", 4), ("fp16", 2)])
def test_where_nothing_becomes_int8_every_number_takes_its_bytes(
    tiny_teacher: Callable[..., Any], tiny_data: Callable[..., Any], non_int8_dtype: Any, times: int
) -> None:
    quantize = QuantizeConfig(mode="none", non_int8_dtype=non_int8_dtype)
    whole = Predictor(tiny_teacher(), tiny_data(), table(quantize=quantize), PruneConfig(vocabulary=False))
    numbers = sum(value.numel() for value in load_model(tiny_teacher()).parameters())
    expected = times * numbers + whole.subwords * TABLE_BYTES
    assert whole.of(whole.shapes).size_mb == pytest.approx(expected / 1e6, abs=6e-4)
    assert whole.smaller_tables() == []


def test_a_graph_in_fp16_knows_no_leaner_table(tiny_teacher: Callable[..., Any], tiny_data: Callable[..., Any]) -> None:
    quantize = QuantizeConfig(mode="static", non_int8_dtype="fp16")
    assert Predictor(tiny_teacher(), tiny_data(), table(quantize=quantize), PruneConfig()).smaller_tables() == []


def test_a_speed_up_is_over_full_precision_and_counts_the_call(predictor: Predictor) -> None:
    expected = 4.0 / (0.8 * predictor.length + CALL * 4.0)
    assert predictor.of((LayerShape(num_heads=HEADS, intermediate_size=UNITS),)).speedup == pytest.approx(
        expected, abs=1e-3
    )


def test_texts_that_the_vocabulary_has_not_seen_take_longer(
    tiny_teacher: Callable[..., Any], tiny_data: Callable[..., Any]
) -> None:
    teacher, data = tiny_teacher(), tiny_data()
    whole, some, few = (
        Predictor(teacher, data, table(), PruneConfig(**options)).length
        for options in ({"vocabulary": False}, {"vocabulary_size": 60}, {"vocabulary_size": None})
    )
    assert whole == 1.0 <= some <= few
    assert few > 1.0


def test_without_a_measurement_int8_is_assumed_to_win_something(
    tiny_teacher: Callable[..., Any], tiny_data: Callable[..., Any]
) -> None:
    whole = (LayerShape(num_heads=HEADS, intermediate_size=UNITS),) * 3
    config = PruneConfig(vocabulary=False)
    found = Predictor(tiny_teacher(), tiny_data(), table(full_ms=None), config)
    assert found.of(whole).speedup == pytest.approx(1 / (1 / ASSUMED_INT8_SPEEDUP + CALL), abs=1e-3)
    latencies = table(full_ms=None, quantize=QuantizeConfig(mode="none"))
    full = Predictor(tiny_teacher(), tiny_data(), latencies, config)
    assert full.of(whole).speedup == pytest.approx(1 / (1 + CALL), abs=1e-3)


def test_the_deepest_is_deep_first_and_then_wide(predictor: Predictor) -> None:
    whole = predictor.deepest(Limits())
    assert whole == (LayerShape(num_heads=HEADS, intermediate_size=UNITS),) * 3
    narrow = predictor.of((LayerShape(num_heads=HEADS, intermediate_size=32),) * 3)
    assert predictor.deepest(Limits(speedup=narrow.speedup)) == (LayerShape(num_heads=HEADS, intermediate_size=32),) * 3
    found = predictor.deepest(Limits(speedup=narrow.speedup * 1.01))
    assert found is not None
    assert len(found) == 2
    assert predictor.deepest(Limits(size_mb=narrow.size_mb)) == (LayerShape(num_heads=HEADS, intermediate_size=32),) * 3


def test_fewer_heads_leave_time_for_more_layers(predictor: Predictor) -> None:
    few = predictor.of_heads(0.5)
    assert few.deepest(Limits()) == (LayerShape(num_heads=HEADS // 2, intermediate_size=UNITS),) * 3
    limits = Limits(speedup=1.01 * predictor.of((LayerShape(num_heads=HEADS, intermediate_size=32),) * 3).speedup)
    fewer, all_heads = few.deepest(limits), predictor.deepest(limits)
    assert fewer and all_heads
    assert len(fewer) > len(all_heads)
    assert min(layer.intermediate_size for layer in fewer) >= UNITS / 4
    assert predictor.of_heads(0.01).heads == 1
    assert predictor.heads == HEADS


def test_limits_that_nothing_keeps_are_named_and_left_out(predictor: Predictor) -> None:
    assert predictor.deepest(Limits(speedup=1000.0)) is None
    kept, lost = predictor.reachable(Limits(speedup=1000.0, size_mb=50.0))
    assert (kept, lost) == (Limits(size_mb=50.0), ["speedup"])
    kept, lost = predictor.reachable(Limits(speedup=2.0, size_mb=1e-6))
    assert (kept, lost) == (Limits(speedup=2.0), ["size_mb"])
    assert predictor.reachable(Limits(speedup=2.0)) == (Limits(speedup=2.0), [])


def test_limits_judge_both_sides() -> None:
    limits = Limits(speedup=4.0, size_mb=10.0)
    assert limits.kept_by(Prediction(speedup=4.0, size_mb=10.0))
    assert not limits.kept_by(Prediction(speedup=3.9, size_mb=1.0))
    assert not limits.kept_by(Prediction(speedup=9.0, size_mb=10.1))
    assert Limits().kept_by(Prediction(speedup=0.1, size_mb=1e6))
