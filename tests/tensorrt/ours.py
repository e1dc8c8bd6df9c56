"""The graphs that edge-ptf makes, of tiny models: every family, task and quantized form."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import onnx
import torch

from edge_ptf import tasks
from edge_ptf.graph import ExportConfig, Graph, QuantizeConfig, export, quantize, rewrite
from edge_ptf.models.checkpoint import fresh_info, load_base_model, load_tokenizer, save_checkpoint
from edge_ptf.training.vocabulary import add_tokens
from tests import conftest

FAMILIES = ("bert", "distilbert", "roberta", "xlm-roberta", "electra", "albert")
TASKS = ("token-classification", "regression", "relation-extraction", "question-answering")
SIGNED = {"mode": "static", "activation": "int8", "symmetric_activation": True, "calibration_texts": 8}
JETSON = {**SIGNED, "embeddings": "fp16", "outputs": False}
FORMS: dict[str, dict[str, Any]] = {
    "jetson": JETSON,
    "jetson, the rest FP16": {**JETSON, "non_int8_dtype": "fp16"},
    "results in INT8": {**JETSON, "outputs": True},
    "one scale": {**JETSON, "per_channel": False},
    "FP16": {"mode": "none", "non_int8_dtype": "fp16"},
    "FP16 for TensorRT": {"mode": "none", "non_int8_dtype": "fp16", "tensorrt": "fp16"},
    "INT8 in feed-forward layers": {**JETSON, "non_int8_dtype": "fp16", "tensorrt": "int8-ffn"},
    "INT8 for TensorRT": {**JETSON, "non_int8_dtype": "fp16", "tensorrt": "int8"},
    "INT8 tables": {**SIGNED, "embeddings": "int8"},
    "INT4 tables": {**SIGNED, "embeddings": "int4"},
    "asymmetric": {**JETSON, "symmetric_activation": False},
    "U8S8": {"mode": "static", "calibration_texts": 8, "embeddings": "fp16"},
    "U8U8": {"mode": "static", "weight": "uint8", "calibration_texts": 8, "embeddings": "fp16"},
    "dynamic": {"mode": "dynamic"},
}


def graphs() -> Iterator[tuple[str, Any]]:
    """A name and a model for each graph."""
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as name, mock.patch.object(rewrite, "LEAST_TABLE", 1):
        folder = Path(name)
        for family in FAMILIES:
            plain = exported(family, "text-classification", folder / family)
            yield f"{family}", onnx.load(plain.model)
            for form in FORMS if family == "bert" else ("jetson, the rest FP16", "INT8 for TensorRT"):
                small = quantized(plain, "text-classification", FORMS[form], folder / f"{family}-{form}")
                yield f"{family}, {form}", onnx.load(small.model)
        for task in TASKS:
            plain = exported("bert", task, folder / task)
            yield f"{task}", onnx.load(plain.model)
            for form in ("jetson", "INT8 for TensorRT"):
                small = quantized(plain, task, FORMS[form], folder / f"{task}-{form}")
                yield f"{task}, {form}", onnx.load(small.model)


def exported(family: str, task: str, folder: Path) -> Graph:
    """The FP32 graph of a random model."""
    data = conftest.labelled(task)
    folder.mkdir(parents=True)
    (folder / "base").mkdir()
    base = conftest.build_base(family, folder / "base")
    chosen = tasks.create(tasks.get(task).spec_for(data.labels)).fitted(data.train)
    torch.manual_seed(0)
    model, tokenizer = load_base_model(base, chosen).eval(), load_tokenizer(base)
    add_tokens(tokenizer, model, chosen.head.added_tokens)
    checkpoint = save_checkpoint(model, tokenizer, fresh_info(model, chosen, "tiny", 64), folder / "checkpoint")
    return export(checkpoint, data, ExportConfig(), folder / "fp32")


def quantized(graph: Graph, task: str, form: dict[str, Any], folder: Path) -> Graph:
    """A quantized form of it."""
    return quantize(graph, conftest.labelled(task), QuantizeConfig.model_validate(form), folder)
