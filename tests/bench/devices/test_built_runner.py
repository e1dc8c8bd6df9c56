"""The files of the runner that a device needs, and its answers on every kind of device."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from edge_ptf.bench.devices import Device, DeviceOptions, built_runner, open_device
from edge_ptf.bench.devices.qemu import EMULATOR, PROGRAM
from edge_ptf.errors import BadInputError, EnvironmentFault
from edge_ptf.machine import this_machine
from tests.bench.devices.adbd import AndroidPeer
from tests.bench.devices.peers import SshServer

TEXTS = b"turn on the lights\nplay some jazz\n"


@pytest.fixture
def package(make_payload: Callable[..., object]) -> Path:
    path: Path = make_payload().path  # type: ignore[attr-defined]
    return path


@pytest.fixture
def built() -> None:
    if not (built_runner.BUILD / "runner-release" / built_runner.TOOL).exists():
        pytest.skip("the tool edge-ptf-runner is not built (`make runner`)")


def fake_build(folder: Path, *, engine: str = "") -> Path:
    folder.mkdir(parents=True)
    for name in (built_runner.TOOL, "libedge_ptf_runner.so.0", "libedge_ptf_runner.so.0.1.0"):
        (folder / name).write_bytes(b"")
    if engine:
        (folder / engine).parent.mkdir(parents=True, exist_ok=True)
        (folder / engine).write_bytes(b"")
    return folder


def test_a_folder_with_everything_in_it(tmp_path: Path) -> None:
    folder = fake_build(tmp_path / "all", engine="libonnxruntime.so.1")
    names = [built_runner.TOOL, "libedge_ptf_runner.so.0", "libonnxruntime.so.1"]
    assert built_runner.find("aarch64", chosen=folder) == {name: folder / name for name in names}


def test_an_installed_runner_has_its_libraries_in_lib(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / built_runner.TOOL).write_bytes(b"")
    (tmp_path / "lib").mkdir()
    for name in ("libedge_ptf_runner.so.0", "libonnxruntime.so.1"):
        (tmp_path / "lib" / name).write_bytes(b"")
    found = built_runner.find("aarch64", chosen=tmp_path / "bin")
    assert found["libedge_ptf_runner.so.0"] == tmp_path / "lib" / "libedge_ptf_runner.so.0"
    assert found["libonnxruntime.so.1"] == tmp_path / "lib" / "libonnxruntime.so.1"


def test_a_build_says_where_its_engine_is(tmp_path: Path) -> None:
    folder = fake_build(tmp_path / "build")
    (tmp_path / "deps").mkdir()
    (tmp_path / "deps" / "libonnxruntime.so.1").write_bytes(b"")
    cache = f"A:B=C\nONNXRuntime_LIBRARY:FILEPATH={tmp_path}/deps/libonnxruntime.so\n"
    (folder / "CMakeCache.txt").write_text(cache, encoding="utf-8")
    assert built_runner.find("aarch64", chosen=folder)["libonnxruntime.so.1"] == tmp_path / "deps/libonnxruntime.so.1"


def test_an_android_build_has_names_without_versions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(built_runner, "BUILD", tmp_path)
    monkeypatch.delenv(built_runner.variable("aarch64"), raising=False)
    with pytest.raises(EnvironmentFault, match=r"built for aarch64 Android\. Build it with Android's NDK"):
        built_runner.find("aarch64", android=True)
    folder = tmp_path / "runner-android-arm64"
    folder.mkdir()
    names = [built_runner.TOOL, "libedge_ptf_runner.so", "libonnxruntime.so"]
    for name in names:
        (folder / name).write_bytes(b"")
    assert built_runner.find("aarch64", android=True) == {name: folder / name for name in names}


def test_a_static_tool_needs_the_engine_alone(tmp_path: Path) -> None:
    names = [built_runner.TOOL, "libonnxruntime.so.1"]
    for name in names:
        (tmp_path / name).write_bytes(b"")
    assert list(built_runner.find("aarch64", chosen=tmp_path)) == names


def test_what_is_missing_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(BadInputError, match="no edge-ptf-runner in this folder"):
        built_runner.find("aarch64", chosen=tmp_path)
    with pytest.raises(EnvironmentFault, match=r"libonnxruntime\.so\.1 is missing beside the runner"):
        built_runner.find("aarch64", chosen=fake_build(tmp_path / "without"))
    with pytest.raises(EnvironmentFault, match="32 bits; the runner needs 64"):
        built_runner.find("aarch64", word_bits=32)
    monkeypatch.setattr(built_runner, "BUILD", tmp_path)
    for arch, how in (
        ("aarch64", "make runner"),
        ("riscv64", "EDGE_PTF_RUNNER_RISCV64"),
        (this_machine().arch, "make runner"),
    ):
        monkeypatch.delenv(built_runner.variable(arch), raising=False)
        with pytest.raises(EnvironmentFault, match=f"no edge-ptf-runner is built for {arch}.*{how}"):
            built_runner.find(arch)


def test_a_variable_names_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = fake_build(tmp_path / "named", engine="libonnxruntime.so.1")
    monkeypatch.setenv("EDGE_PTF_RUNNER_RISCV64", str(folder))
    assert built_runner.find("riscv64")[built_runner.TOOL] == folder / built_runner.TOOL


def test_a_runner_that_does_not_start_there_is_said_why(tmp_path: Path) -> None:
    folder = fake_build(tmp_path / "broken", engine="libonnxruntime.so.1")
    (folder / built_runner.TOOL).write_text("#!/bin/sh\necho 'GLIBC_2.99 not found' >&2; exit 1\n", encoding="utf-8")
    (folder / built_runner.TOOL).chmod(0o755)
    shown = pytest.raises(EnvironmentFault, match=r"the runner does not start on the device \(GLIBC_2.99 not found\)")
    with open_device("local", DeviceOptions(runner=folder)) as device, shown:
        device.runner()


def answers_and_is_timed(device: Device, package: Path) -> None:
    runner, there, texts = device.runner(), device.put(package), device.place("it's texts.txt")
    tested = device.run([runner, "selftest", there], timeout_s=300)
    assert tested.code == 0, tested.err
    assert b"golden vectors answered" in tested.out
    device.run(["sh", "-c", 'cat > "$1"', "sh", texts], stdin=TEXTS, timeout_s=60)
    arguments = ["--texts", texts, "--calls", "40", "--seconds", "0", "--json"]
    record = json.loads(device.run([runner, "bench", there, *arguments], timeout_s=300).out)
    assert record["schema"] == 1
    assert len(record["end_to_end_ms"]) == 40
    assert record["machine"]["arch"] == this_machine().arch
    out = device.place("record.json")
    again = device.run([runner, "bench", there, *arguments[:-1], "--out", out], timeout_s=300)
    assert again.code == 0, again.err
    assert json.loads(device.get(out))["payload"] == record["payload"]


@pytest.mark.usefixtures("built")
def test_the_runner_answers_here(package: Path) -> None:
    with open_device("local") as device:
        answers_and_is_timed(device, package)


@pytest.mark.usefixtures("built")
def test_the_runner_answers_behind_ssh(start_sshd: Callable[..., SshServer], package: Path) -> None:
    server = start_sshd()
    with server.open() as device:
        answers_and_is_timed(device, package)
    assert server.peer().left() == []
    assert len(list(server.cache.iterdir())) == 4


@pytest.mark.usefixtures("built")
def test_the_runner_answers_behind_adb(android: AndroidPeer, package: Path) -> None:
    with open_device(android.name) as device:
        answers_and_is_timed(device, package)
    assert [path.name for path in android.cache.iterdir() if len(path.name) != 64] == []


@pytest.mark.slow
def test_an_emulated_arm_processor_passes_the_selftest_and_is_not_timed(package: Path) -> None:
    if not (built_runner.BUILD / "runner-aarch64" / built_runner.TOOL).exists():
        pytest.skip("the runner is not built for aarch64 (`make runner-aarch64`)")
    if shutil.which(PROGRAM) is None or not EMULATOR.exists():
        pytest.skip(f"{PROGRAM} is not installed")
    with open_device("qemu:aarch64") as device:
        machine = device.facts()
        assert (machine.arch, machine.emulated, machine.isa) == ("aarch64", True, ("neon", "asimddp"))
        runner = device.runner()
        tested = device.run([runner, "selftest", str(package)], timeout_s=900)
        assert tested.code == 0, tested.err
        assert b"golden vectors answered" in tested.out
        timed = device.run([runner, "bench", str(package), "--texts", "-", "--json"], stdin=TEXTS, timeout_s=900)
        assert timed.code == 5
        assert b"this program runs on an emulator" in timed.err
        assert timed.out == b""


def test_other_emulated_processors_are_refused() -> None:
    with pytest.raises(BadInputError, match="Allowed: qemu:aarch64"):
        open_device("qemu:mips")
