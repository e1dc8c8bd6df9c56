"""A phone or board behind Android's debug bridge."""

from __future__ import annotations

import shutil
import subprocess

from edge_ptf.bench.devices.base import DeviceOptions
from edge_ptf.bench.devices.shell import ShellDevice
from edge_ptf.errors import BadInputError, EnvironmentFault

LIST_S = 60


class AdbDevice(ShellDevice):
    """`adb:SERIAL`, or `adb` for the only one that is connected. Files go to /data/local/tmp/edge-ptf."""

    def __init__(self, name: str, options: DeviceOptions) -> None:
        super().__init__(name, options)
        serial = name.partition(":")[2]
        if serial.startswith("-") or any(letter.isspace() for letter in serial):
            raise BadInputError(f"'{name}': no serial number of a device", hint="`adb devices` lists them")
        self.serial = serial

    def open(self) -> None:
        """See Device."""
        if shutil.which("adb") is None:
            raise EnvironmentFault(
                f"{self.name}: adb is not installed",
                hint="On Debian: apt-get install adb; else Android's platform-tools",
            )
        if "shell_v2" not in self._features():
            raise EnvironmentFault(
                f"{self.name}: its adb tells no exit codes of programs (no shell_v2)",
                hint="Android 7 or newer is needed",
            )
        super().open()

    def _command(self, script: str) -> list[str]:
        return [*self._adb(), "shell", "-T", script]

    def _adb(self) -> list[str]:
        return ["adb", *(["-s", self.serial] if self.serial else [])]

    def _features(self) -> list[str]:
        try:
            found = subprocess.run(
                [*self._adb(), "features"], capture_output=True, text=True, check=False, timeout=LIST_S
            )
        except subprocess.TimeoutExpired:
            raise EnvironmentFault(f"{self.name}: adb does not answer", hint="Try `adb kill-server`") from None
        if found.returncode:
            raise self._explain(found.stderr)
        return found.stdout.split()

    def _explain(self, said: str) -> EnvironmentFault:
        lines = [line.strip() for line in said.strip().splitlines() if not line.startswith("*")]
        last = (lines[-1] if lines else "it ended without a word").removeprefix("error: ").removeprefix("adb: ")
        if "unauthorized" in said:
            return EnvironmentFault(
                f"{self.name} does not trust this machine yet", hint="Unlock it and allow USB debugging"
            )
        if "more than one" in said:
            return EnvironmentFault(
                f"{self.name}: several devices are connected", hint="Say which: adb:SERIAL (`adb devices` lists them)"
            )
        if "not found" in said or "no devices" in said or "offline" in said:
            return EnvironmentFault(
                f"{self.name} is not connected ({last})", hint="`adb devices` lists what is; is USB debugging on?"
            )
        return EnvironmentFault(f"{self.name}: no shell there ({last})")
