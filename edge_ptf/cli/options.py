"""Click options made from a stage's configuration: one field, one flag, one help text."""

from __future__ import annotations

import types
from collections.abc import Callable
from typing import Any, Literal, TypeVar, Union, get_args, get_origin

import click
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from edge_ptf.config import StageConfig

Command = TypeVar("Command", bound=Callable[..., Any])


def config_options(model: type[StageConfig], *, skip: tuple[str, ...] = ()) -> Callable[[Command], Command]:
    """Adds one option for every field of `model`; flags that are not given stay None."""

    def decorate(command: Command) -> Command:
        for name, field in reversed(model.model_fields.items()):
            if name not in skip:
                command = _option(name, field)(command)
        return command

    return decorate


def _option(name: str, field: FieldInfo) -> Callable[[Command], Command]:
    flag = f"--{name.replace('_', '-')}"
    plain = _without_none(field.annotation)
    help_text = (field.description or "").rstrip(".")
    if field.default not in (PydanticUndefined, None, (), ""):
        help_text += f" [default: {_shown(field.default)}]"
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
        return click.Choice([str(value) for value in get_args(kind)])
    return kind if kind in (int, float, str) else str


def _metavar(kind: Any) -> str | None:
    if isinstance(kind, tuple) or get_origin(kind) is tuple:
        return "LIST"
    return None


def _shown(value: Any) -> str:
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)
