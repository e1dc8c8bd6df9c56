"""`edge-ptf label-errors`: labels that are likely wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from edge_ptf.cli.arguments import (
    config_option,
    model_option,
    out_of_scope_option,
    out_option,
    read_settings,
    set_option,
    task_option,
)
from edge_ptf.cli.console import PROGRESS_LOG, Bars, make_console
from edge_ptf.cli.running import outcome_line, say_if_busy
from edge_ptf.errors import ExitCode


@click.command("label-errors")
@click.argument("data", metavar="DATA")
@model_option
@task_option
@out_of_scope_option
@click.option("--folds", type=int, default=3, show_default=True, help="Folds of the cross-validation, from 2 to 20.")
@out_option
@set_option
@config_option
def label_errors_command(folds: int, settings: tuple[str, ...], project_file: Path | None, **flags: Any) -> int:
    """Find labels of DATA that are likely wrong, and the classes that models confuse.

    \b
    edge-ptf label-errors my-texts/ --model minilm-l6 --task text-classification --out build/labels

    A model is fine-tuned in each fold of train and test, and answers the texts that it has not seen. So this takes as
    long as --folds teachers. A label is likely wrong if another class is surer of the text than that class usually is
    of its own texts (confident learning). The list is written to label-errors.csv in --out; nothing is changed in DATA.
    """
    from edge_ptf.api.labels import searched_labels
    from edge_ptf.report.labels import label_errors_view

    chosen = read_settings(project_file, settings, flags)
    console = make_console()
    say_if_busy(console)
    with Bars(console, Path(chosen.need("out")) / PROGRESS_LOG) as bars:
        found = searched_labels(
            chosen, {}, folds, bars, lambda outcome, subject: console.print(outcome_line(outcome, subject))
        )
    console.print("")
    console.print(label_errors_view(found.details))
    console.print(f"\nAll likely errors: {found.file}", soft_wrap=True)
    return ExitCode.OK
