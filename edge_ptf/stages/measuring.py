"""The stages that measure a payload: accuracy, latency and memory, and two payloads against each other."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from edge_ptf.bench import (
    BenchConfig,
    BenchTexts,
    Comparison,
    EvaluateConfig,
    accuracy,
    interleaved,
    latency,
    load_accuracy,
    load_bench,
    load_comparison,
    runner_for,
)
from edge_ptf.bench.devices import Device
from edge_ptf.bench.launching import LOCAL, runner_digest
from edge_ptf.data.dataset import LabelledData
from edge_ptf.digests import bytes_digest
from edge_ptf.machine import this_machine
from edge_ptf.package import Payload
from edge_ptf.package.evidence import AccuracyEvidence, LatencyEvidence, MemoryEvidence
from edge_ptf.report.stage_lines import accuracy_line, bench_line, comparison_line
from edge_ptf.stages.declaration import ARGUMENT, Default, Option, Work, stage
from edge_ptf.stages.graphs import RUNNING


def _evaluate_counts(given: Any) -> Mapping[str, Any]:
    library = runner_for(given.package, given.config)
    runner = bytes_digest(library.read_bytes()) if library else None
    return {"machine": this_machine().replace(governor=""), "runner": runner}


@stage("evaluate", 3, RUNNING, load_accuracy, accuracy_line, _evaluate_counts)
def evaluate(
    work: Work, package: Annotated[Payload, ARGUMENT], data: LabelledData, config: EvaluateConfig
) -> AccuracyEvidence:
    """Answer every text of the test split with PACKAGE, one at a time, in a separate process."""
    return accuracy.evaluate(package, data, config, work.folder, work.progress)


def _measuring_counts(given: Any) -> Mapping[str, Any]:
    """A time belongs to the device it was taken on and to the program that took it."""
    device, payloads = given.device, [each for each in (given.package, given.baseline) if each]
    return {
        "machine": (device.facts() if device else this_machine()).replace(governor=""),
        "device": device.name if device else LOCAL,
        "runner": runner_digest(given.config.runtime, payloads, device),
    }


def _counts_for_a_verdict(found: tuple[LatencyEvidence, MemoryEvidence]) -> bool:
    return not found[0].flags and not found[1].flags


PACKAGE_THREADS = Default("the package's own", lambda given: given["package"].manifest.engine.threads)


@stage(
    "bench",
    2,
    RUNNING,
    load_bench,
    bench_line,
    _measuring_counts,
    _counts_for_a_verdict,
    {"threads": PACKAGE_THREADS},  # as it runs where the application says nothing
)
def bench(
    work: Work,
    package: Annotated[Payload, ARGUMENT],
    data: LabelledData | BenchTexts,
    config: BenchConfig,
    baseline: Annotated[
        Payload | None, Option("The FP32 teacher's package: measured interleaved, for a speed-up.")
    ] = None,
    device: Device | None = None,
) -> tuple[LatencyEvidence, MemoryEvidence]:
    """Measure latency and peak memory of PACKAGE with the test texts of --data.

    Without --data it answers the texts of --texts, or its golden texts: a first look, which counts for no target.

    With --device, runner and package are copied to the device. The package first answers its golden vectors there.
    Only the files that the next run reuses stay on the device. An emulated device is not measured.

    On the command line, --profile judges the result. Exit code: 0 PASS, 3 FAIL, 4 UNPROVEN; 3 also for a package that
    fails its golden vectors, 5 for an emulated device.
    """
    if baseline is not None:
        latency.check_teacher(package, baseline)
    return latency.bench(package, baseline, data, config, work.folder, work.progress, device)


@stage("compare", 2, RUNNING, load_comparison, comparison_line, _measuring_counts, lambda found: not found.flags)
def compare(
    work: Work,
    package: Payload,
    baseline: Payload,
    data: LabelledData | BenchTexts,
    config: BenchConfig,
    device: Device | None = None,
) -> Comparison:
    """Find which of two packages is faster; see `compare_latency`."""
    texts = [(example.text, example.text_pair) for example in data.test]
    return interleaved.compare_latency(package, baseline, texts, config, work.folder, work.progress, device)
