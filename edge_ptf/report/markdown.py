"""The verdict and the results of a run as Markdown, for the summary page of a CI job or for a comment."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from edge_ptf import statistics
from edge_ptf.package.evidence import AccuracyEvidence, LatencyEvidence, MemoryEvidence, Status, Verdict
from edge_ptf.report.formatting import figure_text, metric_words, score_text
from edge_ptf.report.target_verdicts import explanation, limit_text

MARKS = {Status.PASS: "✅", Status.FAIL: "❌", Status.UNPROVEN: "⚠️"}
SPECIAL = re.compile(r"([\\`*_\[\]#|~<>&@$]|:(?=[\w+-]+:|//))")
"""Characters with a meaning in Markdown. A colon has one only in `:name:` (an emoji) and in an address."""
SHOWN_CLASSES = 5


def verdict_summary(verdict: Verdict, package: str) -> str:
    """The table of the verdict, with the actions that settle open targets."""
    status = verdict.status
    title = f"{MARKS[status]} {status.value}" if status else "Nothing judged"
    lines = [f"## {escape(package)} on {escape(verdict.profile)}: {title}", ""]
    if status is None:
        lines += ["Neither the profile nor the command line sets a target.", ""]
    else:
        lines += _table(
            ("", "target", "value", f"{100 * verdict.confidence:g} % bound", "limit", "reason, and how to settle it"),
            [
                (
                    f"{MARKS[item.status]} {item.status.value}",
                    item.title,
                    figure_text(item.value, item.unit),
                    figure_text(item.bound, item.unit),
                    limit_text(item),
                    explanation(item),
                )
                for item in verdict.target_verdicts
            ],
            numbers=(2, 3, 4),
        )
    lines += [f"- Warning: {escape(warning)}" for warning in verdict.warnings]
    lines += [""] if verdict.warnings else []
    return "\n".join([*lines, f"Payload `{verdict.payload[:12]}`", ""])


def run_summary(
    verdict: Verdict,
    package: str,
    accuracies: tuple[AccuracyEvidence, AccuracyEvidence],
    sizes_mb: tuple[float, float],
    latency: LatencyEvidence | None,
    memory: MemoryEvidence | None,
) -> str:
    """The verdict, then the figures of teacher and package, then the classes with the lowest F1.

    Args:
        accuracies, sizes_mb: first the teacher's, then the package's.
    """
    lines = [verdict_summary(verdict, package), "### Teacher and package", ""]
    lines += _table(("", "teacher", "package"), list(_figures(accuracies, sizes_mb, latency, memory)), numbers=(1, 2))
    worst = sorted(accuracies[1].class_report, key=lambda row: (row["f1"], row["name"]))[:SHOWN_CLASSES]
    if worst:
        lines += ["### Lowest F1 by class", ""]
        rows = [(str(row["name"]), f"{row['f1']:.1f} %", f"{row['support']:,}") for row in worst]
        lines += _table(("class", "F1", "support"), rows, numbers=(1, 2))
    return "\n".join(lines)


def _figures(
    accuracies: tuple[AccuracyEvidence, AccuracyEvidence],
    sizes_mb: tuple[float, float],
    latency: LatencyEvidence | None,
    memory: MemoryEvidence | None,
) -> Iterator[tuple[str, ...]]:
    teacher, own = accuracies
    for name, value in own.metrics.items():
        before = teacher.metrics.get(name)
        yield metric_words(name), score_text(name, before), score_text(name, value)
    yield "package size", *(figure_text(size, "MB") for size in sizes_mb)
    if latency is not None:
        for share in (0.5, 0.95):
            samples = [
                [ms for launch in latency.launches for ms in getattr(launch, name)]
                for name in ("baseline_end_to_end_ms", "end_to_end_ms")
            ]
            shown = [figure_text(statistics.percentile(ms, share) if ms else None, "ms") for ms in samples]
            yield f"latency, p{100 * share:g}", *shown
    if memory is not None:
        yield "peak memory", "–", figure_text(max(memory.peak_memory_mb), "MB")


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]], *, numbers: Sequence[int]) -> list[str]:
    """A table in GitHub's Markdown, followed by an empty line. Every cell is escaped."""
    marks = ["---:" if place in numbers else "---" for place in range(len(heads))]
    cells = [heads, *([escape(cell) for cell in row] for row in rows)]
    written = [f"| {' | '.join(row)} |" for row in cells]
    return [written[0], f"| {' | '.join(marks)} |", *written[1:], ""]


def escape(text: str) -> str:
    """Escapes a text to one line without any meaning for Markdown, HTML or mentions.

    A special character becomes a numeric reference. This works in every dialect and in tables.
    """
    flat = "".join(character if character.isprintable() else " " for character in " ".join(text.split()))
    return SPECIAL.sub(lambda found: f"&#{ord(found[1])};", flat)
