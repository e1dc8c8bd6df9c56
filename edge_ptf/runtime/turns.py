"""The order of calls in one launch: the warm-up, alternating blocks of calls, and the end of the launch.

This module does not depend on packages. `cpp_runner/tool/protocol.cpp` does the same in C++.
"""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

BLOCK = 10
"""Number of consecutive calls of one package."""
WINDOW = 20
"""Number of calls whose median the warm-up compares."""
AGREEMENT = 0.05
MOST_WARMUP = 600
MASK = 0xFFFFFFFF

Call = Callable[[int], float]
"""Answers text `number`. Returns the time in milliseconds."""


@dataclass(frozen=True, slots=True)
class Pace:
    """A launch takes at least `seconds` and `calls` calls of each package. `rate` 0 means calls without a pause."""

    seconds: float
    calls: int
    rate: float = 0.0


@dataclass(frozen=True, slots=True)
class Timer:
    """Seconds since a fixed moment, and a pause of a given length."""

    now: Callable[[], float] = time.perf_counter
    sleep: Callable[[float], None] = time.sleep


def shuffled(count: int, seed: int) -> list[int]:
    """The numbers 0 to count - 1 in an order that depends on the seed only. It is the same on every machine and in C++.

    The method is Fisher-Yates with the words of MT19937 and its authors' seeding (Matsumoto & Nishimura 1998), which is
    std::mt19937. Python's own generator is seeded differently.
    """
    state = [seed & MASK]
    for index in range(1, 624):
        state.append((1812433253 * (state[-1] ^ (state[-1] >> 30)) + index) & MASK)
    words, order = random.Random(), list(range(count))
    words.setstate((3, (*state, 624), None))
    for index in range(count - 1, 0, -1):
        chosen = words.getrandbits(32) % (index + 1)
        order[index], order[chosen] = order[chosen], order[index]
    return order


def warm_up(call: Call) -> int:
    """Calls until the medians of two successive windows over the same texts agree. Returns the number of calls."""
    before, calls = 0.0, 0
    while calls < MOST_WARMUP:
        median = statistics.median_low(call(number) for number in range(WINDOW))
        calls += WINDOW
        if before > 0 and abs(median - before) <= AGREEMENT * before:
            break
        before = median
    return calls


def take_turns(packages: Sequence[Call], pace: Pace, timer: Timer | None = None) -> None:
    """Calls the packages with the same texts in alternating blocks, in mirrored order each time (ABBA).

    So slow phases of the machine affect all packages. The launch ends after a block of each package.
    """
    timer = timer or Timer()
    begin, slot, place, order = timer.now(), 0, 0, list(packages)
    while place < pace.calls or timer.now() - begin < pace.seconds:
        for call in order:
            for number in range(place, place + BLOCK):
                if pace.rate > 0:
                    timer.sleep(max(0.0, begin + slot / pace.rate - timer.now()))
                    slot += 1
                call(number)
        place += BLOCK
        order.reverse()
