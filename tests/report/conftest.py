"""Studies of a tiny payload with synthetic evidence of any size, and a browser to read reports."""

from __future__ import annotations

import importlib.util
import random
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from edge_ptf import tasks
from edge_ptf.examples import Example
from edge_ptf.machine import Machine
from edge_ptf.metrics import Direction, scores
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
from edge_ptf.report.study import Study

MACHINE = Machine(arch="x86_64", cpu="Test CPU", isa=("avx512_vnni",), cores=2, memory_mb=8000, os="Linux 6")
RUNTIME = RuntimeInfo(version="1.32.0", threads=1)
SCOPE = "oos"
WARNING = "frequency governor unknown: the clock may have changed; another run may give other times"


def accuracy_of(
    payload: str, spec: Any, answers: list[tuple[Any, Any]], exact: bool = True, data: str = "d" * 64
) -> AccuracyEvidence:
    """Evidence with these (reference, answer) rows."""
    task = tasks.create(spec)
    references, labels = [row[0] for row in answers], [row[1] for row in answers]
    rows = tuple(
        PredictionRow(row=row, reference=reference, label=label, score=0.9)
        for row, (reference, label) in enumerate(answers)
    )
    return AccuracyEvidence(
        payload=payload,
        data=data,
        machine=MACHINE,
        runtime=RUNTIME,
        exact=exact,
        metrics=scores(task.metrics, references, rows),
        class_report=tuple(task.class_report(references, labels)),
        word_report=tuple(task.word_report(references, labels)),
        rows=rows,
    )


def latency_of(payload: str, *, launches: int = 7, calls: int = 400, flags: tuple[str, ...] = ()) -> LatencyEvidence:
    """Latency of about one millisecond, with a teacher of eight."""
    dice = random.Random(0)

    def times(around: float) -> tuple[float, ...]:
        return tuple(round(around * dice.lognormvariate(0, 0.2), 4) for _ in range(calls))

    return LatencyEvidence(
        payload=payload,
        baseline="b" * 64,
        data="d" * 64,
        machine=MACHINE,
        runtime=RUNTIME,
        launches=tuple(
            Launch(
                load_ms=21.5,
                first_ms=2.5,
                warmup_calls=80,
                end_to_end_ms=times(1.05),
                engine_ms=times(0.9),
                tokens=(9,) * calls,
                baseline_engine_ms=times(8.0),
                baseline_end_to_end_ms=times(8.2),
            )
            for _ in range(launches)
        ),
        flags=flags,
        warnings=(WARNING,),
    )


def verdict_of(payload: str) -> Verdict:
    """One target of each kind, one of each status."""
    return Verdict(
        payload=payload,
        profile="x86-vnni",
        confidence=0.95,
        status=Status.FAIL,
        target_verdicts=(
            TargetVerdict(
                target="max_drop.in_scope_accuracy",
                title="in-scope accuracy, drop",
                unit="points",
                limit=1.0,
                value=0.73,
                bound=1.12,
                margin=-0.12,
                status=Status.UNPROVEN,
                reason="4,500 examples do not prove it",
                settle="about 9,800 more test examples",
            ),
            TargetVerdict(
                target="min_speedup", title="speed-up", unit="×", limit=4, value=7.9, bound=7.6, margin=3.6,
                direction=Direction.HIGHER, status=Status.PASS,
            ),
            TargetVerdict(
                target="package_mb", title="package size", unit="MB", limit=8, value=8.2, bound=8.2, margin=-0.2,
                status=Status.FAIL,
            ),
            TargetVerdict(
                target="peak_memory_mb", title="peak memory", unit="MB", limit=100, status=Status.UNPROVEN,
                reason="not measured", settle="edge-ptf bench PACKAGE --data DATA",
            ),
        ),
        warnings=(WARNING,),
    )  # fmt: skip


def drawn_answers(names: list[str], rows: int, right: float, seed: int) -> list[tuple[Any, Any]]:
    """Answers that are right with this probability. Most of the others are a neighbouring class."""
    dice = random.Random(seed)
    found = []
    for row in range(rows):
        place = row % len(names)
        wrong = names[(place + dice.choice((1, 1, 1, 2, 7))) % len(names)]
        found.append((names[place], names[place] if dice.random() < right else wrong))
    return found


@pytest.fixture(scope="session")
def make_study(make_payload: Callable[..., Any], with_spec: Callable[..., Any]) -> Callable[..., Study]:
    """`make_study(classes, rows, names=…, text=…)`: a study with all parts."""

    def build(
        classes: int = 8,
        rows: int = 400,
        *,
        names: list[str] | None = None,
        text: str | None = "turn on the light",
        kind: str = "text-classification",
        record: dict[str, Any] | None = None,
    ) -> Study:
        payload = make_payload(kind=kind)
        labels = [*(names or [f"intent_{number:03}" for number in range(classes - 1)]), SCOPE]
        spec = tasks.get("text-classification").spec_for(labels, SCOPE)
        payload = replace(payload, manifest=with_spec(payload.manifest, spec))
        return Study(
            payload=payload,
            verdict=verdict_of(payload.digest),
            accuracy=accuracy_of(payload.digest, spec, drawn_answers(labels, rows, 0.93, 2)),
            baseline=accuracy_of("b" * 64, spec, drawn_answers(labels, rows, 0.95, 1)),
            latencies=(latency_of(payload.digest),),
            memories=(
                MemoryEvidence(payload=payload.digest, machine=MACHINE, runtime=RUNTIME, peak_memory_mb=(61.2, 61.4)),
            ),
            record=record or {},
            baseline_bytes=91_400_000,
            examples=tuple(Example(f"{text} {row}", labels[row % len(labels)]) for row in range(rows)) if text else (),
        )

    return build


def browser_module() -> Any:
    """`benchmarks/browser.py`."""
    file = Path(__file__).resolve().parents[2] / "benchmarks" / "browser.py"
    spec = importlib.util.spec_from_file_location("browser", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """A headless Chromium. Skips if there is none."""
    module = browser_module()
    if module.find_browser() is None:
        pytest.skip("no Chromium on this machine")
    with module.Browser() as page:
        yield page
