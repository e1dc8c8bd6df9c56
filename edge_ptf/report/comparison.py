"""Compares two studies: two packages, or one package on two devices."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from edge_ptf.package.evidence import LatencyEvidence, MemoryEvidence, Status
from edge_ptf.report import figures
from edge_ptf.report.figures import SIZE, Figure
from edge_ptf.report.formatting import score_number
from edge_ptf.report.study import Study


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the comparison."""

    name: str
    left: str
    right: str
    difference: str = ""
    better: int = 0
    """-1: the left one is better, 1: the right one is better, 0: neither, or unknown."""


@dataclass(frozen=True, slots=True)
class SideBySide:
    """Everything that a comparison of two studies shows."""

    names: tuple[str, str]
    same_payload: bool
    facts: tuple[Row, ...]
    figures: tuple[Row, ...]
    targets: tuple[Row, ...]
    notes: tuple[str, ...]


def compare(left: Study, right: Study, names: tuple[str, str]) -> SideBySide:
    """Subtracts figures that both studies have. A difference is "better" only if both evidences count equally."""
    same = left.payload.digest == right.payload.digest
    return SideBySide(
        names=names,
        same_payload=same,
        facts=tuple(_facts(left, right)),
        figures=tuple(_figures(left, right)),
        targets=tuple(_targets(left, right)),
        notes=tuple(_notes(left, right, same)),
    )


def _facts(left: Study, right: Study) -> Iterator[Row]:
    said: dict[str, Callable[[Study], str]] = {
        "package": lambda study: study.payload.manifest.name,
        "payload": lambda study: study.payload.digest[:12],
        "task": lambda study: study.payload.manifest.head.task,
        "made from": lambda study: study.payload.manifest.lineage.base_model,
        "layers": lambda study: str(len(study.payload.manifest.graph.layers)),
        "form": _form,
        "measured on": _machine,
        "threads": lambda study: str(study.latencies[0].runtime.threads) if study.latencies else "–",
        "verdict": _status,
    }
    for name, say in said.items():
        yield Row(name, say(left), say(right))


def _figures(left: Study, right: Study) -> Iterator[Row]:
    mine = {figure.name: figure for figure in figures.figures(left)}
    others = {figure.name: figure for figure in figures.figures(right)}
    for name in dict.fromkeys([*mine, *others]):
        metric = (mine.get(name) or others[name]).metric
        compares = _same_answers(left, right) if metric else name == SIZE or _measured_alike(left, right)
        yield _figure_row(name, mine.get(name), others.get(name), compares)


def _same_answers(left: Study, right: Study) -> bool:
    """Whether both packages answered the same texts."""
    before, after = left.accuracy, right.accuracy
    return bool(before and after and before.data == after.data and len(before.rows) == len(after.rows))


def _measured_alike(left: Study, right: Study) -> bool:
    """Whether times and memory count, and come from one kind of machine with the same number of threads."""
    records: list[LatencyEvidence | MemoryEvidence] = []
    for study in (left, right):
        records += [*study.latencies[:1], *([study.compared] if study.compared else []), *study.memories[:1]]
    machines = {record.machine.replace(governor="") for record in records}
    threads = {record.runtime.threads for record in records}
    return len(machines) <= 1 and len(threads) <= 1 and not any(record.flags for record in records)


def _figure_row(name: str, left: Figure | None, right: Figure | None, compares: bool) -> Row:
    before, after = ("–" if figure is None else figure.text for figure in (left, right))
    if left is None or right is None or left.value is None or right.value is None:
        return Row(name, before, after)
    change = right.value - left.value
    shown = (
        f"{score_number(left.metric, change, '+')} {left.unit}".rstrip()
        if left.metric
        else f"{100 * change / left.value:+.1f} %"
    )
    better = 0 if abs(change) < 1e-9 or not compares else (1 if change * left.better > 0 else -1)
    return Row(name, before, after, difference=shown, better=better)


def _targets(left: Study, right: Study) -> Iterator[Row]:
    found = [
        {item.title: item.status.value for item in study.verdict.target_verdicts} if study.verdict else {}
        for study in (left, right)
    ]
    for title in dict.fromkeys([*found[0], *found[1]]):
        yield Row(title, found[0].get(title, "–"), found[1].get(title, "–"))


def _notes(left: Study, right: Study, same: bool) -> Iterator[str]:
    if same:
        yield "The payload is identical: the differences come from another device or another time."
    yield from _answers(left, right)
    if left.latencies and right.latencies and left.latencies[0].machine != right.latencies[0].machine:
        yield "Latency was measured on two different machines."
    elif left.latencies and right.latencies and not same:
        yield "The latencies come from two separate runs: small differences may come from the machine."
    for name, study in (("A", left), ("B", right)):
        for record in study.latencies:
            yield from (f"{name}'s latency does not count: {flag}" for flag in record.flags)


def _answers(left: Study, right: Study) -> Iterator[str]:
    before, after = left.accuracy, right.accuracy
    if before is None or after is None:
        return
    if (before.data, before.split) != (after.data, after.split) or len(before.rows) != len(after.rows):
        yield "Accuracy was measured on different splits: the percentages cannot be compared."
        return
    differ = sum(a.label != b.label for a, b in zip(before.rows, after.rows, strict=True))
    yield f"{differ:,} of {len(after.rows):,} {after.split} texts are answered differently."
    if any(isinstance(row.reference, float) for row in after.rows):
        return
    lost = sum(a.is_right and not b.is_right for a, b in zip(before.rows, after.rows, strict=True))
    gained = sum(b.is_right and not a.is_right for a, b in zip(before.rows, after.rows, strict=True))
    yield f"From A to B, {lost:,} right answers are lost and {gained:,} are gained."


def _form(study: Study) -> str:
    return str(study.payload.manifest.graph.scheme)


def _machine(study: Study) -> str:
    if not study.latencies:
        return "not measured"
    machine = study.latencies[0].machine
    return machine.device_model or machine.cpu


def _status(study: Study) -> str:
    if study.verdict is None:
        return "not sealed"
    status: Status | None = study.verdict.status
    return status.value if status else "nothing judged"
