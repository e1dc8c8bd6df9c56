"""The top of the report: the verdict in one sentence, and each target with its margin drawn to scale."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from edge_ptf.package.evidence import Status, TargetVerdict, Verdict
from edge_ptf.report.formatting import counted, figure_text
from edge_ptf.report.target_verdicts import limit_text

MARKS = {Status.PASS: "✓", Status.FAIL: "✕", Status.UNPROVEN: "?"}
MEANING = {Status.PASS: "proven", Status.FAIL: "missed", Status.UNPROVEN: "open"}
SENTENCES = {
    Status.PASS: "Every target is met and proven.",
    Status.FAIL: "At least one target is missed.",
    Status.UNPROVEN: "No target is missed, but open targets need more evidence.",
}


@dataclass(frozen=True, slots=True)
class Scale:
    """Positions on a line from 0 to 100; None for a value that was not measured."""

    allowed_from: float
    allowed_to: float
    limit: float
    value: float | None
    bound: float | None

    @property
    def reach(self) -> tuple[float, float] | None:
        """Left end and length of the line from value to bound."""
        if self.value is None or self.bound is None:
            return None
        return min(self.value, self.bound), abs(self.bound - self.value)


@dataclass(frozen=True, slots=True)
class Target:
    """One target verdict in words."""

    title: str
    status: str
    mark: str
    value: str
    bound: str
    limit: str
    margin: str
    reason: str
    settle: str
    scale: Scale


def targets(verdict: Verdict) -> list[Target]:
    """All targets, in the verdict's order."""
    return [_target(item) for item in verdict.target_verdicts]


def summary(verdict: Verdict | None) -> str:
    """The sentence at the top of the report."""
    if verdict is None:
        return "This package is not sealed: nothing was judged."
    if verdict.status is None:
        return "Nothing judged: neither the profile nor the command line sets a target."
    counts = Counter(item.status for item in verdict.target_verdicts)
    parts = [f"{counts[status]} {MEANING[status]}" for status in MEANING if counts[status]]
    return f"{SENTENCES[verdict.status]} {counted(len(verdict.target_verdicts), 'target')}: {', '.join(parts)}."


def scale(item: TargetVerdict) -> Scale:
    """The positions of limit, value, bound and zero. All of them fit on the line."""
    shown = [number for number in (item.limit, item.value, item.bound, 0.0) if number is not None]
    low, high = min(shown), max(shown)
    space = 0.12 * (high - low or abs(high) or 1.0)
    low, high = low - (space if low < 0 else 0.0), high + space

    def place(number: float) -> float:
        return round(100 * (number - low) / (high - low), 2)

    limit = place(item.limit)
    return Scale(
        allowed_from=limit if item.at_least else 0.0,
        allowed_to=100.0 if item.at_least else limit,
        limit=limit,
        value=None if item.value is None else place(item.value),
        bound=None if item.bound is None else place(item.bound),
    )


def _target(item: TargetVerdict) -> Target:
    return Target(
        title=item.title,
        status=item.status.value,
        mark=MARKS[item.status],
        value=figure_text(item.value, item.unit),
        bound=figure_text(item.bound, item.unit),
        limit=limit_text(item),
        margin="–" if item.margin is None else figure_text(item.margin, item.unit),
        reason=item.reason,
        settle=item.settle,
        scale=scale(item),
    )
