"""Options that several commands share, and the project file `edge-ptf.yaml` that stands below them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click
import yaml

from edge_ptf import tasks
from edge_ptf.cli.choices import Choice, complete_data, complete_model, complete_profile, complete_setting
from edge_ptf.cli.console import say
from edge_ptf.config import Source, read_yaml
from edge_ptf.errors import BadInputError, ConfigError, near_matches
from edge_ptf.recipe import Recipe

Command = TypeVar("Command", bound=Callable[..., Any])

COMMAND_LINE = "command line"
PROJECT_FILE = Path("edge-ptf.yaml")
JOB_FIELDS = ("profile", "model", "data", "task", "out", "out_of_scope_label", "name")
"""What the project file may hold beside the recipe's sections. `data` is both: its `source` is what --data names."""
SOURCE = "source"
"""The field of `data` in the project file that is no option of the recipe."""

data_option = click.option(
    "--data",
    shell_complete=complete_data,
    help="Labelled text: file, directory, `datasets` directory, hub id, or the built-in demo, demo:ner, demo-large.",
)
task_option = click.option("--task", type=Choice(tasks.names()), help="What the labels mean.")
model_option = click.option(
    "--model", shell_complete=complete_model, help="Pretrained model: directory, hub id, or minilm-l6."
)
profile_option = click.option(
    "--profile", shell_complete=complete_profile, help="Hardware profile: a shipped name, a YAML file, or 'host'."
)
package_path = click.Path(path_type=Path, exists=True)
out_option = click.option("--out", type=click.Path(path_type=Path, file_okay=False), help="Directory for the result.")
overwrite_option = click.option("--overwrite", is_flag=True, help="Replace what --out holds.")
out_of_scope_option = click.option(
    "--out-of-scope-label", metavar="LABEL", help="The label of texts that belong to no class; gated on its own."
)
config_option = click.option(
    "--config",
    "project_file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Project file. [default: edge-ptf.yaml where it exists]",
)
set_option = click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="SECTION.FIELD=VALUE",
    shell_complete=complete_setting,
    help="Any option of the recipe; repeatable. The project file has the same names.",
)


def job_options(command: Command) -> Command:
    """Profile, data, task and project file: what every stage that reads labelled text takes."""
    for option in (config_option, set_option, out_of_scope_option, task_option, data_option, profile_option):
        command = option(command)
    return command


class Settings:
    """The project file and the flags of one command: the plain job values, and sources for the recipe."""

    def __init__(self, project_file: Path | None, settings: tuple[str, ...], flags: dict[str, Any]) -> None:
        self.values: dict[str, Any] = {}
        self.sources: list[Source] = []
        self.origins: dict[str, str] = {}
        path = project_file or (PROJECT_FILE if PROJECT_FILE.exists() else None)
        if path:
            self._read(path)
        given = {name: value for name, value in flags.items() if value is not None}
        self.values |= given
        self.origins |= dict.fromkeys(given, COMMAND_LINE)
        self.sources.append(Source(COMMAND_LINE, _assignments(settings)))
        scope = self.get("out_of_scope_label")
        if scope is not None:
            self.sources.append(Source(self.origin("out_of_scope_label"), {"data": {"out_of_scope_label": scope}}))

    def need(self, name: str) -> Any:
        """A value that the command cannot do without."""
        if self.values.get(name) is None:
            flag = f"--{name.replace('_', '-')}"
            raise BadInputError(f"{flag} is missing", hint=f"Give {flag}, or set '{name}:' in {PROJECT_FILE}")
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
            recipe["data"] = {name: value for name, value in data.items() if name != SOURCE}
            places["data"] = f"{path}:{lines.get(('data', SOURCE), lines[('data',)])}"
            del self.values["data"]
            if data.get(SOURCE) is not None:
                self.values["data"] = data[SOURCE]
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
        self._announce(path, [name for name in content if content[name] is not None])

    def _announce(self, path: Path, names: list[str]) -> None:
        """Says on standard error which file the settings come from, and what it sets."""
        if names:
            say(f"{path} is used: it sets {', '.join(names)}", err=True)


def _assignments(settings: tuple[str, ...]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for setting in settings:
        name, equals, text = setting.partition("=")
        parts = name.strip().split(".")
        if not equals or len(parts) < 2:
            raise BadInputError(f"--set {setting}: not SECTION.FIELD=VALUE", hint="For example --set distill.epochs=6")
        inner = values
        for part in parts[:-1]:
            inner = inner.setdefault(part, {})
            if not isinstance(inner, dict):
                raise BadInputError(
                    f"--set {setting}: '{part}' has been given a value of its own", hint="Give one only"
                )
        try:
            inner[parts[-1]] = yaml.safe_load(text)
        except yaml.YAMLError as error:
            why = getattr(error, "problem", None) or "not one value"
            raise BadInputError(
                f"--set {setting}: the value is not valid YAML ({why})", hint="For example 3, 0.5, null, text or [1,2]"
            ) from None
    return values
