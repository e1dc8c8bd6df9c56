"""Results print in at most five lines, and judge and report as the commands do."""

from __future__ import annotations

from pathlib import Path

import pytest

import edge_ptf
from edge_ptf.api.results import SearchResult
from edge_ptf.compression import Search
from edge_ptf.errors import BadInputError
from edge_ptf.package.evidence import Status
from tests.api.conftest import Bundle


def lines(result: object) -> list[str]:
    """The printed lines; the short form is one line."""
    found = str(result).splitlines()
    assert 1 <= len(found) <= 5
    assert len(repr(result).splitlines()) == 1
    assert found[0] in repr(result)
    return found


def test_no_name_steers_the_terminal_and_no_password_is_shown() -> None:
    """What is printed may come from a package of others: its name, its labels, its profile."""
    said = "\x1b]0;owned\x07\x9b31m\u202egpj\nVerdict: PASS postgresql://me:s3cr3t@db"
    result = SearchResult(Search(trials=(), winner=None, conclusion=said, seconds=0.0), None)
    shown = r"Search: \x1b]0;owned\x07\x9b31m\u202egpj\x0aVerdict: PASS postgresql://me:***@db"
    assert lines(result) == [shown, "0 trials, 0 finished"]
    assert repr(result) == f"<SearchResult: {shown}>"


def test_a_stage_says_what_it_made_and_where(bundle: Bundle) -> None:
    result = edge_ptf.evaluate("work/package.eptf", data=bundle.data, out="work/accuracy")
    first, took, folder = lines(result)
    assert first.startswith("evaluate: accuracy ")
    assert (took, folder, result.reused) == ("reused", "work/accuracy", True)


def test_a_check_says_what_the_data_are(bundle: Bundle) -> None:
    result = edge_ptf.check(bundle.data, task="text-classification", max_drop={"accuracy": 1}, model=bundle.model)
    found = lines(result)
    assert found[0].startswith("text-classification data can be used, with")
    assert found[1] == "3 labels; rows: train 96, validation 24, test 48"
    assert result.warnings
    assert result.details.lengths["test"].longest > 0


def test_a_verdict_says_what_is_open(bundle: Bundle) -> None:
    evidence = [edge_ptf.evaluate("work/package.eptf", data=bundle.data, out="work/accuracy")]
    result = edge_ptf.gate("work/package.eptf", profile="host", evidence=evidence, package_mb=50, min_speedup=2)
    found = lines(result)
    assert result.status is Status.UNPROVEN
    assert found[0].startswith("Verdict: UNPROVEN on ")
    assert "open: " in found[0]
    assert "speed-up over the teacher" in found[0]
    assert found[1] == "work/package.eptf"
    tiny = edge_ptf.gate("work/package.eptf", profile="host", evidence=evidence, set={"targets.package_mb": 0.001})
    assert "missed: size of the sealed package" in str(tiny)


def test_what_was_sealed_is_read_again(bundle: Bundle) -> None:
    made = edge_ptf.seal(
        edge_ptf.open_package("work/package.eptf"),
        profile="x86-generic",
        evidence=[Path("work/accuracy")],
        package_mb=50,
        out="work/sealed.eptf",
    )
    assert lines(made)[1].startswith("work/sealed.eptf: payload ")
    shown = edge_ptf.compare("work/package.eptf", "work/sealed.eptf", html="work/compare.html")
    assert lines(shown)[0] == f"A: work/package.eptf (not sealed), B: work/sealed.eptf ({made.verdict.status.value})"
    assert shown.page is not None
    assert shown.page.stat().st_size > 1000
    page = edge_ptf.report("work/sealed.eptf", data=bundle.data, out="work/sealed.html")
    assert lines(page)[0].startswith(f"Verdict: {made.verdict.status.value} on x86-generic")
    assert page.study.examples
    assert "<html" in Path("work/sealed.html").read_text(encoding="utf-8")
    again = edge_ptf.gate("work/sealed.eptf", profile="x86-generic", package_mb=50)
    assert again.verdict.target_verdicts == made.verdict.target_verdicts
    with pytest.raises(BadInputError, match="would replace the package"):
        edge_ptf.seal("work/sealed.eptf", profile="host", out="work/sealed.eptf")


def test_a_package_is_measured_with_its_own_threads(bundle: Bundle) -> None:
    result = edge_ptf.bench("work/package.eptf", data=bundle.data, baseline="work/baseline.eptf", out="work/latency")
    latency, memory = result.artifact
    assert latency.runtime.threads == edge_ptf.open_package("work/package.eptf").manifest.engine.threads
    assert "the teacher" in lines(result)[0]
    assert memory.peak_memory_mb
    with pytest.raises(BadInputError, match="a speed-up is over the FP32 teacher"):
        edge_ptf.bench("work/baseline.eptf", data=bundle.data, baseline="work/package.eptf", out="work/never")


@pytest.mark.slow
def test_a_whole_job_prints_verdict_figures_and_files(bundle: Bundle) -> None:
    job = {"model": bundle.model, "data": bundle.data, "profile": "x86-generic", "task": "text-classification"}
    result = edge_ptf.compress(
        **job, max_drop={"accuracy": 100}, prune={"num_layers": 2}, out="work/whole", name="mine"
    )
    verdict, scores, costs, package, report = lines(result)
    assert verdict.startswith(f"Verdict: {result.verdict.status.value} on x86-generic: ")
    assert scores.startswith("accuracy ")
    assert " MB instead of " in costs
    assert (package, report) == ("Package: work/whole/mine.eptf", "Report: work/whole/report.html")
    assert Path("work/whole/run.json").exists()
    again = edge_ptf.compress(**job, max_drop={"accuracy": 100}, prune={"num_layers": 2}, out="work/whole", name="mine")
    assert all(outcome.reused for outcome in again.outcomes if outcome.stage not in ("bench", "speed_check"))
    page = edge_ptf.report("work/whole")
    assert page.study.examples
