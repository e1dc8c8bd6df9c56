"""`edge-ptf search`: many short trials, a front of accuracy, speed and size, and a recipe for `compress`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from edge_ptf.api.jobs import make_job
from edge_ptf.cli.arguments import read_settings
from edge_ptf.cli.compress import asked, short_flags, whole_job_options
from edge_ptf.cli.console import PROGRESS_LOG, Bars, make_console
from edge_ptf.cli.running import outcome_line, say_if_busy
from edge_ptf.config import merge
from edge_ptf.errors import ExitCode
from edge_ptf.report import terminal
from edge_ptf.report import trials as trial_tables


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
    from edge_ptf.api.searching import write_recipe
    from edge_ptf.pipeline import begin, trial_runner
    from edge_ptf.search import search

    chosen = read_settings(project_file, settings, flags)
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
    file = write_recipe(chosen, job, sources, found)
    if file is None:
        return ExitCode.UNPROVEN
    console.print(f"\nRecipe: {file}", soft_wrap=True)
    skip = " --skip-finetune" if job.skip_finetune else ""
    console.print(f"  edge-ptf compress --config {file}{skip}", soft_wrap=True)
    return ExitCode.OK
