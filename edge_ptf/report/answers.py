"""Compares the answers of the teacher and the package. Pure functions on evidence."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_ptf.package.evidence import AccuracyEvidence, PredictionRow
from edge_ptf.statistics import percentile
from edge_ptf.tasks.base import Task

LEAST_LENGTH = 1e-12
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


def distance_words(
    before: Sequence[PredictionRow],
    after: Sequence[PredictionRow],
    names: tuple[str, str] = ("the teacher", "the package"),
) -> str | None:
    """How far apart answers to the same texts are that are numbers or vectors, in words; None for other answers.

    Args:
        names: of what gave the answers `before` and `after`.
    """
    pairs = list(zip(before, after, strict=True))
    if pairs and all(_is_vector(row) for row in pairs[0]):
        return _vector_words(before, after, names)
    apart = [
        abs(one.label - other.label)
        for one, other in pairs
        if isinstance(one.label, float) and isinstance(other.label, float)
    ]
    if not apart:
        return None
    said = f"{sum(distance > 0 for distance in apart):,} of {len(pairs):,} answers differ"
    if not any(apart):
        return f"{said}."
    return f"{said}, by {percentile(apart, 0.5):.3g} (median) and at most {max(apart):.3g}."


def _vector_words(before: Sequence[PredictionRow], after: Sequence[PredictionRow], names: tuple[str, str]) -> str:
    one, other = (np.asarray([vector for row in rows for vector in _vectors(row)]) for rows in (before, after))
    if one.shape[1] != other.shape[1]:
        return f"The vectors of {names[0]} have {one.shape[1]} numbers, and those of {names[1]} have {other.shape[1]}."
    lengths = np.linalg.norm(one, axis=1) * np.linalg.norm(other, axis=1)
    cosines = (one * other).sum(axis=1) / np.maximum(lengths, LEAST_LENGTH)
    return (
        f"The cosine of the vectors of {names[0]} and {names[1]} is {np.median(cosines):.4f} (median), and at least "
        f"{cosines.min():.4f}."
    )


def _is_vector(row: PredictionRow) -> bool:
    """Whether an answer is a vector, and not a number of each of several tasks."""
    return isinstance(row.label, tuple) and bool(row.label) and isinstance(row.label[0], float) and not row.scores


def _vectors(row: PredictionRow) -> NDArray[np.float64]:
    """The vector of a text; or those of a pair, whose reference has a part for each of its two texts."""
    count = len(row.reference) if isinstance(row.reference, tuple) else 1
    return np.asarray(row.label, np.float64).reshape(count, -1)


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
