"""Whether one of two packages is faster: paired ratios of blocks that took turns, and a noise floor. Pure functions.

A launch is the unit that repeats (`statistics.speedup`). The noise floor is what launches of a package beside itself
cannot tell from nothing; a win must lie beyond it, so that a bias of the protocol is not taken for a difference.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import exp, log

import numpy as np
from numpy.typing import ArrayLike

from edge_ptf import statistics
from edge_ptf.statistics import Estimate


def paired_ratio(a: ArrayLike, b: ArrayLike) -> float:
    """How many times as long B takes in one launch: from the median of the log-ratios of blocks of the same moment.

    Args:
        a, b: a positive figure of each block, item i of both from neighbouring blocks over the same texts.
    """
    first, second = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    if first.shape != second.shape or first.size == 0:
        raise ValueError(f"blocks of {first.size} and {second.size} calls cannot be paired")
    return exp(float(np.median(np.log(second / first))))


def ratio_estimate(ratios: Sequence[float], confidence: float = 0.95) -> Estimate:
    """The geometric mean of the launches' ratios with the t interval of their logarithms; no limits below three."""
    value = exp(float(np.mean(np.log(np.asarray(ratios, dtype=np.float64)))))
    if len(ratios) < 3:
        return Estimate(value, None, None, "too few launches")
    low, high = statistics.log_mean_limits(ratios, (1 - confidence) / 2)
    return Estimate(value, low, high, "t interval over launches")


def noise_floor(ratios: Sequence[float], confidence: float = 0.95) -> float | None:
    """The farther limit of the ratio of a package to itself, as a ratio of at least 1; None below three launches."""
    found = ratio_estimate(ratios, confidence)
    if found.low is None or found.high is None:
        return None
    return exp(max(abs(log(found.low)), abs(log(found.high))))


def faster(estimate: Estimate, floor: float | None) -> int:
    """1 where A is faster beyond the floor, -1 where B is, 0 where that is not shown.

    Args:
        estimate: how many times as long B takes.
    """
    if floor is None or estimate.low is None or estimate.high is None:
        return 0
    return int(estimate.low > floor) - int(estimate.high < 1 / floor)
