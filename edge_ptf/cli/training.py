"""`edge-ptf finetune`, `costs`, `prune` and `distill`: the stages that make checkpoints."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from edge_ptf import profiles
from edge_ptf.cli.arguments import Settings, job_options, model_option, out_option, overwrite_option
from edge_ptf.cli.console import make_console
from edge_ptf.cli.options import config_options
from edge_ptf.cli.running import load_data, new_task, stage_config, tell, working
from edge_ptf.compression import CostConfig, PruneConfig, open_costs, settled
from edge_ptf.export import QuantizeConfig
from edge_ptf.training import DistillConfig, FinetuneConfig

checkpoint_path = click.Path(path_type=Path, exists=True, file_okay=False)


@click.command("finetune")
@model_option
@job_options
@out_option
@overwrite_option
@config_options(FinetuneConfig)
def finetune_command(settings: tuple[str, ...], project_file: Path | None, overwrite: bool, **flags: Any) -> int:
    """Fine-tune a pretrained model on labelled text: the full-precision teacher."""
    from edge_ptf import stages, tasks
    from edge_ptf.base_model import resolve_base

    chosen = Settings(project_file, settings, flags)
    model, task_type = chosen.need("model"), tasks.get(chosen.need("task"))
    config = stage_config(FinetuneConfig, task_type, chosen, flags)
    base = resolve_base(model)
    with working(chosen.need("out"), overwrite) as place:
        data = load_data(chosen, task_type, place.progress)
        task = new_task(task_type, data, chosen)
        name = Path(model).resolve().name if Path(model).exists() else model
        return tell(stages.run_finetune(base, name, data, task, config, place))


@click.command("costs")
@click.option("--checkpoint", required=True, type=checkpoint_path, help="A fine-tuned checkpoint.")
@job_options
@out_option
@overwrite_option
@config_options(CostConfig)
def costs_command(
    checkpoint: Path, settings: tuple[str, ...], project_file: Path | None, overwrite: bool, **flags: Any
) -> int:
    """Measure what attention heads and feed-forward units cost on this machine: what `prune --speedup` reckons with.

    The graphs that are timed are made as --profile and the section `quantize` say. Measure on a quiet machine. For a
    profile of another device the costs are estimated (--source).
    """
    from edge_ptf import stages
    from edge_ptf.checkpoint import open_checkpoint
    from edge_ptf.report.costs import costs_table

    chosen = Settings(project_file, settings, flags)
    source = open_checkpoint(checkpoint)
    profile = profiles.load(chosen.get("profile")) if chosen.get("profile") else None
    config = settled(stage_config(CostConfig, source.info.task, chosen, flags), profile)
    quantize = stage_config(QuantizeConfig, source.info.task, chosen, {})
    with working(chosen.need("out"), overwrite) as place:
        data = load_data(chosen, source.info.task, place.progress)
        outcome = stages.run_costs(source, data, quantize, config, place)
    make_console().print(costs_table(outcome.artifact))
    return tell(outcome)


@click.command("prune")
@click.option("--checkpoint", required=True, type=checkpoint_path, help="A fine-tuned checkpoint.")
@click.option(
    "--costs",
    "cost_table",
    type=click.Path(path_type=Path, exists=True),
    help="What each width costs, as `costs` writes it; --speedup needs it.",
)
@job_options
@out_option
@overwrite_option
@config_options(PruneConfig)
def prune_command(
    checkpoint: Path,
    cost_table: Path | None,
    settings: tuple[str, ...],
    project_file: Path | None,
    overwrite: bool,
    **flags: Any,
) -> int:
    """Remove layers, heads, feed-forward units and vocabulary: a physically smaller model.

    \b
    edge-ptf costs --checkpoint teacher/ --data demo --out costs/
    edge-ptf prune --checkpoint teacher/ --data demo --costs costs/ --speedup 1.5 --out small/

    What stays is refitted to the unpruned model, so a small cut needs no training; `distill` recovers a large one.
    """
    from edge_ptf import stages
    from edge_ptf.checkpoint import open_checkpoint

    chosen = Settings(project_file, settings, flags)
    source = open_checkpoint(checkpoint)
    config = stage_config(PruneConfig, source.info.task, chosen, flags)
    with working(chosen.need("out"), overwrite) as place:
        data = load_data(chosen, source.info.task, place.progress)
        costs = open_costs(cost_table) if cost_table else None
        return tell(stages.run_prune(source, data, config, place, costs))


@click.command("distill")
@click.option("--teacher", required=True, type=checkpoint_path, help="The fine-tuned checkpoint to learn from.")
@click.option("--student", required=True, type=checkpoint_path, help="The smaller checkpoint, as `prune` writes it.")
@click.option(
    "--assistant",
    "assistants",
    multiple=True,
    type=checkpoint_path,
    help="A further teacher, of the same model and data; all answers are averaged; repeatable.",
)
@job_options
@out_option
@overwrite_option
@config_options(DistillConfig)
def distill_command(
    teacher: Path,
    student: Path,
    assistants: tuple[Path, ...],
    settings: tuple[str, ...],
    project_file: Path | None,
    overwrite: bool,
    **flags: Any,
) -> int:
    """Train the student to answer and to represent as the teacher does.

    What --quantization-aware teaches for is said by --profile and the section `quantize`.
    """
    from edge_ptf import stages
    from edge_ptf.checkpoint import open_checkpoint

    chosen = Settings(project_file, settings, flags)
    teaching, learning = open_checkpoint(teacher), open_checkpoint(student)
    config = stage_config(DistillConfig, teaching.info.task, chosen, flags)
    flavour = stage_config(QuantizeConfig, teaching.info.task, chosen, {})
    with working(chosen.need("out"), overwrite) as place:
        data = load_data(chosen, teaching.info.task, place.progress)
        others = [open_checkpoint(assistant) for assistant in assistants]
        return tell(stages.run_distill(teaching, learning, data, config, place, assistants=others, flavour=flavour))
