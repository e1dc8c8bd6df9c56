"""Debian's adb, client and server, against a device-side peer."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from edge_ptf.bench.devices import open_device
from edge_ptf.errors import EnvironmentFault
from tests.bench.devices.adbd import AndroidPeer
from tests.bench.devices.peers import eventually, names_in, running

TOKEN = "8640298765"


def test_the_only_device_needs_no_serial(android: AndroidPeer) -> None:
    with open_device("adb") as device:
        assert device.run(["echo", "here"], timeout_s=60).out == b"here\n"


def test_a_phone_is_known_by_its_properties(android: AndroidPeer) -> None:
    with open_device(android.name) as device:
        found = device.probe()
    assert found.machine.device_model == "Made Up Phone 1"
    assert found.machine.os == "Android 14"
    assert found.abi == "x86_64"


def test_a_device_that_is_not_there_is_said(android: AndroidPeer) -> None:
    with pytest.raises(EnvironmentFault, match=r"adb:nothing is not connected .*adb devices") as shown:
        open_device("adb:nothing").open()
    assert shown.value.exit_code == 5


def test_several_devices_need_a_serial(android: AndroidPeer, tmp_path: Path) -> None:
    (tmp_path / "second").mkdir()
    with AndroidPeer(tmp_path / "second") as second:
        second.connect()
        with pytest.raises(EnvironmentFault, match="several devices are connected"):
            open_device("adb").open()
        with open_device(second.name) as device:
            assert device.run(["true"], timeout_s=60).code == 0
    subprocess.run(["adb", "disconnect", second.serial], capture_output=True, check=False, timeout=60)


def test_an_android_without_exit_codes_is_refused(android: AndroidPeer, tmp_path: Path) -> None:
    (tmp_path / "old").mkdir()
    with AndroidPeer(tmp_path / "old", features="cmd") as old:
        old.connect()
        with pytest.raises(EnvironmentFault, match="Android 7 or newer"):
            open_device(old.name).open()


def test_a_pulled_cable_is_said_and_leaves_nothing(android: AndroidPeer) -> None:
    with open_device(android.name) as device:
        local = device.place("stdin")
        assert local.startswith(str(android.cache))
        android.unplug()
        with pytest.raises(EnvironmentFault, match=r"connection was lost|is not connected|no shell"):
            device.run(["sleep", TOKEN], timeout_s=60)
    eventually(lambda: not running(TOKEN), "the program still runs")
    eventually(lambda: not names_in(android.cache), "left on the device")
