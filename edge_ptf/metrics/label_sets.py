"""Metrics of answers that are sets of labels: macro F1 over labels, and label-ranking average precision."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from edge_ptf.metrics.base import Percentage, Rows


@dataclass(frozen=True, kw_only=True)
class LabelMacroF1(Percentage):
    """The mean F1 of the labels that occur in references or answers; an example has any number of labels."""

    labels: tuple[str, ...]

    def per_example(self, references: Sequence[tuple[str, ...]], answers: Sequence[tuple[str, ...]]) -> Rows:
        """For each label whether it is a hit, answered, expected: [examples, 3 × labels]."""
        expected, answered = self._present(references), self._present(answers)
        return np.concatenate([expected & answered, answered, expected], axis=1).astype(np.float64)

    def score(self, rows: Rows) -> float:
        """Percent; 0 where no label occurs."""
        hits, claimed, actual = rows.sum(axis=0).reshape(3, -1)
        present = claimed + actual > 0
        found = 100 * 2 * hits[present] / (claimed + actual)[present]
        return float(found.mean()) if len(found) else 0.0

    def _present(self, sets: Sequence[tuple[str, ...]]) -> np.ndarray[tuple[int, int], np.dtype[np.bool_]]:
        return np.asarray([[label in names for label in self.labels] for names in sets], bool).reshape(
            len(sets), len(self.labels)
        )


@dataclass(frozen=True, kw_only=True)
class RankingPrecision(Percentage):
    """Label-ranking average precision (Tsoumakas et al. 2010), as scikit-learn defines it.

    For each expected label: the share of expected labels among those that rank no lower. An example without labels
    counts as 1.
    """

    labels: tuple[str, ...]
    reads = "ranking"

    def per_example(self, references: Sequence[tuple[str, ...]], answers: Sequence[tuple[int, ...]]) -> Rows:
        """The mean precision of each example, [examples, 1].

        Args:
            answers: all class ids, the most probable first.
        """
        ids = {label: number for number, label in enumerate(self.labels)}
        rows = []
        for reference, ranking in zip(references, answers, strict=True):
            places = np.sort([ranking.index(ids[label]) + 1 for label in reference])
            rows.append([np.mean(np.arange(1, len(places) + 1) / places) if len(places) else 1.0])
        return np.asarray(rows, np.float64).reshape(-1, 1)

    def score(self, rows: Rows) -> float:
        """Percent; NaN where there are no examples."""
        return 100 * float(rows.mean()) if len(rows) else float("nan")
