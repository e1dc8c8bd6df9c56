"""`edge-ptf finetune`, `latency-table`, `prune` and `distill`: the stages that make checkpoints."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from edge_ptf import profiles
from edge_ptf.cli.arguments import Settings, job_options, model_option, out_option, overwrite_option
from edge_ptf.cli.console import make_console
from edge_ptf.cli.options import config_options
from edge_ptf.cli.running import load_data, new_task, print_outcome, stage_config, working
from edge_ptf.compression import LatencyTableConfig, PruneConfig, open_latency_table, settled
from edge_ptf.graph import QuantizeConfig
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
    from edge_ptf.models.base_models import resolve_base

    chosen = Settings(project_file, settings, flags)
    model, task_type = chosen.need("model"), tasks.get(chosen.need("task"))
    config = stage_config(FinetuneConfig, task_type, chosen, flags)
    base = resolve_base(model)
    with working(chosen.need("out"), overwrite) as place:
        data = load_data(chosen, task_type, place.progress)
        task = new_task(task_type, data, chosen)
        name = Path(model).resolve().name if Path(model).exists() else model
        return print_outcome(stages.run_finetune(base, name, data, task, config, place))


@click.command("latency-table")
@click.option("--checkpoint", required=True, type=checkpoint_path, help="A fine-tuned checkpoint.")
@job_options
@out_option
@overwrite_option
@config_options(LatencyTableConfig)
def latency_table_command(
    checkpoint: Path, settings: tuple[str, ...], project_file: Path | None, overwrite: bool, **flags: Any
) -> int:
    """Measure what attention heads and feed-forward neurons cost on this machine: what `prune --speedup` reckons with.

    The graphs that are timed are made as --profile and the section `quantize` say. Measure on a quiet machine. For a
    profile of another device the costs are estimated (--source).
    """
    from edge_ptf import stages
    from edge_ptf.models.checkpoint import open_checkpoint
    from edge_ptf.report.latency_table import latency_table_view

    chosen = Settings(project_file, settings, flags)
    source = open_checkpoint(checkpoint)
    profile = profiles.load(chosen.get("profile")) if chosen.get("profile") else None
    config = settled(stage_config(LatencyTableConfig, source.info.head, chosen, flags), profile)
    quantize = stage_config(QuantizeConfig, source.info.head, chosen, {})
    with working(chosen.need("out"), overwrite) as place:
        data = load_data(chosen, source.info.head, place.progress)
        outcome = stages.run_latency_table(source, data, quantize, config, place)
    make_console().print(latency_table_view(outcome.artifact))
    return print_outcome(outcome)


@click.command("prune")
@click.option("--checkpoint", required=True, type=checkpoint_path, help="A fine-tuned checkpoint.")
@click.option(
    "--latency-table",
    "latency_table",
    type=click.Path(path_type=Path, exists=True),
    help="What each width costs, as `latency-table` writes it; --speedup needs it.",
)
@job_options
@out_option
@overwrite_option
@config_options(PruneConfig)
def prune_command(
    checkpoint: Path,
    latency_table: Path | None,
    settings: tuple[str, ...],
    project_file: Path | None,
    overwrite: bool,
    **flags: Any,
) -> int:
    """Remove layers, heads, feed-forward neurons and vocabulary: a physically smaller model.

    \b
    edge-ptf latency-table --checkpoint teacher/ --data demo --out latency/
    edge-ptf prune --checkpoint teacher/ --data demo --costs costs/ --speedup 1.5 --out small/

    What stays is refitted to the unpruned model, so light pruning needs no training; `distill` recovers a large one.
    """
    from edge_ptf import stages
    from edge_ptf.models.checkpoint import open_checkpoint

    chosen = Settings(project_file, settings, flags)
    source = open_checkpoint(checkpoint)
    config = stage_config(PruneConfig, source.info.head, chosen, flags)
    with working(chosen.need("out"), overwrite) as place:
        data = load_data(chosen, source.info.head, place.progress)
        latencies = open_latency_table(latency_table) if latency_table else None
        return print_outcome(stages.run_prune(source, data, config, place, latencies))


@click.command("distill")
@click.option("--teacher", required=True, type=checkpoint_path, help="The fine-tuned checkpoint to learn from.")
@click.option("--student", required=True, type=checkpoint_path, help="The smaller checkpoint, as `prune` writes it.")
@click.option(
    "--extra-teacher",
    "extra_teachers",
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
    extra_teachers: tuple[Path, ...],
    settings: tuple[str, ...],
    project_file: Path | None,
    overwrite: bool,
    **flags: Any,
) -> int:
    """Train the student to answer and to represent as the teacher does.

    What --quantization-aware teaches for is said by --profile and the section `quantize`.
    """
    from edge_ptf import stages
    from edge_ptf.models.checkpoint import open_checkpoint

    chosen = Settings(project_file, settings, flags)
    teaching, learning = open_checkpoint(teacher), open_checkpoint(student)
    config = stage_config(DistillConfig, teaching.info.head, chosen, flags)
    quantization = stage_config(QuantizeConfig, teaching.info.head, chosen, {})
    with working(chosen.need("out"), overwrite) as place:
        data = load_data(chosen, teaching.info.head, place.progress)
        others = [open_checkpoint(extra_teacher) for extra_teacher in extra_teachers]
        return print_outcome(
            stages.run_distill(
                teaching, learning, data, config, place, extra_teachers=others, quantization=quantization
            )
        )
