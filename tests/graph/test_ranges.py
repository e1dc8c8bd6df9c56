from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import numpy_helper
from rich.console import Console

from edge_ptf.data.dataset import LabelledData
from edge_ptf.errors import BadInputError, PackageError
from edge_ptf.graph import Graph, QuantizeConfig, Ranges, linear_ops, load_ranges, quantize
from edge_ptf.graph.ranges import FILE, Affine, save_ranges
from edge_ptf.report.calibration import calibration_table

SOURCE = "some toolkit 1.0"
FLAVOURS: dict[str, dict[str, Any]] = {
    "unsigned": {"activation": "uint8"},
    "signed": {"activation": "int8"},
    "symmetric": {"activation": "int8", "symmetric_activation": True},
}


@pytest.fixture(scope="module")
def graph(make_graph: Callable[..., Graph]) -> Graph:
    return make_graph(mode="fp32")


def ranges_of(graph: Graph, quantization: str = "unsigned") -> Ranges:
    """Synthetic: a different scale for each linear op, and a zero point if the quantization has one."""
    zero_point = {"unsigned": 100, "signed": -20, "symmetric": 0}[quantization]
    names = linear_ops.linear_ops(onnx.load(graph.model))
    return Ranges(
        source=SOURCE,
        checkpoint="0" * 64,
        data="0" * 64,
        texts=8,
        activation="uint8" if quantization == "unsigned" else "int8",
        symmetric=quantization == "symmetric",
        linear_ops={
            name: Affine(scale=0.01 + 0.001 * place, zero_point=zero_point) for place, name in enumerate(names)
        },
    )


def config(quantization: str = "unsigned", **options: Any) -> QuantizeConfig:
    return QuantizeConfig(mode="static", calibration_texts=12, **FLAVOURS[quantization], **options)


def input_scales(graph: Graph) -> dict[str, tuple[float, int]]:
    """Scale and zero point of the Q/DQ pair before each linear op."""
    model = onnx.load(graph.model)
    stored = {item.name: numpy_helper.to_array(item) for item in model.graph.initializer}
    maker = {name: node for node in model.graph.node for name in node.output}
    found = {}
    for node in model.graph.node:
        source = maker.get(node.input[0]) if node.op_type in ("MatMul", "Gemm") else None
        if source is not None and source.op_type == "DequantizeLinear":
            name = linear_ops.readable(node.name.rpartition("/")[0])
            found[name] = float(stored[source.input[1]]), int(stored[source.input[2]])
    return found


def other_scales(graph: Graph) -> list[float]:
    """Scales of the pairs after linear ops."""
    model = onnx.load(graph.model)
    stored = {item.name: numpy_helper.to_array(item) for item in model.graph.initializer}
    made = {node.output[0] for node in model.graph.node if node.op_type in ("MatMul", "Gemm")}
    return [float(stored[n.input[1]]) for n in model.graph.node if n.op_type == "QuantizeLinear" and n.input[0] in made]


@pytest.mark.parametrize("quantization", FLAVOURS)
def test_scales_and_zero_points_reach_the_graph_as_they_are(
    graph: Graph, tiny_labelled: Callable[..., LabelledData], tmp_path: Path, quantization: str
) -> None:
    given, data = ranges_of(graph, quantization), tiny_labelled()
    found = quantize(graph, data, config(quantization), tmp_path / "given", ranges=given)
    own = quantize(graph, data, config(quantization), tmp_path / "own")
    scales = input_scales(found)
    assert scales.keys() == given.linear_ops.keys()
    for name, (scale, zero_point) in scales.items():
        wanted = given.linear_ops[name]
        assert scale == pytest.approx(wanted.scale, rel=1e-6), name
        assert zero_point == wanted.zero_point, name
    assert other_scales(found) == other_scales(own)  # the toolkit has no ranges for them
    assert found.info.lineage[-1].facts["calibration"] == SOURCE


def test_given_ranges_are_tried_beside_all_other_ways(
    graph: Graph, tiny_labelled: Callable[..., LabelledData], tmp_path: Path
) -> None:
    found = quantize(graph, tiny_labelled(), config(calibration="best"), tmp_path / "out", ranges=ranges_of(graph))
    distances = found.info.lineage[-1].facts["calibration_logit_difference"]
    assert {"minmax", "entropy", "percentile 99.99", SOURCE} < distances.keys()
    assert distances[found.info.lineage[-1].facts["calibration"]] == min(distances.values())
    console = Console(width=100, record=True)
    table = calibration_table(found)
    assert table is not None
    console.print(table)
    shown = console.export_text()
    assert all(f"{distance:.4f}" in shown for distance in distances.values()) and SOURCE in shown


def test_one_way_alone_makes_no_table(graph: Graph, tiny_labelled: Callable[..., LabelledData], tmp_path: Path) -> None:
    found = quantize(graph, tiny_labelled(), config(), tmp_path / "out", ranges=ranges_of(graph))
    assert calibration_table(found) is None


def test_ranges_of_another_model_are_refused(
    graph: Graph, tiny_labelled: Callable[..., LabelledData], tmp_path: Path
) -> None:
    given = ranges_of(graph)
    fewer = {name: found for name, found in given.linear_ops.items() if name != "classifier"}
    for wrong in (fewer, {**given.linear_ops, "layer.9.feed_forward.input": given.linear_ops["classifier"]}):
        with pytest.raises(BadInputError, match=r"another model: 1 linear op is not in both \([a-z.0-9_]+\)\. "):
            quantize(graph, tiny_labelled(), config(), tmp_path / "out", ranges=given.replace(linear_ops=wrong))


@pytest.mark.parametrize("quantization", [{"mode": "dynamic"}, {"mode": "none"}, {"mode": "static", "smooth": 0.5}])
def test_ranges_that_a_flavour_has_no_use_for_are_refused(
    graph: Graph, tiny_labelled: Callable[..., LabelledData], tmp_path: Path, quantization: dict[str, Any]
) -> None:
    with pytest.raises(BadInputError, match="static mode without smoothing"):
        quantize(graph, tiny_labelled(), QuantizeConfig(**quantization), tmp_path / "out", ranges=ranges_of(graph))


def test_ranges_are_read_as_they_were_written(graph: Graph, tmp_path: Path) -> None:
    given = ranges_of(graph)
    save_ranges(given, tmp_path / "ranges")
    assert load_ranges(tmp_path / "ranges") == given
    low, high = given.limits("classifier")
    assert np.isclose((high - low) / 255, given.linear_ops["classifier"].scale)
    with pytest.raises(PackageError, match=r"no ranges\.json"):
        load_ranges(tmp_path)
    (tmp_path / FILE).write_text("{}")
    with pytest.raises(PackageError, match="damaged"):
        load_ranges(tmp_path)
