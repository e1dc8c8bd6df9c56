"""Which labels are likely wrong: confident learning.

C. G. Northcutt, L. Jiang, I. L. Chuang: Confident Learning: Estimating Uncertainty in Dataset Labels. Journal of
Artificial Intelligence Research 70 (2021), section 3: the confident joint, and its off-diagonal entries as errors.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Suspect:
    """An example whose label is likely wrong."""

    example: int
    suggested: int
    """The class that it likely has."""
    margin: float
    """Probability of the suggested class minus that of the label; in (0, 1] for an answer that is sure."""


def suspects(probabilities: NDArray[Any], labels: NDArray[Any]) -> list[Suspect]:
    """The examples whose label is likely wrong, the surest first.

    A class is confident about an example if the example's probability of it reaches the mean probability that the
    examples with this label have. An example is a suspect if, of the classes that are confident about it, the most
    probable one is not its label.

    Args:
        probabilities: [examples, classes], of models that were not trained on the example.
        labels: class ids [examples].

    Raises:
        ValueError: the shapes do not fit each other.
    """
    if probabilities.ndim != 2 or labels.shape != probabilities.shape[:1]:
        raise ValueError(f"probabilities {probabilities.shape} and labels {labels.shape} do not fit each other")
    rows = np.arange(len(labels))
    thresholds = np.full(probabilities.shape[1], np.inf)
    for each in np.unique(labels):
        thresholds[each] = probabilities[labels == each, each].mean()
    confident = np.where(probabilities >= thresholds, probabilities, -1.0)
    best = confident.argmax(axis=1)
    chosen = np.flatnonzero((confident[rows, best] >= 0) & (best != labels))
    found = [
        Suspect(int(row), int(best[row]), float(probabilities[row, best[row]] - probabilities[row, labels[row]]))
        for row in chosen
    ]
    return sorted(found, key=lambda each: (-each.margin, each.example))
