"""`edge-ptf check`: what labelled text is, what is wrong with it, and what it can prove. Nothing is trained."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from edge_ptf.cli.arguments import (
    config_option,
    model_option,
    out_of_scope_option,
    profile_option,
    read_settings,
    set_option,
    task_option,
)
from edge_ptf.cli.compress import max_drop_option, min_score_option, short_flags
from edge_ptf.cli.console import Bars, make_console, say_json
from edge_ptf.errors import BadInputError, ExitCode
from edge_ptf.progress import SILENT


@click.command("check")
@click.argument("data", metavar="DATA")
@task_option
@profile_option
@model_option
@out_of_scope_option
@max_drop_option
@min_score_option
@set_option
@config_option
@click.option("--json", "as_json", is_flag=True, help="Print everything as one JSON object.")
def check_command(
    max_drop: tuple[str, ...],
    min_score: tuple[str, ...],
    settings: tuple[str, ...],
    project_file: Path | None,
    as_json: bool,
    **flags: Any,
) -> int:
    """Read DATA as compress does, and show what it is, what is wrong with it, and what it can prove.

    \b
    edge-ptf check my-texts/ --task text-classification
    edge-ptf check my-texts/ --task text-classification --profile x86-vnni --model minilm-l6 --json

    With --profile, --max-drop or --min-score the limits are known. With --model the lengths in tokens are counted, and
    a few training steps are timed to predict how long a run takes here. Nothing is kept or written.
    Exit code: 0 if the data can be used, warnings or not; 2 if they cannot.
    """
    from edge_ptf.api.checking import checked

    limits = short_flags(max_drop, None, None, None, min_score)
    if not as_json:
        from edge_ptf.report.check import check_view

        console = make_console()
        with Bars(console) as bars:
            found = checked(read_settings(project_file, settings, flags), limits, bars)
        console.print(check_view(found))
        return ExitCode.OK
    try:
        found = checked(read_settings(project_file, settings, flags), limits, SILENT)
    except BadInputError as error:
        say_json(
            {"usable": False, "error": error.message, "hint": error.hint, "problems": list(error.problems)}, indent=2
        )
        return ExitCode.BAD_INPUT
    say_json({**found.model_dump(mode="json"), "warnings": list(found.warnings)}, indent=2)
    return ExitCode.OK
