"""The score of directed relations between two entities, as the scorer of SemEval-2010 task 8 computes it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from edge_ptf.metrics.base import Percentage, Rows

DIRECTION = "("
"""Begins the direction in a label, such as Cause-Effect(e1,e2)."""


@dataclass(frozen=True, kw_only=True)
class RelationF1(Percentage):
    """The mean F1 of the relations, without the label for no relation (Hendrickx et al. 2010, section 4).

    A hit has the right relation in the right direction. Both directions of a relation count together as expected and as
    answered, so a wrong direction is an error of its relation in precision and in recall.
    """

    labels: tuple[str, ...]
    no_relation: str | None = None

    def per_example(self, references: Sequence[str], answers: Sequence[str]) -> Rows:
        """The numbers of the expected and of the answered relation (-1: no relation), and whether it is a hit."""
        relations = sorted({relation_of(label) for label in self.labels if label != self.no_relation})
        numbers = {relation: number for number, relation in enumerate(relations)}

        def number(label: str) -> int:
            return -1 if label == self.no_relation else numbers[relation_of(label)]

        rows = [(number(a), number(b), a == b) for a, b in zip(references, answers, strict=True)]
        return np.asarray(rows, dtype=np.float64).reshape(-1, 3)

    def score(self, rows: Rows) -> float:
        """Percent; the mean over the relations that are expected or answered, and 0 where there are none."""
        expected, answered = (rows[:, column].astype(np.int64) for column in (0, 1))
        size = int(rows[:, :2].max(initial=-1)) + 1
        actual, claimed = (np.bincount(column[column >= 0], minlength=size) for column in (expected, answered))
        hits = np.bincount(expected[(rows[:, 2] > 0) & (expected >= 0)], minlength=size)
        present = actual + claimed > 0
        found = 100 * 2 * hits[present] / (actual + claimed)[present]
        return float(found.mean()) if len(found) else 0.0


def relation_of(label: str) -> str:
    """A label without its direction."""
    return label.partition(DIRECTION)[0]
