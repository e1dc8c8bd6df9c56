"""`report` and `compare`: what people read about packages."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edge_ptf.api.arguments import path_of, public
from edge_ptf.api.inputs import load_data
from edge_ptf.api.jobs import given_settings
from edge_ptf.api.parameters import PathText, Setting
from edge_ptf.api.results import CompareResult, ReportResult
from edge_ptf.api.settings import Settings
from edge_ptf.config import Source
from edge_ptf.data import is_at_hand
from edge_ptf.data.dataset import LabelledData
from edge_ptf.errors import BadInputError, EdgePtfError
from edge_ptf.progress import SILENT, Progress
from edge_ptf.report.comparison import SideBySide
from edge_ptf.report.comparison import compare as side_by_side
from edge_ptf.report.page import REPORT, comparison_page, report_page, write_page
from edge_ptf.report.study import Study, open_study


@public
def report(
    subject: PathText,
    *,
    data: PathText | LabelledData | Mapping[str, Any] | None = None,
    out_of_scope_label: str | None = None,
    out: PathText | None = None,
    redact: bool = False,
    set: Setting | None = None,
    config: PathText | None = None,
    progress: Progress | None = None,
) -> ReportResult:
    """Writes one self-contained HTML page about a package, or about the directory that `compress` wrote.

    Args:
        subject: a package file or the directory of a run.
        data: the texts of the evaluated split. Of a run, they are read from the run's data where these are still there.
        out_of_scope_label: the label of texts that belong to no class.
        out: the page. [default: report.html beside the package]
        redact: leave the texts of the data out of the page; figures, classes and row numbers stay.
        set: any option of the recipe: `{"data.text_column": "question"}`.
        config: project file. [default: edge-ptf.yaml where it exists]
        progress: receives how far the work is. [default: nothing is shown]

    Raises:
        BadInputError: the subject is neither a package nor a run, or the package was evaluated on other data.
        ArgumentError: an argument is unknown or has a wrong value.

    Example:
        >>> print(edge_ptf.report("work/package.eptf", out="work/page.html"))
        Verdict: not sealed, none inside
        package size ... MB
        Page: work/page.html
    """
    path = path_of("subject", subject, exists=True)
    page = None if out is None else path_of("out", out)
    chosen, own = given_settings({"data": data, "out_of_scope_label": out_of_scope_label}, config, set, {})
    chosen.sources.append(Source(chosen.caller, own))
    return reported(
        path, chosen.get("data") if data is not None else None, page, chosen, progress or SILENT, redact=redact
    )


def reported(
    subject: Path, data: Any, page: Path | None, chosen: Settings, progress: Progress, *, redact: bool
) -> ReportResult:
    """Writes the page.

    Args:
        data: the data that the caller named; None: those of the run, where they are at hand.
        page: None: report.html beside the package.
        chosen: how the data are read, beside what the run says.
    """
    study, note = open_study(subject), ""
    file = page or (subject if subject.is_dir() else subject.parent) / REPORT
    if redact:
        study = study.redact()
    elif data is not None:
        study = _with_texts(study, data, chosen, progress)
    elif source := study.record.get("data", {}).get("source"):
        try:
            if not is_at_hand(source):
                raise BadInputError(f"{source} is not here")
            study = _with_texts(study, source, chosen, progress)
        except EdgePtfError as error:
            note = f"The data of the run cannot be shown: {error.message}"
    write_page(report_page(study), file)
    return ReportResult(file, study, note)


def _with_texts(study: Study, data: Any, chosen: Settings, progress: Progress) -> Study:
    """The study with the texts of the test split, read as the run read them."""
    chosen.values["data"] = data
    if reading := study.record.get("recipe", {}).get("data"):
        chosen.sources.insert(0, Source("run.json", {"data": reading}))
    found = load_data(chosen, study.payload.manifest.head, progress)
    return study.with_examples(found, found.report.source if isinstance(data, LabelledData) else str(data))


@public
def compare(left: PathText, right: PathText, *, html: PathText | None = None) -> CompareResult:
    """Puts two packages, or one package sealed on two devices, beside each other.

    Args:
        left, right: package files or directories of runs.
        html: also write the comparison as a page.

    Raises:
        BadInputError: one is neither a package nor a run, or both are the same file.

    Example:
        >>> print(edge_ptf.compare("work/package.eptf", "work/baseline.eptf"))
        A: work/package.eptf..., B: work/baseline.eptf...
        ...
    """
    paths = path_of("left", left, exists=True), path_of("right", right, exists=True)
    page = None if html is None else path_of("html", html)
    return CompareResult(compared(*paths, page), page)


def compared(left: Path, right: Path, page: Path | None) -> SideBySide:
    """The comparison, which is also written as a page where one is named."""
    if left.resolve() == right.resolve():
        raise BadInputError(f"{left}: compared with itself", hint="Give two packages or run directories")
    found = side_by_side(open_study(left), open_study(right), (str(left), str(right)))
    if page is not None:
        write_page(comparison_page(found), page)
    return found
