"""Facts about this machine. They decide which profile matches and whether a measurement counts."""

from __future__ import annotations

import os
import platform
from collections.abc import MutableMapping
from functools import cache
from pathlib import Path

from pydantic import Field

from edge_ptf.config import StrictModel

ISA_FLAGS = ("avx2", "avx512f", "avx512_vnni", "avx_vnni", "amx_int8", "neon", "asimddp", "i8mm", "sve")
"""Instruction sets that decide which INT8 quantization is exact or fast. All others are ignored."""

APPLE_ISA = ("neon", "asimddp")
"""Every Apple M-series core has both."""
ARCHITECTURES = {"AMD64": "x86_64", "arm64": "aarch64"}


WAITING = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME")
"""Environment variables that say what an OpenMP thread does while it waits for the others."""


class Machine(StrictModel):
    """Facts about one machine. They do not identify its owner."""

    arch: str = Field(description="x86_64, aarch64, …")
    cpu: str
    isa: tuple[str, ...] = Field(description="Instruction sets that matter to INT8, such as avx512_vnni, asimddp.")
    device_model: str = Field("", description="Board name from the device tree, e.g. Raspberry Pi 5 Model B.")
    cores: int
    memory_mb: int
    os: str
    governor: str = Field("", description="CPU frequency governor; empty if unknown.")
    emulated: bool = False
    gpu: str = ""

    def executes_exactly(self, activation: str, weight: str, reduce_range: bool) -> bool:
        """Whether integer matmuls are exact on this machine.

        The 8-bit multiply-add of x86 before VNNI (VPMADDUBSW) adds two products in 16 bits. It saturates if an
        activation is unsigned and a signed weight uses all 8 bits. Signed activations do not help: on x86, ONNX Runtime
        converts them to unsigned ones before it runs the graph (its QDQS8ToU8Transformer).
        """
        vnni = {"avx512_vnni", "avx_vnni", "amx_int8"} & set(self.isa)
        saturates = self.arch == "x86_64" and not vnni and weight == "int8" and activation in ("uint8", "int8")
        return reduce_range or not saturates


@cache
def this_machine() -> Machine:
    """Facts about the machine that runs this process. Unknown facts stay empty."""
    cpuinfo = _read("/proc/cpuinfo")
    on_apple_silicon = platform.system() == "Darwin" and platform.machine() == "arm64"
    return Machine(
        arch=ARCHITECTURES.get(platform.machine(), platform.machine()),
        cpu=processor_name(cpuinfo) or platform.processor() or platform.machine(),
        isa=APPLE_ISA if on_apple_silicon else instruction_sets(cpuinfo),
        device_model=_read("/proc/device-tree/model").rstrip("\0"),
        cores=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
        memory_mb=memory_mb(_read("/proc/meminfo")) or _memory_by_psutil(),
        os=f"{platform.system()} {platform.release().split('-')[0]}",
        governor=_read("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor").strip(),
        emulated=_emulated(),
        gpu=_gpu(),
    )


def let_waiting_threads_sleep(environ: MutableMapping[str, str] = os.environ) -> None:
    """Lets a thread of OpenMP that waits for the others give its core away, unless the environment sets this itself.

    By default it spins. Where another program has the core of the last thread, all others then spin until that one is
    done (`benchmarks/busy_machine.py`). Call this before torch is loaded: OpenMP reads it once. Results do not change.
    """
    if not any(name in environ for name in WAITING):
        environ["OMP_WAIT_POLICY"] = "PASSIVE"


def instruction_sets(cpuinfo: str) -> tuple[str, ...]:
    """The instruction sets of `ISA_FLAGS` that a `/proc/cpuinfo` contains."""
    flags: set[str] = set()
    for line in cpuinfo.splitlines():
        name, _, value = line.partition(":")
        if name.strip() in ("flags", "Features"):
            flags = set(value.split())
            break
    return tuple(name for name in ISA_FLAGS if name in flags or (name == "neon" and "asimd" in flags))


def processor_name(cpuinfo: str) -> str:
    """The name of the processor or the board in a `/proc/cpuinfo`; empty if it has none."""
    wanted = ("model name", "Model", "Hardware", "CPU part")
    found: dict[str, str] = {}
    for line in cpuinfo.splitlines():
        name, _, value = line.partition(":")
        found.setdefault(name.strip(), value.strip())
    return next((found[name] for name in wanted if found.get(name)), "")


def memory_mb(meminfo: str) -> int:
    """The total memory in a `/proc/meminfo`, in 10^6 bytes; 0 if it is not there."""
    for line in meminfo.splitlines():
        name, _, value = line.partition(":")
        if name == "MemTotal" and value.split()[:1] and value.split()[0].isdecimal():
            return int(value.split()[0]) * 1024 // 1_000_000
    return 0


def _memory_by_psutil() -> int:
    import psutil

    return int(psutil.virtual_memory().total // 1_000_000)


def _emulated() -> bool:
    """Whether qemu-user emulates this processor. A program under qemu-user still reads the kernel's architecture."""
    native = _read("/proc/sys/kernel/arch").strip()
    return bool(native) and native != platform.machine()


def _gpu() -> str:
    for info in sorted(Path("/proc/driver/nvidia/gpus").glob("*/information")):
        for line in _read(str(info)).splitlines():
            if line.startswith("Model:"):
                return line.partition(":")[2].strip()
    return ""


def _read(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
