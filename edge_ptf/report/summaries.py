"""Results in a few plain lines, for `print` in Python: the verdict, the important figures, and where the files are."""

from __future__ import annotations

from collections.abc import Sequence

from edge_ptf import tasks
from edge_ptf.credentials import masked
from edge_ptf.data.label_quality import LabelErrors
from edge_ptf.data_check import DataCheck
from edge_ptf.escaping import escaped
from edge_ptf.metrics import Metric, gated
from edge_ptf.package.evidence import AccuracyEvidence, LatencyEvidence, MemoryEvidence, Status, Verdict
from edge_ptf.report.comparison import SideBySide
from edge_ptf.report.figures import figures
from edge_ptf.report.formatting import answer_form, metric_words
from edge_ptf.report.stage_lines import bench_line
from edge_ptf.report.study import Study

MOST_LINES = 5
WORDS = {Status.FAIL: "missed", Status.UNPROVEN: "open"}


class Printed:
    """A result that prints as at most five plain lines; its `repr` is the first of them.

    Names and labels may come from others, so control characters are escaped and passwords are masked.
    """

    __slots__ = ()

    def lines(self) -> Sequence[str]:
        """The verdict or what was done, the important figures, where the files are."""
        raise NotImplementedError

    def __str__(self) -> str:
        return "\n".join(escaped(masked(line)) for line in self.lines()[:MOST_LINES])

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {escaped(masked(self.lines()[0]))}>"


def verdict_line(verdict: Verdict | None) -> str:
    """The status, the profile, and the targets that are not proven."""
    if verdict is None:
        return "Verdict: not sealed, none inside"
    if verdict.status is None:
        return f"Verdict: none on {verdict.profile}, no target is set"
    proven = sum(item.status is Status.PASS for item in verdict.target_verdicts)
    count = len(verdict.target_verdicts)
    parts = [f"Verdict: {verdict.status.value} on {verdict.profile}: {proven} of {count} targets proven"]
    for status, word in WORDS.items():
        if names := [item.title for item in verdict.target_verdicts if item.status is status]:
            parts.append(f"{word}: {', '.join(names)}")
    return "; ".join(parts)


def scores_line(metrics: Sequence[Metric], teacher: AccuracyEvidence | None, package: AccuracyEvidence) -> str:
    """Each judged metric of the teacher and of the package."""
    parts = []
    for metric in gated(metrics):
        if (value := package.metrics.get(metric.name)) is not None:
            before = teacher.metrics.get(metric.name) if teacher else None
            unit = "%" if metric.unit == "points" else metric.unit
            change = "" if before is None else f"{before:.{metric.digits}f} → "
            parts.append(f"{metric_words(metric.name)} {change}{value:.{metric.digits}f} {unit}".rstrip())
    return ", ".join(parts)


def cost_line(sizes_mb: tuple[float, float], latency: LatencyEvidence, memory: MemoryEvidence) -> str:
    """Size, latency, speed-up and memory.

    Args:
        sizes_mb: the teacher's, then the package's.
    """
    return f"size {sizes_mb[1]:.2f} MB instead of {sizes_mb[0]:.2f} MB, {bench_line((latency, memory))}"


def study_line(study: Study) -> str:
    """The figures of a package that are known."""
    return ", ".join(f"{each.name} {each.text}" for each in figures(study))


def check_lines(found: DataCheck) -> list[str]:
    """Whether the data can be used, their size, and the warnings."""
    rows = ", ".join(f"{name} {split.rows:,}" for name, split in found.data.splits.items())
    count = len(found.warnings)
    said = f"with {count} warning{'s' if count > 1 else ''}" if count else "without a warning"
    lines = [
        f"{found.task} data can be used, {said}",
        f"{answer_form(tasks.get(found.task), len(found.labels))}; rows: {rows}",
    ]
    lines += [f"can be proven: {each.sentence}" for each in found.provable[:1]]
    shown = found.warnings[: MOST_LINES - len(lines)]
    lines += [f"warning: {warning}" for warning in shown]
    if (hidden := count - len(shown)) > 0:
        lines[-1] = f"{lines[-1]} (and {hidden} more)"
    return lines


NOTHING_LEARNED = (
    "the models are no better than the most frequent label alone, so the list means nothing. Give more examples, or "
    "train longer (--set finetune.epochs=10)"
)


def label_error_lines(found: LabelErrors) -> list[str]:
    """How many labels are likely wrong, the surest of them, and the worst class."""
    lines = [
        f"Label errors: {len(found.errors):,} of {found.texts:,} labels are likely wrong; {found.accuracy:.1f} % of "
        f"the answers of {found.folds} folds are the label"
    ]
    if not found.learned:
        lines.append(f"warning: {NOTHING_LEARNED}")
    lines += [f"{each.text!r}: {each.label}, rather {each.suggested}" for each in found.errors[:1]]
    worst = found.classes[0]
    confused = f", most often confused with {worst.confused_with}" if worst.confused_with else ""
    return [*lines, f"worst class: {worst.label}, {worst.recall:.1f} % of {worst.texts:,} texts{confused}"]


def comparison_lines(found: SideBySide) -> list[str]:
    """The two packages, the figures that differ, and the first note."""
    status = {row.name: row for row in found.facts}.get("verdict")
    verdicts = (status.left, status.right) if status else ("", "")
    sides = [f"{name} ({said})" if said else name for name, said in zip(found.names, verdicts, strict=True)]
    differing = [f"{row.name} {row.left} → {row.right}" for row in found.figures if row.left != row.right]
    lines = [f"A: {sides[0]}, B: {sides[1]}", ", ".join(differing) or "no figure differs"]
    return [*lines, *found.notes[:1]]
