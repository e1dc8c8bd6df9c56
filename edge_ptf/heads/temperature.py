"""Temperature scaling: one number that makes the probabilities of a model as large as its answers are often right."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

LIMITS = (0.1, 10.0)
"""The least and the largest temperature."""


def best_temperature(logits: NDArray[np.floating[Any]], classes: NDArray[np.integer[Any]]) -> float:
    """The temperature T at which softmax(logits / T) gives labelled examples the least cross-entropy.

    This is temperature scaling (Guo et al. 2017, "On Calibration of Modern Neural Networks", section 4.2). The targets
    are those of Platt (1999, "Probabilistic Outputs for Support Vector Machines", section 2.2): the class of an example
    has the probability (n + 1) / (n + 2). Without this, a few examples that are all answered correctly would ask for a
    temperature of 0.

    Args:
        logits: [examples, labels].
        classes: the class id of each example.

    Returns:
        A number within `LIMITS`; 1 without examples or with fewer than two labels.
    """
    from scipy.optimize import minimize_scalar
    from scipy.special import log_softmax

    count, labels = logits.shape
    if not count or labels < 2:
        return 1.0
    rows, wide = np.arange(count), logits.astype(np.float64)
    sure = (count + 1) / (count + 2)
    other = (1 - sure) / (labels - 1)

    def loss(power: float) -> float:
        logs = log_softmax(wide / np.exp(power), axis=1)
        return float(-((sure - other) * logs[rows, classes] + other * logs.sum(axis=1)).mean())

    found = minimize_scalar(loss, bounds=np.log(LIMITS), method="bounded", options={"xatol": 1e-4})
    return float(np.exp(found.x))
