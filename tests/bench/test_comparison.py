"""Which of two packages is faster: the pure part, and one session on a device with a clock that the test sets."""

from __future__ import annotations

import random
from collections.abc import Callable
from math import exp
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_ptf.bench import BenchConfig, compare_latency, load_comparison
from edge_ptf.bench.comparison import faster, noise_floor, paired_ratio, ratio_estimate
from edge_ptf.errors import PackageError
from edge_ptf.package import Payload
from edge_ptf.statistics import Estimate

SMALL = BenchConfig(launches=5, calls=100, seconds=0, memory_launches=2)
TEXTS = [("turn on the lights", None), ("play some jazz", None), ("set a timer", None)]
times = st.lists(st.floats(0.01, 1000), min_size=1, max_size=40)


@given(times, st.floats(0.1, 10))
def test_a_slow_phase_that_hits_both_cancels(blocks: list[float], ratio: float) -> None:
    assert paired_ratio(blocks, [ratio * block for block in blocks]) == pytest.approx(ratio)


@given(st.lists(st.tuples(st.floats(0.01, 100), st.floats(0.01, 100)), min_size=1, max_size=40))
def test_the_ratio_turns_over_with_the_packages(pairs: list[tuple[float, float]]) -> None:
    first, second = zip(*pairs, strict=True)
    assert paired_ratio(first, second) * paired_ratio(second, first) == pytest.approx(1)


def test_blocks_that_have_no_partner_are_refused() -> None:
    for pair in (([1.0], [1.0, 2.0]), ([], [])):
        with pytest.raises(ValueError, match="cannot be paired"):
            paired_ratio(*pair)


def test_the_interval_covers_the_true_ratio() -> None:
    draw, hits = np.random.default_rng(3), 0
    for _ in range(1000):
        found = ratio_estimate(list(np.exp(draw.normal(0.1, 0.03, 7))))
        assert found.low is not None
        assert found.high is not None
        hits += found.low <= exp(0.1) <= found.high
    assert 930 <= hits <= 970


def test_alike_packages_hardly_ever_win() -> None:
    """Under 5 % even without the floor, and less with it."""
    draw, wins = np.random.default_rng(4), 0
    for _ in range(1000):
        together, alone = (list(np.exp(draw.normal(0, 0.03, 7))) for _ in range(2))
        wins += faster(ratio_estimate(together), noise_floor(alone)) != 0
    assert wins <= 30


def test_a_bias_of_the_protocol_is_no_win() -> None:
    draw = np.random.default_rng(5)
    together, alone = (list(np.exp(draw.normal(0.05, 0.005, 7))) for _ in range(2))
    assert faster(ratio_estimate(together), 1.0) == 1
    assert faster(ratio_estimate(together), noise_floor(alone)) == 0


@pytest.mark.parametrize(
    ("low", "high", "floor", "wanted"),
    [
        (1.05, 1.2, 1.02, 1),
        (1.01, 1.2, 1.02, 0),
        (0.8, 0.95, 1.02, -1),
        (0.8, 0.99, 1.02, 0),
        (1.05, 1.2, None, 0),
        (None, None, 1.02, 0),
    ],
)
def test_a_win_lies_beyond_the_floor(low: float | None, high: float | None, floor: float | None, wanted: int) -> None:
    assert faster(Estimate(1.0, low, high), floor) == wanted


def test_two_launches_show_nothing() -> None:
    assert ratio_estimate([1.1, 1.2]).low is None
    assert noise_floor([1.1, 1.2]) is None


def compared(make_payload: Callable[..., Payload], device: Any, out: Path | None = None) -> Any:
    return compare_latency(make_payload(), make_payload(mode="fp32"), TEXTS, SMALL, out, device=device)


def test_a_and_b_take_turns_with_a_beside_itself(
    make_payload: Callable[..., Payload], fake_device: Any, tmp_path: Path
) -> None:
    device = fake_device()
    found = compared(make_payload, device, tmp_path)
    beside = [command[command.index("--baseline") + 1] for command in device.commands]
    first, second = str(make_payload().path), str(make_payload(mode="fp32").path)
    assert beside == [second, first, first, second, second, first, first, second, second, first]
    assert {command[2] for command in device.commands} == {first}
    assert (found.a, found.b) == (make_payload().digest, make_payload(mode="fp32").digest)
    assert load_comparison(tmp_path) == found


def test_a_package_that_takes_four_times_as_long_loses(make_payload: Callable[..., Payload], fake_device: Any) -> None:
    def ms(name: str, launch: int, call: int) -> float:
        noise = random.Random(f"{name}{launch}{call}").uniform(0.98, 1.02)
        itself = launch % 4 in (1, 2)  # the launches of A with A
        return noise * (4.0 if name == "baseline" and not itself else 1.0)

    whole, engine = compared(make_payload, fake_device(ms)).contests
    assert engine.figure == "engine_ms"
    assert engine.ratio == pytest.approx(4, rel=0.02)
    assert 1 < engine.floor < 1.02
    assert engine.faster == whole.faster == "a"
    assert len(engine.ratios) == len(engine.own_ratios) == 5


def test_a_machine_that_prefers_the_second_place_gives_no_winner(
    make_payload: Callable[..., Payload], fake_device: Any
) -> None:
    def ms(name: str, launch: int, call: int) -> float:
        noise = random.Random(f"{name}{launch}{call}").uniform(0.98, 1.02)
        return noise * (1.1 if name == "baseline" else 1.0)

    found = compared(make_payload, fake_device(ms))
    assert [item.faster for item in found.contests] == [None, None]
    assert found.contests[1].floor > 1.09


def test_what_is_no_comparison_is_said(tmp_path: Path) -> None:
    with pytest.raises(PackageError, match=r"comparison\.json"):
        load_comparison(tmp_path)
    (tmp_path / "comparison.json").write_text("{}")
    with pytest.raises(PackageError, match="damaged"):
        load_comparison(tmp_path)
