"""One target_verdict in words, the same on the terminal, in Markdown and in JUnit."""

from __future__ import annotations

from edge_ptf.package.evidence import TargetVerdict
from edge_ptf.report.formatting import figure_text


def limit_text(item: TargetVerdict) -> str:
    """The limit with its direction."""
    return f"{'≥' if item.at_least else '≤'} {figure_text(item.limit, item.unit)}"


def explanation(item: TargetVerdict) -> str:
    """Why it is not decided, and what settles it; empty where there is nothing to say."""
    return ". ".join(part for part in (item.reason, f"Settles it: {item.settle}" if item.settle else "") if part)
