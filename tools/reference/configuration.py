"""The pages about the recipe and about hardware profiles, from their pydantic models."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from pydantic import BaseModel

from edge_ptf import profiles, tasks
from edge_ptf.recipe import Recipe
from tools.reference.fields import default_of, models_in, range_of, shown, type_of
from tools.reference.markdown import sentence, table

RECIPE = """# Recipe

The recipe holds the settings of all stages. Each stage has a section.

- In `edge-ptf.yaml` a section is a mapping. The section `data` is called `reading` there: `data` names the source.
- On the command line you write `--set SECTION.FIELD=VALUE`.
- The command of a stage has the same fields as options. See [commands](commands.md).

A stronger place wins over a weaker one: built-in default < task < profile < `edge-ptf.yaml` < flags.
`edge-ptf compress --dry-run` prints every value and the place that set it.
"""

PROFILE = """# Profile

A profile is a YAML file. It contains the properties of a device, the options of quantization for it, and the targets
that a package must meet.
`edge-ptf profiles validate FILE` checks a file and lists every wrong field with its line.
"""


def recipe_page() -> str:
    """Every section of the recipe with every field."""
    parts = [RECIPE]
    for name, field in Recipe.model_fields.items():
        model = models_in(field.annotation)[0]
        parts += [f"## {name}\n", sentence(field.description or ""), "", _table(model, _task_defaults(name)), ""]
        parts += _nested(model, level=3, path=name)
    return "\n".join(parts)


def profile_page() -> str:
    """Every field of a profile, and the shipped profiles."""
    parts = [PROFILE, "## Fields of the file\n", _table(profiles.Profile), ""]
    parts += _nested(profiles.Profile, level=2)
    rows = [
        (f"`{name}`", loaded.title, shown(loaded.targets.model_dump(exclude_none=True, exclude_defaults=True)))
        for name in profiles.names()
        for loaded in [profiles.load(name)]
    ]
    parts += ["## Shipped profiles\n", table(("name", "device", "targets"), rows), ""]
    return "\n".join(parts)


def _task_defaults(section: str) -> dict[str, str]:
    """What a task sets instead of the built-in default, in words, by field."""
    found: dict[str, list[str]] = {}
    for task in tasks.names():
        for field, value in tasks.get(task).recipe.get(section, {}).items():
            found.setdefault(field, []).append(f"{shown(value)} for {task}")
    return {field: "; ".join(said) for field, said in found.items()}


def _table(model: type[BaseModel], other_defaults: Mapping[str, str] = MappingProxyType({})) -> str:
    rows = []
    for name, field in model.model_fields.items():
        default = "; ".join(part for part in (default_of(field), other_defaults.get(name, "")) if part)
        rows.append(
            (f"`{field.alias or name}`", type_of(field.annotation), default, range_of(field), field.description or "")
        )
    return table(("field", "type", "default", "range", "meaning"), rows)


def _nested(model: type[BaseModel], level: int, path: str = "") -> list[str]:
    """The tables of the models inside a model."""
    parts: list[str] = []
    for name, field in model.model_fields.items():
        for inner in models_in(field.annotation):
            place = ".".join(part for part in (path, field.alias or name) if part)
            parts += [f"{'#' * level} {place}\n", sentence(field.description or ""), "", _table(inner), ""]
            parts += _nested(inner, level, place)
    return parts


def fields_of(section: str) -> dict[str, Any]:
    """The fields of a section of the recipe; empty where there is no such section."""
    field = Recipe.model_fields.get(section)
    return dict(models_in(field.annotation)[0].model_fields) if field else {}
