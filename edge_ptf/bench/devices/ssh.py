"""A device behind ssh. The system's ssh client is used, so its configuration, agents and jump hosts apply."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import tempfile
from pathlib import Path

from edge_ptf.bench.devices.base import DeviceOptions
from edge_ptf.bench.devices.shell import ShellDevice
from edge_ptf.credentials import masked_url
from edge_ptf.errors import BadInputError, EnvironmentFault

FORM = "ssh://[user@]host[:port]"
VARIABLE = "EDGE_PTF_SSH_OPTIONS"
"""More arguments of ssh in shell syntax, such as `-i key -F config`."""
SETTINGS = (
    "BatchMode=yes",
    "StrictHostKeyChecking=yes",
    "LogLevel=ERROR",
    "ConnectTimeout=15",
    "ServerAliveInterval=15",
    "ServerAliveCountMax=4",
    "ForwardAgent=no",
    "ForwardX11=no",
    "ClearAllForwardings=yes",
    "PermitLocalCommand=no",
    "RequestTTY=no",
    "RemoteCommand=none",
)
AROUND = 'folder=$1; shift; "$@"; code=$?; rm -rf "$folder"; exit $code'
"""Removes the folder of the connection's socket when ssh ends, even if this process was killed."""


class SshDevice(ShellDevice):
    """`ssh://[user@]host[:port]`. The host may be an alias from ~/.ssh/config."""

    def __init__(self, name: str, options: DeviceOptions) -> None:
        super().__init__(name, options)
        self.host, self._where = _parse(name)
        self._sockets: Path | None = None
        for option in options.ssh_options:
            if not re.match(r"[A-Za-z]\w*[= ]", option):
                raise BadInputError(f"--ssh-option {option}: not KEYWORD=VALUE", hint="Example: IdentityFile=key")

    def open(self) -> None:
        """See Device."""
        if shutil.which("ssh") is None:
            raise EnvironmentFault(
                f"{self.name}: ssh is not installed", hint="On Debian: apt-get install openssh-client"
            )
        # A socket's path has at most 100 letters.
        self._sockets = Path(tempfile.mkdtemp(prefix="edge-ptf-", dir="/tmp"))
        super().open()

    def cleanup(self) -> None:
        """See Device."""
        super().cleanup()
        if self._sockets is not None:
            shutil.rmtree(self._sockets, ignore_errors=True)
            self._sockets = None

    def _command(self, script: str) -> list[str]:
        return self._ssh("ControlMaster=no", script)

    def _session_command(self, script: str) -> list[str]:
        return ["sh", "-c", AROUND, "sh", str(self._sockets), *self._ssh("ControlMaster=yes", script)]

    def _ssh(self, sharing: str, script: str) -> list[str]:
        settings = (
            *SETTINGS,
            sharing,
            "ControlPersist=no",
            f"ControlPath={self._sockets}/s",
            *self.options.ssh_options,
        )
        given = shlex.split(os.environ.get(VARIABLE, ""))
        words = [word for setting in settings for word in ("-o", setting)]
        return ["ssh", *words, *given, *self._where, "--", self.host, f"exec sh -c {shlex.quote(script)}"]

    def _explain(self, said: str) -> EnvironmentFault:
        lines = [line.strip() for line in said.strip().splitlines()]
        last = lines[-1] if lines else "it ended without a message"
        if "Host key verification failed" in said:
            return self._explain_key(said)
        if "Permission denied" in said:
            return EnvironmentFault(
                f"{self.name}: the login is refused ({last})",
                hint="edge-ptf uses keys only, no passwords: run ssh-copy-id, load the key into the agent, or "
                "set --ssh-option IdentityFile=…",
            )
        if "No space left" in said:
            return EnvironmentFault(
                f"{self.name}: no space left on the device ({last})", hint="Free space on the device"
            )
        unreachable = ("resolve", "refused", "timed out", "timeout", "No route", "unreachable", "Connection closed")
        if any(word in said for word in unreachable):
            return EnvironmentFault(
                f"{self.name} cannot be reached ({last})",
                hint="Check that the device is on, that the name is right, and that `ssh` reaches it",
            )
        return EnvironmentFault(f"{self.name}: no shell on the device ({last})")

    def _explain_key(self, said: str) -> EnvironmentFault:
        changed = re.search(r"fingerprint for the (\S+) key sent by the remote host is\s+(\S+?)\.?\s", said)
        if changed:
            offending = re.search(r"(?:Offending|offending) \S+ key in (.+):(\d+)", said)
            place = f"; line {offending[2]} of {offending[1]} has another" if offending else ""
            file = f" -f {shlex.quote(offending[1])}" if offending else ""
            return EnvironmentFault(
                f"{self.name} shows another host key than before ({changed[1]} {changed[2]}{place})",
                hint="If the device was set up again, compare its key (ssh-keygen -lf /etc/ssh/ssh_host_*_key.pub), "
                f"then run ssh-keygen -R {shlex.quote(self._known_as)}{file}. "
                "If not, somebody may intercept the connection",
            )
        kind = re.search(r"No (\S+) host key is known", said)
        return EnvironmentFault(
            f"{self.name}: its host key{f' ({kind[1]})' if kind else ''} is not known on this machine",
            hint=f"Log in once manually and compare the key: ssh {shlex.join([*self._where, self.host])}",
        )

    @property
    def _known_as(self) -> str:
        port = self._where[self._where.index("-p") + 1] if "-p" in self._where else ""
        return f"[{self.host}]:{port}" if port else self.host


def _parse(name: str) -> tuple[str, list[str]]:
    """Returns the host, and the arguments for port and user."""
    found = re.fullmatch(r"ssh://(?:([^@]*)@)?(\[[0-9A-Fa-f:.%\w]+\]|[^@:/\[\]]+)(?::(\d+))?/?", name)
    user, host, port = found.groups() if found else (None, "", None)
    if user and ":" in user:
        raise BadInputError(
            "ssh://USER:PASSWORD@…: passwords are not supported", hint="Use a key, see docs/explanation/devices.md"
        )
    if not found or any(re.search(r"^-|[^\w.%\\+-]", part) for part in (host.strip("[]").replace(":", ""), user or "")):
        raise BadInputError(f"'{masked_url(name)}': not a valid ssh device", hint=f"Allowed: {FORM}")
    if port and not 0 < int(port) < 65536:
        raise BadInputError(f"'{masked_url(name)}': not a valid port", hint="Allowed: 1 to 65535")
    return host.strip("[]"), [*(["-p", port] if port else []), *(["-l", user] if user else [])]
