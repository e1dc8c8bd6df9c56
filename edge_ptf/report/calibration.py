"""What the ways to choose static ranges gave, side by side."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.text import Text

from edge_ptf.graph.artifact import Graph
from edge_ptf.report.tables import titled_table


def calibration_table(graph: Graph) -> RenderableType | None:
    """How far each way's INT8 form answers from FP32; None where one way alone was tried."""
    notes = graph.info.lineage[-1].notes
    distances = notes.get("calibration_logit_difference")
    if not distances:
        return None
    table = titled_table(f"Static ranges, {notes['texts']:,} validation texts")
    table.add_column("way")
    table.add_column("mean logit difference to FP32", justify="right")
    for way, distance in distances.items():
        table.add_row(way, f"{distance:.4f}", style="bold" if way == notes["calibration"] else "")
    return Group(table, Text(""))
