"""What the teacher and the package answered, compared: pure functions on evidence."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from enum import Enum

from edge_ptf.package.evidence import AccuracyEvidence
from edge_ptf.tasks.base import Task

Pairs = Counter[tuple[str, str]]
"""How often (expected class, answered class) occurred."""


class Side(str, Enum):
    """On which side of the truth an answer was with the teacher, and is with the package."""

    LOST = "lost"
    GAINED = "gained"
    OTHER = "other"
    SAME = "same"


@dataclass(frozen=True, slots=True)
class Change:
    """One test example that the teacher or the package answers wrongly."""

    row: int
    side: Side
    before: float
    """The teacher's probability of its own answer."""
    after: float


@dataclass(frozen=True, slots=True)
class ClassChange:
    """One class: how many examples it has, and its F1 in percent; None where a side never met the class."""

    name: str
    support: int
    precision: float | None
    recall: float | None
    before: float | None
    after: float | None

    @property
    def change(self) -> float | None:
        """Points that the package's F1 is above the teacher's."""
        return None if self.before is None or self.after is None else self.after - self.before


def changes(teacher: AccuracyEvidence, package: AccuracyEvidence) -> list[Change]:
    """Every example that at least one of the two answers wrongly, in the order of the test split.

    LOST: only the teacher is right. GAINED: only the package is. OTHER: both are wrong, each in its own way. SAME: both
    give the same wrong answer.
    """
    found = []
    for before, after in zip(teacher.rows, package.rows, strict=True):
        was, is_now = before.label == before.reference, after.label == after.reference
        if was and is_now:
            continue
        same = Side.SAME if before.label == after.label else Side.OTHER
        side = Side.LOST if was else Side.GAINED if is_now else same
        found.append(Change(after.row, side, before.score, after.score))
    return found


def class_changes(teacher: AccuracyEvidence | None, package: AccuracyEvidence) -> list[ClassChange]:
    """Every class that either of the two met, by name."""
    earlier = {row["name"]: row for row in teacher.class_report} if teacher else {}
    now = {row["name"]: row for row in package.class_report}
    found = []
    for name in sorted({*earlier, *now}):
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
    """The confusion matrix, as its cells that are not empty."""
    return Counter(pair for row in accuracy.rows for pair in task.confusions(row.reference, row.label))


def most_confused(pairs: Pairs, count: int) -> list[str]:
    """The classes with the most mistakes, given or taken, most first; equal ones by name."""
    mistakes: Counter[str] = Counter()
    for (expected, answered), times in pairs.items():
        if expected != answered:
            mistakes[expected] += times
            mistakes[answered] += times
    return [name for name, _ in sorted(mistakes.items(), key=lambda item: (-item[1], item[0]))[:count]]
