"""Trials of a recipe, for the terminal: one line for each, and a table of all."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.text import Text

from edge_ptf.compression import Search, Trial, front
from edge_ptf.report.formatting import figure_text, metric_words, score_number, score_unit
from edge_ptf.report.tables import titled_table

LIMIT_WORDS = {"speedup": "the speed-up", "size_mb": "the package size"}


def trial_line(trial: Trial) -> RenderableType:
    """One line about a trial that has just finished."""
    return Text(f"  {trial.name}: {options(trial)}; {outcome(trial)}", style="bold")


def search_table(found: Search) -> RenderableType:
    """Every trial, with marks for the winner and the front, and the conclusion."""
    ahead = {trial.name for trial in front(found.trials)}
    table = titled_table("Trials (accuracy on validation)")
    table.add_column("")
    table.add_column("trial")
    table.add_column("options", overflow="fold")
    for name in ("drop", "speed-up", "MB", "minutes"):
        table.add_column(name, justify="right")
    table.add_column("front")
    for trial in found.trials:
        table.add_row(
            "▸" if trial.name == found.winner else "",
            trial.name,
            options(trial),
            _drops(trial) or "stopped",
            f"{trial.speedup:.2f}×" if trial.speedup else f"({trial.predicted.speedup:.1f}×)",
            f"{trial.size_mb:.2f}" if trial.size_mb else f"({trial.predicted.size_mb:.1f})",
            f"{trial.seconds / 60:.1f}",
            "yes" if trial.name in ahead else "",
        )
    lines = [f"{found.conclusion[:1].upper()}{found.conclusion[1:]}."]
    if found.unreachable:
        lost = " and ".join(LIMIT_WORDS[name] for name in found.unreachable)
        lines.append(
            f"No structure of this model is predicted to meet the limit on {lost}, so the search ignored this limit."
        )
    return Group(table, *(Text(f"  {line}") for line in lines))


def options(trial: Trial) -> str:
    """The options that the trial overrides, in short."""
    overrides, said = trial.overrides, list[str]()
    prune = overrides.get("prune", {})
    if prune.get("num_layers"):
        said.append(f"{prune['num_layers']} layer{'s' if prune['num_layers'] > 1 else ''}")
    if prune.get("hidden_size"):
        said.append(f"hidden size {prune['hidden_size']}")
    if prune.get("num_heads"):
        said.append(f"{prune['num_heads'][0]} heads")
    if prune.get("intermediate_size"):
        said.append(f"{prune['intermediate_size'][0]} neurons")
    if prune.get("vocabulary_size"):
        said.append(f"{prune['vocabulary_size']:,} subwords")
    elif "vocabulary_size" in prune:
        said.append("only subwords in the texts")
    if form := overrides.get("quantize", {}).get("embeddings"):
        said.append(f"table in {form.upper()}")
    if overrides.get("ensemble", {}).get("teachers", 1) > 1:
        said.append(f"{overrides['ensemble']['teachers']} teachers")
    said += [f"{name.replace('_', ' ')} {_number(value)}" for name, value in overrides.get("distill", {}).items()]
    return ", ".join(said)


def outcome(trial: Trial) -> str:
    """The result of a trial."""
    if trial.state == "stopped":
        return f"stopped: {trial.reason}"
    parts = [f"drop on validation {_drops(trial)}"]
    if trial.speedup:
        parts.append(f"{trial.speedup:.2f}× the teacher")
    parts.append(f"{trial.size_mb:.2f} MB")
    return ", ".join(parts) + ("" if not trial.short else f"; misses {', '.join(_missed(trial))}")


def _missed(trial: Trial) -> list[str]:
    """Each target that the trial misses; where the value alone is within the limit, what is not."""
    judged, said = {item.target: item for item in trial.target_verdicts}, list[str]()
    for name in trial.short:
        words, item = metric_words(name.removeprefix("max_drop.").removeprefix("min_score.")), judged.get(name)
        if item is None or item.value is None or item.beyond(item.value) > 0:
            said.append(words)
        elif item.bound is not None and item.beyond(item.bound) > 0:
            bound = figure_text(item.bound, item.unit)
            side = "below" if item.at_least else "above"
            said.append(f"{words} (its bound {bound} is {side} the limit {figure_text(item.limit, item.unit)})")
        else:
            said.append(f"{words} (test is not expected to prove the limit {figure_text(item.limit, item.unit)})")
    return said


def _drops(trial: Trial) -> str:
    shown = list(trial.drops.items())[:2]
    points = " points" if all(score_unit(name) == "%" for name, _ in shown) else ""
    return " / ".join(score_number(name, drop) for name, drop in shown) + points


def _number(value: object) -> str:
    return f"{value:.2g}" if isinstance(value, float) else str(value)
