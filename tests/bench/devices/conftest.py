"""Devices for tests: a real sshd on loopback, adb with a device-side peer, and the shells of small devices."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from edge_ptf.bench.devices import open_device
from edge_ptf.bench.devices.ssh import VARIABLE
from tests.bench.devices.adbd import AndroidPeer
from tests.bench.devices.peers import Peer, SshServer, eventually, free_port, make_key, shell_peer

SSHD = shutil.which("sshd") or shutil.which("/usr/sbin/sshd")
ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of this machine as a device, without the user's settings."""
    cache = tmp_path / "local's cache"
    monkeypatch.setenv("EDGE_PTF_CACHE", str(cache))
    monkeypatch.delenv(VARIABLE, raising=False)
    return cache


@pytest.fixture
def start_sshd(tmp_path: Path) -> Iterator[Callable[..., SshServer]]:
    """`start_sshd(Subsystem=…)` starts a server as this user. `around=` is a command that runs it."""
    if SSHD is None:
        pytest.skip("sshd is not installed")
    if os.getuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)
    started: list[SshServer] = []

    def start(*, around: tuple[str, ...] = (), cache: Path | None = None, **settings: str) -> SshServer:
        folder = tmp_path / f"sshd {len(started)}"
        folder.mkdir()
        host_key, client_key, port = make_key(folder / "host"), make_key(folder / "client"), free_port()
        place = cache or tmp_path / f'the device\'s "cache" {len(started)}'
        (folder / "known").write_text(f"[127.0.0.1]:{port} {host_key}\n", encoding="utf-8")
        (folder / "authorized").write_text(client_key + "\n", encoding="utf-8")
        given = {
            "Port": str(port),
            "ListenAddress": "127.0.0.1",
            "HostKey": f'"{folder}/host"',
            "PidFile": "none",
            "AuthorizedKeysFile": f'"{folder}/authorized"',
            "UsePAM": "no",
            "StrictModes": "no",
            "PasswordAuthentication": "no",
            "KbdInteractiveAuthentication": "no",
            "SetEnv": 'EDGE_PTF_CACHE="' + str(place).replace('"', '\\"') + '"',
            **settings,
        }
        config = folder / "config"
        config.write_text("".join(f"{name} {value}\n" for name, value in given.items()), encoding="utf-8")
        process = subprocess.Popen(
            [*around, str(SSHD), "-D", "-e", "-f", str(config)],
            stdin=subprocess.DEVNULL,
            stderr=(folder / "log").open("wb"),
        )
        server = SshServer(folder, port, process, place)
        started.append(server)
        eventually(
            lambda: process.poll() is not None or b"Server listening" in (folder / "log").read_bytes(),
            "sshd did not start",
        )
        assert process.poll() is None, (folder / "log").read_text(encoding="utf-8")
        return server

    yield start
    for server in started:
        server.cut()
        server.stop()


@pytest.fixture
def android(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[AndroidPeer]:
    """Debian's adb, client and server, connected to a device-side peer over TCP."""
    if shutil.which("adb") is None:
        pytest.skip("adb is not installed")
    for name in ("ANDROID_SERIAL", "ADB_SERVER_SOCKET", "ADB_TRACE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("ANDROID_ADB_SERVER_PORT", str(free_port()))
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    with AndroidPeer(tmp_path) as peer:
        subprocess.run(["adb", "start-server"], capture_output=True, check=True, timeout=90)
        try:
            peer.connect()
            yield peer
        finally:
            subprocess.run(["adb", "kill-server"], capture_output=True, check=False, timeout=90)


@pytest.fixture(params=["local", "ssh", "adb", "dash", "bash", "busybox", "mksh"])
def peer(request: pytest.FixtureRequest, tmp_path: Path, own_cache: Path) -> Peer:
    """Every kind of device, one after another."""
    if request.param == "local":
        return Peer("local", own_cache, lambda options: open_device("local", options), keeps_uploads=False)
    if request.param == "ssh":
        server: SshServer = request.getfixturevalue("start_sshd")()
        return server.peer()
    if request.param == "adb":
        phone: AndroidPeer = request.getfixturevalue("android")
        return Peer(phone.name, phone.cache, lambda options: open_device(phone.name, options))
    return shell_peer(request.param, tmp_path)


@pytest.fixture
def client(tmp_path: Path) -> Iterator[Callable[[SshServer, str], subprocess.Popen[str]]]:
    """`client(server, code)` runs Python in a separate process, with the open device `device`."""
    started: list[subprocess.Popen[str]] = []

    def start(server: SshServer, code: str) -> subprocess.Popen[str]:
        words = ["-F", "none", *(word for option in server.options for word in ("-o", option))]
        body = "\n".join(f"    {line}" for line in code.splitlines())
        program = (
            "from edge_ptf.bench.devices import open_device\n"
            f"with open_device({server.name!r}) as device:\n    print('open', flush=True)\n{body}\n"
        )
        process = subprocess.Popen(
            [sys.executable, "-c", program],
            env={**os.environ, "PYTHONPATH": str(ROOT), VARIABLE: shlex.join(words)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        assert process.stdout is not None
        assert process.stdout.readline() == "open\n", process.stderr.read() if process.stderr else ""
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()
