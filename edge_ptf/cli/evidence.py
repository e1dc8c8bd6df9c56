"""`edge-ptf gate` and `seal`: the verdict about a package."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from edge_ptf.cli.arguments import (
    config_option,
    package_path,
    profile_option,
    read_settings,
    set_option,
)
from edge_ptf.cli.ci import ci_options, write_file
from edge_ptf.cli.compress import verdict_code
from edge_ptf.cli.console import make_console, say_json
from edge_ptf.errors import ExitCode
from edge_ptf.report import markdown, terminal
from edge_ptf.report.junit import junit

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
    from edge_ptf.api.judging import gathered, judged
    from edge_ptf.package import open_payload

    payload = open_payload(package)
    verdict = judged(payload, gathered(payload, folders), read_settings(project_file, settings, flags))
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
    from edge_ptf.api.judging import check_other_file, gathered, judge_and_seal, sealed_lines
    from edge_ptf.package import open_payload

    check_other_file(package, out_file, "--out")
    payload = open_payload(package)
    chosen = read_settings(project_file, settings, flags)
    verdict, sealed = judge_and_seal(payload, gathered(payload, folders), chosen, out_file, with_samples=with_samples)
    console = make_console()
    console.print(terminal.verdict_table(verdict))
    for line in ["", *sealed_lines(out_file, sealed, with_samples=with_samples)]:
        console.print(line, soft_wrap=True)
    return ExitCode.OK
