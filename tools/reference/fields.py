"""Describes a pydantic field: its type, default and range in words."""

from __future__ import annotations

import types
from collections.abc import Mapping
from enum import Enum
from typing import Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

LIMITS = {"ge": "≥", "gt": ">", "le": "≤", "lt": "<"}


def type_of(annotation: Any) -> str:  # noqa: PLR0911
    """The type in plain words, such as "integer" or "`kl` or `mse`"."""
    origin, inner = get_origin(annotation), get_args(annotation)
    if annotation is None or annotation is type(None):
        return "null"
    if origin is Literal:
        return " or ".join(f"`{value}`" for value in inner)
    if origin in (Union, types.UnionType):
        return " or ".join(dict.fromkeys(type_of(kind) for kind in inner))
    if hasattr(annotation, "__metadata__"):
        return type_of(inner[0])
    if origin in (tuple, list, frozenset, set):
        return f"list of {type_of(inner[0])}" if inner else "list"
    if origin in (dict, Mapping):
        return f"mapping of {type_of(inner[0])} to {type_of(inner[1])}"
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return " or ".join(f"`{item.value}`" for item in annotation)
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return f"section `{annotation.__name__}`"
    names = {int: "integer", float: "number", str: "text", bool: "true or false", Any: "any value"}
    return names.get(annotation, getattr(annotation, "__name__", str(annotation)))


def range_of(field: FieldInfo) -> str:
    """The limits of a field, such as "≥ 1, ≤ 64"; empty where there are none."""
    found = [*_limits(field.metadata), *_limits_in(field.annotation)]
    return ", ".join(dict.fromkeys(found))


def default_of(field: FieldInfo) -> str:
    """The default as a user would write it; "required" where there is none."""
    if field.is_required():
        return "required"
    if field.default is PydanticUndefined or field.default_factory is not None:
        made = field.get_default(call_default_factory=True)
        return "" if isinstance(made, BaseModel) or not made else shown(made)
    return "null" if field.default is None else shown(field.default)


def shown(value: Any) -> str:
    """A value as written on a command line or in a YAML file."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Enum):
        return str(value.value)
    if isinstance(value, tuple | list):
        return f"[{', '.join(map(shown, value))}]"
    if isinstance(value, dict):
        return ", ".join(f"{name}: {shown(item)}" for name, item in value.items())
    if isinstance(value, float):
        return f"{value:.4g}"
    return '""' if value == "" else str(value)


def models_in(annotation: Any) -> list[type[BaseModel]]:
    """The pydantic models that an annotation names."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for part in get_args(annotation) for model in models_in(part)]


def _limits(metadata: Any) -> list[str]:
    found = []
    for item in metadata:
        found += [
            f"{sign} {shown(getattr(item, name))}"
            for name, sign in LIMITS.items()
            if getattr(item, name, None) is not None
        ]
        if pattern := getattr(item, "pattern", None):
            found.append(f"matches `{pattern}`")
        found += [
            f"{word} {getattr(item, name)} items"
            for name, word in (("min_length", "at least"), ("max_length", "at most"))
            if getattr(item, name, None) is not None
        ]
    return found


def _limits_in(annotation: Any) -> list[str]:
    own = _limits(getattr(annotation, "__metadata__", ()))
    return own + [limit for part in get_args(annotation) for limit in _limits_in(part)]
