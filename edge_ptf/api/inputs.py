"""From names and paths to what a stage works on: profile, task, labelled text, options, artifacts of other stages."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from edge_ptf import profiles, tasks
from edge_ptf.api.arguments import ArgumentError, kind_of
from edge_ptf.api.parameters import section_of
from edge_ptf.api.settings import Settings
from edge_ptf.compression import LatencyTable, open_latency_table
from edge_ptf.config import Source, StageConfig
from edge_ptf.data.dataset import LabelledData
from edge_ptf.errors import BadInputError
from edge_ptf.graph import Graph, Ranges, load_ranges, open_graph
from edge_ptf.heads import HeadSpec
from edge_ptf.models.base_models import Base, from_hub, open_base
from edge_ptf.models.checkpoint import Checkpoint, open_checkpoint
from edge_ptf.package import Payload, open_payload
from edge_ptf.preparation import check_labels
from edge_ptf.profiles import Profile
from edge_ptf.progress import Progress, say
from edge_ptf.recipe import Recipe, resolve_recipe
from edge_ptf.stages.declaration import Input
from edge_ptf.tasks.base import Task

Config = TypeVar("Config", bound=StageConfig)

OPENERS: Mapping[type, Callable[[Path], Any]] = {
    Graph: open_graph,
    Ranges: load_ranges,
    LatencyTable: open_latency_table,
    Payload: open_payload,
}
"""The function that opens each kind of artifact from a path. `Checkpoint` has one with more arguments."""


def opened(wanted: Input, given: Any, chosen: Settings) -> Any:
    """The artifact of one input of a stage, or several; None where it was not given.

    Args:
        given: a path, an artifact, or what a stage returned; several of them for an input that takes several.
        chosen: task and out-of-scope label of a fine-tuned model of transformers.
    """
    if wanted.many:
        several = given if isinstance(given, list | tuple) else [] if given is None else [given]
        return [_opened(wanted, each, chosen) for each in several]
    return None if given is None else _opened(wanted, given, chosen)


def _opened(wanted: Input, given: Any, chosen: Settings) -> Any:
    given = getattr(given, "artifact", given)
    if isinstance(given, wanted.kind):
        return given
    kind = wanted.kind.__name__
    if not isinstance(given, str | os.PathLike):
        raise ArgumentError(
            f"{wanted.name}: takes a path or a {kind}, not {kind_of(given)}", hint="Give what a stage wrote or returned"
        )
    path = (from_hub(str(given)) if wanted.kind is Checkpoint else None) or Path(given)
    if not path.exists():
        raise BadInputError(f"{wanted.name}: {path} does not exist", hint=f"Give the path of a {kind}")
    if wanted.kind is Checkpoint:
        task = chosen_task(chosen).name if chosen.get("task") else None
        return open_checkpoint(path, task, chosen.get("out_of_scope_label"))
    return OPENERS[wanted.kind](path)


def chosen_task(chosen: Settings) -> type[Task]:
    """The task that is named."""
    given = chosen.need("task")
    return given if isinstance(given, type) and issubclass(given, Task) else tasks.get(str(given))


def needed_profile(chosen: Settings) -> Profile:
    """The profile that is named; it must be."""
    given = chosen.need("profile")
    return given if isinstance(given, Profile) else profiles.load(str(given))


def chosen_profile(chosen: Settings) -> Profile | None:
    """The profile that is named, if any."""
    return needed_profile(chosen) if chosen.get("profile") else None


def chosen_base(chosen: Settings) -> Base:
    """The pretrained model that is named."""
    given = chosen.need("model")
    return given if isinstance(given, Base) else open_base(str(given))


def stage_config(model: type[Config], task: HeadSpec | type[Task], chosen: Settings, flags: dict[str, Any]) -> Config:
    """One stage's options, as `compress` resolves them; the stage's own flags are the strongest."""
    section = section_of(model)
    given = {name: flags[name] for name in model.model_fields if flags.get(name) is not None}
    config: Config = getattr(_recipe(chosen, _task_name(task), Source(chosen.caller, {section: given})), section)
    return config


def new_task(task: type[Task], data: LabelledData, chosen: Settings) -> Task:
    """The task over the labels of `data`, out of scope label included."""
    return tasks.create(task.spec_for(data.labels, _recipe(chosen, task.name).data.out_of_scope_label))


def load_data(chosen: Settings, task: HeadSpec | type[Task], progress: Progress) -> LabelledData:
    """The labelled text that --data names; its labels must be those the checkpoint or package was made with."""
    from edge_ptf import data as data_package

    known = tasks.create(task) if isinstance(task, HeadSpec) else None
    if known:
        _check_same(chosen, "task", known.name)
        _check_same(chosen, "out_of_scope_label", known.out_of_scope_label)
    name = _task_name(task)
    config = _recipe(chosen, name).data
    config = config.replace(out_of_scope_label=known.out_of_scope_label) if known else config
    given = chosen.need("data")
    if isinstance(given, LabelledData):
        data = given
    else:
        data = data_package.load(str(given), tasks.get(name), config, progress)
        for note in data.report.notes:
            say(progress, note)
    if known:
        check_labels(data, known.head.spec, chosen.option("data").rstrip("="))
    return data


def _task_name(task: HeadSpec | type[Task]) -> str:
    return task.task if isinstance(task, HeadSpec) else task.name


def _recipe(chosen: Settings, task: str, *flags: Source) -> Recipe:
    return resolve_recipe(chosen_profile(chosen), tasks.get(task), [*chosen.sources, *flags])


def _check_same(chosen: Settings, name: str, made_with: str | None) -> None:
    """A task or label that is said again must be the one that the checkpoint or package was made with."""
    given = chosen.get(name)
    given = getattr(given, "name", given) if name == "task" else given
    if given not in (None, made_with):
        option = chosen.option(name)
        raise BadInputError(
            f"{option}{'' if option.endswith('=') else ' '}{given}: the model was made with {made_with or 'none'}",
            hint=f"It is set by {chosen.origin(name)}; leave it out",
        )
