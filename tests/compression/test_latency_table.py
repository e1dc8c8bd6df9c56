from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_ptf import models, profiles
from edge_ptf.compression import latency_table as module
from edge_ptf.compression.latency_table import (
    Curve,
    LatencyTable,
    LatencyTableConfig,
    LayerLatencies,
    measure_latency_table,
    open_latency_table,
    settled,
)
from edge_ptf.data.dataset import LabelledData
from edge_ptf.errors import BadInputError, CheckpointError, ConfigError
from edge_ptf.graph import QuantizeConfig
from edge_ptf.machine import this_machine
from edge_ptf.models import LayerShape
from edge_ptf.models.checkpoint import Checkpoint, load_model, load_tokenizer, save_checkpoint

QUICK = LatencyTableConfig(source="measured", texts=3, rounds=3)


def test_curves_are_linear_between_known_widths() -> None:
    curve = Curve(widths=(0, 2, 6), ms=(0.0, 1.0, 2.0))
    assert np.allclose(curve.at([0, 1, 2, 4, 6]), [0, 0.5, 1.0, 1.5, 2.0])


known = {
    "heads": st.lists(st.floats(0, 5), min_size=2, max_size=2).map(sorted),
    "neurons": st.lists(st.floats(0, 5), min_size=3, max_size=3).map(sorted),
}


@given(st.floats(0.1, 1), st.floats(0, 0.1), known["heads"], known["neurons"], st.integers(0, 3))
def test_curves_come_back_from_the_times_they_make(
    fixed: float, nothing: float, heads: list[float], neurons: list[float], inner: int
) -> None:
    """Times come from given curves. The curves of the overrides must predict every structure's time."""
    overrides = module._Overrides(
        heads=(1, 4), neurons=(8, 16, 32), few_heads=(1, 4), few_neurons=(8, 16, 32), inner=inner
    )
    attention = dict(zip((0, 1, 4), [nothing / 2, *(nothing / 2 + value for value in heads)], strict=True))
    ffn = dict(zip((0, 8, 16, 32), [nothing / 2, *(nothing / 2 + value for value in neurons)], strict=True))

    def ms(structure: tuple[LayerShape, ...]) -> float:
        return fixed + sum(attention[shape.num_heads] + ffn[shape.intermediate_size] for shape in structure) - nothing

    structures = list(overrides.structures())
    found, inner_costs, last_costs = overrides.curves([ms(structure) for structure in structures])
    assert found == pytest.approx(fixed)
    for structure in structures:
        predicted = found + sum(inner_costs.of(shape) for shape in structure[:-1]) + last_costs.of(structure[-1])
        assert predicted == pytest.approx(ms(structure), abs=1e-4)


def test_wider_is_never_cheaper_whatever_the_noise_says() -> None:
    found = module._latency_table(0.2, [0.5, 0.4, 0.6, 0.3, 0.9], (1, 2), (8, 16, 32))
    assert found.attention.ms == (0.1, 0.4, 0.4)
    assert found.feed_forward.ms == (0.1, 0.5, 0.5, 0.8)


@pytest.mark.parametrize(
    ("family", "mode"),
    [("bert", "dynamic"), ("distilbert", "dynamic"), ("roberta", "dynamic"), ("electra", "none"), ("bert", "static")],
)
def test_every_family_is_measured(
    tiny_teacher: Callable[..., Checkpoint],
    tiny_data: Callable[..., LabelledData],
    tmp_path: Path,
    family: str,
    mode: Any,
) -> None:
    teacher = tiny_teacher(family)
    found = measure_latency_table(teacher, tiny_data(), QuantizeConfig(mode=mode), QUICK, tmp_path / "costs")
    assert (
        found == open_latency_table(tmp_path / "costs") == open_latency_table(tmp_path / "costs" / "latency_table.json")
    )
    assert found.source == "measured"
    assert found.machine == this_machine()
    assert found.unpruned == teacher.info.layers
    assert len(found.lengths) == 3
    assert found.inner.attention.widths == (0, 1, 2, 3, 4)
    assert found.inner.feed_forward.widths[-1] == found.last.feed_forward.widths[-1] == 64
    assert found.fixed_ms > 0
    assert found.full_precision_ms
    assert found.predict(found.unpruned) == found.unpruned_predicted_ms >= found.fixed_ms


def test_the_weights_of_the_checkpoint_do_not_change(
    tiny_teacher: Callable[..., Checkpoint], tiny_data: Callable[..., LabelledData], tmp_path: Path
) -> None:
    teacher = tiny_teacher("bert")
    before = {file.name: file.read_bytes() for file in teacher.path.iterdir()}
    measure_latency_table(teacher, tiny_data(), QuantizeConfig(), QUICK, tmp_path / "costs")
    assert {file.name: file.read_bytes() for file in teacher.path.iterdir()} == before


def test_a_single_layer_has_one_curve(
    tiny_teacher: Callable[..., Checkpoint], tiny_data: Callable[..., LabelledData], tmp_path: Path
) -> None:
    model = load_model(tiny_teacher("bert"))
    models.keep_layers(model, [2])
    info = tiny_teacher("bert").info.replace(layers=models.shapes(model))
    single = save_checkpoint(model, load_tokenizer(tiny_teacher("bert").path), info, tmp_path / "single")
    found = measure_latency_table(single, tiny_data(), QuantizeConfig(), QUICK, tmp_path / "costs")
    assert found.inner == found.last


def test_an_estimate_grows_with_operations_and_says_what_it_is(
    tiny_teacher: Callable[..., Checkpoint], tiny_data: Callable[..., LabelledData], tmp_path: Path
) -> None:
    config = LatencyTableConfig(source="estimated")
    found = measure_latency_table(tiny_teacher("bert"), tiny_data(), QuantizeConfig(), config, tmp_path)
    assert found.source == "estimated"
    assert found.full_precision_ms is None
    assert found.unpruned_ms == pytest.approx(found.unpruned_predicted_ms)
    narrow, wide = (found.predict((LayerShape(num_heads=heads, intermediate_size=32),) * 3) for heads in (1, 4))
    assert narrow < wide < found.unpruned_predicted_ms


def test_a_model_that_cannot_be_pruned_is_refused(
    tiny_teacher: Callable[..., Checkpoint], tiny_data: Callable[..., LabelledData], tmp_path: Path
) -> None:
    with pytest.raises(CheckpointError, match="'albert' cannot be pruned"):
        measure_latency_table(tiny_teacher("albert"), tiny_data(), QuantizeConfig(), QUICK, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_model_without_a_whole_layer_is_refused(
    tiny_teacher: Callable[..., Checkpoint], tiny_data: Callable[..., LabelledData], tmp_path: Path
) -> None:
    model, teacher = load_model(tiny_teacher("bert")), tiny_teacher("bert")
    for part in models.parts(model):
        models.slice_layer(part, [], range(32))
    info = teacher.info.replace(layers=models.shapes(model))
    halved = save_checkpoint(model, load_tokenizer(teacher.path), info, tmp_path / "halved")
    with pytest.raises(BadInputError, match="no layer has both"):
        measure_latency_table(halved, tiny_data(), QuantizeConfig(), QUICK, tmp_path / "out")


def test_costs_are_measured_where_they_count_and_estimated_elsewhere() -> None:
    machine = this_machine()
    here = [profiles.load(name) for name in profiles.names() if not profiles.mismatches(profiles.load(name), machine)]
    elsewhere = profiles.load("raspberry-pi-5" if machine.arch == "x86_64" else "x86-generic")
    assert {settled(LatencyTableConfig(), profile).source for profile in (None, *here)} == {"measured"}
    assert settled(LatencyTableConfig(), elsewhere).source == "estimated"
    assert settled(QUICK, elsewhere) == QUICK


def test_files_that_are_no_cost_table_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match="cannot be read"):
        open_latency_table(tmp_path)
    (tmp_path / "latency_table.json").write_text("{")
    with pytest.raises(BadInputError, match="not a latency table"):
        open_latency_table(tmp_path)
    (tmp_path / "latency_table.json").write_text(json.dumps({"source": "guessed"}))
    with pytest.raises(ConfigError):
        open_latency_table(tmp_path)


def test_a_table_survives_its_file(
    tiny_teacher: Callable[..., Checkpoint], tiny_data: Callable[..., LabelledData], tmp_path: Path
) -> None:
    config = LatencyTableConfig(source="estimated")
    found = measure_latency_table(tiny_teacher("bert"), tiny_data(), QuantizeConfig(), config, tmp_path)
    assert LatencyTable.model_validate_json(found.model_dump_json()) == found


@given(st.floats(0.0, 0.5), st.floats(0.05, 1.0))
def test_a_large_model_takes_more_than_the_sum_of_its_parts_and_a_small_one_hardly(beyond: float, share: float) -> None:
    curve = Curve(widths=(0, 4), ms=(0.1, 1.1))
    latencies = LayerLatencies(attention=curve, feed_forward=curve)
    table = LatencyTable(
        source="measured",
        config=LatencyTableConfig(),
        quantize=QuantizeConfig(),
        lengths=(8,),
        unpruned=(LayerShape(num_heads=4, intermediate_size=4),) * 3,
        fixed_ms=0.4,
        inner=latencies,
        last=latencies,
        unpruned_ms=7.0 * (1 + beyond),
        machine=this_machine(),
    )
    assert table.sum_of(table.unpruned) == pytest.approx(7.0)
    assert table.unpruned_predicted_ms == pytest.approx(7.0 * (1 + beyond))
    assert table.whole(7.0 * share) == pytest.approx(7.0 * share * (1 + beyond * share**3))
    assert table.sum_within(float(table.whole(7.0 * share))) == pytest.approx(7.0 * share, rel=1e-4)
    noisy = table.replace(unpruned_ms=6.0)
    assert noisy.whole(3.0) == 3.0  # the whole is never faster than the sum: this is noise
