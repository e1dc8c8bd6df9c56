"""What `edge-ptf label-errors` found, for the terminal."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.text import Text

from edge_ptf.data.label_quality import LabelErrors
from edge_ptf.report.summaries import NOTHING_LEARNED
from edge_ptf.report.tables import titled_table
from edge_ptf.report.terminal import warning_line

SHOWN = 15
"""Rows of each table; the file has all likely errors."""


def label_errors_view(found: LabelErrors) -> RenderableType:
    """The surest of the likely errors, texts with contradicting labels, and the worst classes."""
    count = len(found.errors)
    first = f"{found.accuracy:.1f} % of the answers are the label, of {found.texts:,} texts in {found.folds} folds."
    parts: list[RenderableType] = [Text(f"  {first}"), Text("")]
    if not found.learned:
        parts += [warning_line(NOTHING_LEARNED), Text("")]
    if count:
        table = titled_table(f"Likely wrong labels: {count:,}, the surest first")
        for name in ("text", "label", "suggested"):
            table.add_column(name, overflow="fold")
        table.add_column("probability", justify="right")
        for each in found.errors[:SHOWN]:
            said = each.text if each.text_pair is None else f"{each.text} | {each.text_pair}"
            table.add_row(Text(said), Text(each.label), Text(each.suggested), f"{each.probability:.2f}")
        parts += [table, Text("")]
    if found.contradictions:
        table = titled_table(f"Texts that occur with different labels: {len(found.contradictions):,}")
        table.add_column("text", overflow="fold")
        for text in found.contradictions[:SHOWN]:
            table.add_row(Text(text))
        parts += [table, Text("")]
    table = titled_table("Classes with the fewest right answers: more or clearer examples help here most")
    table.add_column("class", overflow="fold")
    table.add_column("texts", justify="right")
    table.add_column("right, %", justify="right")
    table.add_column("confused with", overflow="fold")
    for each_class in found.classes[:SHOWN]:
        share = f"{each_class.recall:.1f}"
        table.add_row(Text(each_class.label), f"{each_class.texts:,}", share, Text(each_class.confused_with or ""))
    return Group(*parts, table)
