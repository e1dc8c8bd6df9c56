"""The behaviour that all kinds of devices share."""

from __future__ import annotations

import hashlib
import os
import threading
from pathlib import Path

import pytest

from edge_ptf.bench.devices import DeviceOptions
from edge_ptf.errors import BadInputError, EnvironmentFault
from tests.bench.devices.peers import Listener, Peer, eventually, running, shell_peer

ODD = 'a b\'s "c" $HOME `d` \\ é\n*?[x]~ -n'


def test_a_program_runs_with_arguments_variables_and_input(peer: Peer) -> None:
    script = 'printf "%s|" "$@"; printf "%s|" "$ODD"; cat; echo complaint >&2; exit 3'
    content = bytes(range(256)) * 400
    with peer.open() as device:
        found = device.run(["sh", "-c", script, "sh", ODD, ""], env={"ODD": ODD}, stdin=content, timeout_s=60)
        assert found.code == 3
        assert found.out == f"{ODD}||{ODD}|".encode() + content
        assert found.err == b"complaint\n"
        assert device.run(["cat"], timeout_s=60).out == b""
        assert device.run(["no-such-program"], timeout_s=60).code == 127
        assert device.run(["sh", "-c", "kill -KILL $$"], timeout_s=60).code == 137
    assert peer.left() == []


def test_a_file_is_brought_once_and_comes_back_whole(peer: Peer, tmp_path: Path) -> None:
    content = bytes(range(256)) * 5000
    local, same, seen = tmp_path / ODD.replace("\n", ""), tmp_path / "same", Listener()
    local.write_bytes(content)
    same.write_bytes(content)
    with peer.open(DeviceOptions(progress=seen)) as device:
        there = device.put(local)
        assert device.get(there) == content
        device.put(same)
    with peer.open(DeviceOptions(progress=seen)) as device:
        device.put(local)
    assert peer.left() == []
    if peer.keeps_uploads:
        assert Path(there) == peer.cache / hashlib.sha256(content).hexdigest()
        assert seen.titles == [f"Upload {local.name} to {device.name}"]
        Path(there).write_bytes(b"damaged" + content[7:])
        with peer.open() as device:
            assert device.get(device.put(local)) == content
        Path(there).write_bytes(b"short")
        with peer.open() as device:
            assert device.get(device.put(local)) == content


def test_only_files_are_brought_and_only_files_come_back(peer: Peer, tmp_path: Path) -> None:
    with peer.open() as device:
        with pytest.raises(BadInputError, match="not a file"):
            device.put(tmp_path)
        with pytest.raises(EnvironmentFault, match=r"nothing here.*cannot be read"):
            device.get("/nothing here")


def test_a_run_has_a_place_of_its_own(peer: Peer) -> None:
    with peer.open() as device:
        place = device.place(ODD.replace("\n", "").replace("/", ""))
        assert device.run(["sh", "-c", 'echo kept > "$1"', "sh", place], timeout_s=60).code == 0
        assert device.get(place) == b"kept\n"
        for bad in ("", ".", "..", "a/b", "groups"):
            with pytest.raises(BadInputError):
                device.place(bad)
    assert not Path(place).exists()
    with pytest.raises(RuntimeError, match="outside"):
        device.place("a")


def test_a_program_that_takes_too_long_is_ended_with_its_children(peer: Peer, tmp_path: Path) -> None:
    token = f"86400{abs(hash(str(tmp_path))) % 100000:05d}"
    with peer.open() as device:
        with pytest.raises(EnvironmentFault, match=r"sh did not end within 1 s and was stopped"):
            device.run(["sh", "-c", f"sleep {token} & sleep {token}; wait"], timeout_s=1)
        eventually(lambda: not running(token), "the program or its child still runs")
        assert device.run(["echo", "next"], timeout_s=60).out == b"next\n"
    assert peer.left() == []


def test_job_control_serves_where_there_is_no_setsid(tmp_path: Path) -> None:
    token = f"86402{abs(hash(str(tmp_path))) % 100000:05d}"
    small = shell_peer("mksh", tmp_path)
    (tmp_path / "tools" / "setsid").unlink()
    with small.open() as device:
        with pytest.raises(EnvironmentFault, match="was stopped"):
            device.run(["sh", "-c", f"sleep {token} & sleep {token}; wait"], timeout_s=1)
        eventually(lambda: not running(token), "the program or its child still runs")
    assert small.left() == []


def test_children_that_a_program_leaves_behind_are_ended(peer: Peer, tmp_path: Path) -> None:
    token = f"86401{abs(hash(str(tmp_path))) % 100000:05d}"
    with peer.open() as device:
        found = device.run(["sh", "-c", f"sleep {token} > /dev/null 2>&1 & echo done"], timeout_s=60)
        assert found.out == b"done\n"
        eventually(lambda: not running(token), "a child still runs")


def test_a_second_user_is_told_who_holds_the_device(peer: Peer) -> None:
    with peer.open():
        with pytest.raises(
            EnvironmentFault, match=r"is in use by \S+@\S+ since 20\S+ \S+ \(process \d+ there\)"
        ) as shown:
            peer.open().open()
        assert shown.value.exit_code == 5
        with peer.open(DeviceOptions(exclusive=False)) as looking:
            assert looking.run(["echo", "only looking"], timeout_s=60).code == 0
    with peer.open() as device:
        assert device.run(["echo"], timeout_s=60).code == 0
    assert peer.left() == []


def test_a_second_user_may_wait(peer: Peer) -> None:
    seen, first, done = Listener(), peer.open(), []
    first.open()

    def second() -> None:
        with peer.open(DeviceOptions(wait_s=600, progress=seen)) as device:
            done.append(device.run(["echo", "in"], timeout_s=60).out)

    waiting = threading.Thread(target=second)
    waiting.start()
    assert seen.waiting.wait(90)
    assert not done
    first.cleanup()
    waiting.join(90)
    assert done == [b"in\n"]
    assert seen.titles[0].startswith(f"Waiting for {first.name}, in use by ")


def test_what_a_dead_user_left_is_put_away(peer: Peer) -> None:
    old = peer.cache / "run.999999.5"
    (old / "groups").mkdir(parents=True)
    (old / "groups" / "1").write_text("999998.7\n", encoding="utf-8")
    (peer.cache / "lock").symlink_to("999999.5.2020-01-01T00:00.somebody@somewhere")
    with peer.open() as device:
        assert device.run(["echo"], timeout_s=60).code == 0
        assert not old.exists()
    assert peer.left() == []


def test_uploads_that_nobody_used_for_a_month_are_removed(peer: Peer, tmp_path: Path) -> None:
    peer.cache.mkdir(parents=True)
    old, used, other = (peer.cache / name for name in ("a" * 64, "b" * 64, "note"))
    for path in (old, used, other):
        path.write_bytes(b"x")
    for path in (old, other):
        os.utime(path, (0, 0))
    with peer.open():
        assert not old.exists()
        assert used.exists()
        assert other.exists()


def test_cleaning_up_twice_and_without_a_session_is_nothing(peer: Peer) -> None:
    device = peer.open()
    device.cleanup()
    with device:
        pass
    device.cleanup()
    assert peer.left() == []
