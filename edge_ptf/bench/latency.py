"""Measures latency and memory of a payload on a device, with the same protocol everywhere.

The payload answers real test texts, one at a time, in several process launches. Each launch warms up until the times
are steady. Then payload and baseline answer the same texts in short alternating blocks (ABBA), so that slow phases of
the machine affect both.

A launch ends when it has enough calls and enough time. Every sample is kept. Separate launches measure memory.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pydantic import Field, ValidationError

from edge_ptf import statistics
from edge_ptf.bench import validity
from edge_ptf.bench.devices import Device, DeviceOptions, open_device
from edge_ptf.bench.launching import LOCAL, Runtime, Workload, bring_package, program_for, texts_file
from edge_ptf.bench.texts import BenchTexts
from edge_ptf.config import StageConfig
from edge_ptf.data.dataset import LabelledData
from edge_ptf.digests import canonical_json
from edge_ptf.engines import Threads
from edge_ptf.errors import BadInputError, PackageError
from edge_ptf.package.evidence import LatencyEvidence, Launch, LaunchEnvironment, MemoryEvidence, RuntimeInfo
from edge_ptf.package.payload import Payload
from edge_ptf.progress import SILENT, Progress
from edge_ptf.runtime.record import LaunchRecord, Mode
from edge_ptf.runtime.turns import Pace

LATENCY_FILE, MEMORY_FILE = "latency.json", "memory.json"
SECONDS, SUSTAINED_SECONDS = 2.0, 60.0
MEMORY_CALLS = 100
LOCAL_WAIT_S = 600.0
"""How long to wait for another measurement on this machine."""


class BenchConfig(StageConfig):
    """Options of the measurement protocol."""

    threads: Threads = 1
    launches: int = Field(7, ge=5, le=50, description="Number of process launches.")
    calls: int = Field(200, ge=100, description="Minimum number of calls of each launch.")
    seconds: float | None = Field(
        None, ge=0, le=86400, description="Minimum time of each launch, in seconds. [default: 2; sustained: 60]"
    )
    mode: Mode = Field(
        "burst", description="burst: calls without a pause; paced: at a fixed rate; sustained: for a long time."
    )
    rate: float = Field(10.0, ge=0.01, le=1000, description="Calls per second, for paced.")
    runtime: Runtime = Field(
        "auto", description="Runtime: the C++ runner or Python. auto: the runner if it is built, else Python."
    )
    memory_launches: int = Field(3, ge=2, description="Number of separate process launches that measure memory.")
    seed: int = Field(0, ge=0, description="Seed for the order of the texts.")

    @property
    def pace(self) -> Pace:
        """The pace of one launch."""
        usual = SUSTAINED_SECONDS if self.mode == "sustained" else SECONDS
        seconds = usual if self.seconds is None else self.seconds
        return Pace(seconds, self.calls, self.rate if self.mode == "paced" else 0.0)

    def launch_seed(self, number: int) -> int:
        """The seed of one launch: every launch has its own order of texts."""
        return random.Random(f"{self.seed}-{number}").getrandbits(32)


def bench(
    payload: Payload,
    baseline: Payload | None,
    data: LabelledData | BenchTexts,
    config: BenchConfig,
    out: Path,
    progress: Progress = SILENT,
    device: Device | None = None,
) -> tuple[LatencyEvidence, MemoryEvidence]:
    """Measures latency and memory. Writes `latency.json` and `memory.json`, with every sample.

    Args:
        baseline: the FP32 teacher's payload; without it there is no speed-up.
        data: the test split is answered; or texts without labels, whose figures do not count for a target.
        device: an open device; None: this machine.
    """
    paired = payload.manifest.heads[0].text_pairs
    examples = [(example.text, example.text_pair if paired else None) for example in data.test]
    with entered(device, progress) as place, texts_file(examples) as file:
        program = program_for(place, config.runtime, [payload, *([baseline] if baseline else [])])
        package = bring_package(place, payload)
        teacher = bring_package(place, baseline) if baseline else None
        texts = place.put(file)
        workload = Workload(texts, config.pace, config.mode, config.threads)
        progress.start("Bench", config.launches + config.memory_launches)
        records = []
        for number in range(config.launches):
            records.append(program.launch(package, workload, config.launch_seed(number), baseline=teacher))
            progress.advance(note=f"p50 {statistics.percentile(records[-1].end_to_end_ms, 0.5):.2f} ms")
        small, peaks = Workload(texts, Pace(0, MEMORY_CALLS), "burst", config.threads), []
        for number in range(config.memory_launches):
            record = program.launch(package, small, config.launch_seed(number), memory=True)
            peaks.append(record.peak_memory_mb)
            progress.advance()
        progress.finish()
        machine = place.facts()
    flags, warnings = validity.judge(records, machine)
    own = validity.of_texts(data.judged_split)
    info = runtime_info(records[0])
    latency = LatencyEvidence(
        payload=payload.digest,
        baseline=baseline.digest if baseline else None,
        data=data.fingerprint,
        texts=data.judged_split,
        machine=machine,
        runtime=info,
        launches=tuple(_launch(record) for record in records),
        flags=(*flags, *own),
        warnings=tuple(warnings),
        mode=config.mode,
        rate=records[0].rate,
        device=place.name,
        environment=tuple(LaunchEnvironment(before=record.before, after=record.after) for record in records),
    )
    emulated = tuple(flag for flag in flags if flag.startswith("emulated"))
    memory = MemoryEvidence(
        payload=payload.digest, machine=machine, runtime=info, peak_memory_mb=tuple(peaks), flags=(*emulated, *own)
    )
    out.mkdir(parents=True, exist_ok=True)
    (out / LATENCY_FILE).write_bytes(canonical_json(latency.model_dump(mode="json")))
    (out / MEMORY_FILE).write_bytes(canonical_json(memory.model_dump(mode="json")))
    return latency, memory


def check_teacher(payload: Payload, teacher: Payload) -> None:
    """A speed-up is over the full-precision model, and over one that answers the same question.

    Raises:
        BadInputError: the teacher is no such model.
    """
    precision, theirs = teacher.manifest.graph.scheme.precision, teacher.manifest.head
    if precision != "fp32":
        raise BadInputError(
            f"{teacher.path}: {precision.upper()}, and a speed-up is over the FP32 teacher",
            hint="Give its package; `edge-ptf bench --against` compares any two",
        )
    if (theirs.task, theirs.labels) != (payload.manifest.head.task, payload.manifest.head.labels):
        raise BadInputError(
            f"{teacher.path}: has another task or other labels than {payload.path}", hint="Give its teacher's package"
        )


def load_bench(folder: Path) -> tuple[LatencyEvidence, MemoryEvidence]:
    """Reads the evidence that `bench` wrote."""
    try:
        return (
            LatencyEvidence.model_validate_json((folder / LATENCY_FILE).read_bytes()),
            MemoryEvidence.model_validate_json((folder / MEMORY_FILE).read_bytes()),
        )
    except ValidationError as error:
        raise PackageError(f"{folder}: damaged evidence ({error.errors()[0]['msg']})") from None
    except FileNotFoundError as error:
        raise PackageError(f"{error.filename}: no such file", hint="Give a directory that `bench` wrote") from None


@contextmanager
def entered(device: Device | None, progress: Progress) -> Iterator[Device]:
    """Yields the given open device. Without one, opens this machine and closes it at the end."""
    if device is not None:
        yield device
        return
    with open_device(LOCAL, DeviceOptions(wait_s=LOCAL_WAIT_S, progress=progress)) as here:
        yield here


def runtime_info(record: LaunchRecord) -> RuntimeInfo:
    """The runtime that executed the graph in a launch."""
    name, _, version = record.engine.partition(" ")
    runner = f"edge-ptf-runner {record.runner}" if record.runner else ""
    return RuntimeInfo(name=name, version=version, threads=record.threads, runner=runner)


def _launch(record: LaunchRecord) -> Launch:
    beside = record.baseline
    return Launch(
        load_ms=record.load_ms,
        first_ms=record.first_ms,
        warmup_calls=record.warmup_calls,
        end_to_end_ms=record.end_to_end_ms,
        tokenize_ms=record.tokenize_ms,
        engine_ms=record.engine_ms,
        decode_ms=record.decode_ms,
        tokens=record.tokens,
        baseline_engine_ms=beside.engine_ms if beside else (),
        baseline_end_to_end_ms=beside.end_to_end_ms if beside else (),
    )
