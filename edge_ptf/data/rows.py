"""What the readers of labelled text make: rows with their places, and what was found while reading."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from edge_ptf.errors import DataError
from edge_ptf.tasks.base import RowError

SHOWN_PROBLEMS = 50


@dataclass(slots=True)
class Findings:
    """Results of reading, over all files: the problems, the number of cleaned words, and notes."""

    problems: list[str] = field(default_factory=list)
    count: int = 0
    cleaned_words: int = 0
    dropped_words: int = 0
    dropped_sentences: int = 0
    notes: list[str] = field(default_factory=list)
    columns: dict[str, str] = field(default_factory=dict)
    """The name in the data of each column of the task that was read (of the last file, where files differ)."""

    def problem(self, place: str, why: str) -> None:
        """Stores a problem. After `SHOWN_PROBLEMS` problems, it only counts them."""
        self.count += 1
        if self.count <= SHOWN_PROBLEMS:
            self.problems.append(f"{place}: {why}")

    def note(self, text: str) -> None:
        """Stores a note, once."""
        if text not in self.notes:
            self.notes.append(text)

    def check(self, source: str, hint: str = "Fix or remove them") -> None:
        """Raises DataError if there was a problem."""
        if not self.count:
            return
        rest = self.count - len(self.problems)
        shown = [*self.problems, f"... and {rest} more"] if rest else self.problems
        rows = "1 row" if self.count == 1 else f"{self.count} rows"
        raise DataError(f"{source}: {rows} cannot be used", hint=hint, problems=shown)


@dataclass(frozen=True, slots=True)
class Row:
    """One row: its values by the task's column names, and its first line (or the line of each of its words).

    Without lines `file` names the row.
    """

    file: str
    lines: tuple[int, ...]
    values: dict[str, Any]

    def place(self, item: int | None = None) -> str:
        """`file:line` of the row, or of its word number `item` if each word has its own line."""
        if not self.lines:
            return self.file
        line = self.lines[item] if item is not None and item < len(self.lines) else self.lines[0]
        return f"{self.file}:{line}"


def check_text(*texts: str) -> None:
    """Checks that texts can be written as UTF-8. JSON can contain characters that cannot.

    Raises:
        RowError: a text contains half of a surrogate pair.
    """
    try:
        "".join(texts).encode()
    except UnicodeEncodeError as error:
        raise RowError(f"half of a surrogate pair ({error.object[error.start]!a}) is not text") from None
