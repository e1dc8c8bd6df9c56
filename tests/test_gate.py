"""The verdict from each kind of evidence."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from edge_ptf import profiles, tasks
from edge_ptf.gate import gate
from edge_ptf.graph.artifact import Scheme
from edge_ptf.machine import Machine
from edge_ptf.metrics import Direction
from edge_ptf.package.evidence import (
    AccuracyEvidence,
    LatencyEvidence,
    Launch,
    MemoryEvidence,
    PredictionRow,
    RuntimeInfo,
    Status,
    TargetVerdict,
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
from edge_ptf.package.payload import SEALING_BYTES, Payload
from edge_ptf.profiles import Targets

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


def payload(size: int = 8_000_000 - SEALING_BYTES, scope: str | None = None) -> Payload:
    head = tasks.get("text-classification").spec_for(("a", "b"), scope)
    tensor = TensorEntry(name="logits", dtype="float32", shape=("batch", 2))
    manifest = Manifest(
        name="test",
        graphs=(
            GraphEntry(
                name="main",
                format="onnx",
                file="model.onnx",
                inputs=(),
                outputs=(tensor,),
                opset=17,
                scheme=Scheme(),
                layers=(),
            ),
        ),
        heads=(HeadEntry(**head.model_dump(), graph="main"),),
        tokenizer=TokenizerEntry(max_length=128),
        golden=GoldenEntry(count=0, tolerance=0.1),
        requires=Requirements(engines={"onnxruntime": "1.23"}),
        lineage=Lineage(base_model="m", data="d", steps=(), tools={}),
        files=(),
    )
    return Payload(Path("test.eptf"), manifest, "p", size)


def accuracy(hits: int, count: int, *, who: str = "p", exact: bool = True, data: str = "d") -> AccuracyEvidence:
    rows = tuple(
        PredictionRow(row=index, reference="a", label="a" if index < hits else "b", score=0.9) for index in range(count)
    )
    return AccuracyEvidence(payload=who, data=data, machine=VNNI, runtime=RUNTIME, exact=exact, metrics={}, rows=rows)


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
        for _ in range(launches)
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
        (948, 1_000, Status.UNPROVEN),  # the same share of 1,000: within, but not proven
        (900, 1_000, Status.FAIL),
    ],
)
def test_a_drop_is_judged_by_its_bound(hits: int, count: int, status: Status) -> None:
    verdict = judged([accuracy(hits, count)], [accuracy(count * 95 // 100, count, who="t")], max_drop={"accuracy": 0.4})
    assert verdict.target_verdicts[0].status is status
    assert verdict.status is status
    if status is Status.UNPROVEN:
        assert "test examples" in verdict.target_verdicts[0].settle


def test_a_drop_needs_the_same_test_split() -> None:
    verdict = judged([accuracy(95, 100)], [accuracy(95, 100, who="t", data="other")], max_drop={"accuracy": 1})
    assert verdict.status is Status.UNPROVEN
    assert "evaluate" in verdict.target_verdicts[0].settle


def test_a_drop_is_drawn_from_records_of_one_split_and_names_validation() -> None:
    tried = accuracy(900, 1_000).replace(split="validation")
    teacher, limit = accuracy(950, 1_000, who="t"), {"accuracy": 1}
    (mixed,) = judged([tried], [teacher], max_drop=limit).target_verdicts
    assert (mixed.status, mixed.value) == (Status.UNPROVEN, None)
    both = [teacher.replace(split="validation"), teacher]
    (alone,) = judged([tried], both, max_drop=limit).target_verdicts
    assert (alone.status, alone.title) == (Status.FAIL, "accuracy, drop on validation")
    (found,) = judged([tried, accuracy(950, 1_000)], both, max_drop=limit).target_verdicts
    assert (found.value, found.title) == (0.0, "accuracy, drop")


def test_answers_of_an_unfaithful_machine_do_not_count() -> None:
    verdict = judged([accuracy(95, 100, exact=False)], [accuracy(95, 100, who="t")], max_drop={"accuracy": 50})
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
    assert [item.status for item in verdict.target_verdicts] == [Status.PASS, Status.FAIL]
    assert verdict.status is Status.FAIL


@pytest.mark.parametrize(("hits", "limit"), [(93, 7.0), (71, 29.0), (86, 14.0), (43, 57.0), (100, 0.0)])
def test_a_drop_of_exactly_the_limit_is_not_beyond_it(hits: int, limit: float) -> None:
    verdict = judged([accuracy(hits, 100)], [accuracy(100, 100, who="t")], max_drop={"accuracy": limit})
    assert verdict.target_verdicts[0].value == limit
    assert verdict.status is Status.UNPROVEN
    over = judged([accuracy(hits - 1, 100)], [accuracy(100, 100, who="t")], max_drop={"accuracy": limit})
    assert over.status is Status.FAIL


def test_unproven_says_how_many_examples_would_do() -> None:
    def drop(count: int) -> TargetVerdict:
        teacher = [accuracy(count * 95 // 100, count, who="t")]
        return judged([accuracy(count * 948 // 1000, count)], teacher, max_drop={"accuracy": 0.4}).target_verdicts[0]

    found = drop(1000)
    match = re.fullmatch(r"about ([\d,]+) more test examples that count for accuracy", found.settle)
    assert match
    more = int(match[1].replace(",", ""))
    assert drop(1000 + -(-more // 500) * 500).status is Status.PASS  # in steps that keep the drop at 0.2 points
    assert drop(1000 + more // 1000 * 500).status is Status.UNPROVEN
    assert "1,000 examples" in found.reason


def test_a_limit_that_the_task_does_not_gate_is_passed_over() -> None:
    verdict = judged([accuracy(0, 100)], [accuracy(100, 100, who="t")], max_drop={"entity_f1": 1})
    assert verdict.status is None
    assert verdict.target_verdicts == ()


def test_accuracy_without_a_teacher_or_without_examples_is_unproven() -> None:
    limit = {"max_drop": {"accuracy": 1}}
    for own, teacher in (
        ([], []),
        ([accuracy(90, 100)], []),
        ([], [accuracy(90, 100, who="t")]),
        ([accuracy(90, 100)], [accuracy(90, 101, who="t")]),
        ([accuracy(90, 100, who="other")], [accuracy(90, 100, who="t")]),
        ([accuracy(0, 0)], [accuracy(0, 0, who="t")]),
    ):
        verdict = judged(own, teacher, **limit)
        assert verdict.status is Status.UNPROVEN
        assert verdict.target_verdicts[0].settle
        assert verdict.target_verdicts[0].reason


def test_a_faithful_record_counts_beside_an_unfaithful_one() -> None:
    limit, teacher = {"max_drop": {"accuracy": 3}}, [accuracy(1900, 2000, who="t")]
    records = [accuracy(0, 2000, exact=False), accuracy(1890, 2000)]
    for order in (records, records[::-1]):
        assert judged(order, teacher, **limit).status is Status.PASS
    unfaithful_teacher = [accuracy(1900, 2000, who="t", exact=False)]
    assert judged(records, unfaithful_teacher, **limit).status is Status.UNPROVEN


def test_accuracy_counts_from_any_faithful_machine() -> None:
    """Profile and machine need not match: exact INT8 gives the same answers everywhere."""
    verdict = judged([accuracy(1900, 2000)], [accuracy(1900, 2000, who="t")], "jetson", max_drop={"accuracy": 1})
    assert verdict.status is Status.PASS


def test_speedup_is_a_ratio_with_a_lower_bound() -> None:
    verdict = judged([latency(1.0, 6.0)], [], min_speedup=5)
    item = verdict.target_verdicts[0]
    assert item.status is Status.PASS
    assert item.value == pytest.approx(6.0, rel=0.02)
    assert item.bound is not None
    assert 5 < item.bound < item.value
    assert judged([latency(1.0, 6.0)], [], min_speedup=7).status is Status.FAIL
    assert judged([latency(1.0)], [], min_speedup=2).status is Status.UNPROVEN


def test_a_speedup_within_the_noise_is_unproven() -> None:
    def uneven(count: int, spread: float) -> LatencyEvidence:
        launches = tuple(latency(1.0, 4.0 * (1 + spread * (-1) ** number)).launches[0] for number in range(count))
        return latency(1.0, 4.0).replace(launches=launches)

    item = judged([uneven(8, 0.2)], [], min_speedup=3.7).target_verdicts[0]
    assert item.status is Status.UNPROVEN
    match = re.search(r" --profile x86-vnni --baseline TEACHER\.eptf --launches (\d+) ", item.settle)
    assert match
    assert judged([uneven(int(match[1]) // 2 * 2 + 4, 0.2)], [], min_speedup=3.7).status is Status.PASS
    assert judged([uneven(2, 0.0)], [], min_speedup=3.8).status is Status.UNPROVEN


def test_a_measurement_with_other_threads_than_the_packages_does_not_count() -> None:
    two = latency(1.0, 6.0).replace(runtime=RUNTIME.replace(threads=2).model_dump())
    verdict = judged([two], [], min_speedup=2)
    assert verdict.status is Status.UNPROVEN
    assert verdict.target_verdicts[0].reason == "measured with 2 threads, but the package runs with 1"


def test_a_speedup_without_samples_of_the_teacher_is_unproven() -> None:
    hollow = latency(1.0).replace(baseline="t")
    item = judged([hollow], [], min_speedup=2).target_verdicts[0]
    assert item.status is Status.UNPROVEN
    assert "--baseline" in item.settle


def test_latency_needs_enough_launches_for_a_bound() -> None:
    few = judged([latency(1.0, machine=BOARD, launches=2)], [], "jetson", latency_ms={"p50": 100})
    assert few.status is Status.UNPROVEN
    assert "launches" in few.target_verdicts[0].settle
    value = few.target_verdicts[0].value
    assert value is not None
    near = judged([latency(1.0, machine=BOARD)], [], "jetson", latency_ms={"p50": value * 1.002}).target_verdicts[0]
    assert near.value is not None
    assert near.bound is not None
    assert near.value < near.bound
    edge = (near.value + near.bound) / 2
    assert judged([latency(1.0, machine=BOARD)], [], "jetson", latency_ms={"p50": edge}).status is Status.UNPROVEN
    assert (
        judged([latency(1.0, machine=BOARD)], [], "jetson", latency_ms={"p50": 1.2, "p95": 1.3}).status is Status.PASS
    )


def test_an_open_latency_says_how_many_launches_would_settle_it() -> None:
    def uneven(count: int) -> LatencyEvidence:
        launches = tuple(latency(1 + 0.1 * (-1) ** number, machine=BOARD).launches[0] for number in range(count))
        return latency(1.0, machine=BOARD).replace(launches=launches)

    limits = {"latency_ms": {"p95": 1.5}}
    item = judged([uneven(4)], [], "jetson", **limits).target_verdicts[0]
    assert item.status is Status.UNPROVEN
    match = re.search(r"^edge-ptf bench PACKAGE --device ssh://USER@HOST .* --launches (\d+) ", item.settle)
    assert match
    assert judged([uneven(int(match[1]) // 2 * 2 + 4)], [], "jetson", **limits).status is Status.PASS
    assert item.value is not None
    hopeless = judged([uneven(4)], [], "jetson", latency_ms={"p95": item.value * 1.0001}).target_verdicts[0]
    assert (hopeless.status, hopeless.settle) == (Status.UNPROVEN, "a lower latency")


def test_open_memory_says_how_many_launches_would_settle_it() -> None:
    item = judged([memory(100, 101, 105)], [], peak_memory_mb=108).target_verdicts[0]
    match = re.search(r"^edge-ptf bench PACKAGE .* --memory-launches (\d+) ", item.settle)
    assert match
    assert judged([memory(*([100, 101, 105] * 4))], [], peak_memory_mb=108).status is Status.PASS
    assert judged([memory(100, 101, 105)], [], peak_memory_mb=105).target_verdicts[0].settle == "less memory"


@pytest.mark.parametrize(
    "targets",
    [{"latency_ms": {"p50": 1e6}}, {"latency_ms": {"p95": 1e6}}, {"min_speedup": 0.1}, {"peak_memory_mb": 1e6}],
)
@pytest.mark.parametrize(
    ("profile", "machine"),
    [
        ("jetson", VNNI),
        ("raspberry-pi-5", BOARD),
        ("x86-vnni", BOARD),
        ("x86-vnni", VNNI.replace(isa=("avx2",))),
        ("x86-avx2", VNNI),
        ("android-arm64", BOARD),
        ("jetson-agx-orin", BOARD),
    ],
)
def test_nothing_measured_elsewhere_counts(profile: str, machine: Machine, targets: dict[str, Any]) -> None:
    """Not even if the limit could not be missed."""
    item = judged(
        [latency(1.0, 6.0, machine=machine), memory(1, 1, machine=machine)], [], profile, **targets
    ).target_verdicts[0]
    assert (item.status, item.value, item.bound) == (Status.UNPROVEN, None, None)
    assert profiles.load(profile).title in item.settle
    assert item.settle.startswith("edge-ptf bench")
    assert "a machine that is not" in item.reason


def test_one_record_that_counts_is_enough() -> None:
    elsewhere, flagged, here = latency(900.0, 6.0, machine=BOARD), latency(900.0, 6.0, flags=("x",)), latency(1.0, 6.0)
    for records in ([elsewhere, flagged, here], [here, elsewhere, flagged]):
        assert judged(records, [], min_speedup=4).status is Status.PASS
    assert judged([elsewhere, flagged], [], min_speedup=4).status is Status.UNPROVEN


def test_latency_from_another_machine_is_unproven_and_says_what_to_do() -> None:
    verdict = judged([latency(1.0)], [], "jetson", latency_ms={"p50": 100})
    assert verdict.status is Status.UNPROVEN
    assert "Jetson" in verdict.target_verdicts[0].settle
    assert verdict.target_verdicts[0].value is None
    on_board = judged([latency(1.0, machine=BOARD)], [], "jetson", latency_ms={"p50": 100, "p95": 0.5})
    assert [item.status for item in on_board.target_verdicts] == [Status.PASS, Status.FAIL]


def test_a_flagged_measurement_does_not_count() -> None:
    flagged = latency(1.0, 6.0, flags=("throttled",))
    verdict = judged([flagged], [], min_speedup=2)
    assert verdict.status is Status.UNPROVEN
    assert "throttled" in verdict.target_verdicts[0].reason
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


def test_flagged_memory_does_not_count() -> None:
    found = judged([memory(1, 1).replace(flags=("emulated processor",))], [], peak_memory_mb=100)
    assert found.status is Status.UNPROVEN
    assert "emulated" in found.target_verdicts[0].reason
    assert judged([memory(100)], [], peak_memory_mb=150).status is Status.UNPROVEN
    assert "--memory-launches" in judged([memory(100)], [], peak_memory_mb=150).target_verdicts[0].settle


def test_evidence_without_samples_is_no_evidence() -> None:
    with pytest.raises(ValidationError):
        memory()
    with pytest.raises(ValidationError):
        latency(1.0, launches=0)


def test_figures_that_are_not_numbers_prove_nothing() -> None:
    nan = float("nan")
    found = judged([memory(nan, nan), latency(nan, nan)], [], peak_memory_mb=100, min_speedup=2, latency_ms={"p50": 1})
    assert {item.status for item in found.target_verdicts} == {Status.UNPROVEN}


def test_fail_outweighs_unproven_and_unproven_outweighs_pass() -> None:
    evidence = [accuracy(948, 1000), memory(100, 101, 102), latency(1.0, 6.0)]
    teacher = [accuracy(950, 1000, who="t")]
    passing: dict[str, Any] = {"package_mb": 8, "peak_memory_mb": 150, "min_speedup": 5}
    assert judged(evidence, teacher, **passing).status is Status.PASS
    unproven = {**passing, "max_drop": {"accuracy": 0.4}}
    assert judged(evidence, teacher, **unproven).status is Status.UNPROVEN
    failing = judged(evidence, teacher, **unproven, latency_ms={"p50": 0.1})
    assert failing.status is Status.FAIL
    assert [item.target for item in failing.target_verdicts] == [
        *("max_drop.accuracy", "latency_ms.p50", "min_speedup", "package_mb", "peak_memory_mb")
    ]
    assert {item.target: item.status for item in failing.target_verdicts}["max_drop.accuracy"] is Status.UNPROVEN


def test_a_verdict_says_what_it_is_about_and_repeats_warnings_once() -> None:
    noisy = latency(1.0, 6.0, warnings=("governor unknown", "steal"))
    verdict = judged([noisy, noisy], [], min_speedup=2)
    assert (verdict.payload, verdict.profile, verdict.confidence) == ("p", "x86-vnni", 0.95)
    assert verdict.warnings == ("governor unknown", "steal")
    assert judged([noisy], []).warnings == ()
    assert Verdict.model_validate_json(verdict.model_dump_json()) == verdict
    assert judged([noisy, noisy], [], min_speedup=2) == verdict


def classes(answers: str, references: str = "aaaaaabbbb", who: str = "t") -> AccuracyEvidence:
    rows = tuple(
        PredictionRow(row=row, reference=reference, label=answer, score=0.9)
        for row, (reference, answer) in enumerate(zip(references, answers, strict=True))
    )
    return AccuracyEvidence(payload=who, data="d", machine=VNNI, runtime=RUNTIME, exact=True, metrics={}, rows=rows)


@pytest.mark.parametrize(
    ("answers", "warned"),
    [("aaaaaaaaaa", True), ("bbbbbbbbbb", True), ("aaaaaaaaab", False), ("aaaaaabbbb", False), ("aabbaaaabb", True)],
)
def test_a_teacher_that_is_no_better_than_the_most_frequent_class_is_told(answers: str, warned: bool) -> None:
    verdict = judged([classes(answers, who="p")], [classes(answers)], max_drop={"accuracy": 50})
    assert [each.startswith("the teacher is no better") for each in verdict.warnings] == [True] * warned
    if warned:
        assert "against 60.00 %" in verdict.warnings[0]


def test_a_useless_teacher_is_told_without_a_target() -> None:
    verdict = judged([classes("aaaaaaaaaa", who="p")], [classes("aaaaaaaaaa")])
    assert verdict.status is None
    assert verdict.warnings[0].startswith("the teacher is no better")


def test_a_score_is_a_target_before_the_drop() -> None:
    verdict = judged(
        [accuracy(89, 100)], [accuracy(89, 100, who="t")], min_score={"accuracy": 90}, max_drop={"accuracy": 50}
    )
    assert [item.target for item in verdict.target_verdicts] == ["min_score.accuracy", "max_drop.accuracy"]
    assert verdict.status is Status.FAIL
    assert any("misses a target" in warning for warning in verdict.warnings)


def test_the_out_of_scope_label_is_no_class_that_a_teacher_is_compared_with() -> None:
    def warnings(answers: str) -> tuple[str, ...]:
        evidence, teacher = (classes(answers, "ooooooaaab", who=who) for who in ("p", "t"))
        targets = Targets.model_validate({"max_drop": {"in_scope_accuracy": 50}})
        profile = profiles.load("x86-vnni")
        return gate(payload(scope="o"), [evidence], [teacher], profile, targets).warnings

    assert "against 75.00 %" in warnings("ooooooaaao")[0]
    assert warnings("ooooooaaab") == ()


def test_a_split_of_one_class_says_nothing_about_the_teacher() -> None:
    assert judged([accuracy(99, 100)], [accuracy(99, 100, who="t")], max_drop={"accuracy": 50}).warnings == ()


def test_the_profiles_confidence_is_the_bounds() -> None:
    teacher, evidence = [accuracy(9500, 10_000, who="t")], [accuracy(9480, 10_000)]
    limits = Targets(max_drop={"accuracy": 0.4})
    sure = profiles.load("x86-vnni").replace(confidence=0.999)
    strict, usual = (gate(payload(), evidence, teacher, item, limits) for item in (sure, profiles.load("x86-vnni")))
    assert (strict.status, usual.status) == (Status.UNPROVEN, Status.PASS)
    assert strict.target_verdicts[0].bound > usual.target_verdicts[0].bound


def test_evidence_about_another_payload_is_passed_over() -> None:
    other = memory(500, 500).replace(payload="other")
    assert judged([other], [], peak_memory_mb=100).target_verdicts[0].reason == "not measured"


@settings(max_examples=60, deadline=None)
@given(
    before=st.integers(50, 200),
    after=st.integers(0, 200),
    limit=st.floats(0, 20),
    peak=st.floats(1, 500),
    size=st.floats(1, 20),
    ms=st.floats(0.1, 10),
    slow=st.floats(0.1, 10),
)
def test_a_value_beyond_its_limit_never_passes(
    before: int, after: int, limit: float, peak: float, size: float, ms: float, slow: float
) -> None:
    verdict = judged(
        [accuracy(after, 200), memory(peak, peak), latency(ms, slow)],
        [accuracy(before, 200, who="t")],
        max_drop={"accuracy": limit},
        latency_ms={"p50": 2, "p95": 3},
        min_speedup=2,
        peak_memory_mb=250,
        package_mb=size,
    )
    for item in verdict.target_verdicts:
        assert item.value is not None
        assert item.direction is (Direction.HIGHER if item.target == "min_speedup" else Direction.LOWER)
        sign = -1 if item.direction is Direction.HIGHER else 1
        assert (item.margin is None) == (item.bound is None)
        if item.bound is not None:
            assert item.margin == pytest.approx(sign * (item.limit - item.bound))
            assert item.status is not Status.PASS or item.margin >= 0
        assert (item.status is Status.FAIL) == (sign * item.value > sign * item.limit)
        if item.status is Status.PASS:
            assert item.bound is not None
            assert sign * item.value <= sign * item.bound <= sign * item.limit
        if item.status is Status.UNPROVEN:
            assert item.reason
            assert item.settle
    order = [Status.FAIL, Status.UNPROVEN, Status.PASS]
    assert verdict.status == next(
        status for status in order if status in {item.status for item in verdict.target_verdicts}
    )


@pytest.mark.parametrize(
    ("direction", "value", "bound", "limit", "margin"),
    [
        (Direction.LOWER, 0.5, 0.8, 1.0, 0.2),
        (Direction.LOWER, 0.5, 1.5, 1.0, -0.5),
        (Direction.LOWER, 2.0, 2.5, 1.0, -1.5),
        (Direction.HIGHER, 5.0, 4.5, 4.0, 0.5),
        (Direction.HIGHER, 5.0, 3.5, 4.0, -0.5),
        (Direction.LOWER, 0.5, None, 1.0, None),
    ],
)
def test_the_margin_is_from_the_bound_to_the_limit(
    direction: Direction, value: float, bound: float | None, limit: float, margin: float | None
) -> None:
    target = TargetVerdict(
        target="x", title="x", unit="ms", direction=direction, limit=limit, status=Status.UNPROVEN
    ).measured(value, bound)
    assert target.margin == (None if margin is None else pytest.approx(margin))
    assert (target.decided is Status.PASS) == (margin is not None and margin >= 0)
