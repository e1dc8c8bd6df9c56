"""`edge-ptf check`: what labelled text is, what is wrong with it, and what it can prove. Nothing is trained."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edge_ptf import tasks
from edge_ptf.cli.arguments import (
    COMMAND_LINE,
    Settings,
    config_option,
    model_option,
    out_of_scope_option,
    profile_option,
    set_option,
    task_option,
)
from edge_ptf.cli.compress import limited_metrics, max_drop_option, min_score_option, short_flags
from edge_ptf.cli.console import Bars, make_console, say_json
from edge_ptf.cli.running import chosen_profile
from edge_ptf.config import Source
from edge_ptf.errors import BadInputError, ExitCode
from edge_ptf.metrics import gated
from edge_ptf.profiles import Profile
from edge_ptf.progress import SILENT, Progress
from edge_ptf.recipe import resolve_recipe

if TYPE_CHECKING:
    from edge_ptf.data_check import DataCheck


@click.command("check")
@click.argument("data", metavar="DATA")
@task_option
@profile_option
@model_option
@out_of_scope_option
@max_drop_option
@min_score_option
@set_option
@config_option
@click.option("--json", "as_json", is_flag=True, help="Print everything as one JSON object.")
def check_command(
    max_drop: tuple[str, ...],
    min_score: tuple[str, ...],
    settings: tuple[str, ...],
    project_file: Path | None,
    as_json: bool,
    **flags: Any,
) -> int:
    """Read DATA as compress does, and show what it is, what is wrong with it, and what it can prove.

    \b
    edge-ptf check my-texts/ --task text-classification
    edge-ptf check my-texts/ --task text-classification --profile x86-vnni --model minilm-l6 --json

    With --profile, --max-drop or --min-score the limits are known. With --model the lengths in tokens are counted, and
    a few training steps are timed to predict how long a run takes here. Nothing is kept or written.
    Exit code: 0 if the data can be used, warnings or not; 2 if they cannot.
    """
    limits = short_flags(max_drop, None, None, None, min_score)
    if not as_json:
        from edge_ptf.report.check import check_view

        console = make_console()
        with Bars(console) as bars:
            found = _checked(Settings(project_file, settings, flags), limits, bars)
        console.print(check_view(found))
        return ExitCode.OK
    try:
        found = _checked(Settings(project_file, settings, flags), limits, SILENT)
    except BadInputError as error:
        say_json(
            {"usable": False, "error": error.message, "hint": error.hint, "problems": list(error.problems)}, indent=2
        )
        return ExitCode.BAD_INPUT
    say_json({**found.model_dump(mode="json"), "warnings": list(found.warnings)}, indent=2)
    return ExitCode.OK


def _checked(chosen: Settings, limits: dict[str, Any], progress: Progress) -> DataCheck:
    from edge_ptf.data import load
    from edge_ptf.data_check import check_data, token_lengths
    from edge_ptf.duration import predict_duration
    from edge_ptf.models.base_models import open_base
    from edge_ptf.preparation import check_targets, for_judging
    from edge_ptf.provable import provable
    from edge_ptf.training.step_time import measure_step

    kind, profile = tasks.get(chosen.need("task")), chosen_profile(chosen)
    sources = [*chosen.sources, Source(COMMAND_LINE, limits)]
    recipe = resolve_recipe(profile, kind, sources)
    base = open_base(chosen.get("model")) if chosen.get("model") else None
    data = for_judging(load(chosen.need("data"), kind, recipe.data, progress), kind, recipe)
    task = tasks.create(kind.spec_for(data.labels, recipe.data.out_of_scope_label))
    targets = recipe.targets
    check_targets(task, limited_metrics(sources), targets)
    confidence: float = profile.confidence if profile else Profile.model_fields["confidence"].default
    drops = {metric.name: targets.max_drop.get(metric.name) for metric in gated(task.metrics)}
    found = provable(task, [example.label for example in data.test], drops, confidence, targets.min_score)
    count = recipe.cross_validation.folds
    if not base:
        return check_data(data, task, recipe.data, found, confidence, folds=count)
    lengths = token_lengths(data, base.path, recipe.finetune.max_length)
    step = measure_step(base.path, task, data.train, recipe.finetune)
    duration = predict_duration(step, data, recipe)
    return check_data(data, task, recipe.data, found, confidence, lengths, duration, count)
