"""One target verdict in words, equal on the terminal, in Markdown and in JUnit."""

from __future__ import annotations

from edge_ptf.package.evidence import TargetVerdict
from edge_ptf.report.formatting import figure_text


def limit_text(item: TargetVerdict) -> str:
    """The limit with its direction."""
    return f"{'≥' if item.at_least else '≤'} {figure_text(item.limit, item.unit)}"


def explanation(item: TargetVerdict) -> str:
    """The reason why a target is open and how to settle it; empty if there is neither."""
    return ". ".join(part for part in (item.reason, f"To settle it: {item.settle}" if item.settle else "") if part)
