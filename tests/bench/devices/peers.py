"""Tools for tests of devices: peers that can be opened as a device, and a running sshd."""

from __future__ import annotations

import contextlib
import getpass
import os
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import psutil
import pytest

from edge_ptf.bench.devices import Device, DeviceOptions, open_device
from edge_ptf.bench.devices.shell import ShellDevice
from edge_ptf.errors import EnvironmentFault
from edge_ptf.progress import Silent


def eventually(condition: Callable[[], object], what: str) -> None:
    """Waits until a condition holds. The duration is not tested."""
    end = time.monotonic() + 90
    while not condition():
        assert time.monotonic() < end, what
        time.sleep(0.05)


def running(text: str) -> list[psutil.Process]:
    """Other processes with this text in their arguments, without zombies."""
    found = []
    for process in psutil.process_iter():
        try:
            if text in " ".join(process.cmdline()) and process.pid != os.getpid():
                found.append(process)
        except psutil.Error:
            continue
    return found


def sleeping(token: str) -> int:
    """The number of programs `sleep TOKEN`, without those that only have it in their arguments."""
    count = 0
    for process in running(token):
        with contextlib.suppress(psutil.Error):
            words = process.cmdline()  # empty between the end of a process and its parent's `wait`
            count += process.name() == "sleep" or (bool(words) and Path(words[0]).name == "sleep")
    return count


def names_in(folder: Path) -> list[str]:
    """The content of a folder; empty if it is gone, as after the end of a session."""
    try:
        return [path.name for path in folder.iterdir()]
    except FileNotFoundError:
        return []


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Peer:
    """A device whose files a test can read."""

    name: str
    cache: Path
    make: Callable[[DeviceOptions], Device]
    keeps_uploads: bool = True

    def open(self, options: DeviceOptions | None = None) -> Device:
        return self.make(options or DeviceOptions())

    def left(self) -> list[str]:
        """The content of the device's folder without the upload cache."""
        return [name for name in names_in(self.cache) if len(name) != 64]


@dataclass
class SshServer:
    """A running sshd, and the key that may log in."""

    folder: Path
    port: int
    process: subprocess.Popen[bytes]
    cache: Path

    @property
    def name(self) -> str:
        return f"ssh://{getpass.getuser()}@127.0.0.1:{self.port}"

    @property
    def options(self) -> tuple[str, ...]:
        """The settings that the client needs to log in."""
        return (
            f'IdentityFile="{self.folder}/client"',
            "IdentitiesOnly=yes",
            f'UserKnownHostsFile="{self.folder}/known"',
            "GlobalKnownHostsFile=/dev/null",
        )

    def open(self, options: DeviceOptions | None = None) -> Device:
        chosen = options or DeviceOptions()
        return open_device(self.name, replace(chosen, ssh_options=(*chosen.ssh_options, *self.options)))

    def peer(self) -> Peer:
        return Peer(self.name, self.cache, self.open)

    def cut(self) -> None:
        """Kills the processes of the connections, not the server."""
        if self.process.poll() is not None:
            return
        for child in psutil.Process(self.process.pid).children(recursive=True):
            with contextlib.suppress(psutil.NoSuchProcess):
                if child.name().startswith("sshd"):
                    child.kill()

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(30)


def make_key(path: Path) -> str:
    """Makes a temporary key. Returns its public half."""
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", path], check=True)
    return " ".join(path.with_suffix(".pub").read_text(encoding="utf-8").split()[:2])


class ShellOfItsOwn(ShellDevice):
    """A device that is only a shell with few tools."""

    def __init__(self, name: str, options: DeviceOptions, shell: list[str], env: dict[str, str]) -> None:
        super().__init__(name, options)
        self.shell, self.env = shell, env

    def _command(self, script: str) -> list[str]:
        return ["env", "-i", *(f"{name}={value}" for name, value in self.env.items()), *self.shell, "-c", script]

    def _explain(self, said: str) -> EnvironmentFault:
        return EnvironmentFault(said)


def applets(folder: Path, program: str, names: list[str]) -> Path:
    """A directory of links to a program that contains many tools."""
    folder.mkdir(exist_ok=True)
    for name in names:
        (folder / name).symlink_to(str(shutil.which(program)))
    return folder


def shell_peer(kind: str, tmp_path: Path) -> Peer:
    """`dash` and `bash` with the system's tools, busybox's shell with its own tools, mksh with those of toybox."""
    program = "busybox" if kind == "busybox" else kind
    if shutil.which(program) is None or (kind == "mksh" and shutil.which("toybox") is None):
        pytest.skip(f"{program} is not installed" if kind != "mksh" else "mksh or toybox is not installed")
    shell, path = [str(shutil.which(program))], "/usr/bin:/bin"
    if kind == "busybox":
        listed = subprocess.run(["busybox", "--list"], capture_output=True, text=True, check=True).stdout.split()
        shell, path = [*shell, "sh"], str(applets(tmp_path / "tools", "busybox", listed))
    elif kind == "mksh":
        listed = subprocess.run(["toybox"], capture_output=True, text=True, check=True).stdout.split()
        tools = applets(tmp_path / "tools", "toybox", listed)
        (tools / "sh").symlink_to(shell[0])
        path = str(tools)
    cache = tmp_path / "a device's cache"
    env = {"PATH": path, "EDGE_PTF_CACHE": str(cache)}
    return Peer(kind, cache, lambda options: ShellOfItsOwn(f"test:{kind}", options, shell, env))


class Listener(Silent):
    """Stores the progress messages of a device."""

    def __init__(self) -> None:
        self.titles: list[str] = []
        self.steps = 0
        self.waiting = threading.Event()

    def start(self, title: str, total: int, done: int = 0) -> None:
        self.titles.append(title)
        if title.startswith("Waiting"):
            self.waiting.set()

    def advance(self, steps: int = 1, note: str = "") -> None:
        self.steps += steps
