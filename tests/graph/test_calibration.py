from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime.quantization
import pytest

from edge_ptf import tasks
from edge_ptf.data.dataset import LabelledData
from edge_ptf.examples import Encoding
from edge_ptf.graph import Graph, QuantizeConfig, quantize
from edge_ptf.graph.calibration import Way, calibrate, ways
from edge_ptf.models.checkpoint import load_tokenizer


@pytest.fixture(scope="module")
def graph(make_graph: Callable[..., Graph]) -> Graph:
    return make_graph(mode="fp32")


@pytest.fixture(scope="module")
def encodings(graph: Graph, tiny_labelled: Callable[..., LabelledData]) -> list[Encoding]:
    task = tasks.create(graph.info.head)
    return task.encode(load_tokenizer(graph.path), tiny_labelled().validation[:12], 32)


def limits(found: Any) -> dict[str, tuple[float, float]]:
    return {
        name: (np.asarray(item.lowest).item(), np.asarray(item.highest).item()) for name, item in found.data.items()
    }


@pytest.mark.parametrize("way", [Way("percentile", 99.0), Way("entropy")])
def test_other_ways_leave_values_out_and_take_none_in(graph: Graph, encodings: list[Encoding], way: Way) -> None:
    everything = limits(calibrate(graph.model, encodings, Way("minmax")))
    found = limits(calibrate(graph.model, encodings, way))
    assert found.keys() == everything.keys()
    for name, (low, high) in found.items():
        assert everything[name][0] - 1e-6 <= low <= high <= everything[name][1] + 1e-6
    assert any(high - low < 0.95 * (everything[name][1] - everything[name][0]) for name, (low, high) in found.items())


def test_entropy_searches_a_histogram_that_leaves_it_something_to_search(
    graph: Graph, encodings: list[Encoding], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With as many bins as steps, the search can only try the whole range."""
    seen = []
    make = onnxruntime.quantization.create_calibrator

    def made(*arguments: Any, **options: Any) -> Any:
        seen.append(make(*arguments, **options))
        return seen[-1]

    monkeypatch.setattr(onnxruntime.quantization, "create_calibrator", made)
    calibrate(graph.model, encodings[:2], Way("entropy"))
    assert seen[0].num_bins >= 4 * seen[0].num_quantized_bins


def test_calibrators_see_one_text_at_a_time(
    graph: Graph, encodings: list[Encoding], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The calibrators keep the activations of one text, not of all texts."""
    shown: list[int] = []

    class Calibrator:
        def collect_data(self, reader: Any) -> None:
            shown.append(len(list(iter(reader.get_next, None))))

        def compute_data(self) -> str:
            return "ranges"

    monkeypatch.setattr(onnxruntime.quantization, "create_calibrator", lambda *_, **__: Calibrator())
    assert calibrate(graph.model, encodings, Way("entropy")) == "ranges"
    assert shown == [1] * len(encodings)


def test_the_ways_of_a_flavour() -> None:
    assert ways("percentile", 99.5) == (Way("percentile", 99.5),)
    assert ways("minmax", 99.5) == (Way("minmax"),)
    assert [str(way) for way in ways("best", 99.5)] == [
        "minmax",
        "percentile 99.5",
        "percentile 99.9",
        "percentile 99.99",
        "percentile 99.999",
        "entropy",
    ]
    assert len(ways("best", 99.99)) == len(ways("best", 100)) == 5


def test_the_best_way_is_kept_and_all_are_noted(
    graph: Graph, tiny_labelled: Callable[..., LabelledData], tmp_path: Path
) -> None:
    config = QuantizeConfig(mode="static", calibration="best", calibration_texts=16)
    best = quantize(graph, tiny_labelled(), config, tmp_path / "best")
    facts = best.info.lineage[-1].facts
    distances = facts["calibration_logit_difference"]
    assert list(distances) == [str(way) for way in ways("best", config.percentile)]
    assert distances[facts["calibration"]] == min(distances.values())
    method, _, share = facts["calibration"].partition(" ")
    named = {"calibration": method, **({"percentile": float(share)} if share else {})}
    alone = quantize(graph, tiny_labelled(), config.replace(**named), tmp_path / "alone")
    assert alone.model.read_bytes() == best.model.read_bytes()
    assert alone.info.lineage[-1].facts["mean_logit_difference"] == pytest.approx(
        distances[facts["calibration"]], abs=1e-4
    )
    assert "calibration" not in alone.info.lineage[-1].facts


def test_dynamic_graphs_are_not_calibrated(
    graph: Graph, tiny_labelled: Callable[..., LabelledData], tmp_path: Path
) -> None:
    found = quantize(graph, tiny_labelled(), QuantizeConfig(calibration="best"), tmp_path / "out")
    assert "calibration" not in found.info.lineage[-1].facts
    assert np.isfinite(found.info.lineage[-1].facts["mean_logit_difference"])
