"""What an open verdict says is to be done: one command, on a device of the profile."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge_ptf import profiles
from edge_ptf.cli.bench import bench_command
from edge_ptf.gate import gate
from edge_ptf.profiles import Targets
from tests.test_gate import judged, payload

DEVICES = {
    **dict.fromkeys(("x86-avx2", "x86-generic", "x86-tensorrt", "x86-vnni"), ""),
    **dict.fromkeys(("arm64-generic", "raspberry-pi-4", "raspberry-pi-5"), "--device ssh://USER@HOST "),
    **dict.fromkeys(("jetson", "jetson-agx-orin", "jetson-xavier-nx"), "--device ssh://USER@HOST "),
    "android-arm64": "--device adb ",
}
"""How `edge-ptf bench` reaches a device, by profile."""
EVERY_TIME = {"latency_ms": {"p50": 5, "p95": 10}, "peak_memory_mb": 300}


@pytest.mark.parametrize("name", [name for name in profiles.names() if name != "ios-arm64"])
def test_one_command_settles_all_that_a_device_is_needed_for(name: str) -> None:
    for more, baseline in (({}, ""), ({"min_speedup": 2}, "--baseline TEACHER.eptf ")):
        found = judged([], [], name, **EVERY_TIME, **more).target_verdicts
        assert len(found) == 3 + bool(more)
        command = f"edge-ptf bench PACKAGE {DEVICES[name]}--data DATA --profile {name} {baseline}--seal NEW.eptf"
        assert {item.settle for item in found} == {f"{command} (device: {profiles.load(name).title})"}


def test_the_advised_command_is_one_of_the_command_line(tmp_path: Path) -> None:
    for name in ("PACKAGE", "TEACHER.eptf"):
        (tmp_path / name).touch()
    for profile, device in DEVICES.items():
        settle = judged([], [], profile, min_speedup=2).target_verdicts[0].settle
        words = [str(tmp_path / word) if (tmp_path / word).exists() else word for word in settle.split(" (")[0].split()]
        given = bench_command.make_context("bench", words[2:]).params
        assert (given["profile"], given["data"], given["sealed"]) == (profile, "DATA", Path("NEW.eptf"))
        assert str(given["device"] or "") == device.removeprefix("--device ").strip()


def test_a_device_that_no_command_reaches_is_named() -> None:
    found = judged([], [], "ios-arm64", **EVERY_TIME).target_verdicts
    assert {item.settle for item in found} == {"nothing yet: edge-ptf bench does not reach iOS, 64-bit Arm"}


def test_a_profile_that_is_not_shipped_is_given_as_a_file() -> None:
    own = profiles.load("jetson").replace(name="mine")
    (item,) = gate(payload(), [], [], own, Targets(peak_memory_mb=1)).target_verdicts
    assert " --profile PROFILE.yaml " in item.settle
