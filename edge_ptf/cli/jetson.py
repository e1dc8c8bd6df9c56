"""`edge-ptf doctor --jetson`: what TensorRT on this board does with the graphs of edge-ptf, as one file."""

from __future__ import annotations

import json
import statistics
import subprocess
import time
from collections.abc import Callable
from dataclasses import asdict
from functools import cache, partial
from importlib import metadata
from pathlib import Path
from typing import Any

import edge_ptf
from edge_ptf import tasks
from edge_ptf.data.dataset import LabelledData
from edge_ptf.data.loading import load
from edge_ptf.engines.tensorrt import trtexec
from edge_ptf.engines.tensorrt.builder import profile_lengths
from edge_ptf.engines.tensorrt.library import installed
from edge_ptf.environment import environment
from edge_ptf.errors import EdgePtfError, EnvironmentFault
from edge_ptf.machine import this_machine
from edge_ptf.nvidia import nvidia
from edge_ptf.package import Payload, open_payload
from edge_ptf.package.engine_files import build_engines, engine_session
from edge_ptf.package.golden import GoldenCase, golden_cases
from edge_ptf.package.verification import check_golden

SCHEMA_VERSION = 1
FILE = "jetson-report.json"
STATIC = {
    "mode": "static",
    "activation": "int8",
    "symmetric_activation": True,
    "outputs": False,
    "embeddings": "fp16",
    "non_int8_dtype": "fp16",
    "calibration_texts": 64,
}
VARIANTS: dict[str, dict[str, Any]] = {
    "fp32": {"mode": "none", "embeddings": "fp32"},
    "fp16": {"mode": "none", "embeddings": "fp16", "non_int8_dtype": "fp16", "tensorrt": "fp16"},
    "int8-ffn": {**STATIC, "tensorrt": "int8-ffn"},
    "int8": {**STATIC, "tensorrt": "int8"},
}
"""What `quantize` makes of the same FP32 graph."""
CPU_CALLS = 50
MAX_LENGTH = 128
SECONDS_TIMED = 3
COMMANDS = {
    "nvpmodel": ["nvpmodel", "-q"],
    "jetson_clocks": ["jetson_clocks", "--show"],
    "packages": [
        "dpkg-query",
        "-W",
        "-f",
        "${Package} ${Version}\n",
        "nvidia-jetpack",
        "libnvinfer*",
        "nvidia-l4t-core",
    ],
}
"""Programs of JetPack whose output is kept as it is."""


def report(out: Path, say: Callable[[str], None], model: str = "minilm-l6") -> dict[str, Any]:
    """Runs every step, also after one that failed, and writes `jetson-report.json` after each.

    A model with an untrained head is exported, brought into each form, and built. Its golden texts are answered by the
    engine, and a call is timed. No text of the user is read, and nothing is sent.

    Args:
        out: directory for the report and for what the steps make.
        say: receives a line about each step.
        model: the pretrained model.

    Returns:
        The report; `steps` has the result of each step, or its `error`.
    """
    out.mkdir(parents=True, exist_ok=True)
    found: dict[str, Any] = {"schema_version": SCHEMA_VERSION, "edge_ptf": metadata.version("edge-ptf"), "steps": {}}
    found["machine"] = this_machine().model_dump(mode="json")
    found["nvidia"] = nvidia().model_dump(mode="json")
    found["environment"] = environment().model_dump(mode="json")

    def step(name: str, run: Callable[[], dict[str, Any]]) -> None:
        started = time.monotonic()
        try:
            done = run()
        except EdgePtfError as error:
            done = {"error": error.message, "hint": error.hint, "problems": list(error.problems)}
        except Exception as error:  # a library may fail in any way, and the other steps are of use without this one
            done = {"error": f"{type(error).__name__}: {error}"[:500]}
        seconds = round(time.monotonic() - started, 1)
        found["steps"][name] = {**done, "seconds": seconds}
        say(f"{name}: {done.get('error') or done.get('summary', 'done')} ({seconds:.0f} s)")
        (out / FILE).write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")

    for name, command in COMMANDS.items():
        step(name, partial(_printed, command))
    step("export", partial(_export, model, out))
    for name, options in VARIANTS.items():
        payload = out / name / "payload.eptf"
        step(f"{name}: package", partial(_package, out, name, options))
        step(f"{name}: CPU", partial(_on_cpu, payload))
        step(f"{name}: engine", partial(_engine, payload))
        step(f"{name}: GPU", partial(_on_gpu, payload))
    found["environment_after"] = environment().model_dump(mode="json")
    (out / FILE).write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    return found


def _printed(command: list[str]) -> dict[str, Any]:
    try:
        done = subprocess.run(command, check=False, capture_output=True, text=True, errors="replace", timeout=30)
    except FileNotFoundError:
        raise EnvironmentFault(f"there is no program {command[0]}") from None
    return {"exit_code": done.returncode, "output": (done.stdout + done.stderr)[:4000]}


@cache
def _data() -> LabelledData:
    """The built-in commands; they are read once."""
    return load("demo", tasks.get("text-classification"))


def _export(model: str, out: Path) -> dict[str, Any]:
    """The pretrained model with a new head for the built-in commands: its values count here, not its answers."""
    import torch

    from edge_ptf.models.base_models import open_base
    from edge_ptf.models.checkpoint import fresh_info, load_base_model, load_tokenizer, save_checkpoint

    base, kind = open_base(model), tasks.get("text-classification")
    task = tasks.create(kind.spec_for(_data().labels))
    torch.manual_seed(0)
    network = load_base_model(base.path, task)
    info = fresh_info(network, task, base.name, MAX_LENGTH)
    checkpoint = save_checkpoint(network, load_tokenizer(base.path), info, out / "checkpoint")
    edge_ptf.export(checkpoint, data=_data(), out=out / "onnx", overwrite=True)
    return {"model": base.name, "parameters": sum(values.numel() for values in network.parameters())}


def _package(out: Path, name: str, options: dict[str, Any]) -> dict[str, Any]:
    graph = edge_ptf.quantize(out / "onnx", data=_data(), out=out / name / "graph", overwrite=True, **options)
    edge_ptf.assemble(graph.artifact, data=_data(), out=out / name, overwrite=True, tune_temperature=False)
    size = (out / name / "payload.eptf").stat().st_size
    return {"bytes": size, "summary": f"{size / 1e6:.1f} MB"}


def _on_cpu(file: Path) -> dict[str, Any]:
    """ONNX Runtime with one thread: golden vectors, and the time of the engine at the median."""
    payload = open_payload(file)
    count, worst = check_golden(payload, compare=False)
    session = payload.session(payload.manifest.graph)
    feeds = [session.feeds(case.encoding) for case in _cases(payload)]
    taken = []
    for call in range(CPU_CALLS):
        begin = time.perf_counter_ns()
        session.run(feeds[call % len(feeds)])
        taken.append((time.perf_counter_ns() - begin) / 1e6)
    median = statistics.median(taken)
    return {"golden": count, "difference": worst, "median_ms": median, "summary": f"{median:.2f} ms"}


def _engine(file: Path) -> dict[str, Any]:
    """Builds it; the golden vectors are answered at the end."""
    built = build_engines(open_payload(file), file.parent / "engines")
    return {
        "library": f"{built.library} {built.version}",
        "files": [{**asdict(each), "path": each.path.name} for each in built.files],
        "summary": built.lines()[-1],
    }


def _on_gpu(file: Path) -> dict[str, Any]:
    """The time of one call for each golden text."""
    program = trtexec.find()
    if program is None:
        raise EnvironmentFault(f"there is no {trtexec.NAME}", hint=f"JetPack has it in {trtexec.FOLDERS[0]}")
    payload, library = open_payload(file), installed()
    graph = payload.manifest.graph
    engine = next((file.parent / "engines").glob(f"{graph.name}.*.engine"), None)
    if engine is None:
        raise EnvironmentFault("no engine was built")
    lengths = profile_lengths(library, payload.manifest.tokenizer.max_length)
    session = engine_session(graph, engine, program, library.version, lengths)
    rows = []
    for case in sorted(_cases(payload), key=lambda case: len(case.input_ids))[::4]:
        timing = session.time(session.feeds(case.encoding), SECONDS_TIMED)
        rows.append({"tokens": len(case.input_ids), "median_ms": timing.median, "p95_ms": timing.p95})
    return {"calls": rows, "summary": ", ".join(f"{row['tokens']} tokens {row['median_ms']:.2f} ms" for row in rows)}


def _cases(payload: Payload) -> list[GoldenCase]:
    return golden_cases(payload.read(payload.manifest.golden.file))
