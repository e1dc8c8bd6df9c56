from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

from edge_ptf import tasks
from edge_ptf.data.dataset import LabelledData
from edge_ptf.graph import Graph, QuantizeConfig, quantize
from edge_ptf.graph.saturation import risky_pairs, saturated, saturation
from edge_ptf.models.checkpoint import load_tokenizer

torch.set_num_threads(1)


def multiply_add(a0: np.ndarray, b0: np.ndarray, a1: np.ndarray, b1: np.ndarray) -> np.ndarray:
    """VPMADDUBSW for one pair, as in the manual: the sum, and its value in 16 bits."""
    exact = a0.astype(np.int64) * b0 + a1.astype(np.int64) * b1
    return np.clip(exact, -32768, 32767) != exact


def test_risky_weights_are_those_that_some_activations_make_saturate() -> None:
    """Every pair of weights near the border, each with all 65,536 pairs of activations."""
    a0, a1 = (part.ravel() for part in np.meshgrid(np.arange(256), np.arange(256)))
    edge = [-128, -127, -126, -65, -64, -63, -2, -1, 0, 1, 2, 3, 63, 64, 65, 66, 126, 127]
    for first in edge:
        others = [*edge, *(total - first for total in (-129, -128, 128, 129) if -128 <= total - first <= 127)]
        for second in others:
            weight = np.array([[first], [second]], np.int8)
            brute = multiply_add(a0, np.int64(first), a1, np.int64(second)).any()
            assert risky_pairs(weight)[0, 0] == brute, (first, second)


def test_weights_of_seven_bits_are_never_risky() -> None:
    draw = np.random.default_rng(0)
    assert not risky_pairs(draw.integers(-64, 65, (64, 32)).astype(np.int8)).any()
    assert not risky_pairs(np.full((4, 1), 64, np.int8)).any()
    assert not risky_pairs(np.full((4, 1), -64, np.int8)).any()


@pytest.mark.parametrize("inputs", [1, 2, 7, 16])
def test_saturated_results_are_those_of_brute_force(inputs: int) -> None:
    draw = np.random.default_rng(inputs)
    activations = np.where(draw.random((9, inputs)) < 0.5, 255, draw.integers(0, 256, (9, inputs))).astype(np.uint8)
    weight = draw.choice([-128, -120, -70, -9, 0, 30, 64, 65, 110, 127], (inputs, 11)).astype(np.int8)
    brute = np.zeros((9, 11), bool)
    for row in range(9):
        for output in range(11):
            for first in range(0, inputs - 1, 2):
                pair = slice(first, first + 2)
                a, b = activations[row, pair], weight[pair, output].astype(np.int64)
                brute[row, output] |= bool(multiply_add(a[:1], b[:1], a[1:], b[1:])[0])
    assert np.array_equal(saturated(activations, weight), brute)
    assert brute.any() == (inputs > 1)
    assert not (brute & ~risky_pairs(weight).any(axis=0)).any()


@pytest.fixture(scope="module")
def graph(make_graph: Callable[..., Graph]) -> Graph:
    return make_graph(mode="fp32")


@pytest.mark.parametrize(
    "values",
    [{}, {"mode": "static"}, {"mode": "static", "activation": "int8"}, {"keep_fp32": ("classifier",)}],
    ids=lambda values: "-".join(map(str, values.values())) or "dynamic",
)
def test_a_graph_that_is_not_exact_everywhere_says_what_would_saturate(
    graph: Graph, tiny_labelled: Callable[..., LabelledData], tmp_path: Path, values: dict[str, object]
) -> None:
    config = QuantizeConfig.model_validate({"calibration_texts": 8, **values})
    small = quantize(graph, tiny_labelled(), config, tmp_path / "out")
    recorded = small.info.lineage[-1].facts["without_vnni"]
    head = 0 if config.keep_fp32 else 3
    assert recorded["outputs"] == 3 * (3 * 32 + 32 + 64 + 32) + 32 + head
    assert 0 < recorded["can_saturate"] <= recorded["outputs"]
    assert 0 <= recorded["saturated_percent"] <= 100
    task = tasks.create(graph.info.head)
    texts = task.encode(load_tokenizer(graph.path), tiny_labelled().validation[:4], 64)
    assert saturation(onnx.load(small.model), texts)["can_saturate"] == recorded["can_saturate"]


@pytest.mark.parametrize("values", [{"reduce_range": True}, {"weight": "uint8"}, {"mode": "none"}])
def test_exact_flavours_have_nothing_to_say(
    graph: Graph, tiny_labelled: Callable[..., LabelledData], tmp_path: Path, values: dict[str, object]
) -> None:
    config = QuantizeConfig.model_validate({"calibration_texts": 8, **values})
    small = quantize(graph, tiny_labelled(), config, tmp_path / "out")
    assert "without_vnni" not in small.info.lineage[-1].facts
    texts = tasks.create(graph.info.head).encode(load_tokenizer(graph.path), tiny_labelled().validation[:4], 64)
    found = saturation(onnx.load(small.model), texts)
    assert (found["can_saturate"], found["saturated_percent"]) == (0, 0.0)
