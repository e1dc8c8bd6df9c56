"""A processor that QEMU emulates on this machine. It can verify answers; its times have no meaning."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from edge_ptf.bench.devices.base import DeviceOptions
from edge_ptf.bench.devices.facts import DeviceFacts
from edge_ptf.bench.devices.local import LocalDevice
from edge_ptf.errors import BadInputError, EnvironmentFault
from edge_ptf.machine import instruction_sets

EMULATOR = Path(__file__).resolve().parents[3] / "cpp_runner" / "scripts" / "qemu-aarch64"
PROGRAM = "qemu-aarch64-static"
PROCESSOR = "cortex-a76"
"""The processor of a Raspberry Pi 5. QEMU 7.2 computes wrong golden vectors for a processor with SVE."""


class QemuDevice(LocalDevice):
    """Uses this machine's shell. The programs are for 64-bit ARM."""

    def __init__(self, name: str, options: DeviceOptions) -> None:
        super().__init__(name, options)
        if name != "qemu:aarch64":
            raise BadInputError(f"'{name}': unknown emulated processor", hint="Allowed: qemu:aarch64")

    def open(self) -> None:
        """See Device."""
        if not EMULATOR.is_file():
            raise EnvironmentFault(f"{self.name} needs a source tree ({EMULATOR} does not exist)")
        if shutil.which(PROGRAM) is None:
            raise EnvironmentFault(
                f"{self.name}: {PROGRAM} is not installed", hint="On Debian: apt-get install qemu-user-static"
            )
        super().open()

    def probe(self) -> DeviceFacts:
        """Facts about the emulated processor, and about the machine that emulates it."""
        found = super().probe()
        version = subprocess.run(
            [EMULATOR, "-cpu", PROCESSOR, "-version"], capture_output=True, text=True, check=False
        ).stdout
        cpuinfo = self.get(f"{os.environ.get('TMPDIR', '/tmp')}/edge-ptf-qemu-{os.getuid()}/{PROCESSOR}/proc/cpuinfo")
        machine = found.machine.replace(
            arch="aarch64",
            cpu=f"{PROCESSOR}, emulated by {version.splitlines()[0] if version else 'QEMU'}",
            isa=instruction_sets(cpuinfo.decode()),
            device_model="",
            governor="",
            emulated=True,
        )
        return found.replace(machine=machine, word_bits=64, abi="aarch64-linux-gnu", libc="")

    def _program(self, argv: Sequence[str], env: Mapping[str, str]) -> list[str]:
        variables = [word for name, value in env.items() for word in ("-E", f"{name}={value}")]
        return [str(EMULATOR), "-cpu", PROCESSOR, *variables, *argv]
