"""Functions that all terminal tables use."""

from __future__ import annotations

from rich.table import Table
from rich.text import Text


def titled_table(title: str) -> Table:
    """A table whose title does not wrap at the table's own width."""
    return Table(
        title=Text(title, style="bold", no_wrap=True), title_justify="left", title_style="", min_width=len(title)
    )
