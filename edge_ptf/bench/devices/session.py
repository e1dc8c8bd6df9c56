"""The process that holds a device for this client. The lock and the run's directory exist as long as it runs."""

from __future__ import annotations

import contextlib
import getpass
import os
import re
import secrets
import selectors
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass

from edge_ptf.bench.devices import scripts
from edge_ptf.bench.devices.base import DeviceOptions
from edge_ptf.errors import EnvironmentFault

ANSWER_S = 60.0
"""A reachable device answers within this time. After that, something on the device hangs."""
ENDING_S = 20.0
NOTICED_S = 3.0
"""After this time, every user of a broken connection has detected it."""


@dataclass(frozen=True, slots=True)
class Holder:
    """The process that holds a device's lock, according to the lock."""

    process: str
    since: str
    who: str
    lock: str

    @classmethod
    def read(cls, line: str) -> Holder:
        """Parses `LOCK PROCESS.START.SINCE.WHO`. The path may contain spaces, the rest does not."""
        lock, _, claim = line.rpartition(" ")
        process, _, since, who = (*claim.split(".", 3), "", "", "")[:4]
        return cls(process, since.replace("T", " "), who, lock)

    def __str__(self) -> str:
        return f"{self.who or 'somebody'} since {self.since or 'an unknown time'} (process {self.process} there)"


class Session:
    """Starts `session.sh` on a device and reads its output. The script ends when its input is closed."""

    def __init__(self, name: str, command: Callable[[str], list[str]], options: DeviceOptions) -> None:
        self.name = name
        self.options = options
        self.mark = secrets.token_hex(8)
        script = scripts.session(mark=self.mark, exclusive=options.exclusive, wait_s=options.wait_s, who=_client())
        self.process = subprocess.Popen(
            command(script),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,  # Ctrl-C then reaches this process only, and the session can end in order
        )
        self._received = b""

    def wait_until_ready(self, explain: Callable[[str], EnvironmentFault]) -> str:
        """Waits for the session. Returns the run's directory on the device.

        Args:
            explain: makes the error for a session that did not start, from the output of the connection's command.
        """
        waiting = False
        try:
            while True:
                word, _, rest = self._line(explain).partition(" ")
                if word == "ready":
                    return rest
                holder = Holder.read(rest)
                if word == "refused":
                    raise EnvironmentFault(
                        f"{self.name} is in use by {holder}",
                        hint=f"Wait for it. If nobody uses the device any more, remove {holder.lock} there",
                    )
                waiting = True
                self.options.progress.start(f"Waiting for {self.name}, in use by {holder}", 1)
        finally:
            if waiting:
                self.options.progress.finish()

    def close(self) -> None:
        """Ends the session and waits until it has removed everything."""
        if self.process.stdin is None or self.process.stdin.closed:
            return
        try:
            with contextlib.suppress(OSError):
                self.process.stdin.close()
            self.process.wait(ENDING_S)
        except subprocess.TimeoutExpired:
            pass
        finally:
            end(self.process)

    def ended(self, within_s: float = 0.0) -> bool:
        """Whether the session has ended, or ends within `within_s`. After that, the device cannot be used."""
        try:
            self.process.wait(within_s)
        except subprocess.TimeoutExpired:
            return False
        return True

    def _line(self, explain: Callable[[str], EnvironmentFault]) -> str:
        """The next line with the session's mark, without the mark."""
        deadline = time.monotonic() + ANSWER_S + self.options.wait_s
        while True:
            line, newline, rest = self._received.partition(b"\n")
            if newline:
                self._received = rest
                text = line.decode(errors="replace")
                if text.startswith(f"{self.mark} "):
                    return text.removeprefix(f"{self.mark} ")
                continue
            if not (more := self._read(deadline)):
                raise explain(self._last_words())
            self._received += more

    def _read(self, deadline: float) -> bytes:
        assert self.process.stdout is not None
        with selectors.DefaultSelector() as selector:
            selector.register(self.process.stdout, selectors.EVENT_READ)
            if not selector.select(max(0.0, deadline - time.monotonic())):
                raise EnvironmentFault(
                    f"{self.name}: no answer within {ANSWER_S:g} s",
                    hint="Check that a shell starts there without a question",
                )
        return os.read(self.process.stdout.fileno(), 65536)

    def _last_words(self) -> str:
        assert self.process.stderr is not None
        return self.process.stderr.read().decode(errors="replace")


def end(process: subprocess.Popen[bytes]) -> None:
    """Ends a process that has its own session, together with its children, and closes its streams."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    for stream in (process.stdin, process.stdout, process.stderr):
        if stream is not None:
            with contextlib.suppress(OSError):
                stream.close()


def _client() -> str:
    """User and host name of this client, shown to others who find the device in use."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # this user id has no name
        user = str(os.getuid())
    return re.sub(r"[^A-Za-z0-9@_-]", "-", f"{user}@{socket.gethostname().split('.')[0]}")
