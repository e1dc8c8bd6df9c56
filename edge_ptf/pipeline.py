"""The main job: labelled text, a checkpoint and a profile in; a proven package out.

`compress` reads as the stages in order. What is measured is the assembled payload itself, and the full-precision
teacher beside it in the same form: both are payloads, so nothing is measured in two ways.
"""

from __future__ import annotations

import json
import logging
import platform
import shutil
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any, TypeVar

from edge_ptf import stages, tasks
from edge_ptf.accuracy_gate import teacher_warnings
from edge_ptf.cache import Outcome, Place, environment_fault
from edge_ptf.compression import LatencyTable, Predictor, PruneConfig, Search, Trial
from edge_ptf.credentials import masked_values
from edge_ptf.cross_validation import cross_validated
from edge_ptf.data.dataset import DataReport, LabelledData
from edge_ptf.gate import gate
from edge_ptf.machine import this_machine
from edge_ptf.models.base_models import Base
from edge_ptf.models.checkpoint import Checkpoint
from edge_ptf.models.lineage import FinetuneFacts
from edge_ptf.package import AssembleConfig, Payload, seal
from edge_ptf.package.evidence import AccuracyEvidence, LatencyEvidence, MemoryEvidence, Verdict
from edge_ptf.preparation import Job, prepare
from edge_ptf.progress import SILENT, Progress, say
from edge_ptf.recipe import Recipe
from edge_ptf.repetition import Repetition, repeated, spread
from edge_ptf.report.summaries import Printed, cost_line, scores_line, verdict_line
from edge_ptf.search import WHOLE, Predictors, TrialRunner, apply_overrides, heuristic_search
from edge_ptf.student_pipeline import int8_graph, taught_student
from edge_ptf.tasks.base import Task

Artifact = TypeVar("Artifact")
Listener = Callable[[Outcome[Any], str], None]
log = logging.getLogger(__name__)


@dataclass(slots=True, repr=False)
class Result(Printed):
    """Everything that came out of one run; prints as five lines."""

    job: Job
    data: LabelledData
    package: Path
    teacher: Checkpoint
    student: Checkpoint
    baseline: Payload
    payload: Payload
    baseline_accuracy: AccuracyEvidence
    accuracy: AccuracyEvidence
    latency: LatencyEvidence
    memory: MemoryEvidence
    verdict: Verdict
    recipe: Recipe
    """What the package was made by: the job's, with the options of the trial that won."""
    search: Search | None = None
    """What was tried, where the recipe was found by the targets."""
    outcomes: list[Outcome[Any]] = field(default_factory=list)
    repetitions: list[Repetition] = field(default_factory=list)
    """The scores of the runs with all seeds, this one first; empty if one was asked for."""

    @property
    def report(self) -> Path:
        """The page for people, beside the package."""
        return self.package.with_name("report.html")

    def lines(self) -> list[str]:
        """The verdict, the scores, the costs, and the files."""
        sizes_mb = self.baseline.size_bytes / 1e6, self.payload.size_bytes / 1e6
        return [
            verdict_line(self.verdict),
            scores_line(tasks.create(self.payload.manifest.head).metrics, self.baseline_accuracy, self.accuracy),
            cost_line(sizes_mb, self.latency, self.memory),
            f"Package: {self.package}",
            f"Report: {self.report}",
        ]


@dataclass(slots=True)
class Start:
    """What every student of a job begins with: the data, the teacher and its package."""

    base: Base
    prunable: bool
    data: LabelledData
    teacher: Checkpoint
    baseline: Payload
    place: Place
    extra_teachers: Callable[[int], Iterator[Outcome[Checkpoint]]]
    """Makes so many further teachers, or opens them."""
    on_stage: Callable[[Outcome[Any], str], None]


def begin(
    job: Job,
    progress: Progress,
    on_data: Callable[[DataReport], None],
    on_stage: Listener,
    *,
    on_warning: Callable[[str], None] = lambda _: None,
    searching: bool = False,
) -> Start:
    """Checks the job, reads the data, fine-tunes the teacher and packs it.

    Args:
        on_warning: called with each target that the test split cannot prove, and with what is wrong with the teacher.
        searching: other processes may search the same space, so that each waits for what another is making; and a
            model that cannot be pruned is refused, whatever the recipe allows.
    """
    recipe = job.recipe
    _check_output(job.out)
    found = prepare(job, progress, on_data, on_warning, searching=searching)
    base, data, task = found.base, found.data, found.task
    place = Place(job.out / "stages", progress, keyed=True, wait=searching)

    def finished(outcome: Outcome[Artifact], subject: str = "teacher") -> Artifact:
        on_stage(outcome, subject)
        return outcome.artifact

    def finetuned(number: int) -> Outcome[Checkpoint]:
        config = recipe.finetune.replace(seed=recipe.finetune.seed + number)
        return stages.finetune(place, base, data, config, task)

    if found.teacher:
        say(progress, f"Teacher: {base.name}, which is fine-tuned already.")
    teacher = found.teacher or finished(finetuned(0))
    references = [example.label for example in data.validation]
    for warning in teacher_warnings(task, references, _scores(teacher, task), recipe.targets, "validation"):
        on_warning(warning)
    graph = finished(stages.export(place, teacher, data, recipe.export))
    naming = _named(recipe.assemble, f"{job.name}-baseline")
    baseline = finished(stages.assemble(place, graph, data, naming, profile=job.profile))

    def extra_teachers(count: int) -> Iterator[Outcome[Checkpoint]]:
        return (finetuned(number) for number in range(1, count + 1))

    return Start(base, found.prunable, data, teacher, baseline, place, extra_teachers, on_stage)


def _scores(teacher: Checkpoint, task: Task) -> dict[str, float]:
    """The teacher's score on validation by the first metric, as its training found it."""
    facts = teacher.info.facts
    return {task.steering.name: facts.validation[facts.kept_epoch - 1]} if isinstance(facts, FinetuneFacts) else {}


def compress(
    job: Job,
    *,
    progress: Progress = SILENT,
    on_data: Callable[[DataReport], None] = lambda _: None,
    on_warning: Callable[[str], None] = lambda _: None,
    on_stage: Listener = lambda *_: None,
    on_trial: Callable[[Trial], None] = lambda _: None,
) -> Result:
    """Fine-tune, prune, distil, export, quantize, assemble, measure, judge and seal.

    With several seeds, teacher and student are also made again with each of the other seeds, to see how far the scores
    depend on them. The first package ships, and the verdict is about it.

    With folds the accuracy is cross-validated: teacher and student are made again in each fold, by the recipe of the
    package that ships, which is trained on all folds.

    Where the recipe is to be found by the targets, students are first made and judged on validation until one meets
    them; that one is what ships.

    Args:
        progress: shows how far the current stage is.
        on_data: called with what reading found.
        on_warning: called after it with each target that the test split cannot prove, and with what is wrong with the
            teacher.
        on_stage: called with each finished stage, reused or not, and its subject: teacher, student or package.
        on_trial: called with each candidate that was tried.

    Raises:
        EdgePtfError: one clear message; whatever stages had finished are kept and reused by the next run.
    """
    outcomes: list[Outcome[Any]] = []

    def record(outcome: Outcome[Any], subject: str) -> None:
        outcomes.append(outcome)
        on_stage(outcome, subject)

    def finished(subject: str, outcome: Outcome[Artifact]) -> Artifact:
        record(outcome, subject)
        return outcome.artifact

    start = begin(job, progress, on_data, record, on_warning=on_warning)
    data, teacher, baseline, place = start.data, start.teacher, start.baseline, start.place
    recipe, latencies, found = job.recipe.replace(assemble=_named(job.recipe.assemble, job.name)), None, None
    if recipe.search.automatic and start.prunable:
        found = heuristic_search(*trial_runner(job, start), on_trial)
        recipe = apply_overrides(recipe, found.winning.overrides) if found.winning else recipe
    if recipe.prune.speedup is not None and start.prunable:
        latencies = finished("teacher", _latency_table(job, start, recipe, teacher))
    extra_teachers = (
        finished("extra teacher", outcome) for outcome in start.extra_teachers(recipe.ensemble.teachers - 1)
    )
    student = taught_student(teacher, extra_teachers, data, recipe, place, record, latencies)
    graph = int8_graph(student, data, recipe, job.profile, place, record)
    payload = finished("package", stages.assemble(place, graph, data, recipe.assemble, baseline, job.profile))

    if folds := recipe.cross_validation.folds:
        task, both = tasks.create(teacher.info.head), (baseline, payload)
        baseline_accuracy, accuracy = cross_validated(
            start.base, task, data, both, recipe, job.profile, folds, place, record, latencies
        )
    else:
        baseline_accuracy = finished("teacher", stages.evaluate(place, baseline, data, recipe.evaluate))
        accuracy = finished("package", stages.evaluate(place, payload, data, recipe.evaluate))
    runs: list[Repetition] = []
    if recipe.repetition.seeds > 1:
        task, first = (
            tasks.create(teacher.info.head),
            Repetition.of(recipe.finetune.seed, (baseline_accuracy, accuracy)),
        )
        again = repeated(start.base, task, data, recipe, job.profile, place, record, latencies)
        runs = [first, *again]
    latency, memory = finished("package", stages.bench(place, payload, data, recipe.bench, baseline))

    verdict = gate(payload, [accuracy, latency, memory], [baseline_accuracy], job.profile, recipe.targets)
    package = job.out / f"{job.name}.eptf"
    sealed = seal(payload, [accuracy, baseline_accuracy, latency, memory], verdict, package)
    result = Result(
        job,
        data,
        package,
        teacher,
        student,
        baseline,
        payload,
        baseline_accuracy,
        accuracy,
        latency,
        memory,
        verdict,
        recipe,
        found,
        outcomes,
        runs,
    )
    if found:
        found.write(job.out)
    _write_record(result)
    _write_report(result, sealed)
    return result


def record(result: Result) -> dict[str, Any]:
    """The run record: what was asked, what each stage did, with which tools, and what came out; passwords masked."""
    job = result.job
    tools = ("edge-ptf", "torch", "transformers", "tokenizers", "onnx", "onnxruntime")
    content = {
        "schema_version": 1,
        "profile": job.profile.name,
        "model": job.model,
        "data": {"source": job.data, "fingerprint": result.data.fingerprint, **result.data.report.model_dump()},
        "task": job.task.name,
        "out_of_scope_label": job.recipe.data.out_of_scope_label,
        "recipe": result.recipe.model_dump(mode="json"),
        **_tried(result),
        **_repeated(result),
        "stages": [
            {
                "stage": outcome.stage,
                "folder": outcome.folder.name,
                "key": outcome.key,
                "reused": outcome.reused,
                "seconds": round(outcome.seconds, 2),
                "work_seconds": round(outcome.work, 2),
            }
            for outcome in result.outcomes
        ],
        "machine": this_machine().model_dump(),
        "tools": {"python": platform.python_version(), **{name: metadata.version(name) for name in tools}},
        "payload": result.payload.digest,
        "baseline": result.baseline.digest,
        "package": result.package.name,
        "verdict": result.verdict.model_dump(mode="json"),
    }
    return dict(masked_values(content))


def trial_runner(job: Job, start: Start) -> tuple[TrialRunner, Predictors]:
    """Where trials at a job are made, and what predicts their cost."""
    recipe = job.recipe.replace(assemble=_named(job.recipe.assemble, job.name))
    runner = TrialRunner(
        job.profile,
        recipe,
        start.data,
        start.teacher,
        start.baseline,
        start.place,
        start.extra_teachers,
        start.on_stage,
    )

    def measured(checkpoint: Checkpoint, whole: Predictor | None = None) -> Predictor:
        latencies = _latency_table(job, start, recipe, checkpoint)
        start.on_stage(latencies, "narrower" if whole else "teacher")
        return Predictor(checkpoint, start.data, latencies.artifact, recipe.prune, whole)

    whole = measured(start.teacher)

    @cache
    def predictor(share: float) -> Predictor:
        if share == WHOLE:
            return whole
        narrow = PruneConfig(
            hidden_size=share, importance="magnitude", vocabulary=False
        )  # costs do not look at weights
        return measured(stages.prune(start.place, start.teacher, start.data, narrow).artifact, whole)

    return runner, predictor


def _latency_table(job: Job, start: Start, recipe: Recipe, checkpoint: Checkpoint) -> Outcome[LatencyTable]:
    return stages.latency_table(start.place, checkpoint, start.data, recipe.latency_table, recipe.quantize, job.profile)


def _tried(result: Result) -> dict[str, Any]:
    """What was tried. In the report's plot a trial stands as far below the teacher as it did on validation."""
    if result.search is None:
        return {}
    teacher = result.baseline_accuracy.metrics
    return {
        "search": result.search.model_dump(mode="json"),
        "variants": [
            {
                "name": f"{trial.name} (on validation)",
                "speedup": trial.speedup,
                "metrics": {name: teacher[name] - drop for name, drop in trial.drops.items() if name in teacher},
                "size_mb": trial.size_mb,
            }
            for trial in result.search.trials
            if trial.state == "finished" and trial.name != result.search.winner
        ],
    }


def _repeated(result: Result) -> dict[str, Any]:
    """The scores of each seed, and their mean and standard deviation."""
    runs = result.repetitions
    return {"seeds": {"runs": [asdict(run) for run in runs], "spread": spread(runs)}} if runs else {}


def _write_record(result: Result) -> None:
    out = result.job.out
    try:
        for name, document in (
            ("run.json", record(result)),
            ("verdict.json", result.verdict.model_dump(mode="json")),
        ):
            draft = out / f".{name}.draft"
            draft.write_text(json.dumps(document, indent=2, ensure_ascii=False), encoding="utf-8")
            draft.replace(out / name)
        shutil.copyfile(result.baseline.path, out / f"{result.job.name}-baseline.eptf")
    except OSError as error:
        raise environment_fault(error, out) from error


def _write_report(result: Result, sealed: Payload) -> None:
    from edge_ptf.report.page import report_page, write_page
    from edge_ptf.report.study import read_study

    study = read_study(sealed, record(result), result.baseline)
    shown = study.redact() if result.job.redact else study.with_examples(result.data, result.job.data)
    write_page(report_page(shown), result.report)


def _named(config: AssembleConfig, name: str) -> AssembleConfig:
    return config if config.name else config.replace(name=name)


def _check_output(out: Path) -> None:
    """Fail in the first second, not after an hour: the output must be a folder that can be written."""
    try:
        out.mkdir(parents=True, exist_ok=True)
        probe = out / ".write-probe"
        probe.write_bytes(b"x")
        probe.unlink()
    except OSError as error:
        raise environment_fault(error, out) from error
