"""Compares the latency of graph forms under ONNX Runtime. The results are reasons in docs/decisions/.

    pip install -c constraints.txt onnxscript    # only for the graph by dynamo=True
    python benchmarks/graph_forms.py

The model is all-MiniLM-L6-v2 with an untrained head of 151 classes. One thread, batch size 1, random tokens of several
lengths. The sessions alternate in random order in one process. A ratio is relative to the first form of its group;
larger is faster.
"""

from __future__ import annotations

import json
import random
import sys
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import onnx
import torch

from edge_ptf import tasks
from edge_ptf.data.dataset import DataReport, LabelledData
from edge_ptf.engines.onnxruntime import GraphSession
from edge_ptf.examples import Encoding, Example
from edge_ptf.graph import ExportConfig, QuantizeConfig, export, quantize, rewrite
from edge_ptf.models.base_models import resolve_base
from edge_ptf.models.checkpoint import fresh_info, load_base_model, load_tokenizer, save_checkpoint

LENGTHS = (8, 11, 16, 32)
ROUNDS, CALLS = 60, 5


def main() -> None:
    if find_spec("onnxscript") is None:
        sys.exit("graph_forms.py: the graph by dynamo=True needs onnxscript: pip install -c constraints.txt onnxscript")
    with tempfile.TemporaryDirectory() as name:
        groups = _graphs(Path(name))
        figures: dict[str, dict[str, float]] = {}
        for group, graphs in groups.items():
            sessions = {form: GraphSession(path) for form, path in graphs.items()}
            for length in LENGTHS:
                times = _times(sessions, length)
                first = next(iter(times.values()))
                for form, median in times.items():
                    figures.setdefault(f"{group}: {form}", {})[f"{length} tokens"] = round(first / median, 2)
    for form, ratios in figures.items():
        print(f"{form:<34}" + "  ".join(f"{length}: {ratio:.2f}" for length, ratio in ratios.items()))
    file = Path(__file__).parent / "results" / "graph_forms.json"
    file.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")


def _graphs(folder: Path) -> dict[str, dict[str, Path]]:
    base = resolve_base("minilm-l6")
    task = tasks.create(tasks.get("text-classification").spec_for([f"class {number}" for number in range(151)]))
    torch.manual_seed(0)
    model = load_base_model(base, task)
    checkpoint = save_checkpoint(
        model, load_tokenizer(base), fresh_info(model, task, "minilm-l6", 128), folder / "checkpoint"
    )
    texts = tuple(Example("what is the weather like " * (number % 5 + 1), "class 0") for number in range(40))
    report = DataReport(source="made here", splits={}, split_by="given")
    data = LabelledData(texts, texts, texts, task.head.spec.labels, report, "none")
    plain = export(checkpoint, data, ExportConfig(), folder / "plain")
    fused = folder / "fused.onnx"
    onnx.save(rewrite.fuse(plain.model), fused)
    dynamo = folder / "dynamo.onnx"
    _dynamo(model.eval(), dynamo)
    int8 = quantize(plain, data, QuantizeConfig(), folder / "int8")
    joined = onnx.load(int8.model)
    for node in joined.graph.node:
        if node.op_type == "Sum":
            node.op_type = "Add"
    onnx.save(joined, folder / "joined.onnx")
    onnx.save(_one_node(onnx.load(int8.model)), folder / "skip.onnx")
    forms = {
        "U8S8": QuantizeConfig(mode="static"),
        "S8S8": QuantizeConfig(mode="static", activation="int8", symmetric_activation=True),
    }
    static = {f"static {name}": quantize(plain, data, config, folder / name).model for name, config in forms.items()}
    return {
        "FP32": {"plain": plain.model, "fused ahead of time": fused, "dynamo=True": dynamo},
        "INT8": {
            "Add before LayerNorm": folder / "joined.onnx",
            "Sum (shipped)": int8.model,
            "SkipLayerNormalization": folder / "skip.onnx",
            **static,
        },
    }


def _one_node(model: onnx.ModelProto) -> onnx.ModelProto:
    """Makes residual sum and LayerNorm one node before quantization, so that linear ops keep a separate bias."""
    made = {name: node for node in model.graph.node for name in node.output}
    for norm in [node for node in model.graph.node if node.op_type == "LayerNormalization"]:
        residual = made[norm.input[0]]
        epsilon = next(item.f for item in norm.attribute if item.name == "epsilon")
        inputs = [*residual.input, *norm.input[1:]]
        joined = onnx.helper.make_node(
            "SkipLayerNormalization", inputs, norm.output, norm.name, domain="com.microsoft", epsilon=epsilon
        )
        norm.CopyFrom(joined)
        model.graph.node.remove(residual)
    return model


def _dynamo(model: torch.nn.Module, path: Path) -> None:
    ids = torch.ones(2, 8, dtype=torch.long)
    batch, length = torch.export.Dim("batch", min=1), torch.export.Dim("length", min=1, max=512)
    names = ["input_ids", "attention_mask", "token_type_ids"]
    torch.onnx.export(
        model,
        (),
        path,
        kwargs={"input_ids": ids, "attention_mask": ids, "token_type_ids": torch.zeros_like(ids)},
        input_names=names,
        output_names=["logits"],
        dynamic_shapes={name: {0: batch, 1: length} for name in names},
        opset_version=18,
        dynamo=True,
        external_data=False,
        verbose=False,
    )


def _times(sessions: dict[str, GraphSession], length: int) -> dict[str, float]:
    draw = random.Random(0)
    encoding = Encoding([draw.randint(2000, 20000) for _ in range(length)], [0] * length)
    taken: dict[str, list[int]] = {form: [] for form in sessions}
    for _ in range(ROUNDS):
        for form in draw.sample(list(sessions), len(sessions)):
            session = sessions[form]
            feeds = session.feeds(encoding)
            session.run(feeds)
            for _ in range(CALLS):
                begin = time.perf_counter_ns()
                session.run(feeds)
                taken[form].append(time.perf_counter_ns() - begin)
    return {form: float(np.median(times)) for form, times in taken.items()}


if __name__ == "__main__":
    main()
