"""What `edge-ptf check` found, for the terminal."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.text import Text

from edge_ptf import tasks
from edge_ptf.data_check import DataCheck
from edge_ptf.report.formatting import answer_form
from edge_ptf.report.tables import titled_table
from edge_ptf.report.terminal import data_table, warning_line


def check_view(found: DataCheck) -> RenderableType:
    """Splits and classes, columns, repeated texts, lengths, what is provable, and warnings."""
    read = ", ".join(f"{part} from '{column}'" for part, column in found.columns.items())
    repeated = ", ".join(f"{name} {count:,}" for name, count in found.repeated.items() if count)
    removed = ", ".join(f"{name} {count:,}" for name, count in found.data.duplicates_removed.items() if count)
    lines = [
        f"Task: {found.task}, {answer_form(tasks.get(found.task), len(found.labels))}. Columns: {read}.",
        f"Texts that also occur in a later split, removed: {removed or 'none'}.",
        f"Texts that repeat another one of their split: {repeated or 'none'}.",
    ]
    parts: list[RenderableType] = [data_table(found.data), *(Text(f"  {line}") for line in lines), Text("")]
    if found.lengths:
        table = titled_table(f"Lengths in tokens; the model reads {found.max_length}")
        table.add_column("split")
        for name in ("median", "95 %", "longest", "truncated"):
            table.add_column(name, justify="right")
        for name, each in found.lengths.items():
            table.add_row(name, f"{each.median:,}", f"{each.p95:,}", f"{each.longest:,}", f"{each.truncated:,}")
        parts += [table, Text("")]
    if found.duration:
        sentence = found.duration.sentence
        parts += [Text("Time", style="bold"), Text(f"  {sentence[:1].upper()}{sentence[1:]}."), Text("")]
    parts.append(Text(f"What test can prove at {100 * found.confidence:g} % confidence", style="bold"))
    parts += [Text(f"  {each.sentence}.") for each in found.provable]
    parts += [Text(""), *map(warning_line, found.warnings)]
    count = len(found.warnings)
    end = f", with {count} warning{'s' if count > 1 else ''}" if count else ""
    return Group(*parts, Text(f"The data can be used{end}."))
