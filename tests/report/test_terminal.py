"""Tables of the terminal."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from rich.console import Console, RenderableType

from edge_ptf import tasks
from edge_ptf.package.evidence import Status, TargetVerdict, Verdict
from edge_ptf.report.terminal import class_tables, comparison_table, package_table, verdict_table

from .conftest import WARNING, accuracy_of, verdict_of


def printed(item: RenderableType, width: int = 200) -> str:
    console = Console(width=width)
    with console.capture() as capture:
        console.print(item)
    return capture.get()


def test_a_warning_of_the_verdict_is_printed_unless_a_table_above_shows_it() -> None:
    size = TargetVerdict(target="package_mb", title="package size", unit="MB", limit=10.0, status=Status.PASS)
    verdict = Verdict(
        payload="p",
        profile="x86-generic",
        confidence=0.95,
        status=Status.PASS,
        target_verdicts=(size,),
        warnings=("governor unknown", "the teacher is bad"),
    )
    everything = printed(verdict_table(verdict))
    assert "Warning: governor unknown" in everything and "Warning: the teacher is bad" in everything
    rest = printed(verdict_table(verdict, shown=("governor unknown",)))
    assert "governor" not in rest and "Warning: the teacher is bad" in rest


@pytest.mark.parametrize("width", [60, 80, 110])
def test_the_verdict_is_readable_at_any_width(width: int) -> None:
    verdict = verdict_of("p" * 64)
    long = TargetVerdict(
        target="max_drop.out_of_scope_recall",
        title="out-of-scope recall, drop on validation",
        unit="points",
        limit=12.5,
        value=10.25,
        bound=11.75,
        status=Status.PASS,
    )
    text = printed(verdict_table(verdict.replace(target_verdicts=(*verdict.target_verdicts, long))), width)
    lines = text.splitlines()
    assert "…" not in text and max(map(len, lines)) <= width
    rows = {
        ("0.73", "1.12", "≤ 1.00 points", "UNPROVEN"),
        ("7.90", "7.60", "≥ 4.00×", "PASS"),
        ("8.2", "8.2", "≤ 8.0 MB", "FAIL"),
        ("–", "–", "≤ 100.0 MB", "UNPROVEN"),
        ("10.25", "11.75", "≤ 12.50 points", "PASS"),
    }
    for row in rows:
        assert any(line.rstrip().endswith(row[-1]) and all(cell in line for cell in row) for line in lines), row
    words = " ".join(text.split())
    assert "in-scope accuracy, drop: 4,500 examples do not prove it. To settle it: about 9,800 more test" in words
    assert words.count(WARNING) == 1
    if width >= 80:
        assert len([line for line in lines if line.rstrip().endswith(("PASS", "FAIL", "UNPROVEN"))]) == 6


def test_one_reason_of_several_targets_is_printed_once() -> None:
    reason = "the measurement does not count: crowded"
    targets = tuple(
        TargetVerdict(target=name, title=name, unit="ms", limit=1.0, status=Status.UNPROVEN, reason=reason)
        for name in ("p50", "p95")
    )
    verdict = verdict_of("p").replace(target_verdicts=targets)
    text = printed(verdict_table(verdict))
    assert text.count("crowded") == 1
    assert f"  p50; p95: {reason}" in text


def test_tags_of_words_have_a_table_beside_the_entities() -> None:
    spec = tasks.get("token-classification").spec_for(("O", "B-room", "I-room"))
    answers = [(("B-room", "I-room", "O"), ("B-room", "O", "O")), (("O", "B-room"), ("O", "B-room"))]
    rows = [
        line.replace("│", " ").split()
        for line in printed(class_tables(accuracy_of("p" * 64, spec, answers))).splitlines()
    ]
    assert ["room", "50.0", "50.0", "50.0", "2"] in rows
    assert ["I-room", "0.0", "0.0", "0.0", "1"] in rows
    assert ["B-room", "100.0", "100.0", "100.0", "2"] in rows
    assert ["micro", "avg", "100.0", "66.7", "80.0", "3"] in rows
    assert ["macro", "avg", "50.0", "50.0", "50.0", "3"] in rows
    assert ["weighted", "avg", "66.7", "66.7", "66.7", "3"] in rows


def test_vectors_are_compared_by_their_cosine(make_payload: Callable[..., Any]) -> None:
    payload = make_payload(kind="sentence-embedding")
    spec = payload.manifest.head
    whole = [("a", (1.0, 0.0)), ("a", (0.6, 0.8)), ("b", (0.0, 1.0))]
    before = accuracy_of("b" * 64, spec, whole)
    after = accuracy_of(payload.digest, spec, [("a", (1.0, 0.0)), ("a", (0.8, 0.6)), ("b", (0.0, 1.0))])
    text = " ".join(printed(comparison_table(before, after, 2.0, 1.0, right_or_wrong=False)).split())
    assert "The cosine of the vectors of the teacher and the package is 1.0000 (median), and at least 0.9600." in text
    short = accuracy_of(payload.digest, spec, [(name, vector[:1]) for name, vector in whole])
    text = " ".join(printed(comparison_table(before, short, 2.0, 1.0, right_or_wrong=False)).split())
    assert "The vectors of the teacher have 2 numbers, and those of the package have 1." in text
    assert "McNemar" not in text and "a vector" in printed(package_table(payload))


def test_numbers_of_several_tasks_are_no_vector() -> None:
    spec = tasks.get("stars=regression,length=regression").spec_for(("stars.stars", "length.length"))
    answers = [((1.0, 2.0), (1.0, 2.0)), ((2.0, 1.0), (2.0, 1.0)), ((3.0, 4.0), (3.0, 4.0))]
    before, after = (
        accuracy_of(name * 64, spec, [*answers[:2], ((3.0, 4.0), last)])
        for name, last in (("b", (3.0, 4.0)), ("a", (3.0, 5.0)))
    )
    before, after = (
        each.replace(rows=tuple(row.replace(scores=row.label) for row in each.rows)) for each in (before, after)
    )
    text = " ".join(printed(comparison_table(before, after, 2.0, 1.0, right_or_wrong=False)).split())
    assert "1 of 3 answers differ" in text and "cosine" not in text


def test_numbers_are_compared_by_their_distance_and_not_by_right_and_wrong(make_payload: Callable[..., Any]) -> None:
    payload = make_payload(kind="regression")
    spec = payload.manifest.head
    before = accuracy_of("b" * 64, spec, [(1.0, 1.25), (2.0, 2.0), (3.0, 2.5)])
    after = accuracy_of(payload.digest, spec, [(1.0, 1.5), (2.0, 2.0), (3.0, 2.0)])
    text = printed(comparison_table(before, after, 2.0, 1.0, right_or_wrong=False))
    assert "2 of 3 answers differ, by 0.25 (median) and at most 0.5." in text
    assert "McNemar" not in text
    assert re.search(r"RMSE\s+│\s+0\.3227\s+│\s+0\.6455\s+│\s+\+0\.3227", text)
    assert "Spearman" in text and "a number" in printed(package_table(payload))


def test_answers_from_a_text_are_counted_and_not_called_right_or_wrong(make_payload: Callable[..., Any]) -> None:
    """A question may have several right answers, so an answer that is not the first one need not be wrong."""
    spec = make_payload(kind="question-answering").manifest.head
    before = accuracy_of("b" * 64, spec, [(("red", "a red"), ("red",)), ((), ())])
    after = accuracy_of("a" * 64, spec, [(("red", "a red"), ("a red",)), ((), ())])
    text = printed(comparison_table(before, after, 2.0, 1.0, right_or_wrong=False))
    assert "1 of 2 answers differ." in text
    assert "McNemar" not in text


def test_answers_that_are_classes_are_lost_or_gained(make_payload: Callable[..., Any]) -> None:
    spec = make_payload().manifest.head
    one, other = spec.labels[:2]
    before = accuracy_of("b" * 64, spec, [(one, one), (one, other), (other, other)])
    after = accuracy_of("a" * 64, spec, [(one, other), (one, one), (other, other)])
    text = printed(comparison_table(before, after, 2.0, 1.0, right_or_wrong=True))
    assert "2 of 3 answers differ; 1 right ones were lost, 1 gained (exact McNemar p = 1)." in text


def test_equal_numbers_do_not_differ(make_payload: Callable[..., Any]) -> None:
    spec = make_payload(kind="regression").manifest.head
    same = accuracy_of("b" * 64, spec, [(1.0, 1.25), (2.0, 2.0)])
    assert "0 of 2 answers differ." in printed(comparison_table(same, same, 2.0, 1.0, right_or_wrong=False))
