"""When a measurement counts: synthetic facts of launches, and the resulting flags and warnings."""

from __future__ import annotations

from typing import Any

import pytest

from edge_ptf.bench.validity import SLOWED, UNSTEADY, block_medians, judge
from edge_ptf.machine import Machine
from edge_ptf.runtime.record import LaunchRecord

MACHINE = Machine(arch="aarch64", cpu="a", isa=(), cores=4, memory_mb=8000, os="Linux")
QUIET: dict[str, Any] = {"load": 0.1, "governor": "performance", "ticks": 0, "idle_ticks": 0, "stolen_ticks": 0}
DONE: dict[str, Any] = {**QUIET, "ticks": 1000, "idle_ticks": 750, "process_ms": 2500}


def record(before: dict[str, Any] | None = None, after: dict[str, Any] | None = None, **fields: Any) -> LaunchRecord:
    times = {
        "payload": "0" * 64,
        "load_ms": 1,
        "first_ms": 1,
        "warmup_calls": 40,
        "end_to_end_ms": [2.0] * 100,
        "tokenize_ms": [0.1] * 100,
        "engine_ms": [1.0] * 100,
        "decode_ms": [0.1] * 100,
        "tokens": [5] * 100,
    }
    whole = {
        "schema": 1,
        "runner": "0.1.0",
        "engine": "onnxruntime 1",
        "machine": MACHINE.model_dump(),
        "before": {**QUIET, **(before or {})},
        "after": {**DONE, **(after or {})},
        "mode": "burst",
        "threads": 1,
        **times,
        **fields,
    }
    return LaunchRecord.model_validate(whole)


def both(**facts: Any) -> list[LaunchRecord]:
    """Five launches with these facts before and after each."""
    return [record(facts, facts)] * 5


def test_a_quiet_machine_with_fixed_clocks_has_nothing_said_of_it() -> None:
    assert judge([record()] * 5, MACHINE) == ([], [])
    board = both(cooling=0, throttle_count=7, throttled=0, power_mode="MAXN", clocks_fixed=True)
    assert judge(board, MACHINE) == ([], [])


@pytest.mark.parametrize(
    ("records", "flag"),
    [
        (both(throttled=0x1), "throttled: power or temperature"),
        (both(throttled=0x8), "throttled: power or temperature"),
        ([record({"throttled": 0}, {"throttled": 0x40000})], "throttled: power or temperature"),
        (both(cooling=1), "throttled: the system slowed the processor because of its temperature"),
        ([record({"throttle_count": 7}, {"throttle_count": 9})], "throttled: heat slowed the processor 2 times"),
        (
            [record({"frequency_khz": [2.4e6, 6e5]}, {"frequency_khz": [1.8e6, 6e5]})],
            "frequency: it fell from 2.40 to 1.80 GHz",
        ),
        (
            [record(after={"frequency_khz": [2.4e6]}), record(after={"frequency_khz": [2.0e6]})],
            "frequency: it fell from 2.40 to 2.00 GHz",
        ),
        (
            [record({"power_mode": "MAXN"}, {"power_mode": "15W", "clocks_fixed": True})],
            "power mode: it changed during the measurement (MAXN, 15W)",
        ),
        (
            [record(after={"idle_ticks": 0}, threads=2)],
            "crowded: other programs kept 3.0 of 4 cores busy, and the package needs 2",
        ),
    ],
)
def test_what_spoils_the_figures_is_flagged(records: list[LaunchRecord], flag: str) -> None:
    assert judge(records, MACHINE)[0] == [flag]


def test_throttling_before_the_measurement_is_history() -> None:
    assert judge(both(throttled=0x50000), MACHINE) == ([], [])


def test_a_clock_that_idles_before_and_works_after_is_none_that_fell() -> None:
    assert judge([record({"frequency_khz": [6e5]}, {"frequency_khz": [2.4e6]})] * 5, MACHINE) == ([], [])
    small = [record(after={"frequency_khz": [2.4e6]}), record(after={"frequency_khz": [2.3e6]})]
    assert judge(small, MACHINE) == ([], [])


@pytest.mark.parametrize(
    ("records", "warning"),
    [
        (both(governor=""), f"frequency governor unknown: the clock may have changed; {UNSTEADY}"),
        (
            both(governor="powersave"),
            f"frequency governor is 'powersave', not 'performance': the clock may have changed; {UNSTEADY}",
        ),
        (
            [record({"ticks": None}, {"ticks": None})],
            f"steal time unknown: the host may have stopped this machine; {SLOWED}",
        ),
        (
            [record(after={"stolen_ticks": 50, "idle_ticks": 700})],
            f"the host took 5 % of this machine's time: {SLOWED}",
        ),
        ([record({"load": 2.5})], f"load was 2.5 on 4 cores before the first launch: {SLOWED}"),
        ([record(after={"idle_ticks": 500})], f"other programs kept 1.0 of 4 cores busy: {SLOWED}"),
        (both(power_mode="15W", clocks_fixed=True), "power mode is 15W, not MAXN: the times hold for this mode alone"),
        (both(power_mode="MAXN", clocks_fixed=False), f"clocks may change (jetson_clocks fixes them): {UNSTEADY}"),
        (
            [record(mode="paced", rate=1000.0)],
            "calls took longer than 1000 per second allow: the times are those of a slower rate",
        ),
    ],
)
def test_what_could_matter_is_a_warning_with_its_consequence(records: list[LaunchRecord], warning: str) -> None:
    assert judge(records, MACHINE) == ([], [warning])


def test_one_core_is_named_in_the_singular() -> None:
    alone = [record({"load": 2.5}, threads=1)]
    assert judge(alone, MACHINE.replace(cores=1))[1] == [f"load was 2.5 on 1 core before the first launch: {SLOWED}"]


def test_an_emulated_processor_is_flagged_whoever_saw_it() -> None:
    assert judge([record()], MACHINE.replace(emulated=True))[0] == ["emulated processor"]
    machine = {**MACHINE.model_dump(), "emulated": True}
    assert judge([record(machine=machine)], MACHINE)[0] == ["emulated processor"]


def test_time_of_the_measuring_process_is_not_that_of_others() -> None:
    busy = record(after={"idle_ticks": 0, "process_ms": 10_000})
    assert judge([busy], MACHINE) == ([], [])


def test_the_tools_own_words_are_not_taken_over() -> None:
    assert judge([record(flags=["drift"], warnings=["some"])], MACHINE) == ([], [])


def test_blocks_have_their_medians() -> None:
    assert list(block_medians([*range(10), *range(20, 30), 99])) == [4.5, 24.5]
