"""`search`: a wide search for a recipe, and the project file with what it found."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from edge_ptf.api.arguments import public_with
from edge_ptf.api.jobs import OPTIONS, given_settings, make_job
from edge_ptf.api.parameters import PathText, Setting
from edge_ptf.api.results import SearchResult
from edge_ptf.api.settings import JOB_FIELDS, SOURCE, Settings
from edge_ptf.compression import Search, Trial
from edge_ptf.config import Source, merge
from edge_ptf.pipeline import begin, trial_runner
from edge_ptf.preparation import Job
from edge_ptf.profiles import Profile
from edge_ptf.progress import SILENT, Progress, say
from edge_ptf.tasks.base import Task

RECIPE_FILE = "recipe.yaml"


@public_with(OPTIONS)
def search(
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
    trials: int | None = None,
    storage: str | None = None,
    skip_finetune: bool = False,
    all_trials: bool | None = None,
    set: Setting | None = None,
    config: PathText | None = None,
    progress: Progress | None = None,
    **options: Any,
) -> SearchResult:
    """Searches widely for a recipe: short trials proposed by Optuna, judged on validation texts.

    The arguments are the options of `edge-ptf search`. A call with the same arguments resumes. Several processes with
    the same `out` and `storage` share the work. `compress(config=result.recipe)` makes the package.

    Args:
        model: pretrained model: directory, hub id, or "minilm-l6".
        data: labelled text: file, directory, hub id, or the built-in "demo"; with options of reading a mapping,
            `{"source": "texts.csv", "text_column": "question"}`.
        profile: a shipped name, a YAML file, "host", or an open profile.
        task: what the labels mean, such as "text-classification".
        out: directory for the results.
        out_of_scope_label: the label of texts that belong to no class; judged on its own.
        max_drop: limit on an accuracy drop in points, by metric: `{"accuracy": 1}`.
        min_score: worst score that a metric may have: `{"accuracy": 90}`.
        min_speedup: limit on the speed-up over the FP32 teacher.
        package_mb: limit on the package's size, 10^6 bytes.
        seed: of every stage that draws random numbers.
        trials: trials, those of earlier runs on the same storage counted. [default: 20]
        storage: where trials are kept, a database URL. [default: search.db in out]
        skip_finetune: `model` is fine-tuned already: it is the teacher.
        all_trials: go on when the targets are met, to see the whole front.
        set: any option of the recipe: `{"distill.epochs": 6}`.
        config: project file. [default: edge-ptf.yaml where it exists]
        progress: receives how far the work is. [default: nothing is shown]
        options: sections of the recipe as mappings, and further targets of the profile.

    Returns:
        All trials, and the file with the winner's recipe.

    Raises:
        ArgumentError: an argument is unknown or has a wrong value.
        EdgePtfError: one line that says what is wrong and what is allowed.

    Example:
        >>> print(edge_ptf.search(model="minilm-l6", data="demo", profile="host", task="text-classification",
        ...                       package_mb=10, trials=1, out="work/search"))
        Search: ...
        1 trials, 1 finished
        winner: ...
        Recipe: work/search/recipe.yaml
    """
    job: dict[str, Any] = {"model": model, "data": data, "profile": profile, "task": task, "out": out}
    job |= {"out_of_scope_label": out_of_scope_label, "skip_finetune": skip_finetune or None}
    limits = {"max_drop": max_drop, "min_score": min_score, "min_speedup": min_speedup, "package_mb": package_mb}
    chosen, own = given_settings(job, config, set, {**options, **limits}, seed)
    wanted = {"trials": trials, "storage": storage, "all_trials": all_trials}
    own = merge(own, {"search": {name: value for name, value in wanted.items() if value is not None}})
    asked, sources = make_job(chosen, own)
    return SearchResult(*searched(chosen, asked, sources, progress or SILENT))


def searched(chosen: Settings, job: Job, sources: Sequence[Source], progress: Progress) -> tuple[Search, Path | None]:
    """The trials, and the file with the winner's recipe."""
    from edge_ptf.search import search as wide_search

    start = begin(
        job, progress, lambda _: None, lambda *_: None, on_warning=lambda each: say(progress, each), searching=True
    )
    found = wide_search(*trial_runner(job, start), job.out, lambda _: None)
    found.write(job.out)
    return found, write_recipe(chosen, job, sources, found)


def write_recipe(chosen: Settings, job: Job, sources: Sequence[Source], found: Search) -> Path | None:
    """Writes the project file with everything that was asked for and the winner's options; None without a winner."""
    if found.winning is None:
        return None
    file = job.out / RECIPE_FILE
    sections = recipe_sections([*sources, Source("the winner", _overrides(found.winning))])
    asked: dict[str, Any] = dict(_asked(chosen, job))
    if "data" in sections:
        sections["data"] = {SOURCE: asked.pop("data"), **sections["data"]}
    content = {**asked, **sections}
    file.write_text(yaml.safe_dump(content, sort_keys=False, allow_unicode=True), encoding="utf-8")
    return file


def _asked(chosen: Settings, job: Job) -> dict[str, str]:
    """What the job is, as the project file holds it."""
    given = {name: chosen.get(name) for name in JOB_FIELDS} | {"out_of_scope_label": job.recipe.data.out_of_scope_label}
    given |= {"profile": getattr(given["profile"], "name", given["profile"]), "task": job.task.name}
    return {name: str(value) for name, value in given.items() if value is not None}


def _overrides(winner: Trial) -> dict[str, Any]:
    """The winner's options, with those it unsets, for what was given must not come back; a trial is short, and the
    winner is taught in full."""
    overrides = {section: {**values} for section, values in winner.overrides.items()}
    overrides.get("distill", {}).pop("epochs", None)
    return overrides


def recipe_sections(sources: Sequence[Source]) -> dict[str, Any]:
    """Every option that was set by hand or found, in the project file's words; how the search went is over."""
    merged: dict[str, Any] = {}
    for source in sources:
        merged = merge(merged, source.values)
    found = json.loads(json.dumps(merged))  # lists instead of tuples
    found.get("data", {}).pop("out_of_scope_label", None)  # stands at the top
    return {name: values for name, values in found.items() if values and name != "search"}
