"""Measures pruning without training: accuracy at several speed-ups, and predicted against measured latency.

    edge-ptf finetune … --out teacher/
    python benchmarks/pruning.py teacher/ --data ../shared/data/clinc150 --out build/pruning

For each speed-up, the stages of edge-ptf process the fine-tuned checkpoint (latency-table, prune, export, quantize,
assemble) without training. Accuracy is that of the INT8 payload on the test split, against the INT8 payload of the
unpruned model. Speed is the interleaved comparison of the two.

The ablation prunes to one speed-up without some parts of the method, in FP32 on the validation split. Last, random
structures are timed and compared with the latency table. Finished stages in --out are reused. Measure on a quiet
machine.
"""

from __future__ import annotations

import argparse
import json
import random
from pathlib import Path
from typing import Any

import numpy as np

from edge_ptf import data as data_package
from edge_ptf import profiles, stages, tasks
from edge_ptf.bench import BenchConfig, EvaluateConfig
from edge_ptf.cache import Place
from edge_ptf.compression import LatencyTable, LatencyTableConfig, PruneConfig
from edge_ptf.compression.latency_table import GraphBuilder
from edge_ptf.compression.pruning import NEURONS_STEP
from edge_ptf.data.dataset import DataConfig, LabelledData
from edge_ptf.engines.onnxruntime import interleaved_ms
from edge_ptf.gate import gate
from edge_ptf.graph import ExportConfig, QuantizeConfig
from edge_ptf.graph.exporting import spread
from edge_ptf.models import LayerShape
from edge_ptf.models.checkpoint import Checkpoint, load_model, load_tokenizer, model_inputs, open_checkpoint
from edge_ptf.package import AssembleConfig, Payload
from edge_ptf.package.evidence import AccuracyEvidence
from edge_ptf.profiles import Targets
from edge_ptf.training.finetuning import first_metric, labelled_items
from edge_ptf.training.trainer import predictor

RESULTS = Path(__file__).parent / "results" / "pruning.json"
SPEEDUPS = (1.25, 1.5, 1.75, 2.0)
ABLATION: dict[str, dict[str, Any]] = {
    "magnitude, nothing else": {"importance": "magnitude", "refit": "none"},
    "Fisher, each part alone": {"rearrange": False, "refit": "none"},
    "+ parts seen together": {"refit": "none"},
    "+ scales refitted": {"refit": "scales"},
    "+ weights refitted": {},
}
ABLATED = 1.5
STRUCTURES = 24


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("teacher", type=Path)
    parser.add_argument("--data", required=True)
    parser.add_argument("--out", type=Path, default=Path("build/pruning"))
    given = parser.parse_args()
    teacher = open_checkpoint(given.teacher)
    reading = DataConfig(out_of_scope_label=teacher.info.head.options["out_of_scope_label"])
    data = data_package.load(given.data, tasks.get(teacher.info.head.task), reading)
    place = Place(given.out / "stages", keyed=True)
    outcome = stages.latency_table(place, teacher, data, LatencyTableConfig(), QuantizeConfig())
    latencies = outcome.artifact
    figures: dict[str, Any] = {
        "machine": latencies.machine.cpu,
        "seconds for the latency table": round(outcome.seconds, 1),
        "structures": _structures(teacher, data, latencies),
        "speed-ups": _speedups(teacher, data, latencies, place),
        "ablation": _ablation(teacher, data, latencies, place),
    }
    RESULTS.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")


def _structures(teacher: Checkpoint, data: LabelledData, latencies: LatencyTable) -> dict[str, Any]:
    model, tokenizer = load_model(teacher), load_tokenizer(teacher.path)
    texts = spread(data.validation, latencies.config.texts)
    encodings = tasks.create(teacher.info.head).encode(tokenizer, texts, teacher.info.max_length)
    inputs = model_inputs(model, tokenizer)
    builder = GraphBuilder(
        model,
        teacher.info.head,
        inputs,
        teacher.info.max_length,
        encodings,
        latencies.quantize,
        latencies.config,
    )
    draw, whole = random.Random(0), latencies.unpruned
    structures = [whole]
    while len(structures) <= STRUCTURES:
        layers = draw.sample(range(len(whole)), draw.randint(2, len(whole)))
        structures.append(
            tuple(
                LayerShape(
                    num_heads=draw.randint(1, whole[layer].num_heads),
                    intermediate_size=NEURONS_STEP * draw.randint(1, whole[layer].intermediate_size // NEURONS_STEP),
                )
                for layer in sorted(layers)
            )
        )
    graphs = [builder.graph(structure, latencies.quantize) for structure in structures]
    measured = interleaved_ms(graphs, builder.encodings, latencies.config.rounds).mean(axis=1)
    predicted = np.array([latencies.predict(structure) for structure in structures])
    errors = np.abs(predicted / measured - 1)
    found = {
        "structures": len(structures),
        "median error, %": round(100 * float(np.median(errors)), 1),
        "largest error, %": round(100 * float(errors.max()), 1),
        "unpruned, predicted and measured, ms": [round(float(predicted[0]), 3), round(float(measured[0]), 3)],
        "predicted, ms": predicted.round(3).tolist(),
        "measured, ms": measured.round(3).tolist(),
    }
    for name in list(found)[:4]:
        print(f"{name:<40}{found[name]}", flush=True)
    return found


def _speedups(teacher: Checkpoint, data: LabelledData, latencies: LatencyTable, place: Place) -> list[dict[str, Any]]:
    whole = _payload(teacher, data, place)
    before = stages.evaluate(place, whole, data, EvaluateConfig()).artifact
    found = []
    for speedup in SPEEDUPS:
        config = PruneConfig(speedup=speedup, vocabulary=False)
        outcome = stages.prune(place, teacher, data, config, latencies)
        student = outcome.artifact
        payload = _payload(student, data, place)
        after = stages.evaluate(place, payload, data, EvaluateConfig()).artifact
        beside = stages.compare(place, payload, whole, data, BenchConfig()).artifact
        engine = next(contest for contest in beside.contests if contest.figure == "engine_ms")
        row: dict[str, Any] = {
            "asked": speedup,
            "measured": round(engine.ratio, 3),
            "interval": [round(engine.low or 0, 3), round(engine.high or 0, 3)],
            "flags": list(beside.flags),
            "seconds to prune": round(outcome.seconds, 1),
            "layers (heads, neurons)": [(shape.num_heads, shape.intermediate_size) for shape in student.info.layers],
        }
        for metric in before.metrics:
            row[f"{metric}, % before and after"] = [round(before.metrics[metric], 2), round(after.metrics[metric], 2)]
        row["drop, points"] = _judged(payload, after, before)
        found.append(row)
        print(*(f"{name}: {value}" for name, value in row.items()), sep="\n  ", flush=True)
    return found


def _judged(payload: Payload, after: AccuracyEvidence, before: AccuracyEvidence) -> str:
    """The gate's verdict on the drop of the first gated metric, for a limit of one point."""
    metric = tasks.create(payload.manifest.head).metrics[0].name
    verdict = gate(payload, [after], [before], profiles.load("x86-vnni"), Targets(max_drop={metric: 1.0}))
    found = verdict.target_verdicts[0]
    assert found.value is not None
    assert found.bound is not None
    return f"{found.value:.2f}, bound {found.bound:.2f}, limit 1: {found.status.value}"


def _payload(checkpoint: Checkpoint, data: LabelledData, place: Place) -> Payload:
    graph = stages.export(place, checkpoint, data, ExportConfig()).artifact
    graph = stages.quantize(place, graph, data, QuantizeConfig()).artifact
    return stages.assemble(place, graph, data, AssembleConfig(name="pruned")).artifact


def _ablation(teacher: Checkpoint, data: LabelledData, latencies: LatencyTable, place: Place) -> dict[str, float]:
    found = {"unpruned": _validation(teacher, data)}
    for name, options in ABLATION.items():
        config = PruneConfig(speedup=ABLATED, vocabulary=False, **options)
        found[name] = _validation(stages.prune(place, teacher, data, config, latencies).artifact, data)
    for name, value in found.items():
        print(f"{name:<40}{value:.2f} %", flush=True)
    return found


def _validation(checkpoint: Checkpoint, data: LabelledData) -> float:
    """The first gated metric on validation, in percent, FP32."""
    model, tokenizer = load_model(checkpoint), load_tokenizer(checkpoint.path)
    task, inputs = tasks.create(checkpoint.info.head), model_inputs(model, tokenizer)
    items = labelled_items(tokenizer, task, data.validation, checkpoint.info.max_length)
    predict = predictor(model, task, items, data.validation, inputs, int(tokenizer.pad_token_id))
    return round(first_metric(task, data.validation, predict()), 2)


if __name__ == "__main__":
    main()
