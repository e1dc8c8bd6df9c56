"""The settings of one call: its arguments, and the project file `edge-ptf.yaml` that stands below them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any

import yaml

from edge_ptf.api.arguments import KEYWORDS, ArgumentError, kind_of
from edge_ptf.config import Source, merge, read_yaml
from edge_ptf.data.joint import named
from edge_ptf.errors import BadInputError, ConfigError, near_matches
from edge_ptf.recipe import Recipe

COMMAND_LINE = "command line"
PROJECT_FILE = Path("edge-ptf.yaml")
JOB_FIELDS = ("profile", "model", "data", "task", "out", "out_of_scope_label", "name")
"""What the project file may hold beside the recipe's sections. `data` is both: its `source` is what --data names."""
SOURCE = "source"
"""The field of `data`, in the project file and in Python, that is no option of the recipe."""


class Settings:
    """The project file and the arguments of one call: the plain job values, and sources for the recipe."""

    def __init__(
        self,
        project_file: Path | None,
        settings: Sequence[str] | Mapping[str, Any] | None,
        flags: Mapping[str, Any],
        caller: str = COMMAND_LINE,
    ) -> None:
        """Args:
        project_file: None: edge-ptf.yaml, where it exists.
        settings: options of the recipe: "SECTION.FIELD=VALUE", or for Python a mapping of "SECTION.FIELD" to values.
        flags: the other arguments; None: not given.
        caller: `COMMAND_LINE` or `KEYWORDS`, for messages.
        """
        self.values: dict[str, Any] = {}
        self.sources: list[Source] = []
        self.origins: dict[str, str] = {}
        self.caller = caller
        self.announcement = ""
        """One line about the project file that is used; empty without one."""
        path = project_file or (PROJECT_FILE if PROJECT_FILE.exists() else None)
        if path:
            self._read(path)
        given = {name: _by_task(name, value) for name, value in flags.items() if value is not None}
        self.values |= given
        self.origins |= dict.fromkeys(given, caller)
        self.sources.append(Source(caller, _assignments(settings, self.option("set"))))
        scope = self.get("out_of_scope_label")
        if scope is not None:
            self.sources.append(Source(self.origin("out_of_scope_label"), {"data": {"out_of_scope_label": scope}}))

    def option(self, name: str) -> str:
        """An argument as the caller writes it: `--out-of-scope-label`, or `out_of_scope_label=` in Python."""
        return f"{name}=" if self.caller == KEYWORDS else f"--{name.replace('_', '-')}"

    def need(self, name: str) -> Any:
        """A value that the call cannot do without."""
        if self.values.get(name) is None:
            flag = self.option(name)
            hint = f"Give {flag}{'…' if self.caller == KEYWORDS else ''}, or set '{name}:' in {PROJECT_FILE}"
            raise BadInputError(f"{flag.rstrip('=')} is missing", hint=hint)
        return self.values[name]

    def get(self, name: str) -> Any:
        """A value that may be absent."""
        return self.values.get(name)

    def origin(self, name: str) -> str:
        """The place that set a value: the command line, a line of the project file, or 'default'."""
        return self.origins.get(name, "default")

    def _read(self, path: Path) -> None:
        content, lines = read_yaml(path)
        if content is None:
            return
        if not isinstance(content, dict):
            raise ConfigError(f"{path}: not a mapping of fields", hint="Write one 'field: value' on each line")
        known = {*JOB_FIELDS, *Recipe.model_fields}
        places = {name: f"{path}:{lines.get((str(name),), 1)}" for name in content}
        problems = [
            f"{places[name]}: unknown field '{name}'. {near_matches(str(name), known)}"
            for name in content
            if name not in known
        ]
        recipe = {name: value for name, value in content.items() if name not in JOB_FIELDS and value is not None}
        self.values = {name: content[name] for name in JOB_FIELDS if content.get(name) is not None}
        if isinstance(data := self.values.get("data"), dict):
            source, recipe["data"] = source_and_options(data)
            places["data"] = f"{path}:{lines.get(('data', SOURCE), lines[('data',)])}"
            del self.values["data"]
            if source is not None:
                self.values["data"] = source
        self.values = {name: _by_task(name, value) for name, value in self.values.items()}
        problems += [
            f"{places[name]}: {name}: takes text; put {value} into quotes"
            if isinstance(value, int | float)
            else f"{places[name]}: {name}: takes text, not a list or mapping"
            for name, value in self.values.items()
            if not isinstance(value, str)
        ]
        if problems:
            count = "1 field is" if len(problems) == 1 else f"{len(problems)} fields are"
            raise ConfigError(f"{path}: {count} not valid", problems=problems)
        self.origins = {name: places[name] for name in self.values}
        self.sources.append(Source(str(path), recipe, lines))
        if names := [str(name) for name in content if content[name] is not None]:
            self.announcement = f"{path} is used: it sets {', '.join(names)}"


def _by_task(name: str, value: Any) -> Any:
    """A mapping of tasks or of their sources as one text; anything else as it is."""
    texts = (
        isinstance(value, Mapping) and bool(value) and all(isinstance(each, str | PathLike) for each in value.values())
    )
    return named(value) if name in ("task", "data") and texts else value


def source_and_options(data: Any) -> tuple[Any, dict[str, Any]]:
    """What an argument `data` names, and how it is read: a mapping holds both."""
    if not isinstance(data, Mapping):
        return data, {}
    return data.get(SOURCE), {name: value for name, value in data.items() if name != SOURCE}


def _assignments(settings: Sequence[str] | Mapping[str, Any] | None, option: str) -> dict[str, Any]:
    """The options by section, from one text for each or from a mapping."""
    if isinstance(settings, Mapping):
        return _mapped(settings, option)
    if isinstance(settings, str):
        settings = (settings,)
    values: dict[str, Any] = {}
    for setting in settings or ():
        if not isinstance(setting, str):
            raise ArgumentError(f"{option}{kind_of(setting)}: takes a mapping, or texts", hint=_EXAMPLE)
        name, equals, text = setting.partition("=")
        parts = name.strip().split(".")
        if not equals or len(parts) < 2:
            raise BadInputError(
                f"{_spaced(option)}{setting}: not SECTION.FIELD=VALUE",
                hint=_EXAMPLE if option.endswith("=") else "For example --set distill.epochs=6",
            )
        inner = values
        for part in parts[:-1]:
            inner = inner.setdefault(part, {})
            if not isinstance(inner, dict):
                raise BadInputError(
                    f"{_spaced(option)}{setting}: '{part}' has been given a value of its own", hint="Give one only"
                )
        try:
            inner[parts[-1]] = yaml.safe_load(text)
        except yaml.YAMLError as error:
            why = getattr(error, "problem", None) or "not one value"
            raise BadInputError(
                f"{_spaced(option)}{setting}: the value is not valid YAML ({why})",
                hint="For example 3, 0.5, null, text or [1,2]",
            ) from None
    return values


_EXAMPLE = 'For example set={"distill.epochs": 6}'


def _mapped(settings: Mapping[str, Any], option: str) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for name, value in settings.items():
        parts = str(name).split(".")
        if len(parts) < 2 and not isinstance(value, Mapping):
            raise ArgumentError(f"{option}{{'{name}': …}}: '{name}' is no SECTION.FIELD", hint=_EXAMPLE)
        for part in reversed(parts):
            value = {part: value}  # noqa: PLW2901 - from the inside out
        values = merge(values, value)
    return values


def _spaced(option: str) -> str:
    return option if option.endswith("=") else f"{option} "
