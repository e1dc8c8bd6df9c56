"""This machine as a device. Nothing is copied."""

from __future__ import annotations

from pathlib import Path

from edge_ptf.bench.devices.shell import ShellDevice
from edge_ptf.errors import BadInputError, EnvironmentFault


class LocalDevice(ShellDevice):
    """Runs programs in a shell on this machine."""

    def put(self, local: Path) -> str:
        """The file's own path."""
        if not local.is_file():
            raise BadInputError(f"{local}: not a file", hint="Give a file; directories cannot be uploaded")
        return str(local.resolve())

    def _command(self, script: str) -> list[str]:
        return ["sh", "-c", script]

    def _explain(self, said: str) -> EnvironmentFault:
        last = said.strip().splitlines()[-1:] or ["it ended without a message"]
        return EnvironmentFault(f"{self.name}: the shell failed ({last[0]})")
