"""Where trials at a recipe are made: a student, measured, and judged on `validation`.

The gate's own rules judge a trial, over answers to validation texts: which package ships is a choice, and what a
choice has looked at proves nothing. The winner alone is judged on `test`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias, TypeVar

from edge_ptf import stages, statistics, tasks
from edge_ptf.cache import Outcome, Place
from edge_ptf.compression import Prediction, Predictor, Trial, shortfall
from edge_ptf.data.dataset import LabelledData
from edge_ptf.errors import ParityError, RefusedError
from edge_ptf.gate import gate
from edge_ptf.metrics import gated
from edge_ptf.models.checkpoint import Checkpoint
from edge_ptf.models.lineage import DistillFacts
from edge_ptf.package import Payload
from edge_ptf.package.evidence import AccuracyEvidence, LatencyEvidence, MemoryEvidence
from edge_ptf.profiles import ACCURACY_TARGETS, Profile, mismatches
from edge_ptf.provable import Provable, provable, unprovable
from edge_ptf.recipe import Recipe
from edge_ptf.student_pipeline import int8_graph, taught_student
from edge_ptf.tasks.base import Task
from edge_ptf.training import TrainingStopped, Watch

Artifact = TypeVar("Artifact")
Measured: TypeAlias = tuple[LatencyEvidence, MemoryEvidence]
Overrides = Mapping[str, Mapping[str, Any]]
"""Options that differ from the recipe's, by section."""
Predictors: TypeAlias = Callable[[float], Predictor]
"""Gives what predicts students whose hidden states have this share of the teacher's width."""
WHOLE = 1.0
"""The share of those that keep it."""
NONE_PROVABLE = "no further trial was made, because none could be proven ({})"
"""Why a search ends after one trial, with what the test split cannot prove."""
QUICK_LAUNCHES = 5
"""Launches that time a trial. The winner is measured anew, by the recipe's own protocol."""


def apply_overrides(recipe: Recipe, overrides: Overrides) -> Recipe:
    """The recipe with a plan's options."""
    return recipe.replace(
        **{section: {**getattr(recipe, section).model_dump(), **values} for section, values in overrides.items()}
    )


def too_few_rows(trial_runner: TrialRunner) -> str:
    """What the test split cannot prove, whatever is trained; empty where it can prove every limit."""
    return "; ".join(each.sentence for each in trial_runner.unprovable)


def larger_on_test(task: Task, data: LabelledData) -> dict[str, float]:
    """How many times as far the bound of each accuracy target about labels lies from its value on `test` as on
    `validation`.

    That is the root of the ratio of how many texts the metric is about; for out-of-scope recall that can be far from
    the ratio of all texts. Labels of `test` are counted, and nothing else is done with them.
    """
    found = dict[str, float]()
    for metric in task.metrics:
        if metric.reads != "label":
            continue
        labels = ([example.label for example in split] for split in (data.validation, data.test))
        here, there = (metric.counted(metric.per_example(each, each)) for each in labels)
        ratio = (here / there) ** 0.5 if there else 1.0
        found |= {f"{kind}.{metric.name}": ratio for kind in ACCURACY_TARGETS if metric.gated or kind == "min_score"}
    return found


@dataclass(slots=True)
class TrialRunner:
    """What all trials share: the teacher, its package, its answers to validation texts."""

    profile: Profile
    recipe: Recipe
    data: LabelledData
    teacher: Checkpoint
    baseline: Payload
    place: Place
    extra_teachers: Callable[[int], Iterable[Outcome[Checkpoint]]] = lambda _: ()
    """Makes so many further teachers, or opens them."""
    on_stage: Callable[[Outcome[Any], str], None] = lambda *_: None
    tried: LabelledData = field(init=False)
    expected: AccuracyEvidence = field(init=False)
    larger: dict[str, float] = field(init=False)
    unprovable: tuple[Provable, ...] = field(init=False)
    """Accuracy targets that the test split cannot prove to be met."""
    work: dict[str, float] = field(init=False, default_factory=dict)
    """Of each stage that trials needed, by its key, the seconds that making it took, in whichever run."""
    refusal: RefusedError | ParityError | None = field(init=False, default=None)
    """Why the last trial that was refused must not ship."""

    def __post_init__(self) -> None:
        self.tried = self.data.tried_on_validation()
        self.larger = larger_on_test(self.task, self.data)
        references, targets = [example.label for example in self.data.test], self.recipe.targets
        confidence = self.profile.confidence
        found = provable(self.task, references, targets.max_drop, confidence, targets.min_score)
        self.unprovable = unprovable(found)
        self.expected = self._finished(
            "teacher", stages.evaluate(self.place, self.baseline, self.tried, self.recipe.evaluate)
        )

    @property
    def task(self) -> Task:
        """What the teacher and every student do."""
        return tasks.create(self.teacher.info.head)

    def trial(
        self, name: str, why: str, overrides: Overrides, predicted: Prediction, watch: Watch | None = None
    ) -> Trial:
        """Makes a student by the overrides, packs it, measures it here and judges it on validation."""
        recipe, keys, since = apply_overrides(self.recipe, overrides), list[str](), time.monotonic()

        def finished(subject: str, outcome: Outcome[Artifact]) -> Artifact:
            nonlocal since
            keys.append(outcome.key)
            since = time.monotonic()
            return self._finished(subject, outcome)

        def on_stage(outcome: Outcome[Any], subject: str) -> None:
            finished(subject, outcome)

        def seconds() -> float:
            return round(sum(self.work[key] for key in dict.fromkeys(keys)), 1)

        known: dict[str, Any] = {
            "name": name,
            "why": why,
            "overrides": {section: dict(values) for section, values in overrides.items()},
            "predicted": predicted,
        }

        def stopped(reason: str, history: Sequence[float] = ()) -> Trial:
            rounded = tuple(round(score, self.task.steering.digits) for score in history)
            spent = round(seconds() + time.monotonic() - since, 1)
            return Trial(**known, state="stopped", reason=reason, history=rounded, seconds=spent)

        extra_teachers = (
            finished("extra teacher", outcome) for outcome in self.extra_teachers(recipe.ensemble.teachers - 1)
        )
        try:
            student = taught_student(self.teacher, extra_teachers, self.data, recipe, self.place, on_stage, watch=watch)
            graph = int8_graph(student, self.data, recipe, self.profile, self.place, on_stage)
            packed = stages.assemble(self.place, graph, self.data, recipe.assemble, self.baseline, self.profile)
        except TrainingStopped as stop:
            return stopped(stop.reason, stop.history)
        except (RefusedError, ParityError) as error:
            self.refusal = error
            return stopped(error.message)
        payload = finished("trial", packed)
        answers = finished("trial", stages.evaluate(self.place, payload, self.tried, recipe.evaluate))
        latency, memory = self._measured(payload, recipe, lambda outcome: finished("trial", outcome))
        verdict = gate(payload, [answers, latency, memory], [self.expected], self.profile, recipe.targets)
        ratio, _ = statistics.speedup(
            [launch.baseline_engine_ms for launch in latency.launches],
            [launch.engine_ms for launch in latency.launches],
        )
        return Trial(
            **known,
            state="finished",
            history=student.info.facts.validation if isinstance(student.info.facts, DistillFacts) else (),
            target_verdicts=verdict.target_verdicts,
            short={
                item.target: round(missing, 4)
                for item in verdict.target_verdicts
                if (missing := shortfall(item, self.larger.get(item.target, 1.0), self.profile.confidence)) > 0
            },
            metrics=answers.metrics,
            drops={
                metric.name: round(
                    metric.direction.lead(self.expected.metrics[metric.name], answers.metrics[metric.name]), 4
                )
                for metric in gated(self.task.metrics)
                if metric.name in answers.metrics and metric.name in self.expected.metrics
            },
            speedup=round(ratio, 3),
            size_mb=round(payload.shipped_bytes / 1e6, 3),
            seconds=seconds(),
        )

    def _measured(
        self, payload: Payload, recipe: Recipe, finished: Callable[[Outcome[Measured]], Measured]
    ) -> Measured:
        """Latency and memory beside the teacher's package, in a few launches.

        A measurement that does not count is made once more. If that does not count either, it still says where to go
        next, and is taken as it is: what ships is measured anew, and judged by what counts alone.
        """
        timing = recipe.bench.replace(launches=QUICK_LAUNCHES)
        latency, memory = finished(stages.bench(self.place, payload, self.tried, timing, self.baseline))
        if (latency.flags or memory.flags) and not mismatches(self.profile, latency.machine):
            latency, memory = finished(stages.bench(self.place, payload, self.tried, timing, self.baseline))
        return latency.replace(flags=(), warnings=()), memory.replace(flags=())

    def _finished(self, subject: str, outcome: Outcome[Artifact]) -> Artifact:
        self.work[outcome.key] = outcome.work
        self.on_stage(outcome, subject)
        return outcome.artifact
