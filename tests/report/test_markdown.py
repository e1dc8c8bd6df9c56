"""Summaries in Markdown: they are complete, and labels cannot inject markup."""

from __future__ import annotations

import html

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_ptf.machine import Machine
from edge_ptf.package.evidence import (
    AccuracyEvidence,
    LatencyEvidence,
    Launch,
    MemoryEvidence,
    RuntimeInfo,
    Status,
    TargetVerdict,
    Verdict,
)
from edge_ptf.report.markdown import escape, run_summary, verdict_summary

MACHINE = Machine(arch="x86_64", cpu="test", isa=(), cores=2, memory_mb=8000, os="Linux 6")
RUNTIME = RuntimeInfo(version="1.23.0", threads=1)
HOSTILE = "a|b\n# c <img src=x onerror=alert(1)> [l](http://x) `d` @user #1 :tada: *e* ~~f~~ \\ $g$ &lt; \x1b[0m"


def verdict(status: Status | None = Status.UNPROVEN, text: str = "latency, p95") -> Verdict:
    item = TargetVerdict(
        target="latency_ms.p95", title=text, unit="ms", limit=20, value=19, status=status or Status.PASS, reason=text
    )
    return Verdict(
        payload="p" * 64,
        profile="jetson",
        confidence=0.95,
        status=status,
        target_verdicts=(item,) if status else (),
        warnings=(text,) if status else (),
    )


def accuracy(text: str = "music", **metrics: float) -> AccuracyEvidence:
    report = tuple({"name": f"{text} {place}", "f1": 50.0 + place, "support": 1000 + place} for place in range(9))
    return AccuracyEvidence(
        payload="p",
        data="d",
        machine=MACHINE,
        runtime=RUNTIME,
        exact=True,
        metrics=metrics,
        class_report=report,
        rows=(),
    )


def latency(baseline: bool = True) -> LatencyEvidence:
    launch = Launch(
        load_ms=1,
        first_ms=1,
        warmup_calls=1,
        end_to_end_ms=(1.0, 2.0, 3.0),
        engine_ms=(1.0,),
        tokens=(8, 8, 8),
        baseline_end_to_end_ms=(4.0, 5.0, 9.0) if baseline else (),
    )
    return LatencyEvidence(payload="p", data="d", machine=MACHINE, runtime=RUNTIME, launches=(launch,))


def cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip().strip("|").split("|")]


def test_the_verdict_is_a_table_with_its_limits_and_what_settles_it() -> None:
    item = verdict().target_verdicts[0].replace(reason="too few", settle="bench more", bound=21.0)
    lines = verdict_summary(verdict().replace(target_verdicts=(item,)), "package").splitlines()
    assert lines[0] == "## package on jetson: ⚠️ UNPROVEN"
    assert cells(lines[2])[3] == "95 % bound"
    shown = [html.unescape(cell) for cell in cells(lines[4])]
    assert shown == [
        *("⚠️ UNPROVEN", "latency, p95", "19.00 ms", "21.00 ms", "≤ 20.00 ms", "too few. To settle it: bench more")
    ]
    assert "- Warning: latency, p95" in lines


@pytest.mark.parametrize("status", list(Status))
def test_the_first_line_says_the_verdict(status: Status) -> None:
    assert verdict_summary(verdict(status), "package").splitlines()[0].endswith(status.value)


def test_without_targets_nothing_is_judged() -> None:
    summary = verdict_summary(verdict(None), "package")
    assert "Nothing judged" in summary
    assert "|" not in summary


def test_a_run_shows_teacher_and_package_and_the_worst_classes() -> None:
    memory = MemoryEvidence(payload="p", machine=MACHINE, runtime=RUNTIME, peak_memory_mb=(50.0, 60.0))
    summary = run_summary(
        verdict(), "package", (accuracy(accuracy=95), accuracy(accuracy=94.5)), (90, 9), latency(), memory
    )
    rows = {cells(line)[0]: cells(line)[1:] for line in summary.splitlines() if line.startswith("|")}
    assert rows["accuracy"] == ["95.00 %", "94.50 %"]
    assert rows["package size"] == ["90.0 MB", "9.0 MB"]
    assert rows["latency, p50"] == ["5.00 ms", "2.00 ms"]
    assert rows["peak memory"] == ["–", "60.0 MB"]
    assert [name for name in rows if name.startswith("music")] == [f"music {place}" for place in range(5)]


def test_what_was_not_measured_is_left_out_or_dashed() -> None:
    alone = run_summary(verdict(), "p", (accuracy(), accuracy(entity_f1=50)), (9, 9), latency(baseline=False), None)
    assert "| entity F1 | – | 50.00 % |" in alone
    assert "| latency, p50 | – | 2.00 ms |" in alone
    assert "peak memory" not in alone
    assert "latency" not in run_summary(verdict(None), "p", (accuracy(), accuracy()), (9, 9), None, None)


def test_hostile_names_stay_text() -> None:
    memory = MemoryEvidence(payload="p", machine=MACHINE, runtime=RUNTIME, peak_memory_mb=(50.0,))
    arguments = (accuracy(HOSTILE), accuracy(HOSTILE))
    hostile = run_summary(verdict(text=HOSTILE), HOSTILE, arguments, (9, 9), latency(), memory)
    tame = run_summary(verdict(text="x"), "x", (accuracy("x"), accuracy("x")), (9, 9), latency(), memory)
    assert hostile.count("\n") == tame.count("\n")
    for mark in "|<>`*[]@":
        assert hostile.count(mark) == tame.count(mark), mark
    assert ":tada:" not in hostile
    assert "http://" not in hostile


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_escaped_text_is_one_line_without_marks_and_reads_as_before(text: str) -> None:
    escaped = escape(text)
    assert not set(escaped) & set("|<>`*[]\\@~$_\n\r")
    assert "\n" not in escaped
    assert len(escaped.splitlines()) <= 1
    shown = html.unescape(escaped)
    kept = "".join(character if character.isprintable() else " " for character in " ".join(text.split()))
    assert shown == kept
