from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import onnx
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from onnx import numpy_helper

from edge_ptf import stages
from edge_ptf.cache import Place
from edge_ptf.data.dataset import LabelledData
from edge_ptf.errors import BadInputError, PackageError
from edge_ptf.graph import (
    Graph,
    QuantizeConfig,
    SensitivityConfig,
    load_sensitivity,
    quantize,
    rewrite,
    sensitivity,
)
from edge_ptf.graph.artifact import save_graph
from edge_ptf.graph.linear_ops import nodes_of
from edge_ptf.graph.sensitivity import fewest

QUICK = SensitivityConfig(timed_texts=4)
ONE_SCALE = QuantizeConfig(per_channel=False)

torch.set_num_threads(1)


@pytest.fixture(scope="module")
def whole(exported: Callable[..., Graph]) -> Graph:
    return exported()


@pytest.fixture(scope="module")
def fragile(whole: Graph, tmp_path_factory: pytest.TempPathFactory) -> Graph:
    """One output of the pooler is always zero, and the weights that read it are large.

    In FP32 they have no effect. In INT8 they make a common scale so coarse that all other weights become zero.
    """
    model = onnx.load(whole.model)
    stored = {item.name: item for item in model.graph.initializer}
    pooler, classifier = (
        next(node for node in model.graph.node if node.name == nodes_of(model, [name])[0])
        for name in ("pooler.dense", "classifier")
    )
    for name, place, value in (
        (pooler.input[1], 5, 0.0),
        (pooler.input[2], 5, 0.0),
        (classifier.input[1], (slice(None), 5), 1e4),
    ):
        array = numpy_helper.to_array(stored[name]).copy()
        array[place] = value
        stored[name].CopyFrom(numpy_helper.from_array(array, name))
    return save_graph(model, whole.info, whole.path, tmp_path_factory.mktemp("fragile") / "out")


def test_the_culprit_is_found_and_explained_by_figures(
    fragile: Graph, tiny_data: Callable[..., LabelledData], tmp_path: Path
) -> None:
    found = sensitivity(fragile, tiny_data(), QUICK, ONE_SCALE, tmp_path / "out")
    culprit = "classifier"
    assert found.culprits == (culprit,)
    assert found.within_limits
    assert found.metric == "accuracy"
    assert found.texts == len(tiny_data().validation)
    assert found.int8.distance > QUICK.max_distance >= found.mended.distance
    by_name = {item.name: item for item in found.linear_ops}
    assert len(by_name) == 3 * 4 + 2
    assert by_name[culprit].only_fp32 == found.mended
    assert by_name[culprit].only_int8.distance > QUICK.max_distance
    for name, item in by_name.items():
        if name != culprit:
            assert item.only_fp32.distance > QUICK.max_distance
            assert item.only_int8.distance < QUICK.max_distance
    assert found.tables.distance == 0  # small tables stay unchanged
    assert min(found.fp32_ms, found.int8_ms, found.mended_ms) > 0
    assert load_sensitivity(tmp_path / "out") == found


def test_the_culprits_named_mend_the_graph(
    fragile: Graph, tiny_data: Callable[..., LabelledData], tmp_path: Path
) -> None:
    facts = [
        quantize(fragile, tiny_data(), ONE_SCALE.replace(keep_fp32=kept), tmp_path / f"{len(kept)}").info.lineage[-1]
        for kept in ((), ("classifier",))
    ]
    broken, mended = (step.facts["mean_logit_difference"] for step in facts)
    assert mended < broken / 5


@pytest.mark.parametrize("mode", ["dynamic", "static"])
def test_where_int8_is_near_enough_nothing_is_kept(
    whole: Graph, tiny_data: Callable[..., LabelledData], tmp_path: Path, mode: str
) -> None:
    config = QUICK.replace(max_drop=100, max_distance=30)
    found = sensitivity(whole, tiny_data(), config, QuantizeConfig(mode=mode), tmp_path / "out")
    assert found.culprits == ()
    assert found.within_limits
    assert found.mended == found.int8


def test_limits_that_products_cannot_meet_are_said(
    whole: Graph, tiny_data: Callable[..., LabelledData], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rewrite, "LEAST_TABLE", 137 * 32)
    config = QUICK.replace(max_distance=1e-6)
    found = sensitivity(whole, tiny_data(), config, QuantizeConfig(), tmp_path / "out")
    assert not found.within_limits
    assert found.culprits == ()
    assert found.tables.distance > 0


def test_what_the_flavour_keeps_is_looked_at_too(
    whole: Graph, tiny_data: Callable[..., LabelledData], tmp_path: Path
) -> None:
    config = QUICK.replace(max_drop=100, max_distance=1000)
    kept = QuantizeConfig(keep_fp32=("classifier",))
    first = stages.sensitivity(Place(tmp_path / "out"), whole, tiny_data(), config, kept)
    assert "classifier" in {item.name for item in first.artifact.linear_ops}
    assert first.artifact.quantization == QuantizeConfig()
    again = stages.sensitivity(Place(tmp_path / "out"), whole, tiny_data(), config, QuantizeConfig())
    assert again.reused
    assert again.artifact == first.artifact


def test_only_fp32_graphs_and_int8_flavours_are_looked_at(
    whole: Graph, tiny_data: Callable[..., LabelledData], tmp_path: Path
) -> None:
    with pytest.raises(BadInputError, match="the quantization has no INT8"):
        sensitivity(whole, tiny_data(), QUICK, QuantizeConfig(mode="none"), tmp_path / "out")
    small = quantize(whole, tiny_data(), QuantizeConfig(), tmp_path / "int8")
    with pytest.raises(BadInputError, match="already INT8"):
        sensitivity(small, tiny_data(), QUICK, QuantizeConfig(), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_damaged_record_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PackageError, match=r"no sensitivity\.json"):
        load_sensitivity(tmp_path)
    (tmp_path / "sensitivity.json").write_text("{}")
    with pytest.raises(PackageError, match="damaged"):
        load_sensitivity(tmp_path)


@given(st.lists(st.integers(0, 9), min_size=1, max_size=7), st.integers(0, 40))
def test_the_choice_is_accepted_and_none_of_it_can_be_left_out(worth: list[int], needed: int) -> None:
    names = [f"p{place}" for place in range(len(worth))]
    of = dict(zip(names, worth, strict=True))
    needed = min(needed, sum(worth))

    def accepted(kept: tuple[str, ...]) -> bool:
        return sum(of[name] for name in kept) >= needed

    chosen = fewest(sorted(names, key=lambda name: -of[name]), accepted)
    assert accepted(chosen)
    for name in chosen:
        assert not accepted(tuple(other for other in chosen if other != name))
