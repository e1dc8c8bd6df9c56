from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from pydantic import ValidationError

from edge_ptf import tasks
from edge_ptf.data.dataset import LabelledData
from edge_ptf.engines.onnxruntime import GraphSession
from edge_ptf.examples import Encoding
from edge_ptf.graph import Graph, QuantizeConfig, quantize
from edge_ptf.graph.forms import Quantizer
from edge_ptf.graph.smoothing import channel_maxima, factors, smooth
from edge_ptf.models.checkpoint import load_tokenizer

FAMILIES = ("bert", "distilbert", "roberta", "electra")
TEXTS = [Encoding([2, 7, 9, 3], None), Encoding([2, 11, 3], None)]

torch.set_num_threads(1)


def encoded(graph: Graph, data: LabelledData) -> list[Encoding]:
    return tasks.create(graph.info.head).encode(load_tokenizer(graph.path), data.validation, 32)


@pytest.mark.parametrize("alpha", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("mode", ["dynamic", "static"])
@pytest.mark.parametrize("family", FAMILIES)
def test_the_smoothed_graph_answers_as_before(
    exported: Callable[..., Graph], tiny_data: Callable[..., LabelledData], family: str, mode: str, alpha: float
) -> None:
    graph = exported(family)
    texts = encoded(graph, tiny_data())
    quantizer = Quantizer(graph.model, graph.info.max_length, QuantizeConfig(mode=mode, smooth=alpha), texts)
    after = quantizer.source
    between = [node for node in after.graph.node if node.output[0].endswith("_smoothed")]
    # no residual reads the head's input or ELECTRA's narrow embeddings
    assert len(between) == 3 * 2 - (family == "electra")
    assert quantizer.facts["smoothed_inputs"] == 3 * 2 + 1
    onnx.checker.check_model(after)
    before, session = GraphSession(graph.model), GraphSession(after.SerializeToString())
    for encoding in texts:
        expected = before.logits(encoding)
        assert np.abs(expected - session.logits(encoding)).max() < 1e-5 * max(1, np.abs(expected).max())


def test_weights_that_layers_share_stay_as_they_are(
    exported: Callable[..., Graph], tiny_data: Callable[..., LabelledData]
) -> None:
    graph = exported("albert")
    model = onnx.load(graph.model)
    before = {item.name: item.SerializeToString() for item in model.graph.initializer}
    smooth(model, encoded(graph, tiny_data()), 0.5)
    shared = [node.input[1] for node in model.graph.node if node.op_type == "MatMul" and "albert_layers" in node.name]
    assert len(set(shared) & set(before)) == 6
    for item in model.graph.initializer:
        assert item.name not in shared or item.SerializeToString() == before[item.name]


@pytest.mark.parametrize("mode", ["dynamic", "static"])
def test_the_flavour_smooths_before_it_quantizes(
    exported: Callable[..., Graph], tiny_data: Callable[..., LabelledData], tmp_path: Path, mode: str
) -> None:
    small = quantize(exported("bert"), tiny_data(), QuantizeConfig(mode=mode, smooth=0.5), tmp_path / "out")
    facts = small.info.lineage[-1].facts
    assert facts["smoothed_inputs"] == 7
    assert facts["same_answer_percent"] >= 80
    assert small.info.nodes.get("QAttention", 0) == (3 if mode == "dynamic" else 0)
    stored = [item.name for item in onnx.load(small.model).graph.initializer]
    assert sum(name.endswith("_smoothed_by") for name in stored) == 6


def outliers(*, residual: bool) -> onnx.ModelProto:
    """Embeddings, LayerNorm with one large channel, and a linear op. The residual may also read LayerNorm's result."""
    draw = np.random.default_rng(0)
    gain = np.ones(8, np.float32)
    gain[3] = 60
    weights = {
        "table": draw.normal(size=(20, 8)),
        "gain": gain,
        "shift": draw.normal(size=8),
        "matrix": draw.normal(size=(8, 8)),
    }
    nodes = [
        helper.make_node("Gather", ["table", "input_ids"], ["rows"], "gather"),
        helper.make_node("LayerNormalization", ["rows", "gain", "shift"], ["normed"], "norm"),
        helper.make_node("MatMul", ["normed", "matrix"], ["product"], "/model/layer.0/intermediate/dense/MatMul"),
        helper.make_node("Add", ["product", "normed" if residual else "product"], ["logits"], "add"),
    ]
    graph = helper.make_graph(
        nodes,
        "outliers",
        [helper.make_tensor_value_info("input_ids", TensorProto.INT64, ["batch", "length"])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", "length", 8])],
        [numpy_helper.from_array(np.asarray(value, np.float32), name) for name, value in weights.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


@pytest.mark.parametrize("residual", [True, False])
def test_large_channels_become_like_the_others(residual: bool) -> None:
    model = outliers(residual=residual)
    before = [GraphSession(model.SerializeToString()).logits(text) for text in TEXTS]
    wide = channel_maxima(model, ["normed"], TEXTS)["normed"]
    assert smooth(model, TEXTS, 1.0) == 1
    assert [node.op_type for node in model.graph.node].count("Mul") == residual
    (read,) = [node.input[0] for node in model.graph.node if node.op_type == "MatMul"]
    assert channel_maxima(model, [read], TEXTS)[read] == pytest.approx(np.ones(8), rel=1e-5)
    assert wide.max() > 20 * np.median(wide)
    for text, expected in zip(TEXTS, before, strict=True):
        found = GraphSession(model.SerializeToString()).logits(text)
        assert np.abs(found - expected).max() < 1e-5 * np.abs(expected).max()


def test_factors_follow_the_paper() -> None:
    inputs, weights = np.array([4.0, 9.0, 0.0, 5.0], np.float32), np.array([1.0, 4.0, 2.0, 0.0], np.float32)
    assert factors(inputs, weights, 0.5) == pytest.approx([2.0, 1.5, 1.0, 1.0])
    assert factors(inputs, weights, 1.0) == pytest.approx([4.0, 9.0, 1.0, 1.0])
    assert factors(inputs, weights, 0.0) == pytest.approx([1.0, 0.25, 1.0, 1.0])


@pytest.mark.parametrize("alpha", [-0.1, 1.1])
def test_alpha_is_between_0_and_1(alpha: float) -> None:
    with pytest.raises(ValidationError, match="smooth"):
        QuantizeConfig(smooth=alpha)
