"""Click options made from a stage's configuration: one field, one flag, one help text."""

from __future__ import annotations

import types
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin

import click
from pydantic.fields import FieldInfo

from edge_ptf.api.parameters import default_words
from edge_ptf.cli.choices import Choice
from edge_ptf.recipe import Recipe

Command = TypeVar("Command", bound=Callable[..., Any])


def config_options(section: str, defaults: Mapping[str, str] = MappingProxyType({})) -> Callable[[Command], Command]:
    """Adds one option for every field of a section of the recipe; flags that are not given stay None.

    Args:
        defaults: what holds where nothing is given, in words, for options whose command knows better than the model.
    """
    model: Any = Recipe.model_fields[section].annotation

    def decorate(command: Command) -> Command:
        for name, field in reversed(model.model_fields.items()):
            default = defaults.get(name) or default_words(section, name, field)
            command = _option(name, field, default)(command)
        return command

    return decorate


def _option(name: str, field: FieldInfo, default: str) -> Callable[[Command], Command]:
    flag = f"--{name.replace('_', '-')}"
    plain = _without_none(field.annotation)
    help_text = (field.description or "").rstrip(".")
    if default:
        help_text += f" [default: {default}]"
    if plain is bool:
        return click.option(f"{flag}/--no-{name.replace('_', '-')}", name, default=None, help=help_text)
    return click.option(flag, name, type=_click_type(plain), default=None, help=help_text, metavar=_metavar(plain))


def _without_none(annotation: Any) -> Any:
    if get_origin(annotation) in (Union, types.UnionType):
        kinds = [kind for kind in get_args(annotation) if kind is not type(None)]
        return kinds[0] if len(kinds) == 1 else tuple(kinds)
    return annotation


def _click_type(kind: Any) -> click.ParamType[Any] | type:
    if get_origin(kind) is Literal:
        return Choice([str(value) for value in get_args(kind)])
    return kind if kind in (int, float, str) else str


def _metavar(kind: Any) -> str | None:
    if isinstance(kind, tuple) or get_origin(kind) is tuple:
        return "LIST"
    return None
