"""What goes on around a measurement: the facts that decide whether its figures count.

The C++ runner (`cpp_runner/tool/environment.cpp`) reads the same files and gives the same facts.
"""

from __future__ import annotations

import os
import re
import time
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

MOST_FILES = 256
"""Of one kind in a folder of /sys."""


class Environment(BaseModel):
    """One moment. None, or an empty list or text: the system does not say."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    load: float | None = Field(None, description="Of the last minute.")
    governor: str = Field("", description="Of the first processor's frequency.")
    frequency_khz: tuple[float, ...] = Field((), description="Of each processor.")
    frequency_limit_khz: tuple[float, ...] = Field((), description="The most that each processor may have now.")
    temperature_millicelsius: tuple[float, ...] = Field((), description="Of each thermal zone.")
    cooling: float | None = Field(
        None, description="Highest state of a device that cools by slowing the processor; 0: none does."
    )
    throttle_count: float | None = Field(None, description="How often heat slowed an x86 processor so far.")
    throttled: int | None = Field(None, description="Bits of `vcgencmd get_throttled` of a Raspberry Pi.")
    power_mode: str = Field("", description="nvpmodel's mode of a Jetson.")
    clocks_fixed: bool | None = Field(None, description="No frequency may change, as after jetson_clocks.")
    ticks: float | None = Field(None, description="Processor time of the machine so far, in 1 / ticks_per_second.")
    idle_ticks: float | None = Field(None, description="Of it, idle or waiting for a device.")
    stolen_ticks: float | None = Field(None, description="Of it, taken by the host of a virtual machine.")
    ticks_per_second: float = 100
    process_ms: float = Field(0, description="Processor time of the measuring process so far.")


def environment(root: Path = Path("/")) -> Environment:
    """This moment on this machine.

    Args:
        root: the directory that holds /proc, /sys and /var.
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


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip("\n\0")
    except OSError:
        return ""


def _number(text: str) -> float:
    found = re.match(r"\s*-?\d+(\.\d+)?", text)
    return float(found[0]) if found else 0.0


def _numbers(folder: Path, prefix: str, file: str) -> tuple[float, ...]:
    """One number from each folder/prefix<n>/file, in order. A processor may be off, a sensor may not answer."""
    texts = (_read(folder / f"{prefix}{index}" / file) for index in range(MOST_FILES))
    return tuple(_number(text) for text in texts if text)


def _load(file: Path) -> float | None:
    if text := _read(file):
        return _number(text)
    return os.getloadavg()[0] if hasattr(os, "getloadavg") and not file.parent.is_dir() else None


def _ticks(stat: Path) -> list[float]:
    """user, nice, system, idle, waiting for devices, interrupts (2), stolen; nothing where the kernel has fewer."""
    words = _read(stat).partition("\n")[0].split()
    return [float(word) for word in words[1:9]] if words[:1] == ["cpu"] and len(words) >= 9 else []


def _cooling(thermal: Path) -> float | None:
    """Devices named after a processor cool by slowing it; fans cool too, and cost no speed."""
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
    """nvpmodel keeps "pmode:0002"; its configuration names the modes: < POWER_MODEL ID=2 NAME=15W >."""
    found = re.match(r"pmode\s*:\s*(\d+)", _read(root / "var/lib/nvpmodel/status"))
    if not found:
        return ""
    number = int(found[1])
    named = re.search(rf"POWER_MODEL\s+ID={number}\s+NAME=(\S+)", _read(root / "etc/nvpmodel.conf"))
    return named[1] if named else str(number)
