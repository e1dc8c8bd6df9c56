"""The terminal: what is printed goes through here, so that no name or text can steer the terminal or show a password.

A control character is printed as `\\x1b`, in JSON as `\\u001b`.
"""

from __future__ import annotations

import json
import logging
import sys
import threading
import time
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Any

import click
from rich.console import Console, ConsoleOptions, RenderableType
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as RichProgress
from rich.segment import Segment
from rich.text import Text

from edge_ptf.cli.progress_lines import ProgressLines, WholeJob
from edge_ptf.credentials import masked
from edge_ptf.environment import load_of_others
from edge_ptf.escaping import CONTROL_IN_LINES, escaped

PROGRESS_LOG = "progress.log"
"""In the folder of a job: how far it was, and when."""


def say(text: str, *, err: bool = False, end: str = "\n") -> None:
    """Prints text of several lines, passwords masked."""
    click.echo(escaped(masked(text), lines=True) + end, err=err, nl=False)


def say_fields(*fields: str) -> None:
    """Prints fields of data, as they are but for control characters, on one line with tabs between."""
    click.echo("\t".join(map(escaped, fields)))


def say_json(value: Any, indent: int | None = None) -> None:
    """Prints a JSON value; any control character in it is escaped, so that it reads back the same."""
    text = json.dumps(value, indent=indent, ensure_ascii=False)
    click.echo(CONTROL_IN_LINES.sub(lambda found: f"\\u{ord(found[0]):04x}", text))


class SafeRecord(logging.LogRecord):
    """A log message of edge-ptf or of a library, on one line and without passwords."""

    def getMessage(self) -> str:  # noqa: N802 - named by logging
        """The message as it may be printed."""
        return escaped(masked(super().getMessage()), lines=True)


class SafeConsole(Console):
    """Escapes what it prints, but for its own colours and movements of the cursor; texts before they are folded."""

    def render_str(self, text: str, **options: Any) -> Text:
        """See rich."""
        return super().render_str(escaped(masked(text), lines=True), **options)

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """See rich."""
        for segment in super().render(renderable, options):
            text, style, control = segment
            yield segment if control else Segment(escaped(masked(text), lines=True), style)


class Bars:
    """Shows stages' progress with the time left. Without a terminal it writes a line every half minute instead.

    The same lines go to a log file, if one is given.
    """

    def __init__(self, console: Console, log_file: Path | None = None, whole: WholeJob | None = None) -> None:
        """Args:
        log_file: where the lines go as well, with the time of day; it is written once its folder exists.
        whole: what is expected of the whole job.
        """
        self.console = console
        self.live = console.is_terminal
        self.bars = RichProgress(
            TextColumn("  {task.description}", markup=False),
            BarColumn(bar_width=30),
            MofNCompleteColumn(),
            TimeRemainingColumn(compact=True, elapsed_when_finished=True),
            TextColumn("{task.fields[note]}", markup=False),
            console=console,
            transient=True,
            disable=not self.live,
        )
        self.current: list[tuple[str, int, int]] = []
        self.log_file, self.ended = log_file, threading.Event()
        self.lines = ProgressLines(self._line, whole, why_slow=lambda: load_of_others(working=True))
        self.ticking: threading.Thread | None = None

    def __enter__(self) -> Bars:
        self.bars.start()
        self.ticking = threading.Thread(target=self._tick, daemon=True)
        self.ticking.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.ended.set()
        self.bars.stop()
        if self.ticking:
            self.ticking.join()

    def start(self, title: str, total: int, done: int = 0) -> None:
        """See Progress."""
        title = escaped(title)
        task = self.bars.add_task(title, total=total, completed=done, note="")
        self.current.append((title, int(task), total))
        if not self.live:
            self.console.print(f"  {title} …", highlight=False)
        self._log(f"{title} …")
        self.lines.start(title, total, done)

    def say(self, line: str) -> None:
        """A line that stays: see `progress.say`."""
        self.console.print(f"  {line}", soft_wrap=True)
        self._log(line)

    def advance(self, steps: int = 1, note: str = "") -> None:
        """See Progress."""
        if self.current:
            self.bars.update(self.bars.task_ids[-1], advance=steps, note=escaped(note))
            self.lines.advance(steps, note)

    def finish(self) -> None:
        """See Progress."""
        if self.current:
            self.current.pop()
            self.bars.remove_task(self.bars.task_ids[-1])
            self.lines.finish()

    def _line(self, line: str, once: bool) -> None:
        """A line about the current work. A terminal shows the bar instead, but for what is said once."""
        if once or not self.live:
            self.console.print(f"  {line}", soft_wrap=True)
        self._log(line)

    def _tick(self) -> None:
        """Lines are due also while a single step takes long."""
        while not self.ended.wait(1.0):
            self.lines.tick()

    def _log(self, line: str) -> None:
        if self.log_file is None or not self.log_file.parent.is_dir():
            return
        try:
            with self.log_file.open("a", encoding="utf-8") as file:
                file.write(f"{time.strftime('%Y-%m-%d %H:%M:%S')} {escaped(masked(line))}\n")
        except OSError as error:
            self.log_file = None  # a job does not fail for its log
            logging.getLogger(__name__).warning("the log of the progress ends: %s", error)


def make_console(*, stderr: bool = False) -> Console:
    """Plain text when the output is not a terminal; at least 100 columns there, so that tables do not fold in logs."""
    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() else 110
    # labels may hold [x] or :x:
    return SafeConsole(file=stream, width=width, highlight=False, markup=False, emoji=False)
