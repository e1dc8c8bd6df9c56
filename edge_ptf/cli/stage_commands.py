"""The command of each stage, made from its declaration (`edge_ptf.stages.declaration`)."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

import click
from rich.console import RenderableType

from edge_ptf import stages, tasks
from edge_ptf.cli.arguments import Command, Settings, job_options, model_option, out_option, overwrite_option
from edge_ptf.cli.console import make_console
from edge_ptf.cli.options import config_options
from edge_ptf.cli.running import chosen_profile, load_data, new_task, print_outcome, stage_config, working
from edge_ptf.compression import LatencyTable, open_latency_table
from edge_ptf.config import StageConfig
from edge_ptf.data.dataset import LabelledData
from edge_ptf.graph import Graph, Ranges, load_ranges, open_graph
from edge_ptf.heads import HeadSpec
from edge_ptf.models.base_models import Base, from_hub, open_base
from edge_ptf.models.checkpoint import Checkpoint, open_checkpoint
from edge_ptf.package import Payload, open_payload
from edge_ptf.profiles import Profile
from edge_ptf.report import terminal
from edge_ptf.report.calibration import calibration_table
from edge_ptf.report.latency_table import latency_table_view
from edge_ptf.report.sensitivity import sensitivity_table
from edge_ptf.stages import Stage
from edge_ptf.stages.declaration import ARGUMENT, Input
from edge_ptf.tasks.base import Task

OPENERS: Mapping[type, Callable[[Path], Any]] = {
    Checkpoint: open_checkpoint,
    Graph: open_graph,
    Ranges: load_ranges,
    LatencyTable: open_latency_table,
    Payload: open_payload,
}
"""The function that opens each kind of artifact from a path."""
FOLDERS = (Checkpoint, Graph, Ranges)


def input_options(stage: Stage[..., Any]) -> Callable[[Command], Command]:
    """Adds one option or argument for each artifact in the inputs, and `--model` for a pretrained model."""

    def decorate(command: Command) -> Command:
        for each in reversed(stage.inputs()):
            kind = (_ModelPath if each.kind is Checkpoint else click.Path)(
                path_type=Path, exists=True, file_okay=each.kind not in FOLDERS
            )
            if each.kind is Base:
                command = model_option(command)
            elif each.option is ARGUMENT:
                command = click.argument(each.name, type=kind)(command)
            elif each.option:
                flag, text = each.option.flag or f"--{each.name.replace('_', '-')}", each.option.help
                option = click.option(flag, each.name, type=kind, required=each.required, multiple=each.many, help=text)
                command = option(command)
        return command

    return decorate


def work_options(
    stage: Stage[..., Any], defaults: Mapping[str, str] = MappingProxyType({})
) -> Callable[[Command], Command]:
    """Adds the options for data and settings, for the result, and one for each field of the stage's section.

    Args:
        defaults: see `config_options`.
    """

    def decorate(command: Command) -> Command:
        for option in (config_options(stage.name, defaults), overwrite_option, out_option, job_options):
            command = option(command)
        return command

    return decorate


def stage_command(
    stage: Stage[..., Any], table: Callable[[Any], RenderableType | None] = lambda artifact: None
) -> click.Command:
    """The command that runs a stage and prints its result.

    Args:
        table: makes a table about the artifact, which is printed above its line.
    """

    @click.command(stage.name.replace("_", "-"), help=inspect.getdoc(stage.function))
    @input_options(stage)
    @work_options(stage)
    def run(settings: tuple[str, ...], project_file: Path | None, overwrite: bool, **flags: Any) -> int:
        paths = {each.name: flags.pop(each.name) for each in stage.inputs() if each.option}
        chosen = Settings(project_file, settings, flags)
        given = {each.name: _opened(each, paths[each.name], chosen) for each in stage.inputs() if each.option}
        task = next(map(_head_of, given.values()), None) or tasks.get(chosen.need("task"))
        for each in stage.inputs():
            if issubclass(each.kind, StageConfig):
                given[each.name] = stage_config(each.kind, task, chosen, flags if each.name == "config" else {})
            elif each.kind is Profile:
                given[each.name] = chosen_profile(chosen)
        with working(chosen.need("out"), overwrite) as place:
            for each in stage.inputs():
                if each.kind is Base:
                    given[each.name] = open_base(chosen.need("model"))
                elif each.kind is LabelledData:
                    given[each.name] = load_data(chosen, task, place.progress)
                elif each.kind is Task:  # over the labels of the data, which stand before it
                    given[each.name] = new_task(tasks.get(chosen.need("task")), given["data"], chosen)
            outcome = stage(place, **given)
        if (shown := table(outcome.artifact)) is not None:
            make_console().print(shown)
        return print_outcome(outcome)

    return run


class _ModelPath(click.Path):
    """A directory, or the hub id of a fine-tuned model."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        return from_hub(str(value)) or super().convert(value, param, ctx)


def _opened(wanted: Input, path: Any, chosen: Settings) -> Any:
    """The artifact at a path, or those at several."""
    opener = OPENERS[wanted.kind]
    if wanted.kind is Checkpoint:
        opener = partial(open_checkpoint, task=chosen.get("task"), out_of_scope_label=chosen.get("out_of_scope_label"))
    if wanted.many:
        return [opener(one) for one in path]
    return None if path is None else opener(path)


def _head_of(artifact: Checkpoint | Graph | Payload) -> HeadSpec:
    return artifact.manifest.head if isinstance(artifact, Payload) else artifact.info.head


finetune_command = stage_command(stages.finetune)
latency_table_command = stage_command(stages.latency_table, latency_table_view)
prune_command = stage_command(stages.prune)
distill_command = stage_command(stages.distill)
export_command = stage_command(stages.export)
calibrate_command = stage_command(stages.calibrate)
quantize_command = stage_command(stages.quantize, calibration_table)
sensitivity_command = stage_command(stages.sensitivity, sensitivity_table)
assemble_command = stage_command(stages.assemble)
evaluate_command = stage_command(stages.evaluate, terminal.class_table)
