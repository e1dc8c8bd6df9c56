from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch

from edge_ptf import tasks
from edge_ptf.data.dataset import LabelledData
from edge_ptf.engines.onnxruntime import GraphSession
from edge_ptf.errors import BadInputError
from edge_ptf.graph import Graph, QuantizeConfig, quantize, rewrite
from edge_ptf.graph.linear_ops import linear_ops, nodes_of, readable
from edge_ptf.models.checkpoint import load_tokenizer

FAMILIES = ("bert", "distilbert", "roberta", "xlm-roberta", "electra", "albert")
LAYER = ("attention.qkv", "attention.output", "feed_forward.input", "feed_forward.output")
HEADS = {
    "bert": ("pooler.dense", "classifier"),
    "distilbert": ("pre_classifier", "classifier"),
    "roberta": ("classifier.dense", "classifier.out_proj"),
    "xlm-roberta": ("classifier.dense", "classifier.out_proj"),
    "electra": ("classifier.dense", "classifier.out_proj"),
    "albert": ("albert.pooler", "classifier"),
}

torch.set_num_threads(1)


@pytest.mark.parametrize("family", FAMILIES)
def test_products_keep_their_names_when_the_graph_is_fused(exported: Callable[..., Graph], family: str) -> None:
    graph = exported(family)
    plain, fused = linear_ops(onnx.load(graph.model)), linear_ops(rewrite.fuse(graph.model))
    layers = range(1 if family == "albert" else 3)  # all layers of ALBERT are one
    prefix = "albert_layers" if family == "albert" else "layer"
    wanted = [f"{prefix}.{layer}.{role}" for layer in layers for role in LAYER]
    first = {"electra": ["embeddings_project"], "albert": ["albert.embedding_hidden_mapping_in"]}.get(family, [])
    assert list(plain) == list(fused) == [*first, *wanted, *HEADS[family]]
    uses = 3 if family == "albert" else 1
    assert [len(plain[name]) for name in wanted] == [3 * uses, uses, uses, uses] * len(layers)
    assert len(fused["layer.1.attention.qkv"]) == 1 if family != "albert" else True


@pytest.mark.parametrize("family", FAMILIES)
def test_every_weighted_product_belongs_to_one_name(exported: Callable[..., Graph], family: str) -> None:
    model = onnx.load(exported(family).model)
    found = [node for nodes in linear_ops(model).values() for node in nodes]
    assert sorted(found) == sorted(rewrite.weighted_linear_ops(model))


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("/model/bert/encoder/layer.11/output/dense", "layer.11.feed_forward.output"),
        ("/model/bert/encoder/layer.0/attention/self", "layer.0.attention.qkv"),
        ("/model/mpnet/encoder/layer.2/attention/attn/o", "layer.2.attention.output"),
        ("/model/other/encoder/layers.3/mixer/gate", "layers.3.mixer.gate"),
        ("/model/classifier", "classifier"),
        ("/model/encoder", "model.encoder"),
    ],
)
def test_names_are_made_from_paths(module: str, name: str) -> None:
    assert readable(module) == name


def test_an_unknown_product_is_answered_with_near_ones(exported: Callable[..., Graph]) -> None:
    model = onnx.load(exported("bert").model)
    with pytest.raises(BadInputError, match=r"'layer.1.feed_forwards.output'.* Did you mean layer.1.feed_f"):
        nodes_of(model, ["classifier", "layer.1.feed_forwards.output"])


def counts(graph: Graph, *kinds: str) -> list[int]:
    return [graph.info.nodes.get(kind, 0) for kind in kinds]


def test_named_products_stay_fp32_in_a_dynamic_graph(
    exported: Callable[..., Graph], tiny_data: Callable[..., LabelledData], tmp_path: Path
) -> None:
    kept = ("classifier", "layer.1.attention.qkv", "layer.2.feed_forward.output")
    graph = quantize(exported("bert"), tiny_data(), QuantizeConfig(keep_fp32=kept), tmp_path / "out")
    assert counts(graph, "QAttention", "Attention", "MatMulInteger", "MatMul") == [2, 1, 3 * 3 + 2 - 2, 2]
    names = {node.name for node in onnx.load(graph.model).graph.node if node.op_type in ("MatMul", "Attention")}
    wanted = {"/model/bert/encoder/layer.2/output/dense/MatMul", "/model/classifier/Gemm_MatMul", "Attention_1"}
    assert names == wanted
    assert graph.info.lineage[-1].config["keep_fp32"] == list(kept)


def test_named_products_stay_fp32_in_a_static_graph(
    exported: Callable[..., Graph], tiny_data: Callable[..., LabelledData], tmp_path: Path
) -> None:
    config = QuantizeConfig(mode="static", keep_fp32="classifier, layer.1.attention.qkv,layer.2.feed_forward.output")
    graph = quantize(exported("bert"), tiny_data(), config, tmp_path / "out")
    model = onnx.load(graph.model)
    made = {name: node.op_type for node in model.graph.node for name in node.output}
    products_of = {node.name: node for node in model.graph.node if node.op_type in ("MatMul", "Gemm")}
    plain = set(nodes_of(onnx.load(exported("bert").model), config.keep_fp32))
    assert len(plain) == 1 + 3 + 1
    for name in rewrite.weighted_linear_ops(onnx.load(exported("bert").model)):
        assert (made.get(products_of[name].input[1]) == "DequantizeLinear") == (name not in plain), name


@pytest.mark.parametrize("mode", ["dynamic", "static"])
@pytest.mark.parametrize("family", ["bert", "distilbert", "electra", "albert"])
def test_with_every_product_in_fp32_the_answers_are_those_of_fp32(
    exported: Callable[..., Graph], tiny_data: Callable[..., LabelledData], tmp_path: Path, family: str, mode: str
) -> None:
    full, data = exported(family), tiny_data()
    names = tuple(linear_ops(onnx.load(full.model)))
    small = quantize(full, data, QuantizeConfig(mode=mode, keep_fp32=names), tmp_path / "out")
    before, after = GraphSession(full.model), GraphSession(small.model)
    for encoding in tasks.create(full.info.head).encode(load_tokenizer(full.path), data.validation, 32):
        assert np.abs(before.logits(encoding) - after.logits(encoding)).max() < 1e-4


@pytest.mark.parametrize("given", ["b,a", "b, a,", ["b", "a", "a"], ("a", "b")])
def test_the_order_of_names_does_not_matter(given: Any) -> None:
    assert QuantizeConfig.model_validate({"keep_fp32": given}).keep_fp32 == ("a", "b")


def test_an_unknown_name_is_refused_before_anything_is_written(
    exported: Callable[..., Graph], tiny_data: Callable[..., LabelledData], tmp_path: Path
) -> None:
    for mode in ("dynamic", "static"):
        with pytest.raises(BadInputError, match="no linear op 'head'"):
            quantize(exported("bert"), tiny_data(), QuantizeConfig(mode=mode, keep_fp32=("head",)), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_what_is_chosen_for_one_graph_is_left_out_for_others() -> None:
    """The name of a linear op must not change which student is pruned."""
    config = QuantizeConfig(mode="static", keep_fp32=("classifier",), calibration="best", smooth=0.5)
    assert config.for_any_graph() == QuantizeConfig(mode="static", smooth=0.5)
