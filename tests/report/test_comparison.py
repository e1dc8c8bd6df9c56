"""Comparison of two studies."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from rich.console import Console

from edge_ptf.report import terminal
from edge_ptf.report.comparison import compare
from edge_ptf.report.page import comparison_page
from edge_ptf.report.study import read_study

from .conftest import MACHINE, accuracy_of, latency_of


def shown(found: Any) -> str:
    out = io.StringIO()
    Console(file=out, width=160).print(terminal.two_studies_table(found))
    return out.getvalue()


def test_one_package_on_two_devices(make_study: Callable[..., Any]) -> None:
    left = make_study()
    other = latency_of(left.payload.digest).replace(
        machine=MACHINE.replace(device_model="Raspberry Pi 5"), flags=("throttled",)
    )
    found = compare(left, replace(left, latencies=(other,)), ("here.eptf", "pi.eptf"))
    assert found.same_payload
    rows = {row.name: row for row in found.facts}
    assert (rows["measured on"].left, rows["measured on"].right) == ("Test CPU", "Raspberry Pi 5")
    assert "Latency was measured on two different machines." in found.notes
    assert "B's latency does not count: throttled" in found.notes
    assert "0 of 400 test texts are answered differently." in found.notes
    assert "The payload is identical" in shown(found)
    page = comparison_page(found)
    assert "One package, two measurements" in page
    assert len(page) < 60_000, "no plots, no library"


def test_a_difference_says_which_is_better(make_study: Callable[..., Any]) -> None:
    left = make_study()
    smaller = replace(left.payload, size_bytes=left.payload.size_bytes // 2, digest="e" * 64)
    spec = left.payload.manifest.head
    worse = [(row.reference, spec.labels[0]) for row in left.accuracy.rows]
    right = replace(left, payload=smaller, accuracy=accuracy_of("e" * 64, spec, worse))
    rows = {row.name: row for row in compare(left, right, ("a", "b")).figures}
    assert rows["package size"].better == 1
    assert rows["package size"].difference == "-50.0 %"
    assert rows["in-scope accuracy"].better == -1
    assert rows["speed-up"].better == 0
    assert rows["in-scope accuracy"].difference.endswith("points")


def test_other_test_splits_do_not_compare(make_study: Callable[..., Any]) -> None:
    left, right = make_study(), make_study(rows=300)
    assert any("different splits" in note for note in compare(left, right, ("a", "b")).notes)
    bare = replace(left, accuracy=None, baseline=None, latencies=(), memories=(), verdict=None)
    rows = {row.name: row for row in compare(left, bare, ("a", "b")).figures}
    assert rows["in-scope accuracy"].right == "–"


QUESTIONS = [(("red", "a red"), ("red",)), ((), ())]


@pytest.mark.parametrize(
    ("kind", "before", "after", "notes"),
    [
        (
            "sentence-embedding",
            [("a", (1.0, 0.0)), ("a", (0.6, 0.8)), ("b", (0.0, 1.0))],
            [("a", (1.0, 0.0)), ("a", (0.8, 0.6)), ("b", (0.0, 1.0))],
            ["The cosine of the vectors of A and B is 1.0000 (median), and at least 0.9600."],
        ),
        (
            "sentence-embedding",
            [("a", (1.0, 0.0)), ("a", (0.6, 0.8))],
            [("a", (1.0,)), ("a", (1.0,))],
            ["The vectors of A have 2 numbers, and those of B have 1."],
        ),
        (
            "sentence-embedding",
            [(("1", "2"), (1.0, 0.0, 0.0, 1.0)), (("3", "4"), (0.0, 1.0, 1.0, 0.0))],
            [(("1", "2"), (1.0, 0.0, 0.6, 0.8)), (("3", "4"), (0.0, 1.0, 1.0, 0.0))],
            ["The cosine of the vectors of A and B is 1.0000 (median), and at least 0.8000."],
        ),
        (
            "regression",
            [(1.0, 1.25), (2.0, 2.0), (3.0, 2.5)],
            [(1.0, 1.5), (2.0, 2.0), (3.0, 2.0)],
            ["2 of 3 answers differ, by 0.25 (median) and at most 0.5."],
        ),
        (
            "question-answering",
            QUESTIONS,
            [(QUESTIONS[0][0], ("a red",)), QUESTIONS[1]],
            ["1 of 2 test texts are answered differently."],
        ),
    ],
    ids=["vectors", "vectors of other sizes", "vectors of pairs", "numbers", "parts of a text"],
)
def test_answers_that_are_not_right_or_wrong_are_not_lost_or_gained(
    kind: str, before: list[Any], after: list[Any], notes: list[str], make_payload: Callable[..., Any]
) -> None:
    payload = make_payload(kind=kind)
    spec = payload.manifest.head
    left, right = (
        replace(read_study(payload), accuracy=accuracy_of(payload.digest, spec, rows)) for rows in (before, after)
    )
    same, *found = compare(left, right, ("a", "b")).notes
    assert "identical" in same
    assert found == notes


def test_right_answers_are_lost_and_gained(make_study: Callable[..., Any]) -> None:
    left = make_study(rows=40)
    spec, rows = left.payload.manifest.head, left.accuracy.rows
    answers = [(row.reference, row.reference if number else "wrong") for number, row in enumerate(rows)]
    perfect = [(row.reference, row.reference) for row in rows]
    left, right = (replace(left, accuracy=accuracy_of("e" * 64, spec, said)) for said in (answers, perfect))
    notes = compare(left, right, ("a", "b")).notes
    assert "1 of 40 test texts are answered differently." in notes
    assert "From A to B, 0 right answers are lost and 1 are gained." in notes
