"""Probabilities of classes, and the most probable ones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

SHOWN_CLASSES = 5
"""How many classes the details of an answer hold."""


def ranked(probabilities: NDArray[np.float64]) -> list[int]:
    """Class ids, the most probable first; of equally probable ones the smaller id first."""
    return [int(index) for index in np.argsort(-probabilities, kind="stable")]


def best_classes(
    labels: Sequence[str], probabilities: NDArray[np.float64], most: int = SHOWN_CLASSES, without: str | None = None
) -> list[dict[str, Any]]:
    """The most probable classes, as `Prediction.details` holds them: at most `most`, and none named `without`."""
    best = [index for index in ranked(probabilities) if labels[index] != without][:most]
    return [{"label": labels[index], "score": float(probabilities[index])} for index in best]


def softmax(logits: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    """Probabilities over the last axis, in double precision."""
    wide = np.asarray(logits, dtype=np.float64)
    powers = np.exp(wide - wide.max(axis=-1, keepdims=True))
    result: NDArray[np.float64] = powers / powers.sum(axis=-1, keepdims=True)
    return result
