"""Tables of the terminal."""

from __future__ import annotations

from rich.console import Console, RenderableType

from edge_ptf.package.evidence import Status, TargetVerdict, Verdict
from edge_ptf.report.terminal import verdict_table


def printed(item: RenderableType) -> str:
    console = Console(width=200)
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
