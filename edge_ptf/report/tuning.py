"""A hyperparameter search, for the terminal: one line for each trial, and a table of all."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from edge_ptf.report.formatting import metric_words, score_text
from edge_ptf.report.tables import titled_table
from edge_ptf.training.tuning_record import Tuning, TuningTrial

SHOWN = 10
"""Rows of the table, the best ones; the file has all trials."""


def tuning_line(metric: str, trial: TuningTrial) -> RenderableType:
    """One line about a trial that has just ended."""
    return Text(f"  trial {trial.number}: {options_text(trial.options)}; {outcome(metric, trial)}", style="bold")


def tuning_table(found: Tuning) -> RenderableType:
    """The best trials, what matters, and the conclusion."""
    table = titled_table(f"Trials, the best first ({metric_words(found.metric)} on validation)")
    for name, right in (("trial", True), ("score", True), ("options", False), ("minutes", True)):
        table.add_column(name, justify="right" if right else "left", overflow="fold")
    for trial in ranked(found)[:SHOWN]:
        shown = score_text(found.metric, trial.score) if trial.state == "finished" else "stopped"
        table.add_row(str(trial.number), shown, options_text(trial.options), f"{trial.seconds / 60:.1f}")
    lines = [f"{found.conclusion[:1].upper()}{found.conclusion[1:]}."]
    if found.importance:
        lines.append(f"What the scores depend on: {importance_text(found)}.")
    return Group(table, *(Text(f"  {line}") for line in lines))


def tuning_lines(found: Tuning) -> list[str]:
    """The conclusion, the number of trials, the best options, what matters."""
    stopped = sum(trial.state == "stopped" for trial in found.trials)
    lines = [
        f"Tuning of {found.section}: {found.conclusion}",
        f"{len(found.trials)} trials, {len(found.trials) - stopped} finished, {stopped} stopped early",
    ]
    if found.winner is not None:
        lines.append(f"best: {options_text(found.winner.options)}; {outcome(found.metric, found.winner)}")
    if found.importance:
        lines.append(f"importance: {importance_text(found)}")
    return lines


def ranked(found: Tuning) -> list[TuningTrial]:
    """The finished trials, the best first, then the stopped ones."""
    finished = [trial for trial in found.trials if trial.state == "finished"]
    finished.sort(key=lambda trial: abs(trial.score - found.winner.score) if found.winner else 0.0)
    return finished + [trial for trial in found.trials if trial.state != "finished"]


def options_text(options: Mapping[str, Any]) -> str:
    """The options of a trial, in short."""
    if not options:
        return "the options of the recipe"
    return ", ".join(f"{name.replace('_', ' ')} {_number(value)}" for name, value in options.items())


def importance_text(found: Tuning) -> str:
    """The options, the most important first."""
    rows = sorted(found.importance.items(), key=lambda item: -item[1])
    return ", ".join(f"{name.replace('_', ' ')} {100 * share:.0f} %" for name, share in rows)


def outcome(metric: str, trial: TuningTrial) -> str:
    """The result of a trial."""
    if trial.state == "stopped":
        return f"stopped: {trial.reason}"
    return f"{metric_words(metric)} {score_text(metric, trial.score)} after {len(trial.history)} epochs"


def _number(value: object) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)
