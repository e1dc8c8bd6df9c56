from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import onnx
import pytest
import torch
from click.testing import CliRunner

from edge_ptf.cli.main import main
from edge_ptf.compression import PruneConfig, prune
from edge_ptf.data.dataset import LabelledData
from edge_ptf.errors import ExitCode, MissingExtraError
from edge_ptf.graph import (
    CalibrateConfig,
    ExportConfig,
    QuantizeConfig,
    calibrate,
    export,
    linear_ops,
    load_ranges,
    quantize,
)
from edge_ptf.graph.neural_compressor import input_scales, require_compressor
from edge_ptf.graph.ranges import Affine
from edge_ptf.models.checkpoint import Checkpoint

JETSON = QuantizeConfig(mode="static", activation="int8", symmetric_activation=True, calibration_texts=12)


def linear(module: str, source: Any) -> Any:
    """A linear op in a graph from torch.export."""
    return SimpleNamespace(
        target=torch.ops.aten.linear.default, args=(source,), meta={"nn_module_stack": {"key": (module, object)}}
    )


def pair(scale: float, zero_point: int) -> Any:
    return SimpleNamespace(
        target="quantized_decomposed.dequantize_per_tensor.default", args=(None, scale, zero_point, -128, 127)
    )


def program(*nodes: Any) -> Any:
    return SimpleNamespace(graph=SimpleNamespace(nodes=nodes))


def test_scales_are_found_by_the_names_that_the_graph_has() -> None:
    found = input_scales(
        program(
            linear("model.bert.encoder.layer.1.attention.self.query", pair(0.5, 3)),
            linear("model.bert.encoder.layer.1.output.dense", pair(0.25, 0)),
            linear("model.distilbert.transformer.layer.0.ffn.lin1", pair(0.125, 1)),
            linear("model.classifier", pair(1.0, 2)),
            linear("model.bert.pooler.dense", SimpleNamespace(target="relu", args=())),  # stays in FP32
            SimpleNamespace(target="add", args=()),
        )
    )
    assert found == {
        "layer.1.attention.qkv": Affine(scale=0.5, zero_point=3),
        "layer.1.feed_forward.output": Affine(scale=0.25, zero_point=0),
        "layer.0.feed_forward.input": Affine(scale=0.125, zero_point=1),
        "classifier": Affine(scale=1.0, zero_point=2),
    }


def test_of_a_weight_that_layers_share_the_widest_range_counts() -> None:
    name = "model.albert.encoder.albert_layer_groups.0.albert_layers.0.ffn"
    found = input_scales(program(*(linear(name, pair(scale, place)) for place, scale in enumerate((0.1, 0.3, 0.2)))))
    assert list(found.values()) == [Affine(scale=0.3, zero_point=1)]


@pytest.fixture
def absent(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.split(".")[0] == "neural_compressor"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "neural_compressor", None)


@pytest.mark.usefixtures("absent")
def test_without_the_extra_one_line_says_which_it_is(
    tiny_teacher: Callable[..., Checkpoint], tiny_data: Callable[..., LabelledData], tmp_path: Path
) -> None:
    with pytest.raises(MissingExtraError, match=r'pip install "edge-ptf\[inc\]"') as caught:
        calibrate(tiny_teacher(), tiny_data(), CalibrateConfig(), JETSON, tmp_path / "out")
    assert caught.value.exit_code is ExitCode.ENVIRONMENT
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_the_command_names_its_options() -> None:
    shown = CliRunner().invoke(main, ["calibrate", "--help"]).output
    assert "--checkpoint" in shown and "--method" in shown and "ranges.json" in shown


@pytest.mark.slow
@pytest.mark.parametrize("method", ["kl", "minmax"])
@pytest.mark.parametrize("family", ["bert", "distilbert", "roberta", "electra", "albert"])
def test_neural_compressor_finds_a_range_for_every_product(
    tiny_teacher: Callable[..., Checkpoint],
    tiny_data: Callable[..., LabelledData],
    tmp_path: Path,
    family: str,
    method: str,
) -> None:
    pytest.importorskip("neural_compressor", reason="the extra inc is not installed")
    require_compressor()
    data = tiny_data()
    pruned = PruneConfig(
        num_heads=(1, 0, 3), intermediate_size=(0, 0.5, 0.99), importance="magnitude", vocabulary=False
    )
    model = prune(tiny_teacher(family), data, pruned.replace(skip_unsupported=True), tmp_path / "student")
    graph = export(model, data, ExportConfig(), tmp_path / "onnx")
    found = calibrate(model, data, CalibrateConfig.model_validate({"method": method}), JETSON, tmp_path / "ranges")
    assert found == load_ranges(tmp_path / "ranges")
    assert found.linear_ops.keys() == linear_ops.linear_ops(onnx.load(graph.model)).keys()
    assert found.source.startswith("neural-compressor 3.10") and found.source.endswith(method)
    assert all(item.zero_point == 0 for item in found.linear_ops.values())
    small = quantize(graph, data, JETSON, tmp_path / "int8", ranges=found)
    own = quantize(graph, data, JETSON, tmp_path / "own")
    facts, own_notes = small.info.lineage[-1].facts, own.info.lineage[-1].facts
    assert facts["mean_logit_difference"] <= 2 * own_notes["mean_logit_difference"] + 0.02
