"""What the stage commands share: the place of the result, progress, and the closing line."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console, RenderableType

from edge_ptf.cache import Outcome, Place
from edge_ptf.cli.console import Bars, make_console
from edge_ptf.environment import load_of_others
from edge_ptf.errors import ExitCode
from edge_ptf.machine import this_machine


@contextmanager
def working(out: Any, overwrite: bool) -> Iterator[Place]:
    """The place of one stage's result, with a progress bar while it is made."""
    console = make_console()
    say_if_busy(console)
    with Bars(console) as bars:
        yield Place(Path(out), bars, overwrite)


def say_if_busy(console: Console) -> None:
    """Says once, before long work, that other programs use this machine, and what can be done."""
    if not (load := load_of_others()):
        return
    line = f"{load[:1].upper()}{load[1:]}: work takes longer."
    if "OMP_NUM_THREADS" not in os.environ and this_machine().cores > 1:
        line += " OMP_NUM_THREADS=1 trains on one core; stages made with more threads are then made again."
    console.print(f"  {line}\n", soft_wrap=True)


def outcome_line(outcome: Outcome[Any], subject: str = "") -> RenderableType:
    """One line about a finished stage and its result.

    Args:
        subject: the model that the stage worked on, such as student.
    """
    from edge_ptf.report.stage_lines import stage_line
    from edge_ptf.stages import STAGES

    summary = STAGES[outcome.stage].line(outcome.artifact)
    return stage_line(outcome.stage, summary, outcome.seconds, outcome.reused, subject)


def print_outcome(outcome: Outcome[Any]) -> int:
    """Says what was made or reused, and where."""
    console = make_console()
    console.print(outcome_line(outcome))
    console.print(f"  {outcome.folder}", soft_wrap=True)
    return ExitCode.OK
