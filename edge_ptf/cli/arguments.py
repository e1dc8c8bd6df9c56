"""Options that many commands share, and the settings that a command takes from them and from the project file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click
from click.shell_completion import CompletionItem

from edge_ptf import tasks
from edge_ptf.api.parameters import HELP
from edge_ptf.api.settings import Settings
from edge_ptf.cli.choices import Choice, complete_data, complete_model, complete_profile, complete_setting
from edge_ptf.cli.console import say
from edge_ptf.data.joint import NAMED
from edge_ptf.errors import BadInputError

Command = TypeVar("Command", bound=Callable[..., Any])


class TaskChoice(Choice):
    """The name of a task, or NAME=TASK for one of several tasks."""

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """The names of tasks, after NAME= too."""
        name, equals, task = incomplete.rpartition("=")
        return [CompletionItem(f"{name}{equals}{each}") for each in self.choices if each.startswith(task)]

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """See click."""
        items = [item.rpartition("=") for item in str(value).split(",")]
        return ",".join(
            f"{name}{equals}{super(TaskChoice, self).convert(task, param, ctx)}" for name, equals, task in items
        )


def one_text(ctx: click.Context, param: click.Parameter, values: tuple[str, ...]) -> str | None:
    """What an option says that may be given for each of several tasks: NAME=VALUE,NAME=VALUE. Of values without names
    the last one counts.

    Raises:
        BadInputError: some values have a name and others have none.
    """
    unnamed = [value for value in values if not NAMED.match(value)]
    if len(unnamed) == len(values):
        return values[-1] if values else None
    if unnamed:
        raise BadInputError(
            f"--{param.name} {unnamed[0]}: one of several needs a name",
            hint=f"For example --{param.name} intent={unnamed[0]}",
        )
    return ",".join(values)


data_option = click.option("--data", multiple=True, callback=one_text, shell_complete=complete_data, help=HELP["data"])
task_option = click.option(
    "--task", multiple=True, callback=one_text, type=TaskChoice(tasks.names()), help=HELP["task"]
)
model_option = click.option("--model", shell_complete=complete_model, help=HELP["model"])
profile_option = click.option("--profile", shell_complete=complete_profile, help=HELP["profile"])
package_path = click.Path(path_type=Path, exists=True)
out_option = click.option("--out", type=click.Path(path_type=Path, file_okay=False), help=HELP["out"])
overwrite_option = click.option("--overwrite", is_flag=True, help=HELP["overwrite"])
out_of_scope_option = click.option("--out-of-scope-label", metavar="LABEL", help=HELP["out_of_scope_label"])
config_option = click.option(
    "--config",
    "project_file",
    type=click.Path(path_type=Path, dir_okay=False),
    help=HELP["config"],
)
set_option = click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="SECTION.FIELD=VALUE",
    shell_complete=complete_setting,
    help=HELP["set"],
)


def job_options(command: Command) -> Command:
    """What every command takes that reads labelled text."""
    for option in (config_option, set_option, out_of_scope_option, task_option, data_option, profile_option):
        command = option(command)
    return command


def read_settings(project_file: Path | None, settings: tuple[str, ...], flags: dict[str, Any]) -> Settings:
    """The settings of a command. It says on standard error which project file they come from, and what that sets."""
    chosen = Settings(project_file, settings, flags)
    if chosen.announcement:
        say(chosen.announcement, err=True)
    return chosen
