"""The recipe again: with other seeds on the same data, or on the data of a fold."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev
from typing import Any, TypeVar

from edge_ptf import stages
from edge_ptf.cache import Outcome, Place
from edge_ptf.compression import LatencyTable
from edge_ptf.data.dataset import LabelledData
from edge_ptf.models.base_models import Base
from edge_ptf.models.checkpoint import Checkpoint
from edge_ptf.package.evidence import AccuracyEvidence
from edge_ptf.profiles import Profile
from edge_ptf.recipe import Recipe
from edge_ptf.student_pipeline import StageCallback, int8_graph, taught_student
from edge_ptf.tasks.base import Task

Artifact = TypeVar("Artifact")


@dataclass(frozen=True, slots=True)
class Repetition:
    """One run of the recipe: the seed of its teacher, and the scores of teacher and package by metric."""

    seed: int
    teacher: dict[str, float]
    package: dict[str, float]

    @classmethod
    def of(cls, seed: int, answers: tuple[AccuracyEvidence, AccuracyEvidence]) -> Repetition:
        """The scores in the evidence of a teacher and a package."""
        return cls(seed, *(dict(evidence.metrics) for evidence in answers))


def repeated(
    base: Base,
    task: Task,
    data: LabelledData,
    recipe: Recipe,
    profile: Profile,
    place: Place,
    on_stage: StageCallback,
    latencies: LatencyTable | None = None,
) -> list[Repetition]:
    """The recipe's further seeds: teacher and package are made again with each, and answer the test split.

    Every run has seeds of its own, also for further teachers, so that the runs are independent.
    """
    found, count = [], recipe.repetition.seeds
    for number in range(1, count):

        def record(outcome: Outcome[Any], subject: str, number: int = number) -> None:
            on_stage(outcome, f"seed {number + 1}/{count} {subject}")

        again = reseeded(recipe, number)
        answers = remade(base, task, data, again, profile, place, record, latencies)
        found.append(Repetition.of(again.finetune.seed, answers))
    return found


def reseeded(recipe: Recipe, number: int) -> Recipe:
    """The recipe with the seeds of run `number`, from 0. The teachers of a run have seeds one after another."""
    return recipe.replace(
        finetune=recipe.finetune.replace(seed=recipe.finetune.seed + number * recipe.ensemble.teachers),
        distill=recipe.distill.replace(seed=recipe.distill.seed + number),
    )


def spread(runs: Sequence[Repetition]) -> dict[str, dict[str, tuple[float, float]]]:
    """Mean and standard deviation over two runs or more, by metric: of teacher, package, and package less teacher.

    The deviation is that of a sample, with n - 1.
    """
    found = {}
    for name in runs[0].teacher:
        if all(name in run.package and name in run.teacher for run in runs):
            columns = {
                "teacher": [run.teacher[name] for run in runs],
                "package": [run.package[name] for run in runs],
                "difference": [run.package[name] - run.teacher[name] for run in runs],
            }
            found[name] = {column: (fmean(values), stdev(values)) for column, values in columns.items()}
    return found


def remade(
    base: Base,
    task: Task,
    data: LabelledData,
    recipe: Recipe,
    profile: Profile,
    place: Place,
    on_stage: Callable[[Outcome[Any], str], None],
    latencies: LatencyTable | None = None,
) -> tuple[AccuracyEvidence, AccuracyEvidence]:
    """The answers of a teacher and a package, both made from these data, to their test split."""

    def finished(subject: str, outcome: Outcome[Artifact]) -> Artifact:
        on_stage(outcome, subject)
        return outcome.artifact

    def finetuned(number: int) -> Outcome[Checkpoint]:
        return stages.finetune(place, base, data, recipe.finetune.replace(seed=recipe.finetune.seed + number), task)

    def extra_teachers() -> Iterator[Checkpoint]:
        return (finished("extra teacher", finetuned(number)) for number in range(1, recipe.ensemble.teachers))

    teacher = finished("teacher", finetuned(0))
    plain = finished("teacher", stages.export(place, teacher, data, recipe.export))
    baseline = finished("teacher", stages.assemble(place, plain, data, recipe.assemble))
    student = taught_student(teacher, extra_teachers(), data, recipe, place, on_stage, latencies)
    graph = int8_graph(student, data, recipe, profile, place, on_stage, check_speed=False)
    package = finished("package", stages.assemble(place, graph, data, recipe.assemble, baseline))
    return (
        finished("teacher", stages.evaluate(place, baseline, data, recipe.evaluate)),
        finished("package", stages.evaluate(place, package, data, recipe.evaluate)),
    )
