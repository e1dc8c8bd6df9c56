"""Files for CI systems, written by the commands that end with a verdict."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any, TypeVar

import click

Command = TypeVar("Command", bound=Callable[..., Any])


class _NewFile(click.Path):
    """A file to be written at the end, refused at once where it could not be."""

    name = "file"

    def __init__(self) -> None:
        super().__init__(path_type=Path, dir_okay=False, writable=True)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """See click.Path; the directories above need not exist yet."""
        file = Path(str(super().convert(value, param, ctx)))
        nearest = next(folder for folder in file.absolute().parents if folder.exists())
        if not nearest.is_dir():
            self.fail(f"{file} cannot be written: {nearest} is not a directory", param, ctx)
        try:  # permissions alone do not tell: a full or read-only disk and /proc refuse too
            with file.open("ab") if file.exists() else TemporaryFile(dir=nearest):
                pass
        except OSError as error:
            why = error.strerror or type(error).__name__
            self.fail(f"{file} cannot be written: {nearest} takes no new file ({why})", param, ctx)
        return file


def ci_options(command: Command) -> Command:
    """`--junit` and `--markdown`."""
    for option in (
        click.option(
            "--markdown", "markdown_file", type=_NewFile(), help="Write a Markdown summary, for a job's page."
        ),
        click.option("--junit", "junit_file", type=_NewFile(), help="Write JUnit XML: one test case for each target."),
    ):
        command = option(command)
    return command


def write_file(file: Path | None, content: str | bytes) -> None:
    """Writes what was asked for, in UTF-8; directories are made."""
    if file is not None:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content.encode() if isinstance(content, str) else content)
