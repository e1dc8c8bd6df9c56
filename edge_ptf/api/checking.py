"""`check`: what labelled text is, what is wrong with it, and what it can prove; and reading it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from edge_ptf import data as data_package
from edge_ptf import tasks
from edge_ptf.api.arguments import public, public_with
from edge_ptf.api.inputs import chosen_base, chosen_profile, chosen_task
from edge_ptf.api.jobs import OPTIONS, given_settings, limited_metrics
from edge_ptf.api.parameters import PathText, Setting
from edge_ptf.api.results import CheckResult
from edge_ptf.api.settings import Settings
from edge_ptf.config import Source
from edge_ptf.data.dataset import LabelledData
from edge_ptf.data_check import DataCheck, check_data, token_lengths
from edge_ptf.duration import predict_duration
from edge_ptf.metrics import gated
from edge_ptf.models.base_models import Base
from edge_ptf.preparation import check_targets, for_judging
from edge_ptf.profiles import Profile
from edge_ptf.progress import SILENT, Progress
from edge_ptf.provable import provable
from edge_ptf.recipe import resolve_recipe
from edge_ptf.tasks.base import Task
from edge_ptf.training.step_time import measure_step


@public_with(OPTIONS)
def check(
    data: PathText | LabelledData | Mapping[str, Any] | None = None,
    *,
    task: str | type[Task] | Mapping[str, str] | None = None,
    profile: PathText | Profile | None = None,
    model: PathText | Base | None = None,
    out_of_scope_label: str | None = None,
    max_drop: Mapping[str, float] | None = None,
    min_score: Mapping[str, float] | None = None,
    set: Setting | None = None,
    config: PathText | None = None,
    progress: Progress | None = None,
    **options: Any,
) -> CheckResult:
    """Reads labelled text as `compress` does, and finds what is wrong with it and what it can prove.

    The arguments are those of `edge-ptf check`. Nothing is trained or written.

    Args:
        data: labelled text: file, directory, hub id, the built-in "demo", or open data; with options of reading a
            mapping, `{"source": "texts.csv", "text_column": "question"}`.
        task: what the labels mean, such as "text-classification"; for several tasks a mapping from their names.
        profile: its targets are the limits that are checked.
        model: the lengths of texts are counted in its tokens, and a few training steps are timed to predict how long
            a run takes here.
        out_of_scope_label: the label of texts that belong to no class.
        max_drop: limit on an accuracy drop in points, by metric: `{"accuracy": 1}`.
        min_score: worst score that a metric may have: `{"accuracy": 90}`.
        set: any option of the recipe: `{"data.text_column": "question"}`.
        config: project file. [default: edge-ptf.yaml where it exists]
        progress: receives how far the work is. [default: nothing is shown]
        options: sections of the recipe as mappings, and targets.

    Raises:
        DataError: the data cannot be used; lists every bad row.
        ArgumentError: an argument is unknown or has a wrong value.

    Example:
        >>> print(edge_ptf.check("demo", task="text-classification", max_drop={"accuracy": 1}))
        text-classification data can be used...
    """
    job = {"data": data, "task": task, "profile": profile, "model": model, "out_of_scope_label": out_of_scope_label}
    chosen, own = given_settings(job, config, set, {**options, "max_drop": max_drop, "min_score": min_score})
    return CheckResult(checked(chosen, own, progress or SILENT))


def checked(chosen: Settings, limits: dict[str, Any], progress: Progress) -> DataCheck:
    """Reads the data that the settings name, and puts together what is known about them.

    Args:
        limits: what the caller's own arguments set in the recipe.
    """
    kind, profile = chosen_task(chosen), chosen_profile(chosen)
    sources = [*chosen.sources, Source(chosen.caller, limits)]
    recipe = resolve_recipe(profile, kind, sources)
    base = chosen_base(chosen) if chosen.get("model") else None
    given = chosen.need("data")
    data = given if isinstance(given, LabelledData) else data_package.load(str(given), kind, recipe.data, progress)
    data = for_judging(data, kind, recipe)
    task = tasks.create(kind.spec_for(data.labels, recipe.data.out_of_scope_label))
    targets = recipe.targets
    check_targets(task, limited_metrics(sources), targets)
    confidence: float = profile.confidence if profile else Profile.model_fields["confidence"].default
    drops = {metric.name: targets.max_drop.get(metric.name) for metric in gated(task.metrics)}
    found = provable(task, [example.label for example in data.test], drops, confidence, targets.min_score)
    count = recipe.cross_validation.folds
    if not base:
        return check_data(data, task, recipe.data, found, confidence, folds=count)
    lengths = token_lengths(data, base.path, recipe.finetune.max_length)
    step = measure_step(base.path, task, data.train, recipe.finetune)
    duration = predict_duration(step, data, recipe)
    return check_data(data, task, recipe.data, found, confidence, lengths, duration, count)


@public
def load_data(
    data: PathText | Mapping[str, Any] | None = None,
    *,
    task: str | type[Task] | Mapping[str, str] | None = None,
    out_of_scope_label: str | None = None,
    set: Setting | None = None,
    config: PathText | None = None,
    progress: Progress | None = None,
) -> LabelledData:
    """Reads labelled text. Stages and `check` take the result where they take a name.

    Args:
        data: file, directory, hub id, or the built-in "demo"; with options of reading a mapping,
            `{"source": "texts.csv", "text_column": "question"}`.
        task: what the labels mean.
        out_of_scope_label: the label of texts that belong to no class.
        set: any option of the recipe: `{"data.text_column": "question"}`.
        config: project file. [default: edge-ptf.yaml where it exists]
        progress: receives how far the work is. [default: nothing is shown]

    Raises:
        DataError: the data cannot be used; lists every bad row.

    Example:
        >>> labels = edge_ptf.load_data("demo", task="text-classification").labels
        >>> len(labels) > 1
        True
    """
    job = {"data": data, "task": task, "out_of_scope_label": out_of_scope_label}
    chosen, own = given_settings(job, config, set, {})
    kind = chosen_task(chosen)
    recipe = resolve_recipe(None, kind, [*chosen.sources, Source(chosen.caller, own)])
    return data_package.load(str(chosen.need("data")), kind, recipe.data, progress or SILENT)
