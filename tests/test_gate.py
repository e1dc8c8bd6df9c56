"""The verdict: what each kind of evidence amounts to."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_ptf import profiles
from edge_ptf.export.graph import Scheme
from edge_ptf.gate import gate
from edge_ptf.machine import Machine
from edge_ptf.package.evidence import (
    AccuracyEvidence,
    LatencyEvidence,
    Launch,
    MemoryEvidence,
    PredictionRow,
    RuntimeInfo,
    Status,
    Verdict,
)
from edge_ptf.package.manifest import (
    GoldenEntry,
    GraphEntry,
    HeadEntry,
    Lineage,
    Manifest,
    Requirements,
    TensorEntry,
    TokenizerEntry,
)
from edge_ptf.package.payload import Payload
from edge_ptf.profiles import Targets
from edge_ptf.tasks.base import TaskSpec

VNNI = Machine(arch="x86_64", cpu="test", isa=("avx2", "avx512_vnni"), cores=2, memory_mb=8000, os="Linux 6")
BOARD = Machine(
    arch="aarch64",
    cpu="test",
    isa=("neon",),
    device_model="NVIDIA Jetson Orin Nano",
    cores=6,
    memory_mb=8000,
    os="Linux 5",
)
RUNTIME = RuntimeInfo(version="1.32.0", threads=1)


def payload(size: int = 8_000_000, scope: str | None = None) -> Payload:
    tensor = TensorEntry(name="logits", dtype="float32", shape=("batch", 2))
    manifest = Manifest(
        name="test",
        graphs=(
            GraphEntry(
                name="main", file="model.onnx", inputs=(), outputs=(tensor,), opset=17, scheme=Scheme(), layers=()
            ),
        ),
        heads=(
            HeadEntry(
                name="h",
                graph="main",
                output="logits",
                task=TaskSpec(name="text-classification", labels=("a", "b"), out_of_scope_label=scope),
            ),
        ),
        tokenizer=TokenizerEntry(max_length=128),
        golden=GoldenEntry(count=0, tolerance=0.1),
        requires=Requirements(onnxruntime="1.23"),
        lineage=Lineage(base_model="m", data="d", steps=(), tools={}),
        files=(),
    )
    return Payload(Path("test.eptf"), manifest, "p", size)


def accuracy(hits: int, count: int, *, who: str = "p", faithful: bool = True, data: str = "d") -> AccuracyEvidence:
    rows = tuple(
        PredictionRow(row=index, reference="a", label="a" if index < hits else "b", score=0.9) for index in range(count)
    )
    return AccuracyEvidence(
        payload=who, data=data, machine=VNNI, runtime=RUNTIME, faithful=faithful, metrics={}, rows=rows
    )


def latency(
    ms: float, base: float | None = None, *, machine: Machine = VNNI, launches: int = 7, **more: Any
) -> LatencyEvidence:
    draw = np.random.default_rng(0)

    def calls(middle: float) -> tuple[float, ...]:
        return tuple(float(value) for value in middle * draw.lognormal(0, 0.02, 200))

    made = tuple(
        Launch(
            load_ms=10,
            first_ms=2,
            warmup_calls=40,
            end_to_end_ms=calls(ms * 1.1),
            engine_ms=calls(ms),
            tokens=(8,) * 200,
            baseline_engine_ms=calls(base) if base else (),
        )
        for _ in range(7)
    )
    return LatencyEvidence(
        payload="p", baseline="t" if base else None, data="d", machine=machine, runtime=RUNTIME, launches=made, **more
    )


def memory(*peaks: float, machine: Machine = VNNI) -> MemoryEvidence:
    return MemoryEvidence(payload="p", machine=machine, runtime=RUNTIME, peak_memory_mb=peaks)


def judged(evidence: list[Any], baseline: list[Any], profile: str = "x86-vnni", **targets: Any) -> Verdict:
    return gate(payload(), evidence, baseline, profiles.load(profile), Targets.model_validate(targets))


def test_without_targets_nothing_is_judged() -> None:
    assert judged([accuracy(90, 100)], [accuracy(95, 100, who="t")]).status is None


@pytest.mark.parametrize(
    ("hits", "count", "status"),
    [
        (9_480, 10_000, Status.PASS),  # 0.2 points lost of 10,000: proven
        (948, 1_000, Status.UNPROVEN),  # as much of 1,000: within, but not proven
        (900, 1_000, Status.FAIL),
    ],
)
def test_a_drop_is_judged_by_its_bound(hits: int, count: int, status: Status) -> None:
    verdict = judged([accuracy(hits, count)], [accuracy(count * 95 // 100, count, who="t")], max_drop={"accuracy": 0.4})
    assert verdict.judgements[0].status is status
    assert verdict.status is status
    if status is Status.UNPROVEN:
        assert "test examples" in verdict.judgements[0].settle


def test_a_drop_needs_the_same_test_split() -> None:
    verdict = judged([accuracy(95, 100)], [accuracy(95, 100, who="t", data="other")], max_drop={"accuracy": 1})
    assert verdict.status is Status.UNPROVEN
    assert "evaluate" in verdict.judgements[0].settle


def test_answers_of_an_unfaithful_machine_do_not_count() -> None:
    verdict = judged([accuracy(95, 100, faithful=False)], [accuracy(95, 100, who="t")], max_drop={"accuracy": 50})
    assert verdict.status is Status.UNPROVEN


def test_out_of_scope_recall_is_judged_beside_accuracy() -> None:
    def rows(outside_hits: int, who: str) -> AccuracyEvidence:
        inside = [PredictionRow(row=i, reference="a", label="a", score=1) for i in range(500)]
        outside = [
            PredictionRow(row=500 + i, reference="oos", label="oos" if i < outside_hits else "a", score=1)
            for i in range(500)
        ]
        return accuracy(0, 0, who=who).replace(rows=(*inside, *outside))

    profile = profiles.load("x86-vnni")
    limits = Targets(max_drop={"in_scope_accuracy": 1, "out_of_scope_recall": 5})
    verdict = gate(payload(scope="oos"), [rows(100, "p")], [rows(300, "t")], profile, limits)
    assert [item.status for item in verdict.judgements] == [Status.PASS, Status.FAIL]
    assert verdict.status is Status.FAIL


def test_speedup_is_a_ratio_with_a_lower_bound() -> None:
    verdict = judged([latency(1.0, 6.0)], [], min_speedup=5)
    item = verdict.judgements[0]
    assert item.status is Status.PASS
    assert item.value == pytest.approx(6.0, rel=0.02)
    assert item.bound is not None
    assert 5 < item.bound < item.value
    assert judged([latency(1.0, 6.0)], [], min_speedup=7).status is Status.FAIL
    assert judged([latency(1.0)], [], min_speedup=2).status is Status.UNPROVEN


def test_latency_from_another_machine_is_unproven_and_says_what_to_do() -> None:
    verdict = judged([latency(1.0)], [], "jetson", latency_ms={"p50": 100})
    assert verdict.status is Status.UNPROVEN
    assert "Jetson" in verdict.judgements[0].settle
    assert verdict.judgements[0].value is None
    on_board = judged([latency(1.0, machine=BOARD)], [], "jetson", latency_ms={"p50": 100, "p95": 0.5})
    assert [item.status for item in on_board.judgements] == [Status.PASS, Status.FAIL]


def test_a_flagged_measurement_does_not_count() -> None:
    flagged = latency(1.0, 6.0, flags=("throttled",))
    verdict = judged([flagged], [], min_speedup=2)
    assert verdict.status is Status.UNPROVEN
    assert "throttled" in verdict.judgements[0].reason
    drifting = latency(1.0, 6.0, warnings=("drift: calls became 1.5 times as slow within launches",))
    assert judged([drifting], [], min_speedup=2).status is Status.PASS
    assert judged([drifting], [], latency_ms={"p50": 100}).status is Status.UNPROVEN


def test_size_is_exact_and_memory_is_bounded() -> None:
    assert judged([], [], package_mb=8).status is Status.PASS
    assert judged([], [], package_mb=7.9).status is Status.FAIL
    assert judged([memory(100, 101, 102)], [], peak_memory_mb=150).status is Status.PASS
    assert judged([memory(100, 101, 149)], [], peak_memory_mb=150).status is Status.UNPROVEN
    assert judged([memory(100, 151)], [], peak_memory_mb=150).status is Status.FAIL
    assert judged([], [], peak_memory_mb=150).status is Status.UNPROVEN


def test_evidence_about_another_payload_is_passed_over() -> None:
    other = memory(500, 500).replace(payload="other")
    assert judged([other], [], peak_memory_mb=100).judgements[0].reason == "not measured"


@settings(max_examples=60, deadline=None)
@given(
    before=st.integers(50, 200),
    after=st.integers(0, 200),
    limit=st.floats(0, 20),
    peak=st.floats(1, 500),
    size=st.floats(1, 20),
)
def test_a_value_beyond_its_limit_never_passes(before: int, after: int, limit: float, peak: float, size: float) -> None:
    verdict = judged(
        [accuracy(after, 200), memory(peak, peak)],
        [accuracy(before, 200, who="t")],
        max_drop={"accuracy": limit},
        peak_memory_mb=250,
        package_mb=size,
    )
    for item in verdict.judgements:
        assert item.value is not None
        if item.value > item.limit + 1e-9:
            assert item.status is Status.FAIL
        if item.status is Status.PASS:
            assert item.bound is not None
            assert item.bound <= item.limit
    order = [Status.FAIL, Status.UNPROVEN, Status.PASS]
    assert verdict.status == next(status for status in order if status in {item.status for item in verdict.judgements})
