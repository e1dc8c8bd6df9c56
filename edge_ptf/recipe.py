"""The recipe: the options of every stage in one tree, and how defaults, profile, file and flags make it up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import Field, model_validator

from edge_ptf.bench import BenchConfig, EvaluateConfig
from edge_ptf.compression import GradualConfig, LatencyTableConfig, PruneConfig
from edge_ptf.compression.pruning import SIZES
from edge_ptf.config import Source, StageConfig, StrictModel, merge, resolve
from edge_ptf.data.dataset import DataConfig
from edge_ptf.data.folds import CrossValidationConfig
from edge_ptf.graph import CalibrateConfig, ExportConfig, QuantizeConfig, SensitivityConfig, SpeedCheckConfig
from edge_ptf.package import AssembleConfig
from edge_ptf.profiles import ACCURACY_TARGETS, Profile, Targets
from edge_ptf.tasks.base import Task
from edge_ptf.training import DistillConfig, EnsembleConfig, FinetuneConfig


class SearchConfig(StageConfig):
    """How a recipe is found."""

    automatic: bool = Field(
        False,
        description="Find the student's size by the targets; so it is where neither profile nor user names a size.",
    )
    heuristic_trials: int = Field(3, ge=1, description="Most candidates that compress tries, the predicted one first.")
    minutes: float = Field(75.0, gt=0, description="No further candidate is begun that would end later than this.")
    trials: int = Field(20, ge=1, description="Trials of `edge-ptf search`, those of earlier runs counted.")
    epochs: int = Field(3, ge=1, description="Epochs of a trial; compress trains the winner for distill.epochs.")
    all_trials: bool = Field(False, description="Go on when the targets are met, to see the whole front.")
    storage: str | None = Field(
        None, description="Where trials are kept: a URL that SQLAlchemy knows. [default: search.db in --out]"
    )
    seed: int = Field(0, ge=0, description="Seed of the proposals.")


class RepetitionConfig(StageConfig):
    """How far the scores depend on the seeds."""

    seeds: int = Field(
        1,
        ge=1,
        le=20,
        description="Runs of the recipe with other seeds: the report shows mean and deviation. The first ships.",
    )


class Recipe(StrictModel):
    """Options of the whole job, one section a stage; each section is what the stage's own command takes."""

    data: DataConfig = Field(DataConfig(), description="Reading and splitting.")
    finetune: FinetuneConfig = Field(FinetuneConfig(), description="The full-precision teacher.")
    latency_table: LatencyTableConfig = Field(
        LatencyTableConfig(), description="What the parts of a layer cost, for speedup."
    )
    prune: PruneConfig = Field(PruneConfig(), description="The student's size.")
    gradual: GradualConfig = Field(GradualConfig(), description="Cutting in steps, taught between.")
    distill: DistillConfig = Field(DistillConfig(), description="Teaching the student.")
    ensemble: EnsembleConfig = Field(EnsembleConfig(), description="Further teachers of the student.")
    export: ExportConfig = Field(ExportConfig(), description="ONNX.")
    calibrate: CalibrateConfig = Field(
        CalibrateConfig(), description="Ranges by Neural Compressor; for the command of that name alone."
    )
    quantize: QuantizeConfig = Field(QuantizeConfig(), description="INT8.")
    speed_check: SpeedCheckConfig = Field(
        SpeedCheckConfig(),
        description="What INT8 wins over FP32, where this machine has the device's architecture.",
    )
    sensitivity: SensitivityConfig = Field(
        SensitivityConfig(), description="Which products INT8 hurts; for the command of that name alone."
    )
    assemble: AssembleConfig = Field(AssembleConfig(), description="The package.")
    evaluate: EvaluateConfig = Field(EvaluateConfig(), description="Accuracy of what ships.")
    bench: BenchConfig = Field(BenchConfig(), description="Latency and memory of what ships.")
    search: SearchConfig = Field(SearchConfig(), description="Finding a recipe by the targets.")
    cross_validation: CrossValidationConfig = Field(
        CrossValidationConfig(), description="Accuracy evidence for small data."
    )
    repetition: RepetitionConfig = Field(RepetitionConfig(), description="The recipe with several seeds.")
    targets: Targets = Field(Targets(), description="Limits of the gate.")

    @model_validator(mode="after")
    def _rounding_that_comes(self) -> Recipe:
        """Said before the teacher is made, not after."""
        if self.distill.quantization_aware and self.quantize.mode == "none":
            raise ValueError("distill.quantization_aware is for a student that becomes INT8, and quantize.mode is none")
        return self

    @model_validator(mode="after")
    def _folds_or_seeds(self) -> Recipe:
        if self.cross_validation.folds and self.repetition.seeds > 1:
            raise ValueError("cross_validation.folds and repetition.seeds cannot be combined; leave out one of them")
        return self


def sources_below(profile: Profile | None, task: type[Task], overrides: Sequence[Source] = ()) -> list[Source]:
    """What stands below the user's own settings, weakest first: the task's defaults, then a profile.

    Where the settings name no size for the student, and there is a cost to keep, the size is found by the targets.
    """
    below = [Source(f"task {task.name}", task.recipe)]
    if profile:
        below.append(Source(f"profile {profile.name}", _profile_values(profile, task)))
    own: dict[str, Any] = {}
    for source in (*below[1:], *overrides):
        own = merge(own, source.values)
    if not _names_size(own) and _limits_cost(own):
        below.append(Source("no size is set", {"search": {"automatic": True}}))
    return below


def _names_size(values: Mapping[str, Any]) -> bool:
    prune = values.get("prune")
    return isinstance(prune, Mapping) and any(prune.get(name) is not None for name in (*SIZES, "speedup"))


def _limits_cost(values: Mapping[str, Any]) -> bool:
    targets = values.get("targets")
    if not isinstance(targets, Mapping):
        return False
    latency = targets.get("latency_ms")
    percentiles = latency.values() if isinstance(latency, Mapping) else ()
    limits = (targets.get("min_speedup"), targets.get("package_mb"), *percentiles)
    return any(limit is not None for limit in limits)


def resolve_recipe(profile: Profile | None, task: type[Task], overrides: Sequence[Source] = ()) -> Recipe:
    """Built-in defaults < task < profile < the user's file < flags.

    Raises:
        ConfigError: lists every wrong field with the place that set it.
    """
    return resolve(Recipe, _one_size([*sources_below(profile, task, overrides), *overrides]))


def _one_size(sources: Sequence[Source]) -> list[Source]:
    """A student's size is said by its widths or by a speed-up; the strongest place that says it decides which."""
    kept: list[Source] = []
    dropped: tuple[str, ...] = ()
    for source in reversed(sources):
        prune = source.values.get("prune")
        if not isinstance(prune, Mapping):
            kept.append(source)
            continue
        left = {name: value for name, value in prune.items() if name not in dropped}
        kept.append(Source(source.name, {**source.values, "prune": left}, source.lines))
        if left.get("speedup") is not None:
            dropped += SIZES
        elif any(left.get(name) is not None for name in SIZES):
            dropped += ("speedup",)
    return kept[::-1]


def _profile_values(profile: Profile, task: type[Task]) -> dict[str, Any]:
    """What a profile says of the stages: an engine setting goes to each stage that has a field of its name, and a limit
    to the metrics of the task."""
    settings = profile.engine.model_dump()
    values: dict[str, Any] = {"quantize": profile.scheme.options()}
    for section, field in Recipe.model_fields.items():
        known = getattr(field.annotation, "model_fields", {})
        if shared := {name: value for name, value in settings.items() if name in known}:
            values[section] = shared
    values["targets"] = profile.targets.model_dump(exclude_none=True)
    values["targets"] |= {kind: task.limits(values["targets"].get(kind, {})) for kind in ACCURACY_TARGETS}
    return merge(values, profile.recipe)
