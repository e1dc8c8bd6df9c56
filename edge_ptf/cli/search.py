"""`edge-ptf search`: many short trials, a front of accuracy, speed and size, and a recipe for `compress`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import yaml

from edge_ptf.cli.arguments import JOB_FIELDS, SOURCE, Settings
from edge_ptf.cli.compress import asked, make_job, short_flags, whole_job_options
from edge_ptf.cli.console import PROGRESS_LOG, Bars, make_console
from edge_ptf.cli.running import outcome_line, say_if_busy
from edge_ptf.compression import Trial
from edge_ptf.config import Source, merge
from edge_ptf.errors import ExitCode
from edge_ptf.report import terminal
from edge_ptf.report import trials as trial_tables

if TYPE_CHECKING:
    from edge_ptf.preparation import Job

RECIPE_FILE = "recipe.yaml"


@click.command("search")
@whole_job_options
@click.option("--trials", type=int, help="Trials, those of earlier runs on the same storage counted. [default: 20]")
@click.option("--storage", help="Where trials are kept, a database URL. [default: search.db in --out]")
@click.option(
    "--all-trials", is_flag=True, default=None, help="Go on when the targets are met, to see the whole front."
)
def search_command(
    max_drop: tuple[str, ...],
    min_score: tuple[str, ...],
    min_speedup: float | None,
    package_mb: float | None,
    seed: int | None,
    trials: int | None,
    storage: str | None,
    all_trials: bool | None,
    settings: tuple[str, ...],
    project_file: Path | None,
    **flags: Any,
) -> int:
    """Search for a recipe with many short trials. Optuna proposes them, and validation texts judge them.

    \b
    edge-ptf search --profile x86-vnni --model minilm-l6 --data demo --task text-classification --trials 20 --out build/
    edge-ptf compress --config build/recipe.yaml

    The size of a student follows from its predicted latency and size. A training stops early if a smaller and faster
    student is surely better. The same command resumes; several processes with one --out and one --storage share the
    work. The recipe holds the limits and every option that was given. Exit code: 0, or 4 where no trial was finished.
    """
    from edge_ptf.pipeline import begin, trial_runner
    from edge_ptf.search import search

    chosen = Settings(project_file, settings, flags)
    wanted = {"trials": trials, "storage": storage, "all_trials": all_trials}
    own = short_flags(max_drop, min_speedup, package_mb, seed, min_score)
    given = {"search": {name: value for name, value in wanted.items() if value is not None}}
    job, sources = make_job(chosen, dict(merge(own, given)))
    console = make_console()
    console.print(terminal.headline("edge-ptf search", asked(job)))
    say_if_busy(console)

    def on_stage(outcome: Any, subject: str) -> None:
        if not outcome.reused:
            console.print(outcome_line(outcome, subject))

    with Bars(console, job.out / PROGRESS_LOG) as bars:
        start = begin(
            job,
            bars,
            lambda report: console.print(terminal.data_table(report)),
            on_stage,
            on_warning=lambda warning: console.print(terminal.warning_line(warning)),
            searching=True,
        )
        found = search(*trial_runner(job, start), job.out, lambda trial: console.print(trial_tables.trial_line(trial)))
    found.write(job.out)
    console.print("")
    console.print(trial_tables.search_table(found))
    if found.winning is None:
        return ExitCode.UNPROVEN
    file = job.out / RECIPE_FILE
    sections = _sections([*sources, Source("the winner", _overrides(found.winning))])
    asked_for: dict[str, Any] = dict(_asked(chosen, job))
    if "data" in sections:
        sections["data"] = {SOURCE: asked_for.pop("data"), **sections["data"]}
    content = {**asked_for, **sections}
    file.write_text(yaml.safe_dump(content, sort_keys=False, allow_unicode=True), encoding="utf-8")
    console.print(f"\nRecipe: {file}", soft_wrap=True)
    skip = " --skip-finetune" if job.skip_finetune else ""
    console.print(f"  edge-ptf compress --config {file}{skip}", soft_wrap=True)
    return ExitCode.OK


def _asked(chosen: Settings, job: Job) -> dict[str, str]:
    """What the job is, as the project file holds it."""
    given = {name: chosen.get(name) for name in JOB_FIELDS} | {"out_of_scope_label": job.recipe.data.out_of_scope_label}
    return {name: str(value) for name, value in given.items() if value is not None}


def _overrides(winner: Trial) -> dict[str, Any]:
    """The winner's options, with those it unsets, for what was given must not come back; a trial is short, and the
    winner is taught in full."""
    overrides = {section: {**values} for section, values in winner.overrides.items()}
    overrides.get("distill", {}).pop("epochs", None)
    return overrides


def _sections(sources: Sequence[Source]) -> dict[str, Any]:
    """Every option that was set by hand or found, in the project file's words; how the search went is over."""
    merged: dict[str, Any] = {}
    for source in sources:
        merged = merge(merged, source.values)
    found = json.loads(json.dumps(merged))  # lists instead of tuples
    found.get("data", {}).pop("out_of_scope_label", None)  # stands at the top
    return {name: values for name, values in found.items() if values and name != "search"}
