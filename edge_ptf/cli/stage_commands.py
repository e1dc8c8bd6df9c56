"""The command of each stage, made from its declaration (`edge_ptf.stages.declaration`)."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
from rich.console import RenderableType

from edge_ptf import stages
from edge_ptf.api.stage_functions import run_stage
from edge_ptf.cli.arguments import Command, job_options, model_option, out_option, overwrite_option, read_settings
from edge_ptf.cli.console import make_console
from edge_ptf.cli.options import config_options
from edge_ptf.cli.running import print_outcome, working
from edge_ptf.graph import Graph, Ranges
from edge_ptf.models.base_models import Base, from_hub
from edge_ptf.models.checkpoint import Checkpoint
from edge_ptf.report import terminal
from edge_ptf.report.calibration import calibration_table
from edge_ptf.report.latency_table import latency_table_view
from edge_ptf.report.sensitivity import sensitivity_table
from edge_ptf.stages import Stage
from edge_ptf.stages.declaration import ARGUMENT

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


def work_options(stage: Stage[..., Any]) -> Callable[[Command], Command]:
    """Adds the options for data and settings, for the result, and one for each field of the stage's section."""
    known = {name: default.words for name, default in stage.defaults.items()}

    def decorate(command: Command) -> Command:
        for option in (config_options(stage.name, known), overwrite_option, out_option, job_options):
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
        chosen = read_settings(project_file, settings, flags)
        outcome = run_stage(stage, chosen, flags, lambda: working(chosen.need("out"), overwrite))
        if (shown := table(outcome.artifact)) is not None:
            make_console().print(shown)
        return print_outcome(outcome)

    return run


class _ModelPath(click.Path):
    """A directory, or the hub id of a fine-tuned model."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        return from_hub(str(value)) or super().convert(value, param, ctx)


finetune_command = stage_command(stages.finetune)
latency_table_command = stage_command(stages.latency_table, latency_table_view)
prune_command = stage_command(stages.prune)
distill_command = stage_command(stages.distill)
export_command = stage_command(stages.export)
calibrate_command = stage_command(stages.calibrate)
quantize_command = stage_command(stages.quantize, calibration_table)
sensitivity_command = stage_command(stages.sensitivity, sensitivity_table)
assemble_command = stage_command(stages.assemble)
evaluate_command = stage_command(stages.evaluate, terminal.class_tables)
