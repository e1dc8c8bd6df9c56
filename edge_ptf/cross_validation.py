"""Cross-validated evidence: the recipe makes teacher and package anew in each fold, and they answer its texts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from edge_ptf import stages
from edge_ptf.bench.accuracy import joined
from edge_ptf.cache import Outcome, Place
from edge_ptf.compression import LatencyTable
from edge_ptf.data.dataset import LabelledData
from edge_ptf.data.folds import Fold, folds
from edge_ptf.models.base_models import Base
from edge_ptf.models.checkpoint import Checkpoint
from edge_ptf.package import Payload
from edge_ptf.package.evidence import AccuracyEvidence
from edge_ptf.profiles import Profile
from edge_ptf.recipe import Recipe
from edge_ptf.student_pipeline import StageCallback, int8_graph, taught_student
from edge_ptf.tasks.base import Task

Artifact = TypeVar("Artifact")


def cross_validated(
    base: Base,
    task: Task,
    data: LabelledData,
    payloads: tuple[Payload, Payload],
    recipe: Recipe,
    profile: Profile,
    count: int,
    place: Place,
    on_stage: StageCallback,
    latencies: LatencyTable | None = None,
) -> tuple[AccuracyEvidence, AccuracyEvidence]:
    """What the recipe's teachers and packages answer to every text of the pool, each in the fold that judges it.

    Each fold goes through the stages of a whole run on its own data. So each result is kept and reused like any other,
    and an interrupted run resumes in the fold where it stopped.

    Args:
        data: the pooled data (`edge_ptf.data.folds.pooled`).
        payloads: the teacher's package and the one that ships, both made from all of `data`. The evidence is recorded
            for them.
        recipe: with the size that a search found. Each fold makes a student of this size.
        count: number of folds.
        latencies: what widths cost; needed where the recipe asks for a speed-up.

    Returns:
        The evidence of the teachers, and that of the packages.
    """
    teachers, packages = list[tuple[Fold, AccuracyEvidence]](), list[tuple[Fold, AccuracyEvidence]]()
    for fold in folds(data, type(task), count):

        def record(outcome: Outcome[Any], subject: str, number: int = fold.number) -> None:
            on_stage(outcome, f"fold {number}/{count} {subject}")

        teacher, package = _answers(base, task, fold.data, recipe, profile, place, record, latencies)
        teachers.append((fold, teacher))
        packages.append((fold, package))
    found = (
        joined(payload, data, [(fold.places, evidence) for fold, evidence in parts])
        for payload, parts in zip(payloads, (teachers, packages), strict=True)
    )
    return next(found), next(found)


def _answers(
    base: Base,
    task: Task,
    data: LabelledData,
    recipe: Recipe,
    profile: Profile,
    place: Place,
    on_stage: Callable[[Outcome[Any], str], None],
    latencies: LatencyTable | None,
) -> tuple[AccuracyEvidence, AccuracyEvidence]:
    """The answers of one fold's own teacher and package to its texts."""

    def finished(subject: str, outcome: Outcome[Artifact]) -> Artifact:
        on_stage(outcome, subject)
        return outcome.artifact

    def finetuned(number: int) -> Outcome[Checkpoint]:
        return stages.finetune(place, base, data, recipe.finetune.replace(seed=recipe.finetune.seed + number), task)

    def extra_teachers() -> Iterator[Checkpoint]:
        return (finished("extra teacher", finetuned(number)) for number in range(1, recipe.ensemble.teachers))

    teacher = finished("teacher", finetuned(0))
    plain = finished("teacher", stages.export(place, teacher, data, recipe.export))
    baseline = finished("teacher", stages.assemble(place, plain, data, recipe.assemble.replace(dimensions=None)))
    student = taught_student(teacher, extra_teachers(), data, recipe, place, on_stage, latencies)
    graph = int8_graph(student, data, recipe, profile, place, on_stage, check_speed=False)
    package = finished("package", stages.assemble(place, graph, data, recipe.assemble, baseline))
    return (
        finished("teacher", stages.evaluate(place, baseline, data, recipe.evaluate)),
        finished("package", stages.evaluate(place, package, data, recipe.evaluate)),
    )
