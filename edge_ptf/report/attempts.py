"""Attempts at a recipe, for the terminal: a line when one is made, and the table of all."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.text import Text

from edge_ptf.compression import Attempt, Search, front
from edge_ptf.report.tables import titled_table
from edge_ptf.report.wording import metric_words

LIMIT_WORDS = {"speedup": "the speed-up", "size_mb": "the package size"}


def attempt_line(attempt: Attempt) -> RenderableType:
    """One attempt that has just been made."""
    return Text(f"  {attempt.name}: {options(attempt)}; {outcome(attempt)}", style="bold")


def search_table(found: Search) -> RenderableType:
    """Every attempt, the winner marked, those on the front named, and the conclusion."""
    ahead = {attempt.name for attempt in front(found.attempts)}
    table = titled_table("What was tried (accuracy on validation)")
    table.add_column("")
    table.add_column("attempt")
    table.add_column("options", overflow="fold")
    for name in ("drop", "speed-up", "MB", "minutes"):
        table.add_column(name, justify="right")
    table.add_column("front")
    for attempt in found.attempts:
        table.add_row(
            "▸" if attempt.name == found.winner else "",
            attempt.name,
            options(attempt),
            _drops(attempt) or "stopped",
            f"{attempt.speedup:.2f}×" if attempt.speedup else f"({attempt.predicted.speedup:.1f}×)",
            f"{attempt.size_mb:.2f}" if attempt.size_mb else f"({attempt.predicted.size_mb:.1f})",
            f"{attempt.seconds / 60:.1f}",
            "yes" if attempt.name in ahead else "",
        )
    lines = [f"{found.conclusion[:1].upper()}{found.conclusion[1:]}."]
    if found.unreachable:
        lost = " and ".join(LIMIT_WORDS[name] for name in found.unreachable)
        lines.append(
            f"No structure of this model is predicted to keep the limit on {lost}, so it was left out of account."
        )
    return Group(table, *(Text(f"  {line}") for line in lines))


def options(attempt: Attempt) -> str:
    """What the attempt's plan sets, in short."""
    plan, said = attempt.plan, list[str]()
    prune = plan.get("prune", {})
    if prune.get("layers"):
        said.append(f"{prune['layers']} layer{'s' if prune['layers'] > 1 else ''}")
    if prune.get("hidden"):
        said.append(f"hidden states of {prune['hidden']}")
    if prune.get("heads"):
        said.append(f"{prune['heads'][0]} heads")
    if prune.get("ffn"):
        said.append(f"{prune['ffn'][0]} units")
    if prune.get("vocabulary_size"):
        said.append(f"{prune['vocabulary_size']:,} pieces")
    elif "vocabulary_size" in prune:
        said.append("only pieces that occur")
    if form := plan.get("quantize", {}).get("embeddings"):
        said.append(f"table in {form.upper()}")
    if plan.get("ensemble", {}).get("teachers", 1) > 1:
        said.append(f"{plan['ensemble']['teachers']} teachers")
    said += [f"{name.replace('_', ' ')} {_number(value)}" for name, value in plan.get("distill", {}).items()]
    return ", ".join(said)


def outcome(attempt: Attempt) -> str:
    """What came out."""
    if attempt.state == "stopped":
        return f"stopped: {attempt.reason}"
    parts = [f"drop on validation {_drops(attempt)} points"]
    if attempt.speedup:
        parts.append(f"{attempt.speedup:.2f}× the teacher")
    parts.append(f"{attempt.size_mb:.2f} MB")
    return ", ".join(parts) + ("" if not attempt.short else f"; short of {_short(attempt.short)}")


def _short(targets: Sequence[str] | dict[str, float]) -> str:
    return ", ".join(metric_words(name.removeprefix("max_drop.")) for name in targets)


def _drops(attempt: Attempt) -> str:
    return " / ".join(f"{drop:.2f}" for drop in list(attempt.drops.values())[:2])


def _number(value: object) -> str:
    return f"{value:.2g}" if isinstance(value, float) else str(value)
