"""The order of calls and the end of a launch. `cpp_runner/tests/test_protocol.cpp` tests the C++ runner equally."""

from __future__ import annotations

from collections.abc import Callable
from itertools import groupby

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_ptf.runtime.turns import BLOCK, MOST_WARMUP, Pace, Timer, shuffled, take_turns, warm_up


class Scene:
    """Two packages, and a clock that only their calls advance. Times are in seconds."""

    def __init__(self) -> None:
        self.now = 0.0
        self.calls: list[tuple[str, int]] = []
        self.moments: list[float] = []

    def package(self, name: str, takes: float = 0.001) -> Callable[[int], float]:
        def call(number: int) -> float:
            self.moments.append(self.now)
            self.calls.append((name, number))
            self.now += takes
            return 1000 * takes

        return call

    def run(self, pace: Pace, **packages: float) -> Scene:
        calls = [self.package(name, takes) for name, takes in packages.items()]
        take_turns(calls, pace, Timer(lambda: self.now, self.sleep))
        return self

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def test_two_packages_take_turns_in_mirrored_blocks_over_the_same_texts() -> None:
    scene = Scene().run(Pace(0, 35), a=0.001, b=0.004)
    blocks = [(name, len(list(group))) for name, group in groupby(name for name, _ in scene.calls)]
    assert blocks == [("a", 10), ("b", 20), ("a", 20), ("b", 20), ("a", 10)]
    texts = {name: [number for each, number in scene.calls if each == name] for name in "ab"}
    assert texts["a"] == texts["b"] == list(range(40))


def test_a_launch_lasts_until_time_and_count_are_reached() -> None:
    assert len(Scene().run(Pace(0.095, 10), a=0.001).calls) == 100
    assert len(Scene().run(Pace(0.095, 200), a=0.001).calls) == 200


def test_paced_calls_begin_at_their_moments_and_none_is_dropped_after_a_slow_one() -> None:
    assert Scene().run(Pace(0, 10, 100), a=0.002).moments == pytest.approx([number / 100 for number in range(10)])
    assert Scene().run(Pace(0, 10, 100), a=0.025).moments[-1] == pytest.approx(0.225)


def test_warm_up_lasts_until_the_times_are_steady() -> None:
    assert warm_up(lambda _: 1.0) == 40
    calls = iter(range(10_000))
    assert warm_up(lambda _: 100.0 - number if (number := next(calls)) < 40 else 30.0) == 80
    calls = iter(range(10_000))
    assert warm_up(lambda _: 1.0 + next(calls) // 20 % 2) == MOST_WARMUP


@given(st.integers(1, 300), st.integers(0, 2**32 - 1))
def test_an_order_holds_every_number_once(count: int, seed: int) -> None:
    order = shuffled(count, seed)
    assert sorted(order) == list(range(count))
    assert shuffled(count, seed) == order


def test_an_order_is_that_of_the_cpp_runner() -> None:
    assert shuffled(1, 0) == [0]
    assert shuffled(10, 0) == [8, 6, 7, 3, 9, 1, 2, 5, 0, 4]
    assert shuffled(10, 2**32 - 1) == [6, 9, 7, 2, 5, 0, 8, 4, 3, 1]


@given(st.integers(1, 5), st.integers(1, 60))
def test_every_package_answers_whole_blocks(packages: int, calls: int) -> None:
    scene = Scene().run(Pace(0, calls), **{f"p{index}": 0.001 for index in range(packages)})
    each = -(-calls // BLOCK) * BLOCK
    assert len(scene.calls) == packages * each
