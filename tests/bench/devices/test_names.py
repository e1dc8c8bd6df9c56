"""Names, and text for a device's shell: nothing from a user becomes an option or a command."""

from __future__ import annotations

import contextlib
import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_ptf.bench.devices import open_device, scripts
from edge_ptf.bench.devices.adb import AdbDevice
from edge_ptf.bench.devices.session import Holder
from edge_ptf.bench.devices.ssh import SshDevice
from edge_ptf.errors import BadInputError

WORDS = st.lists(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])), min_size=1, max_size=4)


@pytest.mark.parametrize(
    "name",
    (
        *("", "Local", "ssh:host", "ssh://", "ssh://-oProxyCommand=x", "ssh://a b", "ssh://h:0", "ssh://h:99999"),
        *("ssh://h/path", "ssh://-u@h", "ssh://u:secret@h", "ssh://h;id", "ssh://h\n", "adb:-x", "adb:a b"),
        *("qemu:riscv64", "telnet://h"),
    ),
)
def test_a_name_that_is_none_is_refused_with_what_is_allowed(name: str) -> None:
    with pytest.raises(BadInputError) as shown:
        open_device(name)
    assert shown.value.hint
    assert "secret" not in str(shown.value)


@pytest.mark.parametrize(
    ("name", "where"),
    [
        ("ssh://kitchen", ["kitchen"]),
        ("ssh://Pi_4.local/", ["Pi_4.local"]),
        ("ssh://pi@10.0.0.7:2222", ["-p", "2222", "-l", "pi", "10.0.0.7"]),
        ("ssh://pi@[fe80::1%eth0]", ["-l", "pi", "fe80::1%eth0"]),
    ],
)
def test_a_name_says_host_port_and_user(name: str, where: list[str]) -> None:
    device = open_device(name)
    assert isinstance(device, SshDevice)
    command = device._command("script")
    assert [word for word in command[-len(where) - 2 : -1] if word != "--"] == where
    assert command[-3] == "--"


@given(st.text().map(lambda text: f"ssh://{text}") | st.from_regex(r"ssh://[a-z@:\-\[\]./ ]*", fullmatch=True))
def test_whatever_is_called_ssh_is_refused_or_is_no_option(name: str) -> None:
    with contextlib.suppress(BadInputError):
        device = open_device(name)
        assert isinstance(device, SshDevice)
        assert device.host
        assert not any(part.startswith("-") for part in (device.host, *device._where[1::2]))
        assert not any(letter.isspace() for part in (device.host, *device._where) for letter in part)


@given(st.text().map(lambda text: f"adb:{text}"))
def test_whatever_is_called_adb_is_refused_or_is_no_option(name: str) -> None:
    with contextlib.suppress(BadInputError):
        device = open_device(name)
        assert isinstance(device, AdbDevice)
        assert not device.serial.startswith("-")


@settings(deadline=None, max_examples=40)
@given(WORDS)
def test_arguments_reach_a_program_as_they_are(words: list[str]) -> None:
    script = scripts.run("/", 1, "/dev/null", words).partition('cd "$run"')[0] + "printf '%s\\0' \"$@\""
    done = subprocess.run(["sh", "-c", scripts.framed(script, "mark")], capture_output=True, check=True)
    assert done.stdout == b"mark\n" + b"".join(word.encode() + b"\0" for word in words)
    assert done.stderr == b"mark\n\nmark 0\n"


@given(st.text(st.characters(exclude_characters="\n")), st.integers(1, 4_000_000), st.integers(0, 10**12))
def test_what_a_lock_says_is_read_whatever_its_path(path: str, process: int, start: int) -> None:
    found = Holder.read(f"{path}/lock {process}.{start}.2026-01-02T03:04.alice-b@lap-top")
    assert found == Holder(str(process), "2026-01-02 03:04", "alice-b@lap-top", f"{path}/lock")
    assert str(found) == f"alice-b@lap-top since 2026-01-02 03:04 (process {process} there)"


@given(st.text())
def test_a_lock_of_somebody_elses_making_is_read_as_well(line: str) -> None:
    assert "(process " in str(Holder.read(line))
