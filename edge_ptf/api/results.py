"""What the public functions return. Each result prints as at most five plain lines."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge_ptf.cache import Outcome
from edge_ptf.compression import Search
from edge_ptf.data.label_quality import LabelErrors
from edge_ptf.data_check import DataCheck
from edge_ptf.package import Payload
from edge_ptf.package.evidence import Evidence, Status, Verdict
from edge_ptf.report.comparison import SideBySide
from edge_ptf.report.study import Study
from edge_ptf.report.summaries import (
    MOST_LINES,
    Printed,
    check_lines,
    comparison_lines,
    label_error_lines,
    study_line,
    verdict_line,
)
from edge_ptf.report.tuning import tuning_lines
from edge_ptf.stages import STAGES
from edge_ptf.training.tuning_record import Tuning

if TYPE_CHECKING:
    from edge_ptf.package.engine_files import EngineFiles


@dataclass(frozen=True, slots=True, repr=False)
class StageResult(Printed):
    """The result of one stage. Another stage takes it where it takes a path."""

    stage: str
    artifact: Any
    """The open checkpoint, graph, payload, evidence, …"""
    folder: Path
    """Where it lies."""
    reused: bool
    """It was there already, made from the same inputs with the same options."""
    seconds: float
    """Since the function was called."""

    @classmethod
    def of(cls, outcome: Outcome[Any]) -> StageResult:
        """The result of a finished stage."""
        return cls(outcome.stage, outcome.artifact, outcome.folder, outcome.reused, outcome.seconds)

    def lines(self) -> list[str]:
        """The summary line of the stage, its duration, its folder."""
        took = "reused" if self.reused else f"{self.seconds:.1f} s"
        return [f"{self.stage}: {STAGES[self.stage].line(self.artifact)}", took, str(self.folder)]


@dataclass(frozen=True, slots=True, repr=False)
class LabelErrorsResult(Printed):
    """What cross-validation says about the labels of a data set."""

    details: LabelErrors
    file: Path
    """The likely errors as a CSV file."""

    def lines(self) -> list[str]:
        """How many labels are likely wrong, the surest of them, the worst class, the file."""
        return [*label_error_lines(self.details), str(self.file)]


@dataclass(frozen=True, slots=True, repr=False)
class TuneResult(Printed):
    """What a hyperparameter search found."""

    details: Tuning
    recipe: Path | None
    """The project file with the best options; None without a finished training."""

    def lines(self) -> list[str]:
        """The conclusion, the number of trials, the best options, what matters, the file."""
        return [*tuning_lines(self.details), *([f"Recipe: {self.recipe}"] if self.recipe else [])]


@dataclass(frozen=True, slots=True, repr=False)
class CheckResult(Printed):
    """What is known about labelled text."""

    details: DataCheck

    @property
    def warnings(self) -> tuple[str, ...]:
        """What may spoil the result, one sentence each."""
        return self.details.warnings

    def lines(self) -> list[str]:
        """Whether the data can be used, their size, what they can prove, warnings."""
        return check_lines(self.details)


@dataclass(frozen=True, slots=True, repr=False)
class JudgeResult(Printed):
    """A verdict, and the package it is about; `sealed` is the new file where there is one."""

    verdict: Verdict
    evidence: tuple[Evidence, ...]
    package: Path
    sealed: Payload | None = None

    @property
    def status(self) -> Status | None:
        """PASS, FAIL or UNPROVEN; None where no target is set."""
        return self.verdict.status

    def lines(self) -> list[str]:
        """The verdict, and the file."""
        if self.sealed is None:
            return [verdict_line(self.verdict), str(self.package)]
        return [verdict_line(self.verdict), f"{self.sealed.path}: payload {self.sealed.digest[:12]}"]


@dataclass(frozen=True, slots=True, repr=False)
class ReportResult(Printed):
    """A page about a package or a run."""

    page: Path
    study: Study
    note: str = ""
    """Why the page shows no texts, where they were to be shown."""

    def lines(self) -> list[str]:
        """The verdict, the figures, the page."""
        notes = [self.note] if self.note else []
        return [verdict_line(self.study.verdict), study_line(self.study), *notes, f"Page: {self.page}"]


@dataclass(frozen=True, slots=True, repr=False)
class CompareResult(Printed):
    """Two packages, or one package on two devices, beside each other."""

    comparison: SideBySide
    page: Path | None = None

    def lines(self) -> list[str]:
        """The two, the figures that differ, the page."""
        return [*comparison_lines(self.comparison), *([f"Page: {self.page}"] if self.page else [])]


@dataclass(frozen=True, slots=True, repr=False)
class SearchResult(Printed):
    """All trials of a search; `recipe` is the file with the winner's options, None where no trial finished."""

    search: Search
    recipe: Path | None

    def lines(self) -> list[str]:
        """The conclusion, the winner's figures, the recipe."""
        finished = sum(trial.state == "finished" for trial in self.search.trials)
        lines = [f"Search: {self.search.conclusion}", f"{len(self.search.trials)} trials, {finished} finished"]
        if winner := self.search.winning:
            size = f"{winner.size_mb:.2f} MB" if winner.size_mb is not None else "size unknown"
            lines.append(f"winner: {f'{winner.speedup:.1f}× the teacher, ' if winner.speedup else ''}{size}")
        return [*lines, *([f"Recipe: {self.recipe}"] if self.recipe else [])]


@dataclass(frozen=True, slots=True, repr=False)
class VerifyResult(Printed):
    """A package whose files and answers are as its manifest says."""

    package: Path
    payload: Payload
    files: int
    golden: int
    exact: bool
    """False: this processor does not execute the INT8 products exactly, so that logits were not compared."""

    def lines(self) -> list[str]:
        """What was checked."""
        answered = "answered" if self.exact else "tokenized as they must be; this processor cannot compare the logits"
        return [
            f"{self.package}: {self.files} files as the manifest says, payload {self.payload.digest[:12]}",
            f"Golden vectors: {self.golden} {answered}",
        ]


@dataclass(frozen=True, slots=True, repr=False)
class EnginesResult(Printed):
    """The TensorRT engines of a package."""

    folder: Path
    engines: EngineFiles

    def lines(self) -> list[str]:
        """Each engine, or how many there are; what was not checked."""
        *files, unchecked = self.engines.lines()
        shown = files if len(files) < MOST_LINES else [f"{self.folder}: {len(files)} engines"]
        return [*shown, unchecked]
