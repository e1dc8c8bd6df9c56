"""Facts about a machine, from files like those of /proc and /sys."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge_ptf.environment import environment, load_of_others

# The same files as in cpp_runner/tests/test_environment.cpp.
BOARD = {
    "proc/loadavg": "0.52 0.40 0.30 1/200 1234",
    "proc/stat": "cpu  10 20 30 400 50 6 7 80 0 0\ncpu0 1 2 3 4 5 6 7 8 0 0",
    "sys/devices/system/cpu/cpu0/cpufreq/scaling_cur_freq": "1500000",
    "sys/devices/system/cpu/cpu0/cpufreq/scaling_min_freq": "2400000",
    "sys/devices/system/cpu/cpu0/cpufreq/scaling_max_freq": "2400000",
    "sys/devices/system/cpu/cpu0/cpufreq/scaling_governor": "ondemand",
    "sys/devices/system/cpu/cpu2/cpufreq/scaling_cur_freq": "2400000",
    "sys/devices/system/cpu/cpu0/thermal_throttle/core_throttle_count": "3",
    "sys/devices/system/cpu/cpu1/thermal_throttle/core_throttle_count": "4",
    "sys/class/thermal/thermal_zone0/temp": "51234",
    "sys/class/thermal/thermal_zone2/temp": "-2000",
    "sys/class/thermal/cooling_device0/type": "pwm-fan",
    "sys/class/thermal/cooling_device0/cur_state": "4",
    "sys/class/thermal/cooling_device1/type": "cpufreq-cpu0",
    "sys/class/thermal/cooling_device1/cur_state": "2",
    "sys/bus/platform/drivers/raspberrypi-firmware/soc:firmware/get_throttled": "50005",
    "var/lib/nvpmodel/status": "pmode:0002",
    "etc/nvpmodel.conf": "< POWER_MODEL ID=0 NAME=MAXN >\n< POWER_MODEL ID=2 NAME=15W >\nCPU_ONLINE CORE_1 1",
}


def system(root: Path, files: dict[str, str]) -> Path:
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{content}\n", encoding="utf-8")
    return root


def test_the_facts_of_a_board_are_read(tmp_path: Path) -> None:
    found = environment(system(tmp_path, BOARD))
    assert found.load == 0.52
    assert found.governor == "ondemand"
    assert found.frequency_khz == (1_500_000, 2_400_000)
    assert found.frequency_limit_khz == (2_400_000,)
    assert found.temperature_millicelsius == (51_234, -2000)
    assert found.cooling == 2
    assert found.throttle_count == 7
    assert found.throttled == 0x50005
    assert found.power_mode == "15W"
    assert found.clocks_fixed is True
    assert (found.ticks, found.idle_ticks, found.stolen_ticks) == (603, 450, 80)
    assert found.ticks_per_second > 0


def test_what_a_system_does_not_say_is_unknown(tmp_path: Path) -> None:
    found = environment(system(tmp_path, {"proc/version": "Linux"}))
    unknown = ("load", "cooling", "throttle_count", "throttled", "clocks_fixed", "ticks", "idle_ticks", "stolen_ticks")
    assert [getattr(found, name) for name in unknown] == [None] * 8
    assert found.frequency_khz == found.temperature_millicelsius == ()
    assert found.governor == found.power_mode == ""


def test_other_kernels_put_things_elsewhere(tmp_path: Path) -> None:
    files = {
        "sys/devices/platform/soc/soc:firmware/get_throttled": "0",
        "var/lib/nvpmodel/status": "pmode:0003",
        "sys/devices/system/cpu/cpu0/cpufreq/scaling_min_freq": "600000",
        "sys/devices/system/cpu/cpu0/cpufreq/scaling_max_freq": "2400000",
        "proc/stat": "cpu  1 2 3",
    }
    found = environment(system(tmp_path, files))
    assert found.throttled == 0
    assert found.power_mode == "3"
    assert found.clocks_fixed is False
    assert found.ticks is None


def test_this_machine_counts_its_time() -> None:
    before, after = environment(), environment()
    assert after.process_ms >= before.process_ms > 0
    assert (after.ticks or 0) >= (before.ticks or 0)


@pytest.mark.parametrize(
    ("load", "cores", "working", "said"),
    [
        (0.52, 2, False, ""),
        (1.6, 2, False, "other programs use this machine (load 1.6 on 2 cores)"),
        (2.4, 2, True, ""),
        (3.1, 2, True, "other programs use this machine (load 3.1 on 2 cores)"),
        (0.7, 1, False, "other programs use this machine (load 0.7 on 1 core)"),
    ],
)
def test_a_busy_machine_is_said(tmp_path: Path, load: float, cores: int, working: bool, said: str) -> None:
    root = system(tmp_path, {"proc/loadavg": f"{load} 1.00 1.00 1/200 1234"})
    assert load_of_others(root, cores, working=working) == said


def test_an_unknown_load_is_not_called_busy(tmp_path: Path) -> None:
    assert load_of_others(system(tmp_path, {"proc/version": "Linux"}), 2) == ""
