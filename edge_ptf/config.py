"""The strict base class of every configuration, and a YAML reader with line numbers.

Every option is a field of a `StrictModel`. Its description appears in `--help` and in the documentation.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic.fields import FieldInfo

from edge_ptf.credentials import masked_values
from edge_ptf.errors import ConfigError, near_matches

Model = TypeVar("Model", bound="StrictModel")
Location: TypeAlias = tuple[Any, ...]


class StrictModel(BaseModel):
    """Unknown fields are errors. Values cannot change after validation."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)

    def replace(self: Model, **changes: Any) -> Model:
        """A copy with some fields changed and validated again."""
        fields = type(self).model_fields
        written = {fields[name].alias or name if name in fields else name: value for name, value in changes.items()}
        return type(self).model_validate({**self.model_dump(by_alias=True), **written})


class StageConfig(StrictModel):
    """Base of the options of one stage."""


@dataclass(frozen=True, slots=True)
class Source:
    """One origin of values: a profile, a file, the command line.

    `name` is used in messages. `lines` is the line of each field location, if the origin is a file.
    """

    name: str
    values: Mapping[str, Any]
    lines: Mapping[Location, int] = field(default_factory=dict)


def merge(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """`base` updated with the values of `over`. Mappings are merged field by field."""
    merged = dict(base)
    for key, value in over.items():
        below = merged.get(key)
        merged[key] = merge(below, value) if isinstance(below, Mapping) and isinstance(value, Mapping) else value
    return merged


def resolve(model: type[Model], sources: Sequence[Source]) -> Model:
    """Merges the sources and validates the result. A later source overrides an earlier one.

    Raises:
        ConfigError: lists every wrong field with the source that set it.
    """
    values: dict[str, Any] = {}
    for source in sources:
        values = merge(values, source.values)
    try:
        return model.model_validate(values)
    except ValidationError as error:
        problems = [_problem(model, item, sources) for item in error.errors()]
        count = "1 value is" if len(problems) == 1 else f"{len(problems)} values are"
        setters = dict.fromkeys(_setter(tuple(item["loc"]), sources)[0].name for item in error.errors())
        raise ConfigError(f"{', '.join(setters)}: {count} not valid", problems=problems) from None


def parse(model: type[Model], values: Any, *, where: str, lines: Mapping[Location, int] | None = None) -> Model:
    """Validates the values of one source. One ConfigError lists every wrong field.

    Args:
        where: the source for messages: a file's path or "command line".
        lines: line number of each field location, from `read_yaml`.
    """
    if not isinstance(values, Mapping):
        raise ConfigError(f"{where}: not a mapping of fields", hint="Write one 'field: value' on each line")
    return resolve(model, [Source(where, values, lines or {})])


def read_yaml(path: Path) -> tuple[Any, dict[Location, int]]:
    """Reads one YAML document.

    Returns:
        The plain values, and for each location in them (a tuple of keys and list indexes) its line, from 1.

    Raises:
        ConfigError: the file is missing, not UTF-8 or not YAML.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such file") from None
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: not UTF-8 at byte {error.start}", hint="Save the file as UTF-8") from None
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror or type(error).__name__})") from None
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        values = yaml.safe_load(text)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f"{path}:{mark.line + 1}" if mark else str(path)
        raise ConfigError(f"{place}: not valid YAML: {error.problem}") from None
    except yaml.reader.ReaderError as error:
        raise ConfigError(f"{path}: not valid YAML: {error.reason} (character {error.position})") from None
    lines: dict[Location, int] = {}
    if node is not None:
        _collect_lines(node, (), lines, path)
    return values, lines


def load_yaml(path: Path, model: type[Model]) -> Model:
    """Reads and validates one YAML file. Every wrong field is reported with its line."""
    values, lines = read_yaml(path)
    return parse(model, values if values is not None else {}, where=str(path), lines=lines)


def _collect_lines(node: yaml.Node, location: Location, lines: dict[Location, int], path: Path) -> None:
    lines.setdefault(location, node.start_mark.line + 1)
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            inner = (*location, key.value)
            if inner in lines:
                raise ConfigError(
                    f"{path}:{key.start_mark.line + 1}: '{key.value}' is given twice (first on line {lines[inner]})"
                )
            lines[inner] = key.start_mark.line + 1
            _collect_lines(value, inner, lines, path)
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            _collect_lines(value, (*location, index), lines, path)


def _problem(model: type[BaseModel], item: Any, sources: Sequence[Source]) -> str:
    location = tuple(item["loc"])
    place = _place(location, sources)
    name = ".".join(str(part) for part in location)
    if item["type"] == "extra_forbidden":
        hint = near_matches(str(location[-1]), _fields_at(model, location[:-1]))
        return f"{place}: unknown field '{name}'" + (f". {hint}" if hint else "")
    said = item["msg"].removeprefix("Value error, ")
    if not location:  # the problem is in several sections together
        return f"{place}: {said}"
    given = "" if item["type"] == "missing" else f" (given: {masked_values(item['input'])!r})"
    return f"{place}: {name}: {said}{given}"


def _place(location: Location, sources: Sequence[Source]) -> str:
    """The source that sets the deepest known part of `location`, with the line if it has lines."""
    source, line = _setter(location, sources)
    return f"{source.name}:{line}" if line else source.name


def _setter(location: Location, sources: Sequence[Source]) -> tuple[Source, int | None]:
    """The last source that sets the deepest known part of `location`, and the line there."""
    for depth in range(len(location), 0, -1):
        for source in reversed(sources):
            if _holds(source.values, location[:depth]):
                return source, source.lines.get(location[:depth])
    return sources[-1], None


def _holds(values: Any, location: Location) -> bool:
    for part in location:
        if isinstance(values, Mapping) and part in values:
            values = values[part]
        elif isinstance(values, list | tuple) and isinstance(part, int) and part < len(values):
            values = values[part]
        else:
            return False
    return True


def _fields_at(model: type[BaseModel], location: Location) -> list[str]:
    """The field names of the model at a location, as written in the source. Indexes and container keys are skipped."""
    for part in location:
        known = _written_fields(model).get(str(part))
        if known is None:
            continue
        nested = _types_in(known.annotation)
        if not nested:
            return []
        model = nested[0]
    return list(_written_fields(model))


def _written_fields(model: type[BaseModel]) -> dict[str, FieldInfo]:
    return {known.alias or name: known for name, known in model.model_fields.items()}


def _types_in(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [kind for part in getattr(annotation, "__args__", ()) for kind in _types_in(part)]
