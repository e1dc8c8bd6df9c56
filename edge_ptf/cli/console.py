"""The terminal: one console for people on stderr-aware output, and the progress bar of long work."""

from __future__ import annotations

import sys
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as RichProgress


class Bars:
    """Shows stages' progress with the time left; in a log file it writes one line for each step of work instead."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.live = console.is_terminal
        self.bars = RichProgress(
            TextColumn("  {task.description}"),
            BarColumn(bar_width=30),
            MofNCompleteColumn(),
            TimeRemainingColumn(compact=True, elapsed_when_finished=True),
            TextColumn("{task.fields[note]}"),
            console=console,
            transient=True,
            disable=not self.live,
        )
        self.current: list[tuple[str, int, int]] = []

    def __enter__(self) -> Bars:
        self.bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.bars.stop()

    def start(self, title: str, total: int, done: int = 0) -> None:
        """See Progress."""
        task = self.bars.add_task(title, total=total, completed=done, note="")
        self.current.append((title, int(task), total))
        if not self.live:
            self.console.print(f"  {title} …", highlight=False)

    def advance(self, steps: int = 1, note: str = "") -> None:
        """See Progress."""
        if self.current:
            self.bars.update(self.bars.task_ids[-1], advance=steps, note=note)

    def finish(self) -> None:
        """See Progress."""
        if self.current:
            self.current.pop()
            self.bars.remove_task(self.bars.task_ids[-1])


def make_console(*, stderr: bool = False) -> Console:
    """Plain text when the output is not a terminal; at least 100 columns there, so that tables do not fold in logs."""
    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() else 110
    return Console(file=stream, width=width, highlight=False, markup=False, emoji=False)  # labels may hold [x] or :x:
