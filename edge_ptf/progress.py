"""How a stage says how far it is, without knowing who listens."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """A listener for long work. The command line shows a bar with the time left; Python callers may pass their own."""

    def start(self, title: str, total: int, done: int = 0) -> None:
        """Work of `total` steps begins; `done` of them were finished by an earlier run."""

    def advance(self, steps: int = 1, note: str = "") -> None:
        """`steps` more are done; `note` is a short figure to show, such as the loss."""

    def finish(self) -> None:
        """The work that was started last is over."""


class Silent:
    """Listens to nothing."""

    def start(self, title: str, total: int, done: int = 0) -> None:
        """See Progress."""

    def advance(self, steps: int = 1, note: str = "") -> None:
        """See Progress."""

    def finish(self) -> None:
        """See Progress."""


SILENT = Silent()
