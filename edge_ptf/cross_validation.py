"""Cross-validated evidence: the recipe makes teacher and package anew in each fold, and they answer its texts."""

from __future__ import annotations

from typing import Any

from edge_ptf.bench.accuracy import joined
from edge_ptf.cache import Outcome, Place
from edge_ptf.compression import LatencyTable
from edge_ptf.data.dataset import LabelledData
from edge_ptf.data.folds import Fold, folds
from edge_ptf.models.base_models import Base
from edge_ptf.package import Payload
from edge_ptf.package.evidence import AccuracyEvidence
from edge_ptf.profiles import Profile
from edge_ptf.recipe import Recipe
from edge_ptf.repetition import remade
from edge_ptf.student_pipeline import StageCallback
from edge_ptf.tasks.base import Task


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

        teacher, package = remade(base, task, fold.data, recipe, profile, place, record, latencies)
        teachers.append((fold, teacher))
        packages.append((fold, package))
    found = (
        joined(payload, data, [(fold.places, evidence) for fold, evidence in parts])
        for payload, parts in zip(payloads, (teachers, packages), strict=True)
    )
    return next(found), next(found)
