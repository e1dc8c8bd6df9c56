"""`edge-ptf tune`: many trainings, and the options that give the best score."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from edge_ptf.cli.arguments import (
    config_option,
    data_option,
    model_option,
    out_of_scope_option,
    out_option,
    read_settings,
    set_option,
    task_option,
)
from edge_ptf.cli.console import PROGRESS_LOG, Bars, make_console
from edge_ptf.cli.running import say_if_busy
from edge_ptf.errors import ExitCode


@click.command("tune")
@model_option
@data_option
@task_option
@out_of_scope_option
@click.option(
    "--trials", type=int, default=20, show_default=True, help="Trainings, those of earlier runs on the storage counted."
)
@click.option("--storage", help="Where trials are kept, a database URL. [default: tuning.db in --out]")
@click.option("--teacher", type=click.Path(path_type=Path), help="A fine-tuned checkpoint, to search for distillation.")
@click.option("--student", type=click.Path(path_type=Path), help="The smaller checkpoint that the teacher teaches.")
@out_option
@set_option
@config_option
def tune_command(
    trials: int,
    storage: str | None,
    teacher: Path | None,
    student: Path | None,
    settings: tuple[str, ...],
    project_file: Path | None,
    **flags: Any,
) -> int:
    """Search for the options of fine-tuning that give the best score on validation texts.

    \b
    edge-ptf tune --model minilm-l6 --data demo --task text-classification --trials 20 --out build/tuning
    edge-ptf compress --config build/tuning/recipe.yaml --profile host --out build

    Optuna proposes options, and stops trainings that fall behind. The first trial has the options of the recipe, so the
    result says whether others are better by more than noise. With --teacher and --student it searches the options of
    distillation. The same command resumes; several processes with one --out and one --storage share the work. Of the
    trained models the best is kept.
    """
    from edge_ptf.api.tuning import tuned
    from edge_ptf.report.tuning import tuning_line, tuning_table

    chosen = read_settings(project_file, settings, flags)
    console = make_console()
    say_if_busy(console)
    with Bars(console, Path(chosen.need("out")) / PROGRESS_LOG) as bars:
        found = tuned(
            chosen,
            {},
            trials,
            storage,
            teacher,
            student,
            bars,
            lambda metric, trial: console.print(tuning_line(metric, trial)),
        )
    console.print("")
    console.print(tuning_table(found.details))
    if found.recipe is not None:
        console.print(f"\nRecipe: {found.recipe}", soft_wrap=True)
    return ExitCode.OK
