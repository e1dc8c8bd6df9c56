"""Detects whether a machine became faster or slower during a measurement."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats


@dataclass(frozen=True, slots=True)
class Drift:
    """A trend: `ratio` is the last part over the first part, so 1.12 is 12 % slower. `where` names the parts."""

    ratio: float
    where: str


def drift(launches: Sequence[Sequence[float]], tolerance: float = 0.10) -> Drift | None:
    """Returns a trend that is larger than `tolerance` and that chance does not explain, or None.

    Within launches: more than half of the launches change in one direction by more than `tolerance` from the first to
    the last third, each with a Kendall trend (p < 0.01).

    Across launches: the launch medians rise or fall (Kendall p < 0.05, which needs five launches in strict order), and
    the last median differs from the first by more than `tolerance`.
    """
    ratios = []
    for launch in launches:
        values = np.asarray(launch, dtype=np.float64)
        third = len(values) // 3
        if third < 5:
            continue
        ratio = float(np.median(values[-third:]) / np.median(values[:third]))
        trend = stats.kendalltau(np.arange(len(values)), values).pvalue
        ratios.append(ratio if trend < 0.01 else 1.0)
    for outside in ([r for r in ratios if r > 1 + tolerance], [r for r in ratios if r < 1 / (1 + tolerance)]):
        if len(outside) > len(ratios) / 2:
            return Drift(float(np.median(outside)), "within launches")
    medians = [float(np.median(launch)) for launch in launches]
    if len(medians) >= 5 and stats.kendalltau(np.arange(len(medians)), medians).pvalue < 0.05:
        ratio = medians[-1] / medians[0]
        if ratio > 1 + tolerance or ratio < 1 / (1 + tolerance):
            return Drift(ratio, "from the first launch to the last")
    return None
