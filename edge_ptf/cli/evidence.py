"""`edge-ptf gate` and `seal`: the verdict about a package."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edge_ptf.cli.arguments import (
    Settings,
    config_option,
    package_path,
    profile_option,
    set_option,
)
from edge_ptf.cli.ci import ci_options, write_file
from edge_ptf.cli.compress import verdict_code
from edge_ptf.cli.console import make_console, say_json
from edge_ptf.errors import BadInputError, ExitCode
from edge_ptf.report import markdown, terminal
from edge_ptf.report.junit import junit

if TYPE_CHECKING:
    from edge_ptf.package import Payload
    from edge_ptf.package.evidence import AccuracyEvidence, Evidence, Verdict

evidence_folders = click.option(
    "--evidence",
    "folders",
    multiple=True,
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="A directory that evaluate or bench wrote; repeatable. A sealed package's own evidence is read anyway.",
)


with_samples_option = click.option(
    "--with-samples",
    is_flag=True,
    help="Put every sample into the package, and count them in its size. [default: NAME.samples.zip beside it]",
)


@click.command("gate")
@click.argument("package", type=package_path)
@profile_option
@evidence_folders
@set_option
@config_option
@click.option("--json", "as_json", is_flag=True, help="Print the verdict as JSON.")
@ci_options
def gate_command(
    package: Path,
    folders: tuple[Path, ...],
    settings: tuple[str, ...],
    project_file: Path | None,
    as_json: bool,
    junit_file: Path | None,
    markdown_file: Path | None,
    **flags: Any,
) -> int:
    """Judge PACKAGE against a profile's targets. Exit code: 0 PASS, 3 FAIL, 4 UNPROVEN.

    Without --profile it is the profile that the package was made for.
    """
    from edge_ptf.package import open_payload

    payload = open_payload(package)
    verdict = judged(payload, _evidence(payload, folders), Settings(project_file, settings, flags))
    write_file(junit_file, junit(verdict, package.stem))
    write_file(markdown_file, markdown.verdict_summary(verdict, package.stem))
    if as_json:
        say_json(verdict.model_dump(mode="json"), indent=2)
    else:
        make_console().print(terminal.verdict_table(verdict))
    return verdict_code(verdict)


@click.command("seal")
@click.argument("package", type=package_path)
@profile_option
@evidence_folders
@set_option
@config_option
@with_samples_option
@click.option(
    "--out", "out_file", required=True, type=click.Path(path_type=Path, dir_okay=False), help="The new package file."
)
def seal_command(
    package: Path,
    folders: tuple[Path, ...],
    settings: tuple[str, ...],
    project_file: Path | None,
    out_file: Path,
    with_samples: bool,
    **flags: Any,
) -> int:
    """Judge PACKAGE and write a new file with the verdict inside. The payload stays byte for byte.

    The evidence with every sample is written to NAME.samples.zip beside the file, which holds its digest.

    Exit code: 0 when the file is written, whatever the verdict; `gate` has the verdict as its exit code.
    """
    from edge_ptf.package import open_payload

    if out_file.exists() and out_file.resolve() == package.resolve():
        raise BadInputError(f"{out_file}: would replace the package it is made from", hint="Choose another --out")
    payload = open_payload(package)
    evidence = _evidence(payload, folders)
    verdict, lines = judge_and_seal(
        payload, evidence, Settings(project_file, settings, flags), out_file, with_samples=with_samples
    )
    console = make_console()
    console.print(terminal.verdict_table(verdict))
    console.print(lines, soft_wrap=True)
    return ExitCode.OK


def judge_and_seal(
    payload: Payload, evidence: list[Evidence], chosen: Settings, out_file: Path, *, with_samples: bool
) -> tuple[Verdict, str]:
    """Judges the file that is to ship and writes it; returns the verdict, and what was written where."""
    from edge_ptf.package import seal
    from edge_ptf.package.samples import samples_file
    from edge_ptf.package.sealing import with_samples_inside, without_samples_inside

    ships = with_samples_inside(payload, evidence) if with_samples else without_samples_inside(payload)
    verdict = judged(ships, evidence, chosen)
    sealed = seal(ships, evidence, verdict, out_file, with_samples=with_samples)
    lines = f"\n{out_file}: payload {sealed.digest[:12]}"
    file = samples_file(out_file)
    return verdict, lines if with_samples else f"{lines}\n{file}: its samples; keep it beside the package"


def _evidence(payload: Payload, folders: tuple[Path, ...]) -> list[Evidence]:
    from edge_ptf.package.evidence import with_earlier

    evidence = with_earlier([record for folder in folders for record in _records(folder)], payload.evidence())
    if not evidence:
        raise BadInputError(
            f"{payload.path}: nothing has been measured about it",
            hint="Run `edge-ptf evaluate` and `edge-ptf bench`, and give their directories with --evidence",
        )
    return evidence


def judged(payload: Payload, evidence: list[Evidence], chosen: Settings) -> Verdict:
    """The verdict against the profile and targets of the settings."""
    from edge_ptf import profiles, tasks
    from edge_ptf.gate import gate
    from edge_ptf.package.evidence import AccuracyEvidence
    from edge_ptf.recipe import resolve_recipe

    baseline = [
        record for record in evidence if isinstance(record, AccuracyEvidence) and record.payload != payload.digest
    ]
    if len({record.payload for record in baseline}) > 1:
        baseline = _teacher(payload, evidence, baseline)
    profile = profiles.load(made_for(payload, chosen))
    targets = resolve_recipe(profile, tasks.get(payload.manifest.head.task), chosen.sources).targets
    return gate(payload, evidence, baseline, profile, targets)


def made_for(payload: Payload, chosen: Settings) -> str:
    """The profile that is named; else the one that the package was made for, or was sealed against."""
    from edge_ptf import profiles

    verdict = payload.verdict()
    name = payload.manifest.profile or (verdict.profile if verdict else None)
    if chosen.get("profile") or not name:
        return str(chosen.need("profile"))
    if name not in profiles.names():
        raise BadInputError(
            f"{payload.path}: was made for the profile '{name}', which is not a shipped one",
            hint="Give its file: --profile FILE.yaml",
        )
    return name


def _teacher(payload: Payload, evidence: list[Evidence], others: list[AccuracyEvidence]) -> list[AccuracyEvidence]:
    """Of several other packages that were evaluated the one that this one was timed beside."""
    timed = {getattr(record, "baseline", None) for record in evidence if record.payload == payload.digest}
    found = [record for record in others if record.payload in timed]
    if len({record.payload for record in found}) != 1:
        digests = ", ".join(sorted({record.payload[:12] for record in others}))
        raise BadInputError(
            f"{payload.path}: any of {digests} could be its teacher, and the evidence does not say which",
            hint="Give --evidence of one of them, or of a bench beside it",
        )
    return found


def _records(folder: Path) -> list[Evidence]:
    from edge_ptf.bench import load_accuracy, load_bench

    if (folder / "accuracy.json").exists():
        return [load_accuracy(folder)]
    return list(load_bench(folder))
