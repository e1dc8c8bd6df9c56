"""`edge-ptf compress`: the main job."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from edge_ptf import profiles, tasks
from edge_ptf.cli.arguments import (
    Settings,
    data_option,
    config_option,
    model_option,
    out_of_scope_option,
    out_option,
    profile_option,
    set_option,
    task_option,
)
from edge_ptf.cli.console import Bars, make_console
from edge_ptf.config import Source
from edge_ptf.errors import BadInputError, ExitCode
from edge_ptf.package.evidence import Status
from edge_ptf.recipe import resolve_recipe, sources_below

VERDICT_CODES = {Status.PASS: ExitCode.OK, Status.FAIL: ExitCode.FAIL, Status.UNPROVEN: ExitCode.UNPROVEN}


@click.command("compress")
@profile_option
@model_option
@data_option
@task_option
@out_option
@out_of_scope_option
@click.option("--name", help="Name of the package file. [default: package]")
@click.option("--max-drop", "max_drop", multiple=True, metavar="METRIC=POINTS", help="Limit on an accuracy drop.")
@click.option("--min-speedup", type=float, help="Limit on the speed-up over the FP32 teacher.")
@click.option("--package-mb", type=float, help="Limit on the package's size, 10^6 bytes.")
@click.option("--seed", type=int, help="Seed of every stage that draws random numbers.")
@set_option
@config_option
@click.option("--dry-run", is_flag=True, help="Print the resolved settings and where each comes from; do nothing.")
def compress_command(
    max_drop: tuple[str, ...],
    min_speedup: float | None,
    package_mb: float | None,
    seed: int | None,
    settings: tuple[str, ...],
    project_file: Path | None,
    dry_run: bool,
    **flags: Any,
) -> int:
    """Fine-tune, prune, distil, quantize, export, measure, judge and package.

    \b
    edge-ptf compress --profile host --model minilm-l6 --data demo --task text-classification --out build/
    edge-ptf compress --profile x86-vnni --model minilm-l6 --data clinc150/ --task text-classification \\
        --out-of-scope-label oos --out build/

    Stages that were done before with the same inputs are reused. Interrupted, the same command goes on.
    Exit code: 0 PASS, 3 FAIL, 4 UNPROVEN. The package is written in all three cases.
    """
    from edge_ptf.pipeline import Job

    chosen = Settings(project_file, settings, flags)
    profile = profiles.load(chosen.need("profile"))
    task = tasks.get(chosen.need("task"))
    sources = [*chosen.sources, Source("command line", _short_flags(max_drop, min_speedup, package_mb, seed))]
    recipe = resolve_recipe(profile, task, sources)
    job = Job(
        profile=profile,
        model=chosen.need("model"),
        data=str(chosen.need("data")),
        task=task,
        out=Path(chosen.need("out")),
        recipe=recipe,
        out_of_scope_label=chosen.get("out_of_scope_label"),
        name=chosen.get("name") or "package",
    )
    console = make_console()
    if dry_run:
        from edge_ptf.report.terminal import resolved_settings

        console.print(resolved_settings(job, [*sources_below(profile, task), *sources]))
        return ExitCode.OK
    return _run(job, console)


def _run(job: Any, console: Any) -> int:
    from edge_ptf.pipeline import compress
    from edge_ptf.report import terminal

    console.print(terminal.headline(job))
    with Bars(console) as bars:
        result = compress(job, progress=bars, on_stage=lambda outcome: console.print(terminal.stage_line(outcome)))
    for part in terminal.report(result):
        console.print(part)
    return VERDICT_CODES[result.verdict.status] if result.verdict.status else ExitCode.OK


def _short_flags(
    max_drop: tuple[str, ...], min_speedup: float | None, package_mb: float | None, seed: int | None
) -> dict[str, Any]:
    targets: dict[str, Any] = {"min_speedup": min_speedup, "package_mb": package_mb}
    targets = {name: value for name, value in targets.items() if value is not None}
    for item in max_drop:
        metric, equals, points = item.partition("=")
        if not equals or not _is_number(points):
            raise BadInputError(f"--max-drop {item}: not METRIC=POINTS", hint="For example --max-drop accuracy=1.0")
        targets.setdefault("max_drop", {})[metric.strip()] = float(points)
    values: dict[str, Any] = {"targets": targets} if targets else {}
    if seed is not None:
        values |= {section: {"seed": seed} for section in ("finetune", "prune", "distill")}
    return values


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
