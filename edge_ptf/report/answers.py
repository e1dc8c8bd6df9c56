"""Compares the answers of the teacher and the package. Pure functions on evidence."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

from edge_ptf.package.evidence import AccuracyEvidence
from edge_ptf.tasks.base import Task

Pairs = Counter[tuple[str, str]]
"""Counts of the pairs (expected class, answered class)."""


class Side(str, Enum):
    """How the teacher's and the package's answers compare with the expected class."""

    LOST = "lost"
    GAINED = "gained"
    OTHER = "other"
    SAME = "same"


@dataclass(frozen=True, slots=True)
class Change:
    """One test example with a wrong answer of the teacher or the package."""

    row: int
    side: Side
    before: float
    """The teacher's probability of its own answer."""
    after: float


@dataclass(frozen=True, slots=True)
class ClassChange:
    """One class: number of examples, and F1 in percent; None if a model never met the class."""

    name: str
    support: int
    precision: float | None
    recall: float | None
    before: float | None
    after: float | None

    @property
    def change(self) -> float | None:
        """F1 of the package minus F1 of the teacher, in points."""
        return None if self.before is None or self.after is None else self.after - self.before


def changes(teacher: AccuracyEvidence, package: AccuracyEvidence) -> list[Change]:
    """Every example with a wrong answer of the teacher or the package, in the order of the test split.

    LOST: only the teacher is right. GAINED: only the package is right. OTHER: both are wrong with different answers.
    SAME: both give the same wrong answer.
    """
    found = []
    for before, after in zip(teacher.rows, package.rows, strict=True):
        was, is_now = before.is_right, after.is_right
        if was and is_now:
            continue
        same = Side.SAME if before.label == after.label else Side.OTHER
        side = Side.LOST if was else Side.GAINED if is_now else same
        found.append(Change(after.row, side, before.score, after.score))
    return found


def class_changes(teacher: AccuracyEvidence | None, package: AccuracyEvidence) -> list[ClassChange]:
    """Every class that the teacher or the package met, sorted by name."""
    return _changes(teacher.class_report if teacher else (), package.class_report)


def tag_changes(teacher: AccuracyEvidence | None, package: AccuracyEvidence) -> list[ClassChange]:
    """Every tag of a word that the teacher or the package met, sorted by name, then the averages."""
    return _changes(teacher.word_report if teacher else (), package.word_report)


def _changes(teacher: Sequence[Mapping[str, Any]], package: Sequence[Mapping[str, Any]]) -> list[ClassChange]:
    earlier, now = ({row["name"]: row for row in report} for report in (teacher, package))
    found = []
    for name in sorted({*earlier, *now}, key=lambda name: (name.endswith(" avg"), name)):
        before, after = earlier.get(name), now.get(name)
        found.append(
            ClassChange(
                name=name,
                support=int((after or before or {})["support"]),
                precision=after["precision"] if after else None,
                recall=after["recall"] if after else None,
                before=before["f1"] if before else None,
                after=after["f1"] if after else None,
            )
        )
    return found


def confusions(task: Task, accuracy: AccuracyEvidence) -> Pairs:
    """The confusion matrix: its nonzero cells."""
    return Counter(pair for row in accuracy.rows for pair in task.confusions(row.reference, row.label))


def most_confused(pairs: Pairs, count: int) -> list[str]:
    """The classes with the most mistakes, as expected or as answered class; ties are sorted by name."""
    mistakes: Counter[str] = Counter()
    for (expected, answered), times in pairs.items():
        if expected != answered:
            mistakes[expected] += times
            mistakes[answered] += times
    return [name for name, _ in sorted(mistakes.items(), key=lambda item: (-item[1], item[0]))[:count]]
