"""Counts the linear ops that ONNX Runtime runs in INT8 kernels, for each INT8 form, on ARM and on x86.

    make runner-aarch64 demo
    python benchmarks/arm_forms.py build/demo/stages/export-… --data demo --out-of-scope-label out_of_scope

The directory is that of the student, the smaller of the two. ONNX Runtime for aarch64 loads each graph on three
emulated processors, writes what it made of it, and answers some texts. Logits are compared with those of this machine.
Times are those of this machine only, FP32 and INT8 in turns; emulated processors have no meaningful times.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime

from edge_ptf import tasks
from edge_ptf.bench.devices import built_runner
from edge_ptf.bench.devices.qemu import EMULATOR
from edge_ptf.data import load
from edge_ptf.data.dataset import DataConfig, LabelledData
from edge_ptf.engines.onnxruntime import GraphSession, logit_distance
from edge_ptf.engines.onnxruntime.kernels import linear_op_kernels, write_optimized
from edge_ptf.examples import Encoding, all_parts
from edge_ptf.graph import Graph, QuantizeConfig, SpeedCheckConfig, check_speed, open_graph, quantize
from edge_ptf.graph.exporting import spread
from edge_ptf.machine import this_machine
from edge_ptf.models.checkpoint import load_tokenizer

PROCESSORS = ("cortex-a53", "cortex-a76", "max")
WRITER = built_runner.BUILD / "runner-aarch64" / "tests" / "optimized_graph"
TEXTS, CALIBRATION = 16, 64
SIGNED = {"activation": "int8", "symmetric_activation": True}
TENSORRT = {**SIGNED, "embeddings": "fp16", "non_int8_dtype": "fp16"}
FORMS: dict[str, dict[str, Any]] = {
    "dynamic U8S8 (ARM profiles, x86-vnni)": {"mode": "dynamic"},
    "dynamic U8S8, 7 bits (x86-generic)": {"mode": "dynamic", "reduce_range": True},
    "dynamic U8U8": {"mode": "dynamic", "weight": "uint8"},
    "static S8S8, results in FP32 (jetson)": {"mode": "static", **SIGNED, "embeddings": "fp16", "outputs": False},
    "static U8S8, results in FP32": {"mode": "static", "outputs": False},
    "static U8U8, results in FP32": {"mode": "static", "weight": "uint8", "outputs": False},
    "static S8S8": {"mode": "static", **SIGNED},
    "static U8S8": {"mode": "static"},
    "static U8U8": {"mode": "static", "weight": "uint8"},
    "jetson, the rest FP16": {"mode": "static", **TENSORRT, "outputs": False},
    "TensorRT, int8-ffn": {"mode": "static", **TENSORRT, "tensorrt": "int8-ffn"},
    "TensorRT, int8": {"mode": "static", **TENSORRT, "tensorrt": "int8"},
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("graph", type=Path)
    parser.add_argument("--data", required=True)
    parser.add_argument("--out-of-scope-label")
    parser.add_argument("--repeats", type=int, default=7, help="of the comparison of times; 0: no times")
    given = parser.parse_args()
    full = open_graph(given.graph)
    task = tasks.create(full.info.head)
    data = load(given.data, type(task), DataConfig(out_of_scope_label=given.out_of_scope_label))
    encodings = all_parts(task.encode(load_tokenizer(full.path), spread(data.validation, TEXTS), full.info.max_length))
    expected = GraphSession(full.model).all_logits(encodings)
    found: dict[str, dict[str, Any]] = {}
    with tempfile.TemporaryDirectory() as name:
        for number, (form, options) in enumerate(FORMS.items()):
            folder = Path(name) / str(number)
            config = QuantizeConfig.model_validate({"calibration_texts": CALIBRATION, **options})
            graph = quantize(full, data, config, folder)
            found[form] = measured(graph, encodings, expected, folder)
            if given.repeats:
                found[form] |= timed(full, graph, data, given.repeats, folder)
            print(f"{form:<40}{json.dumps(found[form])}", flush=True)
    result = {
        "graph": {
            "layers": len(full.info.layers),
            "digest": full.digest,
            "data": data.fingerprint,
            "texts": len(encodings),
        },
        "onnxruntime": onnxruntime.__version__,
        "machine": this_machine().model_dump(),
        "forms": found,
    }
    file = Path(__file__).parent / "results" / "arm_forms.json"
    file.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


def measured(graph: Graph, encodings: list[Encoding], expected: list[Any], folder: Path) -> dict[str, Any]:
    """Linear ops in INT8 kernels on each processor, and how far logits are from FP32 and from this machine's."""
    here = GraphSession(graph.model).all_logits(encodings)
    result: dict[str, Any] = {"mean_logit_difference_to_fp32": round(logit_distance(expected, here), 4)}
    write_optimized(graph.model, folder / "here.onnx")
    kernels = linear_op_kernels(folder / "here.onnx")
    result[this_machine().arch] = f"{kernels.int8} of {kernels.count}"
    ids = folder / "ids.txt"
    ids.write_text("".join(" ".join(map(str, each.input_ids)) + "\n" for each in encodings), encoding="utf-8")
    for processor in PROCESSORS:
        out = folder / f"{processor}.onnx"
        done = subprocess.run(
            [EMULATOR, "-cpu", processor, WRITER, graph.model, out, ids], capture_output=True, text=True, check=False
        )
        if done.returncode:
            result[processor] = f"not loaded: {done.stderr.strip().splitlines()[-1][:200]}"
            continue
        answers = [np.array(line.split(), np.float32) for line in done.stdout.splitlines()]
        shares = [np.abs(a - b.ravel()).max() / np.abs(b).max() for a, b in zip(answers, here, strict=True)]
        kernels = linear_op_kernels(out)
        result[processor] = f"{kernels.int8} of {kernels.count}"
        result[f"{processor}_largest_logit_difference"] = float(f"{max(shares):.1e}")
    return result


def timed(full: Graph, graph: Graph, data: LabelledData, repeats: int, folder: Path) -> dict[str, Any]:
    """How many times as fast as FP32 the form is on this machine, with the 95 % interval."""
    check = check_speed(full, graph, data, SpeedCheckConfig(repeats=repeats), folder / "speed")
    return {"times_as_fast_as_fp32": [check.ratio, check.low, check.high]}


if __name__ == "__main__":
    main()
