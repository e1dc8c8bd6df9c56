"""The turns of one launch: how long a package warms up, whose block is next, and when it is over. Knows no package.

`cpp_runner/tool/protocol.cpp` is the same in C++.
"""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

BLOCK = 10
"""Calls of one package in a row."""
WINDOW = 20
"""Calls whose median is compared in warm-up."""
AGREEMENT = 0.05
MOST_WARMUP = 600
MASK = 0xFFFFFFFF

Call = Callable[[int], float]
"""Answers text `number`; returns the milliseconds it took."""


@dataclass(frozen=True, slots=True)
class Pace:
    """A launch lasts at least `seconds` and at least `calls` of each package; `rate` 0: calls without a pause."""

    seconds: float
    calls: int
    rate: float = 0.0


@dataclass(frozen=True, slots=True)
class Timer:
    """Seconds since some moment, and a pause of so many."""

    now: Callable[[], float] = time.perf_counter
    sleep: Callable[[float], None] = time.sleep


def shuffled(count: int, seed: int) -> list[int]:
    """The numbers 0 to count - 1 in the order that belongs to the seed, the same on every machine and in C++.

    Fisher-Yates over the words of MT19937 as its authors seed it (Matsumoto & Nishimura 1998), which is std::mt19937;
    Python seeds its own in another way.
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
    """Calls until the medians of two successive windows over the same texts agree; returns how many."""
    before, calls = 0.0, 0
    while calls < MOST_WARMUP:
        median = statistics.median_low(call(number) for number in range(WINDOW))
        calls += WINDOW
        if before > 0 and abs(median - before) <= AGREEMENT * before:
            break
        before = median
    return calls


def take_turns(packages: Sequence[Call], pace: Pace, timer: Timer | None = None) -> None:
    """The packages answer the same texts in alternating blocks, mirrored each time (ABBA), so that slow phases of the
    machine hit all. It ends after a block of each."""
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
