"""F1 of each class, averaged over classes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from edge_ptf.metrics.base import Percentage, Rows


@dataclass(frozen=True, kw_only=True)
class MacroF1(Percentage):
    """The mean F1 of the classes that occur in references or answers. Every example has one class."""

    def per_example(self, references: Sequence[Any], answers: Sequence[Any]) -> Rows:
        """See `class_numbers`."""
        return class_numbers(references, answers)

    def score(self, rows: Rows) -> float:
        """Percent; 0 if there are no examples."""
        pairs = rows.astype(np.int64)
        size = int(pairs.max(initial=-1)) + 1
        actual, claimed = (np.bincount(column, minlength=size) for column in pairs.T)
        hits = np.bincount(pairs[pairs[:, 0] == pairs[:, 1], 0], minlength=size)
        present = actual + claimed > 0
        found = 100 * (2 * hits[present] / (actual + claimed)[present])
        return float(np.mean(found)) if len(found) else 0.0


def class_numbers(references: Sequence[Any], answers: Sequence[Any]) -> Rows:
    """The numbers of the expected and the answered class, in alphabetical order of the classes that occur.

    Returns:
        [examples, 2].
    """
    numbers = {name: number for number, name in enumerate(sorted({*references, *answers}))}
    rows = [(numbers[reference], numbers[answer]) for reference, answer in zip(references, answers, strict=True)]
    return np.asarray(rows, dtype=np.float64).reshape(-1, 2)
