"""What the stage commands share: options of one stage, loading of data, progress, and the closing line."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from edge_ptf import profiles, tasks
from edge_ptf.cache import Outcome
from edge_ptf.cli.arguments import Settings
from edge_ptf.cli.console import Bars, make_console
from edge_ptf.cli.options import config_from
from edge_ptf.config import Source, StageConfig, resolve
from edge_ptf.data.dataset import DataConfig, LabelledData
from edge_ptf.errors import BadInputError, ExitCode
from edge_ptf.progress import Progress
from edge_ptf.recipe import sources_below
from edge_ptf.stages import Place
from edge_ptf.tasks.base import Task, TaskSpec

Config = TypeVar("Config", bound=StageConfig)


def stage_config(section: str, model: type[Config], chosen: Settings, flags: dict[str, Any]) -> Config:
    """One stage's options: task and profile where they are known, the project file, --set, then the flags."""
    below: list[Source] = []
    if chosen.get("profile") and chosen.get("task"):
        below = sources_below(profiles.load(chosen.need("profile")), tasks.get(chosen.need("task")))
    return config_from(model, flags, *_section(section, [*below, *chosen.sources]))


def load_data(chosen: Settings, task: type[Task] | TaskSpec, progress: Progress) -> LabelledData:
    """The labelled text that --data names; its labels must be those the checkpoint or package was made with."""
    from edge_ptf import data as data_room

    config = resolve(DataConfig, [Source("defaults", {}), *_section("data", chosen.sources)])
    task_type = tasks.get(task.name) if isinstance(task, TaskSpec) else task
    scope = task.out_of_scope_label if isinstance(task, TaskSpec) else chosen.get("out_of_scope_label")
    config = config.replace(out_of_scope_label=scope)
    data = data_room.load(str(chosen.need("data")), task_type, config, progress)
    if isinstance(task, TaskSpec) and data.labels != task.labels:
        missing = sorted(set(task.labels) ^ set(data.labels))
        raise BadInputError(
            f"--data has other labels than the model ({len(missing)} differ, e.g. {', '.join(missing[:3])})",
            hint="Give the data the model was fine-tuned on, or data with the same labels",
        )
    return data


@contextmanager
def working(out: Any, overwrite: bool) -> Iterator[Place]:
    """The place of one stage's result, with a progress bar while it is made."""
    console = make_console()
    with Bars(console) as bars:
        yield Place(Path(out), bars, overwrite)


def tell(outcome: Outcome[Any]) -> int:
    """Says what was made or reused, and where."""
    from edge_ptf.report import terminal

    console = make_console()
    console.print(terminal.stage_line(outcome.stage, outcome.artifact, outcome.seconds, outcome.reused))
    console.print(f"  {outcome.folder}", soft_wrap=True)
    return ExitCode.OK


def _section(name: str, sources: list[Source]) -> list[Source]:
    """The part of each source that concerns one section of the recipe."""
    found = []
    for source in sources:
        values = source.values.get(name)
        if isinstance(values, dict):
            lines = {place[1:]: line for place, line in source.lines.items() if place[:1] == (name,)}
            found.append(Source(source.name, values, lines))
    return found
