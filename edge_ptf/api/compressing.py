"""`compress`: the main job, with names and paths."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from edge_ptf import pipeline
from edge_ptf.api.arguments import public_with
from edge_ptf.api.inputs import chosen_profile, chosen_task
from edge_ptf.api.jobs import OPTIONS, given_settings, make_job
from edge_ptf.api.parameters import PathText, Setting
from edge_ptf.config import Source, merge
from edge_ptf.pipeline import Result
from edge_ptf.profiles import Profile
from edge_ptf.progress import SILENT, Progress, say
from edge_ptf.recipe import Recipe
from edge_ptf.recipe import resolve_recipe as resolved
from edge_ptf.tasks.base import Task


@public_with(OPTIONS)
def compress(
    *,
    model: PathText | None = None,
    data: PathText | Mapping[str, Any] | None = None,
    profile: PathText | Profile | None = None,
    task: str | type[Task] | Mapping[str, str] | None = None,
    out: PathText | None = None,
    out_of_scope_label: str | None = None,
    max_drop: Mapping[str, float] | None = None,
    min_score: Mapping[str, float] | None = None,
    min_speedup: float | None = None,
    package_mb: float | None = None,
    seed: int | None = None,
    name: str | None = None,
    redact: bool = False,
    skip_finetune: bool = False,
    folds: int | None = None,
    seeds: int | None = None,
    set: Setting | None = None,
    config: PathText | None = None,
    progress: Progress | None = None,
    **options: Any,
) -> Result:
    """Fine-tune, prune, distil, quantize, export, measure, judge and package.

    The arguments are the options of `edge-ptf compress`. What is not given comes from `edge-ptf.yaml`, where the
    working directory has one. Without a size for the student, edge-ptf finds one that meets the targets. A call with
    the same arguments resumes an interrupted one and reuses finished stages.

    Args:
        model: pretrained model: directory, hub id, or "minilm-l6".
        data: labelled text: file, directory, hub id, or the built-in "demo"; with options of reading a mapping,
            `{"source": "texts.csv", "text_column": "question"}`. For several tasks one source for all, or a mapping
            `{"source": {"intent": "a.csv", "slots": "b.conll"}}`.
        profile: a shipped name, a YAML file, "host", or an open profile.
        task: what the labels mean, such as "text-classification"; for several tasks on one encoder a mapping such as
            `{"intent": "text-classification", "slots": "token-classification"}`.
        out: directory for the results.
        out_of_scope_label: the label of texts that belong to no class; judged on its own.
        max_drop: limit on an accuracy drop in points, by metric: `{"accuracy": 1}`.
        min_score: worst score that a metric may have: `{"accuracy": 90}`.
        min_speedup: limit on the speed-up over the FP32 teacher.
        package_mb: limit on the package's size, 10^6 bytes.
        seed: of every stage that draws random numbers.
        name: of the package file. [default: package]
        redact: leave the texts of the data out of the report's page.
        skip_finetune: `model` is fine-tuned already: it is the teacher.
        folds: judge accuracy by cross-validation over so many folds of train and test.
        seeds: repeat the run with so many seeds; the report shows mean and deviation.
        set: any option of the recipe: `{"distill.epochs": 6}`.
        config: project file. [default: edge-ptf.yaml where it exists]
        progress: receives how far the work is. [default: nothing is shown]
        options: sections of the recipe as mappings, `prune={"num_layers": 3}`, and further targets of the profile.

    Returns:
        The package's path, the verdict, the evidence and all artifacts. The package is written whatever the verdict.

    Raises:
        ArgumentError: an argument is unknown or has a wrong value.
        EdgePtfError: one line that says what is wrong and what is allowed.

    Example:
        >>> print(edge_ptf.compress(model="minilm-l6", data="demo", profile="host", task="text-classification",
        ...                         max_drop={"accuracy": 2}, prune={"num_layers": 2}, out="work/job"))
        Verdict: ... on ...: ... targets proven...
        accuracy ... → ... %
        size ... MB instead of ... MB, p50 ... ms, ...
        Package: work/job/package.eptf
        Report: work/job/report.html
    """
    job: dict[str, Any] = {"model": model, "data": data, "profile": profile, "task": task, "out": out, "name": name}
    limits = {"max_drop": max_drop, "min_score": min_score, "min_speedup": min_speedup, "package_mb": package_mb}
    job["out_of_scope_label"] = out_of_scope_label
    job["skip_finetune"] = skip_finetune or None
    chosen, own = given_settings(job, config, set, {**options, **limits}, seed)
    own = merge(own, {} if folds is None else {"cross_validation": {"folds": folds}})
    own = merge(own, {} if seeds is None else {"repetition": {"seeds": seeds}})
    shown = progress or SILENT
    asked = dataclasses.replace(make_job(chosen, own)[0], redact=redact)
    return pipeline.compress(asked, progress=shown, on_warning=lambda warning: say(shown, warning))


@public_with(OPTIONS)
def resolve_recipe(
    *,
    profile: PathText | Profile | None = None,
    task: str | type[Task] | Mapping[str, str] | None = None,
    out_of_scope_label: str | None = None,
    seed: int | None = None,
    set: Setting | None = None,
    config: PathText | None = None,
    **options: Any,
) -> Recipe:
    """The options of every stage that a call of `compress` with these arguments would use.

    Args:
        profile: a shipped name, a YAML file, "host", or an open profile; None: no profile.
        task: what the labels mean.
        out_of_scope_label: the label of texts that belong to no class.
        seed: of every stage that draws random numbers.
        set: any option of the recipe: `{"distill.epochs": 6}`.
        config: project file. [default: edge-ptf.yaml where it exists]
        options: sections of the recipe as mappings, and targets.

    Raises:
        ConfigError: lists every wrong field with the place that set it.

    Example:
        >>> edge_ptf.resolve_recipe(task="text-classification", set={"distill.epochs": 6}).distill.epochs
        6
    """
    job = {"profile": profile, "task": task, "out_of_scope_label": out_of_scope_label}
    chosen, own = given_settings(job, config, set, options, seed)
    return resolved(chosen_profile(chosen), chosen_task(chosen), [*chosen.sources, Source(chosen.caller, own)])
