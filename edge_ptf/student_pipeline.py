"""From the teacher to the graph that ships: how one student is made, whoever asks for it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from edge_ptf import stages
from edge_ptf.cache import Outcome, Place
from edge_ptf.compression import LatencyTable, in_steps
from edge_ptf.data.dataset import LabelledData
from edge_ptf.graph.artifact import Graph
from edge_ptf.machine import this_machine
from edge_ptf.models.checkpoint import Checkpoint
from edge_ptf.profiles import Profile, same_architecture
from edge_ptf.recipe import Recipe
from edge_ptf.training import Watch

Artifact = TypeVar("Artifact")
StageCallback = Callable[[Outcome[Any], str], None]
"""Hears of each finished stage and its subject."""


def taught_student(
    teacher: Checkpoint,
    extra_teachers: Iterable[Checkpoint],
    data: LabelledData,
    recipe: Recipe,
    place: Place,
    on_stage: StageCallback,
    latencies: LatencyTable | None = None,
    watch: Watch | None = None,
) -> Checkpoint:
    """The student: cut from the teacher and taught by all, in as many steps as the recipe says.

    Args:
        extra_teachers: further teachers; made, where they are still to be, once the first cut has been found possible.
        latencies: what widths cost; needed where the recipe asks for a speed-up.
        watch: may stop the last training.

    Raises:
        TrainingStopped: `watch` stopped it.
    """

    def made(outcome: Outcome[Artifact]) -> Artifact:
        on_stage(outcome, "student")
        return outcome.artifact

    student, steps = teacher, in_steps(recipe.prune, teacher.info.layers, recipe.gradual.steps)
    for number, step in enumerate(steps, 1):
        student = made(stages.prune(place, student, data, step, latencies))
        extra_teachers = list(extra_teachers)
        last = number == len(steps)
        teaching = recipe.distill if last else recipe.distill.replace(epochs=recipe.gradual.epochs)
        watching = watch if last else None
        student = made(
            stages.distill(place, teacher, student, data, teaching, recipe.quantize, extra_teachers, watching)
        )
    return student


def int8_graph(
    student: Checkpoint,
    data: LabelledData,
    recipe: Recipe,
    profile: Profile,
    place: Place,
    on_stage: StageCallback,
    *,
    check_speed: bool = True,
) -> Graph:
    """The student as it will ship: exported, and quantized as the recipe says.

    Args:
        check_speed: whether INT8 is compared with FP32, where this machine has the architecture of the profile.

    Raises:
        RefusedError: this machine has the architecture of the profile, and INT8 is slower than FP32 here.
    """
    exported = stages.export(place, student, data, recipe.export)
    on_stage(exported, "student")
    quantized = stages.quantize(place, exported.artifact, data, recipe.quantize)
    on_stage(quantized, "student")
    if check_speed and recipe.quantize.mode != "none" and same_architecture(profile, this_machine()):
        checked = stages.speed_check(place, exported.artifact, quantized.artifact, data, recipe.speed_check)
        on_stage(checked, "student")
        checked.artifact.check(recipe.speed_check)
    return quantized.artifact
