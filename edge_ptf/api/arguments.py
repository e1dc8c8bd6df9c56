"""Arguments of the public functions: what each of them takes, and one-line errors about wrong ones."""

from __future__ import annotations

import functools
import inspect
import os
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from pydantic.fields import FieldInfo

from edge_ptf.errors import BadInputError, ConfigError, near_matches

Arguments = ParamSpec("Arguments")
Returned = TypeVar("Returned")

KEYWORDS = "keyword arguments"
"""The source of settings that Python code gives, for messages."""


class ArgumentError(BadInputError, TypeError):
    """A public function does not take such an argument."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """One keyword argument, and the option of the command.

    Attributes:
        takes: the types in the signature.
        help: what it is; the command's help says the same.
        python: what it is, where Python takes another form than the command; empty: the same.
        required: it has no default.
        positional: it may also be given by its place.
        field: the field of the stage's section; None for what is no setting of the stage.
        default_text: what holds where nothing is given, in words.
    """

    name: str
    takes: Any
    help: str
    required: bool = False
    positional: bool = False
    field: FieldInfo | None = None
    default_text: str = ""
    python: str = ""

    def declared(self) -> inspect.Parameter:
        """The parameter of a signature."""
        kind = inspect.Parameter.POSITIONAL_OR_KEYWORD if self.positional else inspect.Parameter.KEYWORD_ONLY
        default = inspect.Parameter.empty if self.required else None
        return inspect.Parameter(self.name, kind, default=default, annotation=self.takes)


def public(function: Callable[Arguments, Returned]) -> Callable[Arguments, Returned]:
    """A public function: wrong arguments are reported in one line that names the argument and what is allowed."""
    return public_with()(function)


def public_with(
    options: Collection[str] = (),
) -> Callable[[Callable[Arguments, Returned]], Callable[Arguments, Returned]]:
    """The same for a function with `**options`.

    Args:
        options: the names that `**options` may have.
    """

    def decorate(function: Callable[Arguments, Returned]) -> Callable[Arguments, Returned]:
        signature, name = inspect.signature(function), function.__name__

        @functools.wraps(function)
        def call(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Returned:
            check_names(name, signature, kwargs, options)
            try:
                signature.bind(*args, **kwargs)
            except TypeError as error:
                known = ", ".join(each for each in signature.parameters if each != "options")
                raise ArgumentError(f"{name}: {error}", hint=f"It takes {known}") from None
            with short_errors(name):
                return function(*args, **kwargs)

        return call

    return decorate


def check_names(name: str, signature: inspect.Signature, given: Collection[str], options: Collection[str]) -> None:
    """Refuses an argument that the function does not have.

    Raises:
        ArgumentError: names the closest arguments, then all.
    """
    known = [each.name for each in signature.parameters.values() if each.kind is not each.VAR_KEYWORD]
    for unknown in given:
        if unknown not in known and unknown not in options:
            hint = near_matches(unknown, [*known, *options])
            raise ArgumentError(f"{name}: unknown argument '{unknown}'", hint=hint)


@contextmanager
def short_errors(name: str) -> Iterator[None]:
    """An error about one wrong value is one line, and says which function was called."""
    try:
        yield
    except ConfigError as error:
        if len(error.problems) != 1 or not error.problems[0].startswith(f"{KEYWORDS}: "):
            raise
        raise ArgumentError(f"{name}: {error.problems[0].removeprefix(f'{KEYWORDS}: ')}") from None


def plain(value: Any) -> Any:
    """A path as text; anything else as it is."""
    return os.fspath(value) if isinstance(value, os.PathLike) else value


def path_of(name: str, value: Any, *, exists: bool = False) -> Path:
    """The path that an argument names.

    Raises:
        ArgumentError: it is no path, or there is nothing although there must be.
    """
    if not isinstance(value, str | os.PathLike):
        raise ArgumentError(f"{name}: takes a path, not {kind_of(value)}", hint="Give text or a pathlib.Path")
    path = Path(value)
    if exists and not path.exists():
        raise BadInputError(f"{name}: {path} does not exist", hint="Give a file or directory that exists")
    return path


def mapping(name: str, value: Any, example: str) -> Mapping[str, Any]:
    """A mapping with text as keys; empty for None.

    Raises:
        ArgumentError: it is something else.
    """
    if value is None:
        return {}
    if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
        raise ArgumentError(f"{name}: takes a mapping, not {kind_of(value)}", hint=f"For example {example}")
    return value


def kind_of(value: Any) -> str:
    """A value's type and the value itself, short."""
    shown = repr(value)
    return f"{type(value).__name__} {shown}" if len(shown) <= 60 else type(value).__name__
