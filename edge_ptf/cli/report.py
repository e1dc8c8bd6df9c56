"""`edge-ptf report` and `compare`: what people read about packages."""

from __future__ import annotations

import webbrowser
from pathlib import Path
from typing import Any

import click

from edge_ptf.cli.arguments import (
    config_option,
    data_option,
    out_of_scope_option,
    read_settings,
    set_option,
)
from edge_ptf.cli.console import Bars, make_console
from edge_ptf.errors import ExitCode

subject = click.Path(path_type=Path, exists=True)
redact_option = click.option(
    "--redact", is_flag=True, help="Leave the texts of the data out of the page; figures, classes and row numbers stay."
)
page_file = click.Path(path_type=Path, dir_okay=False)


@click.command("report")
@click.argument("subject", metavar="PACKAGE_OR_RUN_DIR", type=subject)
@data_option
@out_of_scope_option
@set_option
@config_option
@click.option("--out", "out_file", type=page_file, help="The page. [default: report.html beside the package]")
@redact_option
@click.option("--open", "open_it", is_flag=True, help="Open the page in the browser.")
def report_command(
    subject: Path,
    settings: tuple[str, ...],
    project_file: Path | None,
    out_file: Path | None,
    open_it: bool,
    redact: bool,
    **flags: Any,
) -> int:
    """Write one self-contained HTML page about PACKAGE, or about the run directory that compress wrote.

    Evidence has the row numbers of the test split, not its texts. --data adds the texts. Without --data, a report about
    a run takes the texts from the data of the run, if they are still there. With --redact the page has no texts.
    """
    from edge_ptf.api.reporting import reported

    console = make_console()
    chosen = read_settings(project_file, settings, flags)
    with Bars(console) as bars:
        found = reported(subject, flags.get("data"), out_file, chosen, bars, redact=redact)
    file, study = found.page, found.study
    if found.note:
        console.print(f"  {found.note}", soft_wrap=True)
    console.print(f"{file}: {file.stat().st_size / 1e6:.1f} MB", soft_wrap=True)
    if study.redacted:
        console.print("  The texts are left out; test rows are shown by number.", soft_wrap=True)
    elif study.accuracy is not None and not study.examples:
        console.print("  Test rows are shown by number; --data puts their texts in.", soft_wrap=True)
    if open_it and not webbrowser.open(file.resolve().as_uri()):
        console.print("  No browser could be opened here.")
    return ExitCode.OK


@click.command("compare")
@click.argument("left", metavar="A", type=subject)
@click.argument("right", metavar="B", type=subject)
@click.option("--html", "out_file", type=page_file, help="Also write the comparison as a page.")
def compare_command(left: Path, right: Path, out_file: Path | None) -> int:
    """Compare two packages, or one package that was sealed on two devices."""
    from edge_ptf.api.reporting import compared
    from edge_ptf.report import terminal

    found = compared(left, right, out_file)
    console = make_console()
    console.print(terminal.two_studies_table(found))
    if out_file is not None:
        console.print(f"\n{out_file}", soft_wrap=True)
    return ExitCode.OK
