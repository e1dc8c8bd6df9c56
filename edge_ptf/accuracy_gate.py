"""The accuracy part of the gate: scores, drops, and what is wrong with the teacher. Pure functions, as in `gate`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from edge_ptf.metrics import Metric, gated
from edge_ptf.package.evidence import AccuracyEvidence, Status, TargetVerdict
from edge_ptf.profiles import Targets
from edge_ptf.statistics import Drop, Score
from edge_ptf.tasks.base import Task

DIGITS = 9
"""Decimal places of a difference of two shares, so that a drop of exactly 7 points is not larger than 7."""


@dataclass(frozen=True, slots=True)
class AccuracyJudge:
    """Judges accuracy targets.

    `accuracies` are the evaluations of one payload, and `baseline` are those of its teacher.
    """

    task: Task
    accuracies: Sequence[AccuracyEvidence]
    baseline: Sequence[AccuracyEvidence]
    confidence: float

    def scores(self, targets: Targets) -> Iterator[TargetVerdict]:
        """One target verdict for each metric that has a worst score. The teacher has no part in it."""
        for metric in self.task.metrics:
            if metric.name in targets.min_score:
                yield self._score(metric, targets.min_score[metric.name])

    def _score(self, metric: Metric, limit: float) -> TargetVerdict:
        found = TargetVerdict(
            target=f"min_score.{metric.name}",
            title=metric.title,
            unit=metric.score_unit,
            direction=metric.direction,
            limit=limit,
            status=Status.UNPROVEN,
        )
        record = next(iter(self._accuracies()), None)
        if record is None:
            return found.replace(reason="not evaluated", settle="edge-ptf evaluate")
        found = _named_by_split(found, record)
        rows = metric.per_example([row.reference for row in record.rows], metric.answers(record.rows))
        if not (counted := metric.counted(rows)):
            return _none_counts(found, record)
        score = metric.score_bound(rows, self.confidence, limit)
        found = found.measured(round(score.value, DIGITS), score.bound)
        return _settled(found, metric, record, counted, score, record.exact, "a better score")

    def drops(self, targets: Targets) -> Iterator[TargetVerdict]:
        """One target verdict for each gated metric that has a limit."""
        for metric in gated(self.task.metrics):
            if metric.name in targets.max_drop:
                yield self._drop(metric, targets.max_drop[metric.name])

    def _drop(self, metric: Metric, limit: float) -> TargetVerdict:
        found = TargetVerdict(
            target=f"max_drop.{metric.name}",
            title=f"{metric.title}, drop",
            unit=metric.unit,
            limit=limit,
            status=Status.UNPROVEN,
        )
        pair = self._pair()
        if pair is None:
            return found.replace(
                reason="the package and its teacher have no evaluation on the same test split",
                settle="edge-ptf evaluate for the package and for the teacher's package",
            )
        before, after = pair
        found = _named_by_split(found, after)
        references = [row.reference for row in before.rows]
        rows = [metric.per_example(references, metric.answers(record.rows)) for record in (before, after)]
        if not (counted := metric.counted(rows[0])):
            return _none_counts(found, after)
        drop = metric.bound(rows[0], rows[1], self.confidence, limit)
        found = found.measured(round(drop.value, DIGITS), drop.bound)
        return _settled(found, metric, after, counted, drop, after.exact and before.exact, "a smaller drop")

    def teacher(self, targets: Targets) -> Iterator[str]:
        """Warnings about a teacher from which nothing good can be made; see `teacher_warnings`."""
        pair = self._pair()
        if pair is None:
            return
        rows, metrics = pair[0].rows, self.task.metrics
        references = [row.reference for row in rows]
        scores = {
            metric.name: metric.score(metric.per_example(references, metric.answers(rows)))
            for metric in metrics
            if metric.name in {metrics[0].name, *targets.min_score}
        }
        yield from teacher_warnings(self.task, references, scores, targets)

    def cross_validation(self) -> Iterator[str]:
        """What a cross-validated accuracy is about, if it is one."""
        record = next(iter(self._accuracies()), None)
        if record is not None and record.folds:
            yield (
                f"accuracy is cross-validated over {record.folds} folds: it judges the recipe by {len(record.rows):,} "
                "texts, each answered once, by a teacher and a package that were not trained on it. The shipped "
                "package is trained on all of these texts and answered none of them"
            )

    def _pair(self) -> tuple[AccuracyEvidence, AccuracyEvidence] | None:
        for after in self._accuracies():
            for before in self.baseline:
                same = (before.data, before.split, before.folds) == (after.data, after.split, after.folds)
                if same and len(before.rows) == len(after.rows):
                    return before, after
        return None

    def _accuracies(self) -> list[AccuracyEvidence]:
        """The evaluations of this payload, the one that counts most first.

        Cross-validated ones go before a test split: such a package was trained on the test texts of its data, and
        nothing shows whether the texts of another evaluation are new.
        """
        return sorted(
            self.accuracies, key=lambda record: (record.folds is None, record.split != "test", not record.exact)
        )


def teacher_warnings(
    task: Task, references: Sequence[Any], scores: Mapping[str, float], targets: Targets, split: str = "test"
) -> Iterator[str]:
    """Says if the teacher is no better than a model that answers all texts alike, or not good enough.

    The task's first metric decides the former. A split with one class says nothing about it.

    Args:
        references: labels of the split, in the form of `Example.label`.
        scores: the teacher's scores on it, by metric. A metric without a score is left out.
    """
    where = "" if split == "test" else f" on {split}"
    first = task.metrics[0]
    if first.name in scores and len(set(references)) >= 2 and first.reads == "label":
        simple = first.score(first.per_example(references, task.majority_answers(references)))
        own = scores[first.name]
        if first.direction.lead(own, simple) <= 0:
            yield (
                f"the teacher is no better than {task.simple_model}{where}: {first.title} "
                f"{_score_text(own, first)}, against {_score_text(simple, first)}. A small drop then proves "
                "nothing; check labels, data and fine-tuning"
            )
    for metric in task.metrics:
        limit, score = targets.min_score.get(metric.name), scores.get(metric.name)
        if limit is not None and score is not None and metric.direction.lead(limit, score) > 0:
            yield (
                f"the teacher itself misses a target{where}: {metric.title} {_score_text(score, metric)}, and the "
                f"limit is {_score_text(limit, metric)}. A package is rarely better than its teacher; improve it first"
            )


def _score_text(score: float, metric: Metric) -> str:
    return f"{score:.{metric.digits}f} {metric.score_unit}".strip()


def _named_by_split(found: TargetVerdict, record: AccuracyEvidence) -> TargetVerdict:
    if record.folds:
        return found.replace(title=f"{found.title}, cross-validated")
    return found if record.split == "test" else found.replace(title=f"{found.title} on {record.split}")


def _none_counts(found: TargetVerdict, record: AccuracyEvidence) -> TargetVerdict:
    return found.replace(
        reason=f"no {record.split} example counts for this metric",
        settle=f"use a {record.split} split with such examples",
    )


def _settled(
    found: TargetVerdict,
    metric: Metric,
    record: AccuracyEvidence,
    counted: int,
    estimate: Drop | Score,
    exact: bool,
    otherwise: str,
) -> TargetVerdict:
    """The status of an accuracy that was measured, and what settles it.

    Args:
        counted: examples that count for the metric.
        estimate: what the bound comes from.
        exact: whether the answers count.
        otherwise: what settles it if more examples do not.
    """
    if not exact:
        return found.replace(
            reason="this machine does not execute the INT8 scheme exactly",
            settle="edge-ptf evaluate on a machine that executes it exactly",
        )
    if found.decided is not Status.UNPROVEN:
        return found.replace(status=found.decided)
    kind = "labelled" if record.folds else record.split
    more = estimate.needed - estimate.examples if estimate.needed else None
    return found.replace(
        reason=f"{counted:,} examples are too few to prove it",
        settle=f"about {rounded_up(more)} more {kind} examples that count for {metric.title}"
        if more and more > 0
        else otherwise,
    )


def rounded_up(count: int) -> str:
    """Rounds up to two digits, because a forecast is not more precise."""
    step = 10 ** max(len(str(count)) - 2, 0)
    return f"{-(-count // step) * step:,}"
