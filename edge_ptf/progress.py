"""The interface for progress messages of a stage."""

from __future__ import annotations

import logging
from typing import Protocol

log = logging.getLogger(__name__)


class Progress(Protocol):
    """Receives the progress of long work. The command line shows a bar; Python callers may pass their own object."""

    def start(self, title: str, total: int, done: int = 0) -> None:
        """Begins work of `total` steps. An earlier run has finished `done` of them."""

    def advance(self, steps: int = 1, note: str = "") -> None:
        """Reports that `steps` more steps are done. `note` is a short figure to show, such as the loss."""

    def finish(self) -> None:
        """Ends the work that was started last."""


def say(progress: Progress, line: str) -> None:
    """Logs a warning, and shows it by `progress.say(line)` where a listener has such a method: a line that stays."""
    log.warning("%s", line)
    shown = getattr(progress, "say", None)
    if shown:
        shown(line)


class Silent:
    """Ignores all progress messages."""

    def start(self, title: str, total: int, done: int = 0) -> None:
        """See Progress."""

    def advance(self, steps: int = 1, note: str = "") -> None:
        """See Progress."""

    def finish(self) -> None:
        """See Progress."""


SILENT = Silent()
