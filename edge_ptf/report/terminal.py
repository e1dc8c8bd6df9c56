"""Tables and lines for the terminal. `cli` prints them. Nothing is decided here."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rich import box
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from edge_ptf import statistics, tasks
from edge_ptf.config import Source
from edge_ptf.package.evidence import AccuracyEvidence, LatencyEvidence, MemoryEvidence, Status, Verdict
from edge_ptf.package.manifest import Manifest
from edge_ptf.package.payload import Payload
from edge_ptf.report.formatting import (
    answer_form,
    counted,
    figure_number,
    metric_words,
    score_number,
    score_text,
    spread_texts,
)
from edge_ptf.report.tables import titled_table
from edge_ptf.report.target_verdicts import limit_text

if TYPE_CHECKING:
    from edge_ptf.bench import Comparison
    from edge_ptf.data.dataset import DataReport
    from edge_ptf.report.comparison import SideBySide

COLOURS = {Status.PASS: "green", Status.FAIL: "red", Status.UNPROVEN: "yellow"}
SHOWN_CLASSES = 8
ENGINES = ("baseline_engine_ms", "engine_ms")


def headline(title: str, rows: Mapping[str, str]) -> RenderableType:
    """What the command is about to do."""
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    table.add_column(style="dim")
    table.add_column(overflow="fold")
    for name, value in rows.items():
        table.add_row(name, value)
    return Group(Text(title, style="bold"), table, Text(""))


def data_table(report: DataReport) -> RenderableType:
    """The splits, their classes, and the remarks of the reader."""
    table = titled_table(f"Data: {report.source}")
    table.add_column("split")
    for name in ("rows", "classes", "mean words", "longest"):
        table.add_column(name, justify="right")
    numbers = any(split.values for split in report.splits.values())
    table.add_column("values" if numbers else "least and most frequent class")
    for name, split in report.splits.items():
        ordered = sorted(split.classes.items(), key=lambda item: (item[1], item[0]))
        ends = [ordered[0], ordered[-1]] if ordered else []
        shown = split.values.sentence if split.values else " … ".join(f"{label} ({count:,})" for label, count in ends)
        table.add_row(
            name,
            f"{split.rows:,}",
            "–" if numbers else str(len(ordered)),
            f"{split.mean_words:.1f}",
            str(split.longest_words),
            shown,
        )
    notes = [f"Split: {report.split_by}."]
    notes += list(report.notes)
    return Group(table, *(Text(f"  {note}", style="dim") for note in notes), Text(""))


def warning_line(warning: str) -> RenderableType:
    """One warning."""
    return Text(f"  Warning: {warning}.", style="yellow")


def verdict_table(verdict: Verdict, shown: Collection[str] = ()) -> RenderableType:
    """Every target with value, bound, limit and status, then the reasons and how to settle them, and the warnings.

    Numbers never wrap: at 80 columns a row has one or two lines. The unit stands in the limit.

    Args:
        shown: warnings that a table above shows, such as those about latency.
    """
    warnings = [_indented(f"Warning: {warning}.", "yellow") for warning in verdict.warnings if warning not in shown]
    if verdict.status is None:
        nothing = Text("Nothing judged: neither the profile nor the command line sets a target.", style="bold")
        return Group(nothing, *warnings)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("target", overflow="fold")
    for name in ("value", f"{100 * verdict.confidence:g} % bound", "limit"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("status", no_wrap=True)
    for item in verdict.target_verdicts:
        table.add_row(
            item.title,
            figure_number(item.value, item.unit),
            figure_number(item.bound, item.unit),
            limit_text(item),
            Text(item.status.value, style=f"bold {COLOURS[item.status]}"),
        )
    overall = Text("\nOverall: ")
    overall.append(verdict.status.value, style=f"bold {COLOURS[verdict.status]}")
    return Group(
        Text(f"Verdict for profile {verdict.profile}", style="bold"), table, *_reasons(verdict), *warnings, overall
    )


def _reasons(verdict: Verdict) -> Iterator[RenderableType]:
    """Why targets are open, and below each reason how to settle it. Targets with the same reason share it."""
    found: dict[tuple[str, str], list[str]] = {}
    for item in verdict.target_verdicts:
        if item.reason or item.settle:
            found.setdefault((item.reason, item.settle), []).append(item.title)
    for (reason, settle), titles in found.items():
        yield _indented(f"{'; '.join(titles)}: {reason or 'open'}.")
        if settle:
            yield _indented(f"To settle it: {settle}", by=4)


def _indented(text: str, style: str = "", by: int = 2) -> RenderableType:
    """A text whose lines all begin under each other."""
    return Padding(Text(text, style=style), (0, 0, 0, by), expand=False)


def comparison_table(
    baseline: AccuracyEvidence, package: AccuracyEvidence, baseline_mb: float, package_mb: float
) -> RenderableType:
    """Every metric and the size, for the teacher and the package."""
    table = titled_table(
        "Cross-validated, teachers and packages" if package.folds else "Test split, teacher and package"
    )
    table.add_column("")
    for name in ("teacher (FP32)", "package", "difference"):
        table.add_column(name, justify="right")
    for name, before in baseline.metrics.items():
        after = package.metrics.get(name)
        if after is not None:
            change = score_number(name, after - before, "+")
            table.add_row(metric_words(name), score_text(name, before), score_text(name, after), change)
    table.add_row("package size", f"{baseline_mb:.1f} MB", f"{package_mb:.1f} MB", f"÷ {baseline_mb / package_mb:.1f}")
    return Group(table, Text(f"  {_changes(baseline, package)}", style="dim"), Text(""))


def seeds_table(count: int, spread: Mapping[str, Mapping[str, tuple[float, float]]]) -> RenderableType:
    """Mean and standard deviation of every metric over the runs with all seeds.

    Args:
        count: of the runs.
        spread: by metric, then for teacher, package and difference.
    """
    table = titled_table(f"{count} seeds, mean ± standard deviation")
    table.add_column("")
    for name in ("teacher (FP32)", "package", "difference"):
        table.add_column(name, justify="right")
    for name, found in spread.items():
        table.add_row(metric_words(name), *spread_texts(name, found))
    return Group(table, Text("  The first of them ships, and the verdict is about it.", style="dim"), Text(""))


def _changes(baseline: AccuracyEvidence, package: AccuracyEvidence) -> str:
    """How many answers differ, how many were lost and gained, and whether chance explains this."""
    pairs = list(zip(baseline.rows, package.rows, strict=True))
    changed = sum(before.label != after.label for before, after in pairs)
    apart = [
        abs(before.label - after.label)
        for before, after in pairs
        if isinstance(before.label, float) and isinstance(after.label, float)
    ]
    if apart:
        return (
            f"{changed:,} of {len(pairs):,} answers differ, by {statistics.percentile(apart, 0.5):.3g} (median) and at "
            f"most {max(apart):.3g}."
        )
    lost = sum(before.is_right and not after.is_right for before, after in pairs)
    gained = sum(after.is_right and not before.is_right for before, after in pairs)
    return (
        f"{changed:,} of {len(pairs):,} answers differ; {lost:,} right ones were lost, {gained:,} gained "
        f"(exact McNemar p = {statistics.mcnemar(lost, gained):.2g})."
    )


def latency_table(latency: LatencyEvidence, memory: MemoryEvidence | None) -> RenderableType:
    """Percentiles with intervals, load and first answer, speed-up, memory."""
    calls = [launch.end_to_end_ms for launch in latency.launches]
    engine = [launch.engine_ms for launch in latency.launches]
    count = sum(map(len, calls))
    table = titled_table(
        f"Latency on {latency.machine.device_model or latency.machine.cpu}, "
        f"{counted(latency.runtime.threads, 'thread')}, {_pace(latency)}{counted(len(calls), 'launch', 'launches')}, "
        f"{counted(count, 'call')}"
    )
    table.add_column("")
    table.add_column("ms", justify="right")
    table.add_column("95 % interval", justify="right")
    for title, samples, shares in (("text → answer", calls, (0.5, 0.9, 0.95, 0.99)), ("engine alone", engine, (0.5,))):
        for share in shares:
            found = statistics.launch_percentile(samples, share)
            interval = (
                "not estimable" if found.low is None or found.high is None else f"{found.low:.3f} to {found.high:.3f}"
            )
            table.add_row(f"{title}, p{100 * share:g}", f"{found.value:.3f}", interval)
    early = statistics.early_stopping_estimate([ms for launch in calls for ms in launch], 0.9)
    if early is not None:
        table.add_row("text → answer, p90 by MLPerf's rule", f"{early:.3f}", "99 % above p90, calls independent")
    for title, part in (("tokenizer", "tokenize_ms"), ("decoding", "decode_ms")):
        spent = [ms for launch in latency.launches for ms in getattr(launch, part)]
        if spent:
            table.add_row(f"{title}, p50", f"{statistics.percentile(spent, 0.5):.4f}", "")
    loads, firsts = ([getattr(launch, name) for launch in latency.launches] for name in ("load_ms", "first_ms"))
    table.add_row("load, median", f"{statistics.percentile(loads, 0.5):.1f}", "")
    table.add_row("first answer, median", f"{statistics.percentile(firsts, 0.5):.2f}", "")
    lines = [f"  Measured by {latency.runtime.runner or 'Python'}"]
    if latency.baseline:
        ratio, bound = statistics.speedup([launch.baseline_engine_ms for launch in latency.launches], engine)
        lines.append(
            f"  Speed-up over the FP32 teacher, same run: {ratio:.2f}×" + (f" (≥ {bound:.2f}×)" if bound else "")
        )
    if memory is not None:
        lines.append(f"  Peak memory: {max(memory.peak_memory_mb):.0f} MB")
    lines += [f"  Does not count: {flag}" for flag in latency.flags]
    lines += [f"  Warning: {warning}" for warning in latency.warnings]
    return Group(table, *(Text(line, style="dim") for line in lines), Text(""))


def contest_table(found: Comparison, first: str, second: str) -> RenderableType:
    """Compares two packages: the ratio of each figure, its interval, the noise floor, and the faster package."""
    table = titled_table(f"{second} ÷ {first} on {found.machine.device_model or found.machine.cpu}, alternating")
    table.add_column("")
    for name in ("ratio", "95 % interval", "noise floor"):
        table.add_column(name, justify="right")
    table.add_column("faster", overflow="fold")
    titles = {"end_to_end_ms": "text → answer", "engine_ms": "engine alone"}
    for item in found.contests:
        interval = "–" if item.low is None or item.high is None else f"{item.low:.3f} to {item.high:.3f}"
        floor = "–" if item.floor is None else f"± {100 * (item.floor - 1):.1f} %"
        winner = {"a": first, "b": second, None: "not shown"}[item.faster]
        table.add_row(titles[item.figure], f"{item.ratio:.3f}", interval, floor, winner)
    lines = [f"  Does not count: {flag}" for flag in found.flags]
    lines += [f"  Warning: {warning}" for warning in found.warnings]
    return Group(table, *(Text(line, style="dim") for line in lines))


def class_tables(accuracy: AccuracyEvidence) -> RenderableType:
    """The classes with the lowest F1; where words have tags, also the tags with the lowest F1, and the averages."""
    tables = [_class_table("Lowest F1 by class", "class", "classes", accuracy.class_report)]
    if accuracy.word_report:
        averages = [row for row in accuracy.word_report if row["name"].endswith(" avg")]
        tags = [row for row in accuracy.word_report if row not in averages]
        tables.append(_class_table("Lowest F1 by tag, each word alone", "tag", "tags", tags, averages))
    return Group(*tables)


def _class_table(
    title: str, kind: str, kinds: str, report: Sequence[Mapping[str, Any]], averages: Sequence[Mapping[str, Any]] = ()
) -> RenderableType:
    rows = sorted(report, key=lambda row: (row["f1"], row["name"]))[:SHOWN_CLASSES]
    more = len(report) - len(rows)
    table = titled_table(title)
    table.add_column(kind)
    for name in ("precision", "recall", "F1", "support"):
        table.add_column(name, justify="right")
    for row in (*rows, *averages):
        table.add_row(
            row["name"], f"{row['precision']:.1f}", f"{row['recall']:.1f}", f"{row['f1']:.1f}", f"{row['support']:,}"
        )
    return Group(table, Text(f"  and {more} more {kinds}" if more > 0 else "", style="dim"))


def package_table(payload: Payload) -> RenderableType:
    """Describes a package: task, form, needs, lineage, files."""
    manifest = payload.manifest
    graph, task = manifest.graph, tasks.create(manifest.head)
    settings = "".join(f", {title}: {value}" for title, value in task.head.settings().items())
    rows = {
        "payload": payload.digest,
        "task": f"{task.name}, {answer_form(task, len(manifest.head.labels))}{settings}",
        "form": f"{graph.scheme}, opset {graph.opset}, {len(graph.layers)} layers",
        "needs": " or ".join(f"{name} ≥ {least}" for name, least in manifest.requires.engines.items())
        + (f", one of {', '.join(manifest.requires.isa_any)} on x86" if manifest.requires.isa_any else ""),
        "longest text": f"{manifest.tokenizer.max_length} tokens",
        "runner": _runner_row(manifest),
        "size": f"{payload.size_bytes / 1e6:.2f} MB",
        "made from": f"{manifest.lineage.base_model}, data {manifest.lineage.data[:12]}",
        "steps": " → ".join(step.stage for step in manifest.lineage.steps),
    }
    files = titled_table("Files")
    files.add_column("path")
    files.add_column("bytes", justify="right")
    files.add_column("sha256")
    for entry in manifest.files:
        files.add_row(entry.path, f"{entry.size:,}", f"{entry.sha256[:16]}…")
    return Group(headline(manifest.name, rows), files)


def _runner_row(manifest: Manifest) -> str:
    """What the C++ runner can do with the package."""
    tokenizer = manifest.tokenizer
    if not tokenizer.tables:
        return f"token ids only: {tokenizer.unsupported or 'no tokenizer tables'}"
    proof = tokenizer.proof
    return "text to answer" + (
        f"; tokenizer proven on {proof.code_points:,} code points and {proof.texts:,} texts" if proof else ""
    )


def two_studies_table(found: SideBySide) -> RenderableType:
    """A and B: their facts, figures and targets."""
    blocks: list[RenderableType] = [Text(f"A  {found.names[0]}"), Text(f"B  {found.names[1]}"), Text("")]
    for title, rows in (("Packages", found.facts), ("Figures", found.figures), ("Targets", found.targets)):
        if not rows:
            continue
        table = titled_table(title)
        for name in ("", "A", "B", "B against A") if rows is found.figures else ("", "A", "B"):
            table.add_column(name, overflow="fold")
        for row in rows:
            judged = {1: ", better", -1: ", worse", 0: ""}[row.better]
            cells = [row.name, row.left, row.right]
            table.add_row(*cells, *([row.difference + judged] if rows is found.figures else []))
        blocks.append(table)
    return Group(*blocks, *(Text(f"  {note}", style="dim") for note in found.notes))


def settings_table(sources: Sequence[Source], resolved: Mapping[str, Any]) -> RenderableType:
    """Every option and the place that set it."""
    table = titled_table("Resolved settings")
    table.add_column("option")
    table.add_column("value", overflow="fold")
    table.add_column("set by")
    for location, value in _leaves(resolved, ()):
        table.add_row(".".join(location), "–" if value is None else str(value), _setter(sources, location))
    return table


def _leaves(values: Mapping[str, Any], above: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    for name, value in values.items():
        if isinstance(value, Mapping) and value:
            yield from _leaves(value, (*above, name))
        else:
            yield (*above, name), value


def _setter(sources: Sequence[Source], location: Sequence[str]) -> str:
    for source in reversed(sources):
        values: Any = source.values
        for name in location:
            if not isinstance(values, Mapping) or name not in values:
                break
            values = values[name]
        else:
            line = source.lines.get(tuple(location))
            return f"{source.name}:{line}" if line else source.name
    return "default"


def _pace(latency: LatencyEvidence) -> str:
    """The rate of calls, if they did not follow each other directly."""
    if latency.mode == "burst":
        return ""
    return f"{latency.mode}{f' at {latency.rate:g} per second' if latency.rate else ''}, "
