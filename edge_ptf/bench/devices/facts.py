"""Parses the facts about a device from the output of `facts.sh`."""

from __future__ import annotations

import re

from pydantic import Field

from edge_ptf.config import StrictModel
from edge_ptf.machine import ARCHITECTURES, Machine, instruction_sets, memory_mb, processor_name

THROTTLING = {
    0: "under-voltage now",
    1: "frequency capped now",
    2: "throttled now",
    3: "temperature limit now",
    16: "under-voltage since boot",
    17: "frequency capped since boot",
    18: "throttled since boot",
    19: "temperature limit since boot",
}
"""Bits of `vcgencmd get_throttled` (Raspberry Pi documentation)."""


class DeviceFacts(StrictModel):
    """A device's machine, and other facts that matter before a measurement."""

    machine: Machine
    word_bits: int = Field(64, description="Word size of programs; a 64-bit kernel may run a 32-bit system.")
    abi: str = Field("", description="Processor and C library, in the form that names programs for the device.")
    libc: str = Field("", description="Such as glibc 2.36, musl or bionic; empty if unknown.")
    system: str = Field("", description="Name and version of the distribution.")
    free_disk_mb: int | None = Field(None, description="Free space in the upload folder, in 10^6 bytes.")
    frequency_mhz: tuple[int, ...] = Field((), description="Current frequency of each core.")
    temperature_c: dict[str, float] = Field(default_factory=dict, description="Temperature of each thermal zone.")
    power_mode: str = Field("", description="Power mode of a Jetson.")
    throttled: tuple[str, ...] | None = Field(None, description="Throttling of a Raspberry Pi; empty if there is none.")


def parse(text: str) -> DeviceFacts:
    """Facts from the script's output. A fact that the output does not contain stays empty."""
    said = _sections(text)
    android = dict(line.partition("=")[::2] for line in said.get("android", "").splitlines())
    processor, bits = said.get("processor", ""), _number(said.get("word_bits", "")) or _bits(said.get("processor", ""))
    libc = _libc(said.get("libc", ""))
    machine = _machine(said, android)
    return DeviceFacts(
        machine=machine,
        word_bits=bits,
        abi=android.get("ro.product.cpu.abi") or _abi(ARCHITECTURES.get(processor, processor), bits, libc),
        libc=libc,
        system=f"Android {android['ro.build.version.release']}"
        if android.get("ro.build.version.release")
        else _distribution(said.get("distribution", "")),
        free_disk_mb=free_mb(said.get("disk", "")),
        frequency_mhz=tuple(value // 1000 for value in _numbers(said.get("frequency_khz", ""))),
        temperature_c=_temperatures(said.get("thermal", "")),
        power_mode=_power_mode(said.get("nvpmodel", "")),
        throttled=_throttled(said.get("throttled", "")),
    )


def free_mb(df: str) -> int | None:
    """Free space in 10^6 bytes, from the output of `df -Pk`; None if the output does not contain it."""
    rows = [line.split() for line in df.strip().splitlines()[1:]]
    found = re.search(r"\s(\d+)\s+\d+%\s", " ".join(rows[-1]) + " ") if rows else None
    return int(found[1]) * 1024 // 1_000_000 if found else None


def _sections(text: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for block in re.split(r"^@", text, flags=re.MULTILINE)[1:]:
        name, _, content = block.partition("\n")
        found[name.strip()] = content.strip().strip("\0").strip()
    return found


def _machine(said: dict[str, str], android: dict[str, str]) -> Machine:
    processor, cpuinfo = said.get("processor", ""), said.get("cpuinfo", "")
    native = said.get("kernel_architecture", "")
    board = " ".join(android[key] for key in ("ro.product.manufacturer", "ro.product.model") if android.get(key))
    release = android.get("ro.build.version.release")
    system = f"Android {release}" if release else f"{said.get('system', '')} {said.get('release', '').split('-')[0]}"
    return Machine(
        arch=ARCHITECTURES.get(processor, processor),
        cpu=processor_name(cpuinfo) or android.get("ro.soc.model") or processor,
        isa=instruction_sets(cpuinfo),
        device_model=said.get("model") or board,
        cores=_number(said.get("cores", "")) or len(re.findall(r"^processor\s*:", cpuinfo, re.MULTILINE)) or 1,
        memory_mb=memory_mb(said.get("meminfo", "")),
        os=system.strip(),
        governor=said.get("governor", ""),
        emulated=(native not in ("", processor)) or "1" in (android.get("ro.kernel.qemu"), android.get("ro.boot.qemu")),
        gpu=next(iter(re.findall(r"^Model:\s*(.+)$", said.get("gpu", ""), re.MULTILINE)), "").strip(),
    )


def _bits(processor: str) -> int:
    return 64 if processor in ("x86_64", "AMD64") or "64" in processor else 32


def _abi(arch: str, bits: int, libc: str) -> str:
    kind = {"glibc": "linux-gnu", "musl": "linux-musl", "bionic": "linux-android"}.get(libc.partition(" ")[0], "")
    narrow = f"{arch} with a 32-bit system" if bits == 32 and arch in ("aarch64", "x86_64") else arch
    return "-".join(part for part in (narrow, kind) if part)


def _libc(said: str) -> str:
    if found := re.search(r"^glibc \S+", said, re.MULTILINE):
        return found[0]
    return "bionic" if "bionic" in said else "musl" if "musl" in said else ""


def _distribution(said: str) -> str:
    found = re.search(r"^PRETTY_NAME=(.*)$", said, re.MULTILINE)
    return found[1].strip().strip("\"'") if found else ""


def _temperatures(said: str) -> dict[str, float]:
    found: dict[str, float] = {}
    for line in said.splitlines():
        value, _, zone = line.partition(" ")
        if zone and re.fullmatch(r"-?\d+", value):
            name = zone if zone not in found else f"{zone} {sum(key.startswith(zone) for key in found) + 1}"
            found[name] = int(value) / 1000
    return found


def _power_mode(said: str) -> str:
    found = re.search(r"^NV Power Mode:\s*(.+)$", said, re.MULTILINE)
    return found[1].strip() if found else ""


def _throttled(said: str) -> tuple[str, ...] | None:
    found = re.search(r"throttled=(0x[0-9a-fA-F]+)", said)
    if not found:
        return None
    bits = int(found[1], 16)
    return tuple(text for bit, text in THROTTLING.items() if bits >> bit & 1)


def _number(said: str) -> int:
    return int(said) if said.isascii() and said.isdecimal() else 0


def _numbers(said: str) -> list[int]:
    return [value for word in said.split() if (value := _number(word))]
