"""A whole job: from keyword arguments or flags to the settings of every stage."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from edge_ptf.api.arguments import KEYWORDS, ArgumentError, kind_of, mapping, path_of, plain
from edge_ptf.api.inputs import chosen_task, needed_profile
from edge_ptf.api.settings import Settings, source_and_options
from edge_ptf.config import Source, merge
from edge_ptf.data.dataset import LabelledData
from edge_ptf.errors import BadInputError
from edge_ptf.preparation import Job
from edge_ptf.profiles import ACCURACY_TARGETS, Targets
from edge_ptf.recipe import Recipe, resolve_recipe

SECTIONS = tuple(name for name in Recipe.model_fields if name != "data")
"""The sections of the recipe that `**options` may hold; `data` is an argument of its own."""
OPTIONS = (*SECTIONS, *Targets.model_fields)
"""What `**options` of a whole job may hold: sections of the recipe, and targets."""
EXAMPLE = '{"num_layers": 3}'


def make_job(chosen: Settings, own: dict[str, Any]) -> tuple[Job, list[Source]]:
    """What flags and project file ask for, and the places that set the recipe.

    Args:
        own: what the command's own flags set in the recipe.
    """
    profile = needed_profile(chosen)
    task = chosen_task(chosen)
    sources = [*chosen.sources, Source(chosen.caller, own)]
    recipe = resolve_recipe(profile, task, sources)
    job = Job(
        profile=profile,
        model=_named(chosen, "model"),
        data=_named(chosen, "data"),
        task=task,
        out=Path(chosen.need("out")),
        recipe=recipe,
        name=_file_name(chosen),
        limited=limited_metrics(sources),
        skip_finetune=bool(chosen.get("skip_finetune")),
    )
    return job, sources


def limited_metrics(sources: Sequence[Source]) -> frozenset[str]:
    """The accuracy targets that these sources set, such as `max_drop.accuracy`."""
    return frozenset(
        f"{kind}.{name}"
        for kind in ACCURACY_TARGETS
        for source in sources
        for name, limit in ((source.values.get("targets") or {}).get(kind) or {}).items()
        if limit is not None
    )


def sections_with_seed() -> list[str]:
    """The sections of the recipe that have a seed."""
    return [
        name
        for name, field in Recipe.model_fields.items()
        if isinstance(field.annotation, type) and "seed" in getattr(field.annotation, "model_fields", {})
    ]


def given_settings(
    job: Mapping[str, Any], config: Any, settings: Any, options: Mapping[str, Any], seed: int | None = None
) -> tuple[Settings, dict[str, Any]]:
    """The settings of a call from Python, and what its own arguments set in the recipe.

    Args:
        job: profile, model, data, task, out, …; None: not given.
        config: the project file, if any.
        settings: the argument `set`.
        options: sections of the recipe, and targets; None: not given.
        seed: of every stage that draws random numbers.

    Raises:
        ArgumentError: a section is no mapping.
    """
    if seed is not None and (not isinstance(seed, int) or isinstance(seed, bool)):
        raise ArgumentError(f"seed: takes a whole number, not {kind_of(seed)}")
    project = None if config is None else path_of("config", config)
    source, reading = source_and_options(job.get("data"))
    given = {name: plain(value) for name, value in job.items()} | {"data": plain(source)}
    chosen = Settings(project, settings, given, KEYWORDS)
    own: dict[str, Any] = {section: {"seed": seed} for section in sections_with_seed()} if seed is not None else {}
    own = merge(own, {"data": reading} if reading else {})
    for name, value in options.items():
        if value is None:
            continue
        if name in SECTIONS:
            own = merge(own, {name: dict(mapping(name, value, f"{name}={EXAMPLE}"))})
        else:
            own = merge(own, {"targets": {name: value}})
    return chosen, own


def _named(chosen: Settings, name: str) -> str:
    """The name or path of model or data: the run record holds it."""
    given = chosen.need(name)
    if isinstance(given, LabelledData):
        raise ArgumentError(f"{name}: takes a name or path, not LabelledData", hint="Single stages take open data")
    if not isinstance(given, str):
        raise ArgumentError(f"{name}: takes a name or path, not {kind_of(given)}")
    return given


def _file_name(chosen: Settings) -> str:
    """The package's name, which becomes a file in --out."""
    name = chosen.get("name") or "package"
    if Path(name).name != name or name.startswith("."):
        flag = chosen.option("name")
        shown = f"{flag}{'' if flag.endswith('=') else ' '}{name}"
        raise BadInputError(f"{shown}: not a file name", hint=f"Choose the directory with {chosen.option('out')}")
    return str(name)
