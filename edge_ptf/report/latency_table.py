"""The latency table for the terminal."""

from __future__ import annotations

from itertools import zip_longest

from rich.console import Group, RenderableType
from rich.text import Text

from edge_ptf.compression import LatencyTable
from edge_ptf.report.tables import titled_table


def latency_table_view(latencies: LatencyTable) -> RenderableType:
    """Latency by width, for layers before the last and for the last layer."""
    words = {"measured": f"measured on {latencies.machine.cpu}", "estimated": "estimated from operations, not measured"}
    table = titled_table(f"Milliseconds of half a layer, {words[latencies.source]}")
    for name in ("heads", "each layer", "last layer", "neurons", "each layer", "last layer"):
        table.add_column(name, justify="right")
    halves = (
        (latencies.inner.attention, latencies.last.attention),
        (latencies.inner.feed_forward, latencies.last.feed_forward),
    )
    columns = [
        cell
        for inner, last in halves
        for cell in (
            [f"{width:,}" for width in inner.widths],
            [f"{value:.3f}" for value in inner.ms],
            [f"{value:.3f}" for value in last.at(inner.widths)],
        )
    ]
    for row in zip_longest(*columns, fillvalue=""):
        table.add_row(*row)
    lengths = f"{len(latencies.lengths)} texts of {min(latencies.lengths)} to {max(latencies.lengths)} tokens"
    note = f"Embeddings, head and call: {latencies.fixed_ms:.3f} ms. Mean over {lengths}."
    return Group(table, Text(f"  {note}", style="dim"))
