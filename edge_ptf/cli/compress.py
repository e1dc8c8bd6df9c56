"""`edge-ptf compress`: the main job."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edge_ptf import tasks
from edge_ptf.api.jobs import make_job, sections_with_seed
from edge_ptf.cli.arguments import (
    Command,
    config_option,
    data_option,
    model_option,
    out_of_scope_option,
    out_option,
    profile_option,
    read_settings,
    set_option,
    task_option,
)
from edge_ptf.cli.choices import complete_metric, complete_score
from edge_ptf.cli.ci import ci_options, write_file
from edge_ptf.cli.console import PROGRESS_LOG, Bars, make_console, say_json
from edge_ptf.cli.running import outcome_line, say_if_busy
from edge_ptf.credentials import masked_values
from edge_ptf.errors import BadInputError, ExitCode
from edge_ptf.metrics import gated
from edge_ptf.package.evidence import Status, Verdict
from edge_ptf.package.samples import samples_file
from edge_ptf.profiles import ACCURACY_TARGETS
from edge_ptf.recipe import sources_below
from edge_ptf.report import markdown, terminal, trials
from edge_ptf.report.junit import junit

if TYPE_CHECKING:
    from rich.console import Console

    from edge_ptf.cache import Outcome
    from edge_ptf.data.dataset import DataReport
    from edge_ptf.pipeline import Result
    from edge_ptf.preparation import Job, Prepared

VERDICT_CODES = {Status.PASS: ExitCode.OK, Status.FAIL: ExitCode.FAIL, Status.UNPROVEN: ExitCode.UNPROVEN}


def _judged_by() -> str:
    """The gated metrics of each task, in words."""
    judged = (tasks.create(tasks.get(name).spec_for(("O",))) for name in tasks.names())
    named = [f"{metric.name} ({task.name})" for task in judged for metric in gated(task.metrics)]
    return f"{', '.join(named)}; with an out-of-scope label in_scope_accuracy or out_of_scope_recall"


MAX_DROP = f"Limit on an accuracy drop, in points or in the metric's own unit. METRIC is one of {_judged_by()}."
MIN_SCORE = (
    "Worst score that a metric may have, such as accuracy=90. METRIC is any metric of the task. For ece, the expected "
    "calibration error, it is the largest one."
)


max_drop_option = click.option(
    "--max-drop", multiple=True, metavar="METRIC=POINTS", shell_complete=complete_metric, help=MAX_DROP
)
min_score_option = click.option(
    "--min-score", multiple=True, metavar="METRIC=PERCENT", shell_complete=complete_score, help=MIN_SCORE
)


def whole_job_options(command: Command) -> Command:
    """What a whole job takes: device, model, labelled text, the usual limits, and any other option."""
    for option in (
        config_option,
        set_option,
        click.option("--seed", type=int, help="Seed of every stage that draws random numbers."),
        click.option("--package-mb", type=float, help="Limit on the package's size, 10^6 bytes."),
        click.option("--min-speedup", type=float, help="Limit on the speed-up over the FP32 teacher."),
        max_drop_option,
        min_score_option,
        click.option(
            "--skip-finetune", is_flag=True, default=None, help="--model is fine-tuned already: it is the teacher."
        ),
        out_of_scope_option,
        out_option,
        task_option,
        data_option,
        model_option,
        profile_option,
    ):
        command = option(command)
    return command


@click.command("compress")
@whole_job_options
@click.option("--name", help="Name of the package file. [default: package]")
@click.option("--folds", type=int, help="Judge accuracy by cross-validation over so many folds of train and test.")
@click.option("--seeds", type=int, help="Repeat the run with so many seeds; the report shows mean and deviation.")
@ci_options
@click.option("--json", "as_json", is_flag=True, help="Print the result as one JSON object; all else to stderr.")
@click.option("--redact", is_flag=True, help="Leave the texts of the data out of the report's page.")
@click.option("--dry-run", is_flag=True, help="Print the settings and where each comes from; check model and data.")
def compress_command(
    max_drop: tuple[str, ...],
    min_score: tuple[str, ...],
    min_speedup: float | None,
    package_mb: float | None,
    seed: int | None,
    folds: int | None,
    seeds: int | None,
    settings: tuple[str, ...],
    project_file: Path | None,
    junit_file: Path | None,
    markdown_file: Path | None,
    as_json: bool,
    redact: bool,
    dry_run: bool,
    **flags: Any,
) -> int:
    """Fine-tune, prune, distil, quantize, export, measure, judge and package.

    \b
    edge-ptf compress --profile host --model minilm-l6 --data demo --task text-classification \\
        --out-of-scope-label out_of_scope --max-drop in_scope_accuracy=2 --out build/
    edge-ptf compress --profile x86-vnni --model minilm-l6 --data clinc150/ --task text-classification \\
        --out-of-scope-label oos --out build/

    Without a size for the student (prune.num_layers, prune.intermediate_size, prune.speedup, …), edge-ptf predicts
    sizes that meet the targets, makes such students, and judges them on validation texts until one meets the targets.
    Stages with the same inputs are reused. After an interruption the same command resumes.
    Exit code: 0 PASS, 3 FAIL, 4 UNPROVEN; the package is written in all three cases. 3 without a package: an export
    that answers otherwise than its model, or INT8 that is slower here than FP32, was refused.
    """
    chosen = read_settings(project_file, settings, flags)
    own = short_flags(max_drop, min_speedup, package_mb, seed, min_score)
    own |= {} if folds is None else {"cross_validation": {"folds": folds}}
    own |= {} if seeds is None else {"repetition": {"seeds": seeds}}
    job, sources = make_job(chosen, own)
    console = make_console(stderr=as_json)
    if dry_run:
        said = {name: f"{value} (set by {chosen.origin(name)})" for name, value in asked(job).items()}
        console.print(terminal.headline("edge-ptf compress (dry run)", said))
        below, recipe = sources_below(job.profile, job.task, sources), masked_values(job.recipe.model_dump(mode="json"))
        console.print(terminal.settings_table([*below, *sources], recipe))
        found = _check(job, console)
        if as_json:
            say_json({"dry_run": True, "job": masked_values(asked(job)), "recipe": recipe, **_shown(found)}, indent=2)
        return ExitCode.OK
    result = _run(dataclasses.replace(job, redact=redact), console)
    write_file(junit_file, junit(result.verdict, job.name))
    write_file(markdown_file, _summary(result, job.name))
    if as_json:
        say_json(_result(result), indent=2)
    return verdict_code(result.verdict)


def asked(job: Job) -> dict[str, str]:
    """The job in words."""
    return {
        "profile": f"{job.profile.name} ({job.profile.title})",
        "model": job.model,
        "data": job.data,
        "task": job.task.name,
        "out": str(job.out),
    }


def _check(job: Job, console: Console) -> Prepared:
    """Reads the data, and loads tokenizer and model as the training does; nothing is trained or written."""
    from edge_ptf.preparation import check_model, prepare

    with Bars(console) as bars:
        found = prepare(
            job,
            bars,
            lambda report: console.print(terminal.data_table(report)),
            lambda warning: console.print(terminal.warning_line(warning)),
        )
        check_model(job, found)
    console.print("Model and data can be used. Nothing was trained.")
    return found


def _shown(found: Prepared) -> dict[str, Any]:
    """What a dry run found, as JSON."""
    return {
        "data": found.data.report.model_dump(mode="json"),
        "provable": [{**each.model_dump(mode="json"), "possible": each.possible} for each in found.provable],
    }


def _result(result: Result) -> dict[str, Any]:
    """What came out, as JSON: the run record with the files and the figures of teacher and package."""
    from edge_ptf.pipeline import record

    figures = {
        name: {"metrics": accuracy.metrics, "size_mb": round(payload.size_bytes / 1e6, 3)}
        for name, accuracy, payload in (
            ("teacher", result.baseline_accuracy, result.baseline),
            ("package", result.accuracy, result.payload),
        )
    }
    files = {"package": str(result.package), "report": str(result.report)}
    return {**record(result), "files": files, "figures": figures}


def _run(job: Job, console: Console) -> Result:
    from edge_ptf.cli.expected_work import ExpectedWork, parts_of
    from edge_ptf.pipeline import compress
    from edge_ptf.repetition import spread

    console.print(terminal.headline("edge-ptf compress", asked(job)))
    say_if_busy(console)
    whole = ExpectedWork()

    def on_data(report: DataReport) -> None:
        console.print(terminal.data_table(report))
        whole.expect(parts_of(job, report))

    def on_stage(outcome: Outcome[Any], subject: str) -> None:
        console.print(outcome_line(outcome, subject))

    with Bars(console, job.out / PROGRESS_LOG, whole) as bars:
        result = compress(
            job,
            progress=bars,
            on_data=on_data,
            on_warning=lambda warning: console.print(terminal.warning_line(warning)),
            on_stage=on_stage,
            on_trial=lambda trial: console.print(trials.trial_line(trial)),
        )
    console.print("")
    console.print(
        terminal.comparison_table(
            result.baseline_accuracy,
            result.accuracy,
            result.baseline.size_bytes / 1e6,
            result.payload.size_bytes / 1e6,
        )
    )
    if result.repetitions:
        console.print(terminal.seeds_table(len(result.repetitions), spread(result.repetitions)))
    console.print(terminal.latency_table(result.latency, result.memory))
    if result.search:
        console.print(trials.search_table(result.search))
    console.print(terminal.verdict_table(result.verdict, shown=result.latency.warnings))
    console.print(f"\nPackage: {result.package}", soft_wrap=True)
    console.print(f"Samples: {samples_file(result.package)}", soft_wrap=True)
    console.print(f"Report:  {result.report}", soft_wrap=True)
    for line in _next_steps(result):
        console.print(f"  {line}", soft_wrap=True)
    return result


def _summary(result: Result, name: str) -> str:
    return markdown.run_summary(
        result.verdict,
        name,
        (result.baseline_accuracy, result.accuracy),
        (result.baseline.size_bytes / 1e6, result.payload.size_bytes / 1e6),
        result.latency,
        result.memory,
    )


def verdict_code(verdict: Verdict) -> int:
    """The exit code that says the verdict."""
    return VERDICT_CODES[verdict.status] if verdict.status else ExitCode.OK


def _next_steps(result: Result) -> list[str]:
    """What a user does after this run."""
    pair = ' --pair "the second text"' if result.payload.manifest.heads[0].text_pairs else ""
    steps = [f'edge-ptf predict {result.package} "your text"{pair}', f"edge-ptf inspect {result.package}"]
    open_ones = [item for item in result.verdict.target_verdicts if item.status is Status.UNPROVEN and item.settle]
    lost = [item for item in result.verdict.target_verdicts if item.status is Status.FAIL]
    if any(item.target.startswith(ACCURACY_TARGETS) for item in lost):
        steps.append(
            "Accuracy is too low: keep more with --set prune.num_layers=…, --set prune.intermediate_size=…, "
            "or train longer with "
            "--set distill.epochs=…"
        )
    if any(item.target in ("min_speedup", "package_mb") for item in lost):
        steps.append("Too slow or too large: cut more with --set prune.num_layers=…, --set prune.intermediate_size=…")
    if open_ones and not lost:
        steps.append("The verdict stays open until what is listed above under 'To settle it' is done.")
    return steps


def short_flags(
    max_drop: tuple[str, ...],
    min_speedup: float | None,
    package_mb: float | None,
    seed: int | None,
    min_score: tuple[str, ...] = (),
) -> dict[str, Any]:
    """Targets and seed as the recipe knows them."""
    targets: dict[str, Any] = {"min_speedup": min_speedup, "package_mb": package_mb}
    targets = {name: value for name, value in targets.items() if value is not None}
    for name, items, form in (("max_drop", max_drop, "POINTS"), ("min_score", min_score, "PERCENT")):
        for item in items:
            metric, equals, number = item.partition("=")
            if not equals or not _is_number(number):
                flag, example = f"--{name.replace('_', '-')}", {"POINTS": "1.0", "PERCENT": "90"}[form]
                raise BadInputError(f"{flag} {item}: not METRIC={form}", hint=f"For example {flag} accuracy={example}")
            targets.setdefault(name, {})[metric.strip()] = float(number)
    values: dict[str, Any] = {"targets": targets} if targets else {}
    if seed is not None:
        values |= {section: {"seed": seed} for section in sections_with_seed()}
    return values


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
