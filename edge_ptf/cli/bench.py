"""`edge-ptf bench`: latency and memory of a package, on this machine or on a device."""

from __future__ import annotations

import inspect
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from edge_ptf import stages
from edge_ptf.api.inputs import stage_config
from edge_ptf.api.judging import check_other_file, judge_and_seal, judged, made_for, sealed_lines
from edge_ptf.api.measuring import asked_texts, entered, proof
from edge_ptf.api.parameters import HELP
from edge_ptf.api.stage_functions import known_from_inputs
from edge_ptf.bench import BenchConfig
from edge_ptf.bench.latency import check_teacher
from edge_ptf.cli.arguments import package_path, read_settings
from edge_ptf.cli.compress import verdict_code
from edge_ptf.cli.console import make_console
from edge_ptf.cli.devices import ssh_option
from edge_ptf.cli.evidence import with_samples_option
from edge_ptf.cli.running import outcome_line, working
from edge_ptf.cli.stage_commands import input_options, work_options
from edge_ptf.errors import BadInputError, ExitCode
from edge_ptf.package import open_payload
from edge_ptf.package.evidence import with_earlier
from edge_ptf.report import terminal


@click.command("bench", help=inspect.getdoc(stages.bench.function))
@input_options(stages.bench)
@click.option("--against", type=package_path, help="Another package: which is faster, beyond the noise of the session.")
@click.option("--device", help=HELP["device"])
@click.option(
    "--runner",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help=HELP["runner"],
)
@ssh_option
@click.option(
    "--texts",
    "texts_file",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help=HELP["texts"],
)
@click.option(
    "--seal",
    "sealed",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Judge, and write a new package file with the verdict inside.",
)
@with_samples_option
@work_options(stages.bench)
def bench_command(
    package: Path,
    baseline: Path | None,
    against: Path | None,
    device: str | None,
    runner: Path | None,
    ssh_options: tuple[str, ...],
    texts_file: Path | None,
    sealed: Path | None,
    with_samples: bool,
    settings: tuple[str, ...],
    project_file: Path | None,
    overwrite: bool,
    **flags: Any,
) -> int:
    """Times the package, alone or beside another, here or on a device; then judges and seals where that is asked."""
    chosen = read_settings(project_file, settings, flags)
    judging = flags.get("profile") is not None or sealed is not None
    _check(package, baseline, against, sealed, judging)
    if texts_file and flags.get("data"):
        raise BadInputError("--texts and --data both say which texts are answered", hint="Give one of them")
    payload, other = open_payload(package), baseline or against
    beside = open_payload(other) if other else None
    if beside is not None and against is None:
        check_teacher(payload, beside)
    chosen.sources.insert(0, known_from_inputs(stages.bench, {"package": payload}, BenchConfig))
    config = stage_config(BenchConfig, payload.manifest.head, chosen, flags)
    if judging:
        made_for(payload, chosen)  # said before the measurement, not after
    console = make_console()
    with _kept(chosen.get("out")) as out, working(out, overwrite) as place:
        data = asked_texts(payload, texts_file, chosen, place.progress)
        with entered(device, runner, ssh_options, place.progress) as there:
            if there is not None:
                console.print(proof(there, payload), soft_wrap=True)
            if against and beside:
                compared = stages.compare(place, payload, beside, data, config, there)
                console.print(terminal.contest_table(compared.artifact, package.name, against.name))
                return ExitCode.OK
            outcome = stages.bench(place, payload, data, config, beside, there)
    console.print(outcome_line(outcome))
    if not chosen.get("out"):
        console.print("  Without --out the samples are not kept.")
    console.print(terminal.latency_table(*outcome.artifact))
    if not judging:
        return ExitCode.OK
    evidence = with_earlier(outcome.artifact, payload.evidence())
    lines: list[str] = []
    if sealed is None:
        verdict = judged(payload, evidence, chosen)
    else:
        verdict, made = judge_and_seal(payload, evidence, chosen, sealed, with_samples=with_samples)
        lines = ["", *sealed_lines(sealed, made, with_samples=with_samples)]
    console.print(terminal.verdict_table(verdict, shown=outcome.artifact[0].warnings))
    for line in lines:
        console.print(line, soft_wrap=True)
    return verdict_code(verdict)


def _check(package: Path, baseline: Path | None, against: Path | None, sealed: Path | None, judging: bool) -> None:
    if against and (baseline or judging):
        raise BadInputError("--against compares two packages", hint="Leave out --baseline, --profile and --seal")
    if sealed:
        check_other_file(package, sealed, "--seal")


@contextmanager
def _kept(out: Any) -> Iterator[Path]:
    """The folder of the result; without --out one that goes at the end."""
    if out:
        yield Path(out)
        return
    with tempfile.TemporaryDirectory(prefix="edge-ptf-") as folder:
        yield Path(folder) / "bench"
