"""A phone or board that the Android Debug Bridge (adb) reaches."""

from __future__ import annotations

import shutil
import subprocess

from edge_ptf.bench.devices.base import DeviceOptions
from edge_ptf.bench.devices.shell import ShellDevice
from edge_ptf.errors import BadInputError, EnvironmentFault

LIST_S = 60


class AdbDevice(ShellDevice):
    """`adb:SERIAL`, or `adb` if only one device is connected. Files go to /data/local/tmp/edge-ptf."""

    def __init__(self, name: str, options: DeviceOptions) -> None:
        super().__init__(name, options)
        serial = name.partition(":")[2]
        if serial.startswith("-") or any(letter.isspace() for letter in serial):
            raise BadInputError(f"'{name}': not a serial number", hint="`adb devices` lists the serial numbers")
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
                f"{self.name}: its adb does not return exit codes of programs (no shell_v2)",
                hint="Use Android 7 or newer",
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
        last = (lines[-1] if lines else "it ended without a message").removeprefix("error: ").removeprefix("adb: ")
        if "unauthorized" in said:
            return EnvironmentFault(
                f"{self.name} has not authorized this machine", hint="Unlock the device and allow USB debugging"
            )
        if "more than one" in said:
            return EnvironmentFault(
                f"{self.name}: several devices are connected",
                hint="Name one of them: adb:SERIAL (`adb devices` lists the serial numbers)",
            )
        if "not found" in said or "no devices" in said or "offline" in said:
            return EnvironmentFault(
                f"{self.name} is not connected ({last})",
                hint="Check that USB debugging is on and that `adb devices` lists the device",
            )
        return EnvironmentFault(f"{self.name}: no shell on the device ({last})")
