"""What the stage commands share: options of one stage, loading of data, progress, and the closing line."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from rich.console import Console, RenderableType

from edge_ptf import profiles, tasks
from edge_ptf.cache import Outcome, Place
from edge_ptf.cli.arguments import COMMAND_LINE, Settings
from edge_ptf.cli.console import Bars, make_console
from edge_ptf.config import Source, StageConfig
from edge_ptf.data.dataset import LabelledData
from edge_ptf.environment import load_of_others
from edge_ptf.errors import BadInputError, ExitCode
from edge_ptf.heads import HeadSpec
from edge_ptf.machine import this_machine
from edge_ptf.profiles import Profile
from edge_ptf.progress import Progress, say
from edge_ptf.recipe import Recipe, resolve_recipe
from edge_ptf.tasks.base import Task

Config = TypeVar("Config", bound=StageConfig)


def stage_config(model: type[Config], task: HeadSpec | type[Task], chosen: Settings, flags: dict[str, Any]) -> Config:
    """One stage's options, as `compress` resolves them; the stage's own flags are the strongest."""
    section = next(name for name, field in Recipe.model_fields.items() if field.annotation is model)
    given = {name: flags[name] for name in model.model_fields if flags.get(name) is not None}
    config: Config = getattr(_recipe(chosen, _task_name(task), Source(COMMAND_LINE, {section: given})), section)
    return config


def chosen_profile(chosen: Settings) -> Profile | None:
    """The profile that is named, if any."""
    return profiles.load(chosen.need("profile")) if chosen.get("profile") else None


def new_task(task: type[Task], data: LabelledData, chosen: Settings) -> Task:
    """The task over the labels of `data`, out of scope label included."""
    return tasks.create(task.spec_for(data.labels, _recipe(chosen, task.name).data.out_of_scope_label))


def load_data(chosen: Settings, task: HeadSpec | type[Task], progress: Progress) -> LabelledData:
    """The labelled text that --data names; its labels must be those the checkpoint or package was made with."""
    from edge_ptf import data as data_package
    from edge_ptf.preparation import check_labels

    known = tasks.create(task) if isinstance(task, HeadSpec) else None
    if known:
        _check_same(chosen, "task", known.name)
        _check_same(chosen, "out_of_scope_label", known.out_of_scope_label)
    name = _task_name(task)
    config = _recipe(chosen, name).data
    config = config.replace(out_of_scope_label=known.out_of_scope_label) if known else config
    data = data_package.load(chosen.need("data"), tasks.get(name), config, progress)
    for note in data.report.notes:
        say(progress, note)
    if known:
        check_labels(data, known.head.spec)
    return data


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


def _task_name(task: HeadSpec | type[Task]) -> str:
    return task.task if isinstance(task, HeadSpec) else task.name


def _recipe(chosen: Settings, task: str, *flags: Source) -> Recipe:
    return resolve_recipe(chosen_profile(chosen), tasks.get(task), [*chosen.sources, *flags])


def _check_same(chosen: Settings, name: str, made_with: str | None) -> None:
    """A task or label that is said again must be the one that the checkpoint or package was made with."""
    if chosen.get(name) not in (None, made_with):
        raise BadInputError(
            f"--{name.replace('_', '-')} {chosen.get(name)}: the model was made with {made_with or 'none'}",
            hint=f"It is set by {chosen.origin(name)}; leave it out",
        )
