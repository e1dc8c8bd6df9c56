"""Decides whether one of two packages is faster, from paired ratios and a noise floor. Pure functions.

Blocks of calls of both packages alternate, and each ratio pairs neighbouring blocks. Launches are independent of each
other (`statistics.speedup`). The noise floor is the largest difference that appears when a package is compared with
itself. A difference counts only beyond the noise floor, so that a bias of the protocol does not count.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import exp, log

import numpy as np
from numpy.typing import ArrayLike

from edge_ptf import statistics
from edge_ptf.statistics import Estimate


def paired_ratio(a: ArrayLike, b: ArrayLike) -> float:
    """How many times as long B takes in one launch: the median of the log-ratios of neighbouring blocks.

    Args:
        a, b: one positive figure for each block. Item i of both comes from neighbouring blocks over the same texts.
    """
    first, second = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    if first.shape != second.shape or first.size == 0:
        raise ValueError(f"blocks of {first.size} and {second.size} calls cannot be paired")
    return exp(float(np.median(np.log(second / first))))


def ratio_estimate(ratios: Sequence[float], confidence: float = 0.95) -> Estimate:
    """The geometric mean of the launches' ratios and the t interval of their logarithms; no limits below three
    launches.
    """
    value = exp(float(np.mean(np.log(np.asarray(ratios, dtype=np.float64)))))
    if len(ratios) < 3:
        return Estimate(value, None, None, "too few launches")
    low, high = statistics.log_mean_limits(ratios, (1 - confidence) / 2)
    return Estimate(value, low, high, "t interval over launches")


def noise_floor(ratios: Sequence[float], confidence: float = 0.95) -> float | None:
    """The limit further from 1 for the ratio of a package to itself, as a ratio ≥ 1; None below three launches."""
    found = ratio_estimate(ratios, confidence)
    if found.low is None or found.high is None:
        return None
    return exp(max(abs(log(found.low)), abs(log(found.high))))


def faster(estimate: Estimate, floor: float | None) -> int:
    """1 if A is faster beyond the floor, -1 if B is, 0 if neither is shown to be.

    Args:
        estimate: how many times as long B takes.
    """
    if floor is None or estimate.low is None or estimate.high is None:
        return 0
    return int(estimate.low > floor) - int(estimate.high < 1 / floor)
