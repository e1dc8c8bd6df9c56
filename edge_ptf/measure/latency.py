"""Latency and memory of a payload on this machine, by a protocol that is the same everywhere.

Real test texts, one at a time. Several process launches; in each, warm-up until the engine's times are steady, then
payload and baseline answer the same texts in short alternating blocks (ABBA), so that slow phases of the machine hit
both. A launch ends when it has run long enough and often enough. Every sample is kept. Memory has runs of its own.
"""

from __future__ import annotations

import random
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import psutil
from pydantic import Field, ValidationError

from edge_ptf.config import StageConfig
from edge_ptf.data.dataset import LabelledData
from edge_ptf.digests import canonical_json
from edge_ptf.errors import PackageError
from edge_ptf.machine import this_machine
from edge_ptf.measure import statistics
from edge_ptf.package.evidence import LatencyEvidence, Launch, MemoryEvidence, RuntimeInfo
from edge_ptf.package.payload import Payload
from edge_ptf.progress import SILENT, Progress
from edge_ptf.runtime.process import WorkerProcess

LATENCY_FILE, MEMORY_FILE = "latency.json", "memory.json"
BLOCK = 10
WARMUP_WINDOW = 20
WARMUP_AGREEMENT = 0.05
WARMUP_MOST = 600
MEMORY_TEXTS = 100
STEAL_LIMIT = 0.02
Text = tuple[str, str | None]


class BenchConfig(StageConfig):
    """The protocol's sizes."""

    threads: int = Field(1, ge=1, le=64, description="Threads of one inference.")
    launches: int = Field(7, ge=5, le=50, description="Process launches; the launch is the unit that repeats.")
    texts: int = Field(200, ge=100, description="Least calls of each launch.")
    seconds: float = Field(2.0, ge=0, description="Least time of each launch, in seconds.")
    memory_launches: int = Field(3, ge=2, description="Process launches that measure memory alone.")
    seed: int = Field(0, ge=0, description="Seed of the order of texts.")


def bench(
    payload: Payload,
    baseline: Payload | None,
    data: LabelledData,
    config: BenchConfig,
    out: Path,
    progress: Progress = SILENT,
) -> tuple[LatencyEvidence, MemoryEvidence]:
    """Measures and writes `latency.json` and `memory.json`, with every sample.

    Args:
        baseline: the FP32 teacher's payload; without it there is no speed-up.
    """
    texts = [(example.text, example.text_pair) for example in data.test]
    progress.start("Bench", config.launches + config.memory_launches)
    before, launches = _Surroundings(), list[Launch]()
    runtime: dict[str, object] = {}
    for number in range(config.launches):
        order = random.Random(f"{config.seed}-{number}").sample(texts, len(texts))
        launch, runtime = _launch(payload, baseline, order, config)
        launches.append(launch)
        progress.advance(note=f"p50 {statistics.percentile(launch.end_to_end_ms, 0.5):.2f} ms")
    flags, warnings = before.judge()
    drifted = statistics.drift([launch.engine_ms for launch in launches])
    if drifted and baseline is None:
        flags.append(f"drift: calls became {drifted.ratio:.2f} times as slow {drifted.where}")
    elif drifted:
        ratio = _ratio_drift(launches)
        note = f"drift: calls became {drifted.ratio:.2f} times as slow {drifted.where}"
        (flags if ratio else warnings).append(note)
    peaks = []
    for _ in range(config.memory_launches):
        peaks.append(_peak(payload, texts[:MEMORY_TEXTS], config.threads))
        progress.advance()
    progress.finish()
    machine, info = this_machine(), RuntimeInfo.model_validate(runtime)
    latency = LatencyEvidence(
        payload=payload.digest,
        baseline=baseline.digest if baseline else None,
        data=data.fingerprint,
        machine=machine,
        runtime=info,
        launches=tuple(launches),
        flags=tuple(flags),
        warnings=tuple(warnings),
    )
    emulated = ("emulated processor",) if machine.emulated else ()
    memory = MemoryEvidence(
        payload=payload.digest, machine=machine, runtime=info, peak_memory_mb=tuple(peaks), flags=emulated
    )
    out.mkdir(parents=True, exist_ok=True)
    (out / LATENCY_FILE).write_bytes(canonical_json(latency.model_dump(mode="json")))
    (out / MEMORY_FILE).write_bytes(canonical_json(memory.model_dump(mode="json")))
    return latency, memory


def load_bench(folder: Path) -> tuple[LatencyEvidence, MemoryEvidence]:
    """Reads what `bench` wrote."""
    try:
        return (
            LatencyEvidence.model_validate_json((folder / LATENCY_FILE).read_bytes()),
            MemoryEvidence.model_validate_json((folder / MEMORY_FILE).read_bytes()),
        )
    except ValidationError as error:
        raise PackageError(f"{folder}: damaged evidence ({error.errors()[0]['msg']})") from None
    except FileNotFoundError as error:
        raise PackageError(f"{error.filename}: no such file", hint="Give a directory that bench wrote") from None


def _launch(
    payload: Payload, baseline: Payload | None, texts: Sequence[Text], config: BenchConfig
) -> tuple[Launch, dict[str, object]]:
    rows: dict[str, list[tuple[float, float, int]]] = {"payload": [], "baseline": []}
    names = ["payload", "baseline"] if baseline else ["payload"]
    with WorkerProcess() as worker:
        loaded = worker.load(payload.path, "payload", config.threads)
        first = worker.time("payload", [texts[0]])[0]
        if baseline:
            worker.load(baseline.path, "baseline", config.threads)
        warmup = sum(_warm_up(worker, name, texts) for name in names)
        started, place, turn = time.monotonic(), 0, 0
        while place < config.texts or time.monotonic() - started < config.seconds:
            block = [texts[(place + offset) % len(texts)] for offset in range(BLOCK)]
            for name in names if turn % 2 == 0 else reversed(names):
                rows[name] += worker.time(name, block)
            place, turn = place + BLOCK, turn + 1
    launch = Launch(
        load_ms=round(loaded["load_ms"], 4),
        first_ms=round(first[0], 4),
        warmup_calls=warmup,
        end_to_end_ms=tuple(round(row[0], 4) for row in rows["payload"]),
        engine_ms=tuple(round(row[1], 4) for row in rows["payload"]),
        tokens=tuple(row[2] for row in rows["payload"]),
        baseline_engine_ms=tuple(round(row[1], 4) for row in rows["baseline"]),
        baseline_end_to_end_ms=tuple(round(row[0], 4) for row in rows["baseline"]),
    )
    return launch, loaded["runtime"]


def _warm_up(worker: WorkerProcess, name: str, texts: Sequence[Text]) -> int:
    """Calls until the medians of two successive windows over the same texts agree; returns how many."""
    window, before, calls = texts[:WARMUP_WINDOW], None, 0
    while calls < WARMUP_MOST:
        median = float(np.median([row[1] for row in worker.time(name, list(window))]))
        calls += len(window)
        if before is not None and abs(median - before) <= WARMUP_AGREEMENT * before:
            break
        before = median
    return calls


def _peak(payload: Payload, texts: Sequence[Text], threads: int) -> float:
    with WorkerProcess() as worker:
        worker.load(payload.path, "payload", threads)
        worker.answers("payload", list(texts))
        return round(worker.peak_memory_mb(), 2)


def _ratio_drift(launches: Sequence[Launch]) -> bool:
    """Whether the speed-up itself drifts: a slow phase that hits payload and baseline alike leaves it alone."""
    ratios = []
    for launch in launches:
        count = len(launch.engine_ms) // BLOCK
        slow = np.asarray(launch.baseline_engine_ms[: count * BLOCK]).reshape(count, BLOCK)
        quick = np.asarray(launch.engine_ms[: count * BLOCK]).reshape(count, BLOCK)
        ratios.append(np.median(slow, axis=1) / np.median(quick, axis=1))
    return statistics.drift([list(ratio) for ratio in ratios]) is not None


class _Surroundings:
    """What else went on around the measurement."""

    def __init__(self) -> None:
        self.times = psutil.cpu_times()
        self.load = psutil.getloadavg()[0] if hasattr(psutil, "getloadavg") else 0.0

    def judge(self) -> tuple[list[str], list[str]]:
        """(flags, warnings): reasons why the figures do not count, and things that could matter."""
        machine, flags, warnings = this_machine(), list[str](), list[str]()
        if machine.emulated:
            flags.append("emulated processor")
        now = psutil.cpu_times()
        if not hasattr(now, "steal"):
            warnings.append("steal time unknown")
        else:
            spent = sum(now) - sum(self.times)
            stolen = (now.steal - self.times.steal) / spent if spent else 0.0
            if stolen > STEAL_LIMIT:
                warnings.append(f"the host took {100 * stolen:.0f} % of this machine's time")
        if not machine.governor:
            warnings.append("frequency governor unknown")
        elif machine.governor != "performance":
            warnings.append(f"frequency governor is '{machine.governor}'")
        if self.load > machine.cores / 2:
            warnings.append(f"load was {self.load:.1f} on {machine.cores} cores before the first launch")
        throttled = Path("/sys/devices/platform/soc/soc:firmware/get_throttled")
        if throttled.exists() and int(throttled.read_text(encoding="utf-8").strip(), 16) & 0xF:
            flags.append("throttled: power or temperature")
        return flags, warnings
