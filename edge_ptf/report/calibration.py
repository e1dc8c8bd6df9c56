"""A table that compares the methods for static ranges."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.text import Text

from edge_ptf.graph.artifact import Graph
from edge_ptf.models.lineage import QuantizeFacts
from edge_ptf.report.tables import titled_table


def calibration_table(graph: Graph) -> RenderableType | None:
    """The difference to FP32 for each method; None if only one method was tried."""
    facts = graph.info.facts
    if not isinstance(facts, QuantizeFacts) or not facts.calibration_logit_difference:
        return None
    table = titled_table(f"Static ranges, {facts.texts:,} validation texts")
    table.add_column("way")
    table.add_column("mean logit difference to FP32", justify="right")
    for way, distance in facts.calibration_logit_difference.items():
        table.add_row(way, f"{distance:.4f}", style="bold" if way == facts.calibration else "")
    return Group(table, Text(""))
