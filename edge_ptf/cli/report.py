"""`edge-ptf report` and `compare`: what people read about packages."""

from __future__ import annotations

import webbrowser
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edge_ptf.cli.arguments import (
    Settings,
    config_option,
    data_option,
    out_of_scope_option,
    set_option,
)
from edge_ptf.cli.console import Bars, make_console
from edge_ptf.cli.running import load_data
from edge_ptf.config import Source
from edge_ptf.errors import BadInputError, EdgePtfError, ExitCode

if TYPE_CHECKING:
    from edge_ptf.report.study import Study

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
    from edge_ptf.data import is_at_hand
    from edge_ptf.report.page import REPORT, report_page, write_page
    from edge_ptf.report.study import open_study

    study = open_study(subject)
    file = out_file or (subject if subject.is_dir() else subject.parent) / REPORT
    console = make_console()
    if redact:
        study = study.redact()
    elif flags.get("data"):
        study = _with_texts(study, settings, project_file, flags)
    elif source := study.record.get("data", {}).get("source"):
        try:
            if not is_at_hand(source):
                raise BadInputError(f"{source} is not here")
            study = _with_texts(study, settings, project_file, {**flags, "data": source})
        except EdgePtfError as error:
            console.print(f"  The data of the run cannot be shown: {error.message}", soft_wrap=True)
    write_page(report_page(study), file)
    console.print(f"{file}: {file.stat().st_size / 1e6:.1f} MB", soft_wrap=True)
    if study.redacted:
        console.print("  The texts are left out; test rows are shown by number.", soft_wrap=True)
    elif study.accuracy is not None and not study.examples:
        console.print("  Test rows are shown by number; --data puts their texts in.", soft_wrap=True)
    if open_it and not webbrowser.open(file.resolve().as_uri()):
        console.print("  No browser could be opened here.")
    return ExitCode.OK


def _with_texts(study: Study, settings: tuple[str, ...], project_file: Path | None, flags: dict[str, Any]) -> Study:
    """The study with the texts of the test split, read as the run read them."""
    chosen = Settings(project_file, settings, flags)
    if reading := study.record.get("recipe", {}).get("data"):
        chosen.sources.insert(0, Source("run.json", {"data": reading}))
    with Bars(make_console()) as bars:
        data = load_data(chosen, study.payload.manifest.head, bars)
    return study.with_examples(data, flags["data"])


@click.command("compare")
@click.argument("left", metavar="A", type=subject)
@click.argument("right", metavar="B", type=subject)
@click.option("--html", "out_file", type=page_file, help="Also write the comparison as a page.")
def compare_command(left: Path, right: Path, out_file: Path | None) -> int:
    """Compare two packages, or one package that was sealed on two devices."""
    from edge_ptf.report import terminal
    from edge_ptf.report.comparison import compare
    from edge_ptf.report.page import comparison_page, write_page
    from edge_ptf.report.study import open_study

    if left.resolve() == right.resolve():
        raise BadInputError(f"{left}: compared with itself", hint="Give two packages or run directories")
    found = compare(open_study(left), open_study(right), (str(left), str(right)))
    console = make_console()
    console.print(terminal.two_studies_table(found))
    if out_file is not None:
        write_page(comparison_page(found), out_file)
        console.print(f"\n{out_file}", soft_wrap=True)
    return ExitCode.OK
