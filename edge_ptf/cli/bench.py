"""`edge-ptf bench`: latency and memory of a package, on this machine or on a device."""

from __future__ import annotations

import inspect
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edge_ptf import stages
from edge_ptf.bench import BenchConfig, BenchTexts, golden_texts, texts_of
from edge_ptf.cli.arguments import Settings, package_path
from edge_ptf.cli.compress import verdict_code
from edge_ptf.cli.console import make_console
from edge_ptf.cli.devices import ssh_option
from edge_ptf.cli.evidence import judge_and_seal, judged, made_for, with_samples_option
from edge_ptf.cli.running import load_data, outcome_line, stage_config, working
from edge_ptf.cli.stage_commands import input_options, work_options
from edge_ptf.config import Source
from edge_ptf.errors import BadInputError, EnvironmentFault, ExitCode
from edge_ptf.package import Payload, open_payload
from edge_ptf.package.evidence import with_earlier
from edge_ptf.progress import Progress
from edge_ptf.report import terminal

if TYPE_CHECKING:
    from edge_ptf.bench.devices import Device
    from edge_ptf.data.dataset import LabelledData

LOCAL = "local"


@click.command("bench", help=inspect.getdoc(stages.bench.function))
@input_options(stages.bench)
@click.option("--against", type=package_path, help="Another package: which is faster, beyond the noise of the session.")
@click.option("--device", help="local, ssh://[user@]host[:port], adb[:SERIAL] or qemu:aarch64. [default: local]")
@click.option(
    "--runner",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="The folder of the C++ runner built for the device. [default: the one in build/]",
)
@ssh_option
@click.option(
    "--texts",
    "texts_file",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="A file with one text on each line, in place of --data. [default without --data: the golden texts]",
)
@click.option(
    "--seal",
    "sealed",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Judge, and write a new package file with the verdict inside.",
)
@with_samples_option
@work_options(stages.bench, {"threads": "the package's own"})
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
    chosen = Settings(project_file, settings, flags)
    judging = flags.get("profile") is not None or sealed is not None
    _check(package, baseline, against, sealed, judging)
    if texts_file and flags.get("data"):
        raise BadInputError("--texts and --data both say which texts are answered", hint="Give one of them")
    payload, other = open_payload(package), baseline or against
    beside = open_payload(other) if other else None
    if beside is not None and against is None:
        _check_teacher(payload, beside)
    own = {"bench": {"threads": payload.manifest.engine.threads}}  # as it runs where the application says nothing
    chosen.sources.insert(0, Source("the package", own))
    config = stage_config(BenchConfig, payload.manifest.head, chosen, flags)
    if judging:
        made_for(payload, chosen)  # said before the measurement, not after
    console = make_console()
    with _kept(chosen.get("out")) as out, working(out, overwrite) as place:
        data = _texts(payload, texts_file, chosen, place.progress)
        with _entered(device or LOCAL, runner, ssh_options, place.progress) as there:
            if there is not None:
                console.print(_proof(there, payload), soft_wrap=True)
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
    lines = ""
    if sealed is None:
        verdict = judged(payload, evidence, chosen)
    else:
        verdict, lines = judge_and_seal(payload, evidence, chosen, sealed, with_samples=with_samples)
    console.print(terminal.verdict_table(verdict, shown=outcome.artifact[0].warnings))
    if lines:
        console.print(lines, soft_wrap=True)
    return verdict_code(verdict)


def _check(package: Path, baseline: Path | None, against: Path | None, sealed: Path | None, judging: bool) -> None:
    if against and (baseline or judging):
        raise BadInputError("--against compares two packages", hint="Leave out --baseline, --profile and --seal")
    if sealed and sealed.exists() and sealed.resolve() == package.resolve():
        raise BadInputError(f"{sealed}: would replace the package it is made from", hint="Choose another --seal")


@contextmanager
def _kept(out: Any) -> Iterator[Path]:
    """The folder of the result; without --out one that goes at the end."""
    if out:
        yield Path(out)
        return
    with tempfile.TemporaryDirectory(prefix="edge-ptf-") as folder:
        yield Path(folder) / "bench"


def _texts(payload: Payload, file: Path | None, chosen: Settings, progress: Progress) -> LabelledData | BenchTexts:
    """The texts to answer: of the file, else the test split of the data, else the golden texts."""
    if file is not None:
        return texts_of(file, payload)
    if chosen.get("data"):
        return load_data(chosen, payload.manifest.head, progress)
    return golden_texts(payload)


def _check_teacher(payload: Payload, teacher: Payload) -> None:
    """A speed-up is over the full-precision model, and over one that answers the same question."""
    precision, theirs = teacher.manifest.graph.scheme.precision, teacher.manifest.head
    if precision != "fp32":
        raise BadInputError(
            f"{teacher.path}: {precision.upper()}, and a speed-up is over the FP32 teacher",
            hint="Give its package, or --against to compare any two",
        )
    if (theirs.task, theirs.labels) != (payload.manifest.head.task, payload.manifest.head.labels):
        raise BadInputError(
            f"{teacher.path}: has another task or other labels than {payload.path}", hint="Give its teacher's package"
        )


@contextmanager
def _entered(
    name: str, runner: Path | None, ssh_options: tuple[str, ...], progress: Progress
) -> Iterator[Device | None]:
    """The open device; None: this machine as it is."""
    from edge_ptf.bench.devices import DeviceOptions, open_device

    if name == LOCAL and runner is None:
        yield None
        return
    with open_device(name, DeviceOptions(ssh_options=ssh_options, runner=runner, progress=progress)) as there:
        yield there


def _proof(device: Device, payload: Payload) -> str:
    """That the package answers on the device as it must.

    Raises:
        VerificationError: it does not.
        EnvironmentFault: it does, and yet no latency is measured there.
    """
    from edge_ptf.bench.launching import selftest

    said = f"Selftest on {device.name}: {selftest(device, payload)}"
    if device.facts().emulated:
        raise EnvironmentFault(
            f"{said}. Latency is refused as evidence: emulated processor",
            hint="Measure on the device itself: edge-ptf bench --device ssh://user@host",
        )
    return said
