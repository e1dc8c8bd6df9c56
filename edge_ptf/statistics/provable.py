"""What a number of examples can prove, before any model has answered them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
MOST_EXAMPLES = 100_000
"""More examples than this are not searched for."""


@dataclass(frozen=True, slots=True)
class BestCase:
    """What a drop is bounded by if the package answers every example as its baseline."""

    bound: float
    """One-sided upper bound of the drop, in the unit of the bound that was asked for."""
    needed: int | None
    """Least number of examples like these that bring the bound to the limit; None if `MOST_EXAMPLES` do not."""


def best_case(
    bound: Callable[[Floats, Floats], float], rows: Floats, limit: float, counting: NDArray[np.bool_] | None = None
) -> BestCase:
    """The bound of a drop where both models answer alike, and the number of examples that a limit needs.

    The bound is computed by the same function that judges two models later, from the same rows twice. For yes-or-no
    outcomes it is the score bound of Tango (Statistics in Medicine 17, 1998) without a discordant pair, near 3.6 ÷ n;
    for an F1 it is the paired bootstrap with its added loss. The number of examples is found by bisection over
    repetitions of the rows: the bound falls with their number.

    Args:
        bound: returns the one-sided bound of the drop, from rows of the baseline and of the payload.
        rows: [examples, k].
        limit: the drop to prove, in the unit of `bound`.
        counting: [examples], whether an example counts for the metric; None if all do. `needed` is a number of these.

    Raises:
        ValueError: no example counts.
    """
    relevant = rows if counting is None else rows[counting]
    if not len(relevant):
        raise ValueError("a drop needs at least one example that counts")

    def bound_of(count: int) -> float:
        several = np.resize(relevant, (count, rows.shape[1]))
        return bound(several, several)

    count, now = len(relevant), bound(rows, rows)
    if now <= limit:
        return BestCase(now, count)
    low, high = count, 2 * count
    while high < MOST_EXAMPLES and bound_of(high) > limit:
        low, high = high, 2 * high
    if high >= MOST_EXAMPLES:
        high = max(MOST_EXAMPLES, count)
        if bound_of(high) > limit:
            return BestCase(now, None)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if bound_of(middle) > limit else (low, middle)
    return BestCase(now, high)
