"""A real sshd on loopback: errors of ssh, and cleaning up."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from edge_ptf.bench.devices import DeviceOptions, open_device
from edge_ptf.bench.devices.ssh import VARIABLE, SshDevice
from edge_ptf.errors import BadInputError, EnvironmentFault
from edge_ptf.machine import this_machine
from tests.bench.devices.peers import SshServer, eventually, make_key, running, sleeping

Start = Callable[..., SshServer]
Client = Callable[[SshServer, str], subprocess.Popen[str]]
TOKEN = "8640212345"
SLEEP = f"device.run(['sh', '-c', 'sleep {TOKEN} & sleep {TOKEN}; wait'], timeout_s=900)"


def nothing_left(server: SshServer) -> None:
    """No program, connection, socket, run's folder or lock remains. The upload cache may stay."""
    eventually(lambda: not running(TOKEN), "the program still runs on the device")
    eventually(lambda: server.peer().left() == [], f"left on the device: {server.peer().left()}")
    eventually(lambda: not running(f"-p {server.port}"), "an ssh client still runs")
    with server.open() as device:
        assert device.run(["echo", "free again"], timeout_s=60).out == b"free again\n"


def sockets() -> set[Path]:
    return {path for path in Path("/tmp").glob("edge-ptf-????????") if path.is_dir()}


@pytest.fixture
def server(start_sshd: Start) -> SshServer:
    return start_sshd()


def test_a_killed_client_leaves_nothing(server: SshServer, client: Client) -> None:
    process = client(server, SLEEP)
    eventually(lambda: sleeping(TOKEN) == 2, "the program did not start")
    opened = {
        Path(word.partition("=")[2]).parent
        for found in running(f"-p {server.port}")
        for word in found.cmdline()
        if word.startswith("ControlPath=")
    }
    assert opened
    process.kill()
    nothing_left(server)
    eventually(lambda: not any(path.exists() for path in opened), "the folder of the connection's socket is left")


def test_a_killed_upload_leaves_nothing(server: SshServer, client: Client, tmp_path: Path) -> None:
    """The client stops in the middle of an upload, through its own progress callback."""
    large = tmp_path / "large"
    with large.open("wb") as stream:
        stream.truncate(400_000_000)
    code = (
        "import os, signal\nfrom pathlib import Path\nfrom dataclasses import replace\n"
        "from edge_ptf.progress import Silent\n"
        "class Stop(Silent):\n    def advance(self, steps=1, note=''):\n"
        "        if steps: os.kill(os.getpid(), signal.SIGKILL)\n"
        f"device.options = replace(device.options, progress=Stop())\ndevice.put(Path({str(large)!r}))"
    )
    process = client(server, code)
    assert process.wait(300) == -signal.SIGKILL
    nothing_left(server)
    assert not list(server.cache.glob("*"))


def test_an_interrupted_client_leaves_nothing(server: SshServer, client: Client) -> None:
    process = client(server, SLEEP)
    eventually(lambda: sleeping(TOKEN) == 2, "the program did not start")
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=120)
    assert "KeyboardInterrupt" in said
    assert not running(TOKEN), "ended only after the client"
    nothing_left(server)


def test_a_connection_that_breaks_is_said_and_leaves_nothing(server: SshServer, client: Client) -> None:
    process = client(server, SLEEP)
    eventually(lambda: sleeping(TOKEN) == 2, "the program did not start")
    server.cut()
    _, said = process.communicate(timeout=120)
    assert "the connection was lost" in said
    nothing_left(server)


def test_nothing_runs_on_a_device_whose_session_has_ended(server: SshServer) -> None:
    """A new connection would be possible, but it must not be used without the lock."""
    with server.open() as device:
        assert isinstance(device, SshDevice)
        session = device._session
        assert session is not None
        server.cut()
        eventually(session.ended, "the session did not notice")
        with pytest.raises(EnvironmentFault, match="the connection was lost"):
            device.run(["echo"], timeout_s=60)
        with pytest.raises(EnvironmentFault, match="the connection was lost"):
            device.put(server.folder / "known")
    nothing_left(server)


def test_a_server_that_goes_away_while_idle_is_noticed_at_the_next_step(server: SshServer) -> None:
    with server.open() as device:
        server.cut()
        server.stop()
        with pytest.raises(EnvironmentFault, match=r"connection was lost|cannot be reached"):
            device.run(["echo"], timeout_s=60)
    eventually(lambda: server.peer().left() == [], "left on the device")


def test_probing_from_the_command_line_leaves_nothing(server: SshServer) -> None:
    options = [word for option in server.options for word in ("--ssh-option", option)]
    command = [sys.executable, "-m", "edge_ptf", "devices", "probe", server.name, *options, "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["device"] == server.name
    assert found["machine"] == json.loads(this_machine().model_dump_json())
    assert not server.cache.exists()


def test_a_device_that_hangs_is_given_up(server: SshServer) -> None:
    with server.open() as device:
        assert isinstance(device, SshDevice)
        with pytest.raises(EnvironmentFault, match=r"no answer within 0\.5 s"):
            device._execute(f"exec sleep {TOKEN} < /dev/null > /dev/null 2>&1", timeout_s=0.5)
        for left in running(f"sleep {TOKEN}"):
            left.kill()


def test_another_host_key_is_named_with_what_to_do(server: SshServer) -> None:
    known = server.folder / "known"
    other = make_key(server.folder / "other")
    known.write_text(f"[127.0.0.1]:{server.port} {other}\n", encoding="utf-8")
    shown = subprocess.run(
        ["ssh-keygen", "-lf", server.folder / "host.pub"], capture_output=True, text=True, check=True
    ).stdout.split()[1]
    with pytest.raises(EnvironmentFault) as raised:
        server.open().open()
    assert raised.value.exit_code == 5
    assert f"shows another host key than before (ED25519 {shown}; line 1 of {known} has another)" in str(raised.value)
    assert f"ssh-keygen -R '[127.0.0.1]:{server.port}' -f" in str(raised.value)
    assert str(raised.value).count("\n") == 0


def test_an_unknown_host_key_is_not_taken(server: SshServer) -> None:
    (server.folder / "known").write_text("", encoding="utf-8")
    with pytest.raises(EnvironmentFault, match=r"host key \(ED25519\) is not known .* ssh -p \d+ -l \S+ 127") as shown:
        server.open().open()
    assert shown.value.exit_code == 5
    assert (server.folder / "known").read_text(encoding="utf-8") == ""


def test_host_keys_stay_strict_whatever_the_options_say(server: SshServer) -> None:
    (server.folder / "known").write_text("", encoding="utf-8")
    with pytest.raises(EnvironmentFault, match="is not known on this machine"):
        server.open(DeviceOptions(ssh_options=("StrictHostKeyChecking=no",))).open()


def test_a_refused_login_says_how_to_log_in(server: SshServer) -> None:
    (server.folder / "authorized").write_text("", encoding="utf-8")
    with pytest.raises(EnvironmentFault, match=r"login is refused .*ssh-copy-id"):
        server.open().open()


@pytest.mark.parametrize("name", ["ssh://127.0.0.1:1", "ssh://no-such-host.invalid"])
def test_an_unreachable_host_is_said(name: str) -> None:
    before = sockets()
    with pytest.raises(EnvironmentFault, match=rf"{name} cannot be reached \(.+\)"), open_device(name):
        pytest.fail("reached")
    assert sockets() <= before


def test_an_alias_of_the_users_configuration_is_a_name(
    server: SshServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tmp_path / "ssh config"
    lines = [option.replace("=", " ", 1) for option in server.options]
    config.write_text(
        "\n  ".join(["Host Kitchen", "HostName 127.0.0.1", f"Port {server.port}", *lines]) + "\n", encoding="utf-8"
    )
    monkeypatch.setenv(VARIABLE, f"-F '{config}'")
    with open_device("ssh://Kitchen") as device:
        assert device.run(["echo", "here"], timeout_s=60).out == b"here\n"


def test_options_that_are_none_are_refused() -> None:
    with pytest.raises(BadInputError, match="not KEYWORD=VALUE"):
        open_device("ssh://h", DeviceOptions(ssh_options=("-oProxyCommand=x",)))


def test_uploads_work_without_sftp(server: SshServer, tmp_path: Path) -> None:
    words = [word for option in server.options for word in ("-o", option)]
    if shutil.which("sftp"):
        batch = ["sftp", "-b", "-", *words, "-o", "BatchMode=yes", "-P", str(server.port), "127.0.0.1"]
        assert subprocess.run(batch, input=b"ls\n", capture_output=True, check=False, timeout=90).returncode != 0
    local = tmp_path / "file"
    local.write_bytes(b"content")
    with server.open() as device:
        assert device.get(device.put(local)) == b"content"


def test_what_a_login_prints_does_not_get_into_answers(start_sshd: Start, tmp_path: Path) -> None:
    server = start_sshd(ForceCommand="sh -c 'echo Welcome; echo Beware >&2; eval \"$SSH_ORIGINAL_COMMAND\"'")
    local = tmp_path / "file"
    local.write_bytes(bytes(range(256)))
    with server.open() as device:
        found = device.run(["sh", "-c", "echo out; echo err >&2"], timeout_s=60)
        assert (found.out, found.err) == (b"out\n", b"err\n")
        assert device.get(device.put(local)) == bytes(range(256))


def test_one_connection_serves_all_steps(server: SshServer) -> None:
    with server.open() as device:
        for _ in range(3):
            device.run(["true"], timeout_s=60)
    log = (server.folder / "log").read_text(encoding="utf-8")
    assert log.count("Accepted publickey") == 1


def test_a_server_without_room_for_more_sessions_is_served_by_more_connections(start_sshd: Start) -> None:
    server = start_sshd(MaxSessions="1")
    with server.open() as device:
        assert device.run(["echo", "a"], timeout_s=60).out == b"a\n"
    nothing_left(server)


def test_a_full_disk_is_said_with_figures(start_sshd: Start, tmp_path: Path) -> None:
    """The server sees a separate disk, which is removed with it."""
    if os.getuid() != 0 or shutil.which("unshare") is None:
        pytest.skip("a small disk can be mounted by root only")
    place = tmp_path / "small disk"
    place.mkdir()
    mount = 'mount -t tmpfs -o size=2m none "$1" && shift && exec "$@"'
    server = start_sshd(around=("unshare", "-m", "sh", "-c", mount, "sh", str(place)), cache=place / "edge-ptf")
    large, small = tmp_path / "large", tmp_path / "small"
    large.write_bytes(os.urandom(4_000_000))
    small.write_bytes(b"small")
    with server.open() as device:
        with pytest.raises(EnvironmentFault) as shown:
            device.put(large)
        assert shown.value.exit_code == 5
        assert "No space left on device; 4.0 MB are needed and 0 MB free" in str(shown.value)
        assert "Free space there" in str(shown.value)
    with server.open() as device:
        assert device.get(device.put(small)) == b"small"
        assert device.run(["sh", "-c", f"ls -a '{place}/edge-ptf' | grep -c part; true"], timeout_s=60).out == b"0\n"


def test_a_folder_that_cannot_be_made_is_said(start_sshd: Start, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way", encoding="utf-8")
    server = start_sshd(cache=tmp_path / "file" / "cache")
    with pytest.raises(EnvironmentFault, match=r"no shell on the device|cannot"):
        server.open().open()


def test_settings_that_keep_it_safe_stand_before_all_others() -> None:
    command = open_device("ssh://kitchen", DeviceOptions(ssh_options=("BatchMode=no",)))._command("echo")
    given = [command[index + 1] for index, word in enumerate(command) if word == "-o"]
    assert given[:2] == ["BatchMode=yes", "StrictHostKeyChecking=yes"]
    assert {"ForwardAgent=no", "ClearAllForwardings=yes", "ControlMaster=no"} <= set(given)
