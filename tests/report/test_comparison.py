"""Comparison of two studies."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from rich.console import Console

from edge_ptf.report import terminal
from edge_ptf.report.comparison import compare
from edge_ptf.report.page import comparison_page

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
