"""The state of a machine during a measurement. These facts decide whether the figures count.

The C++ runner (`cpp_runner/tool/environment.cpp`) reads the same files and returns the same facts.
"""

from __future__ import annotations

import os
import re
import time
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

BUSY = 0.5
"""Share of the processors that other programs may keep busy before this is said."""
MOST_FILES = 256
"""Maximum number of files of one kind in a folder of /sys."""


class Environment(BaseModel):
    """The state at one moment. None, or an empty list or text, means that the system has no value."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    load: float | None = Field(None, description="Load average of the last minute.")
    governor: str = Field("", description="Frequency governor of the first processor.")
    frequency_khz: tuple[float, ...] = Field((), description="Frequency of each processor.")
    frequency_limit_khz: tuple[float, ...] = Field((), description="Current frequency limit of each processor.")
    temperature_millicelsius: tuple[float, ...] = Field((), description="Temperature of each thermal zone.")
    cooling: float | None = Field(
        None, description="Highest state of a cooling device that slows the processor; 0: none is active."
    )
    throttle_count: float | None = Field(None, description="How often heat has slowed an x86 processor so far.")
    throttled: int | None = Field(None, description="Bits of `vcgencmd get_throttled` of a Raspberry Pi.")
    power_mode: str = Field("", description="Power mode of a Jetson, from nvpmodel.")
    clocks_fixed: bool | None = Field(None, description="Whether all frequencies are fixed, as after jetson_clocks.")
    ticks: float | None = Field(None, description="Processor time of the machine so far, in 1 / ticks_per_second.")
    idle_ticks: float | None = Field(None, description="Part of it: idle, or waiting for a device.")
    stolen_ticks: float | None = Field(None, description="Part of it: taken by the host of a virtual machine.")
    ticks_per_second: float = 100
    process_ms: float = Field(0, description="Processor time of the measuring process so far.")


def environment(root: Path = Path("/")) -> Environment:
    """Reads the current state of this machine.

    Args:
        root: the directory that contains /proc, /sys and /var.
    """
    cpus, thermal = root / "sys/devices/system/cpu", root / "sys/class/thermal"
    ticks = _ticks(root / "proc/stat")
    limits = _numbers(cpus, "cpu", "cpufreq/scaling_max_freq")
    least = _numbers(cpus, "cpu", "cpufreq/scaling_min_freq")
    slowed = _numbers(cpus, "cpu", "thermal_throttle/core_throttle_count")
    return Environment(
        load=_load(root / "proc/loadavg"),
        governor=_read(cpus / "cpu0/cpufreq/scaling_governor"),
        frequency_khz=_numbers(cpus, "cpu", "cpufreq/scaling_cur_freq"),
        frequency_limit_khz=limits,
        temperature_millicelsius=_numbers(thermal, "thermal_zone", "temp"),
        cooling=_cooling(thermal),
        throttle_count=sum(slowed) if slowed else None,
        throttled=_throttled(root / "sys"),
        power_mode=_power_mode(root),
        clocks_fixed=least == limits if least else None,
        ticks=sum(ticks) if ticks else None,
        idle_ticks=ticks[3] + ticks[4] if ticks else None,
        stolen_ticks=ticks[7] if ticks else None,
        ticks_per_second=os.sysconf("SC_CLK_TCK"),
        process_ms=1000 * time.process_time(),
    )


def load_of_others(root: Path = Path("/"), cores: int | None = None, *, working: bool = False) -> str:
    """The load of this machine in words, if other programs use it so much that work is slowed; else empty.

    Args:
        root: the directory that contains /proc.
        cores: processors that this process may use; None: as many as the system says.
        working: this process keeps all its processors busy, and has done so for a minute.
    """
    load = _load(root / "proc/loadavg")
    there = cores or (len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)
    own = there if working else 0
    if load is None or load - own <= BUSY * there:
        return ""
    return f"other programs use this machine (load {load:.1f} on {there} core{'s' if there > 1 else ''})"


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip("\n\0")
    except OSError:
        return ""


def _number(text: str) -> float:
    found = re.match(r"\s*-?\d+(\.\d+)?", text)
    return float(found[0]) if found else 0.0


def _numbers(folder: Path, prefix: str, file: str) -> tuple[float, ...]:
    """One number from each folder/prefix<n>/file, in order. Processors that are off and failing sensors are skipped."""
    texts = (_read(folder / f"{prefix}{index}" / file) for index in range(MOST_FILES))
    return tuple(_number(text) for text in texts if text)


def _load(file: Path) -> float | None:
    if text := _read(file):
        return _number(text)
    return os.getloadavg()[0] if hasattr(os, "getloadavg") and not file.parent.is_dir() else None


def _ticks(stat: Path) -> list[float]:
    """user, nice, system, idle, waiting for devices, interrupts (2), stolen; empty if the kernel has fewer fields."""
    words = _read(stat).partition("\n")[0].split()
    return [float(word) for word in words[1:9]] if words[:1] == ["cpu"] and len(words) >= 9 else []


def _cooling(thermal: Path) -> float | None:
    """Devices named after a processor cool by slowing it. Fans are ignored, as they do not reduce speed."""
    states = []
    for index in range(MOST_FILES):
        device = thermal / f"cooling_device{index}"
        kind, state = _read(device / "type"), _read(device / "cur_state")
        if state and ("cpufreq" in kind or kind == "Processor"):
            states.append(_number(state))
    return max(states, default=None)


def _throttled(sys: Path) -> int | None:
    """The kernel's form of `vcgencmd get_throttled`: hexadecimal without a prefix."""
    driver = sys / "bus/platform/drivers/raspberrypi-firmware"
    files = [sys / "devices/platform/soc/soc:firmware/get_throttled", *driver.glob("*/get_throttled")]
    text = next((text for file in files if (text := _read(file))), "")
    try:
        return int(text, 16)
    except ValueError:
        return None


def _power_mode(root: Path) -> str:
    """nvpmodel stores "pmode:0002". Its configuration has the names of the modes: < POWER_MODEL ID=2 NAME=15W >."""
    found = re.match(r"pmode\s*:\s*(\d+)", _read(root / "var/lib/nvpmodel/status"))
    if not found:
        return ""
    number = int(found[1])
    named = re.search(rf"POWER_MODEL\s+ID={number}\s+NAME=(\S+)", _read(root / "etc/nvpmodel.conf"))
    return named[1] if named else str(number)
