"""Facts about a device, from the output of its tools."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_ptf import profiles
from edge_ptf.bench.devices import DeviceOptions, open_device, scripts
from edge_ptf.bench.devices.facts import DeviceFacts, free_mb, parse
from edge_ptf.machine import this_machine
from tests.bench.devices.peers import Peer

PI = """\
@system
Linux
@release
6.6.31+rpt-rpi-2712
@processor
aarch64
@kernel_architecture
aarch64
@word_bits
64
@cpuinfo
processor\t: 0
Features\t: fp asimd evtstrm crc32 asimdhp cpuid asimdrdm asimddp
CPU part\t: 0xd0b

Model\t\t: Raspberry Pi 5 Model B Rev 1.0
@meminfo
MemTotal:        8245456 kB
MemFree:          123456 kB
@cores
4
@model
Raspberry Pi 5 Model B Rev 1.0\0
@governor
ondemand
@frequency_khz
2400000
1500000
@thermal
54321 cpu-thermal
-1000 cpu-thermal
 broken
@gpu
@libc
glibc 2.36
@distribution
PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"
NAME="Debian GNU/Linux"
@android
@disk
Filesystem     1024-blocks     Used Available Capacity Mounted on
/dev/mmcblk0p2    60000000 20000000  37500000      35% /a mount with 10% in it
@nvpmodel
@throttled
throttled=0x50005
"""
JETSON = """\
@system
Linux
@release
5.15.148-tegra
@processor
aarch64
@word_bits
64
@cpuinfo
processor\t: 0
model name\t: ARMv8 Processor rev 1 (v8l)
Features\t: fp asimd asimddp
processor\t: 1
@cores
@model
NVIDIA Jetson Orin Nano Developer Kit\0
@governor
schedutil
@libc
glibc 2.35
@nvpmodel
NV Power Mode: 15W
0
"""
PHONE = """\
@system
Linux
@release
5.10.157-android13
@processor
aarch64
@cpuinfo
processor\t: 0
Features\t: fp asimd asimddp i8mm sve
@libc
bionic
@android
ro.build.version.release=14
ro.product.manufacturer=Google
ro.product.model=Pixel 8
ro.product.cpu.abi=arm64-v8a
ro.soc.model=Tensor G3
ro.kernel.qemu=
ro.boot.qemu=
"""


def test_a_raspberry_pi() -> None:
    found = parse(PI)
    assert found.machine.model_dump() == {
        "arch": "aarch64",
        "cpu": "Raspberry Pi 5 Model B Rev 1.0",
        "isa": ("neon", "asimddp"),
        "device_model": "Raspberry Pi 5 Model B Rev 1.0",
        "cores": 4,
        "memory_mb": 8443,
        "os": "Linux 6.6.31+rpt",
        "governor": "ondemand",
        "emulated": False,
        "gpu": "",
    }
    assert found.abi == "aarch64-linux-gnu"
    assert found.system == "Debian GNU/Linux 12 (bookworm)"
    assert found.free_disk_mb == 38400
    assert found.frequency_mhz == (2400, 1500)
    assert found.temperature_c == {"cpu-thermal": 54.321, "cpu-thermal 2": -1.0}
    assert found.throttled == ("under-voltage now", "throttled now", "under-voltage since boot", "throttled since boot")
    assert profiles.fitting(found.machine) == ["raspberry-pi-5", "arm64-generic"]


def test_a_jetson() -> None:
    found = parse(JETSON)
    assert found.power_mode == "15W"
    assert found.machine.cores == 2
    assert found.machine.cpu == "ARMv8 Processor rev 1 (v8l)"
    assert found.throttled is None
    assert profiles.fitting(found.machine) == ["jetson", "arm64-generic"]


def test_a_phone() -> None:
    found = parse(PHONE)
    assert (found.system, found.machine.os, found.abi) == ("Android 14", "Android 14", "arm64-v8a")
    assert found.machine.device_model == "Google Pixel 8"
    assert found.machine.cpu == "Tensor G3"
    assert profiles.fitting(found.machine) == ["android-arm64", "arm64-generic"]
    assert not found.machine.emulated
    assert parse(PHONE.replace("ro.boot.qemu=", "ro.boot.qemu=1")).machine.emulated


def test_a_32_bit_system_on_a_64_bit_kernel_is_seen() -> None:
    found = parse(PI.replace("@word_bits\n64", "@word_bits\n32"))
    assert found.word_bits == 32
    assert found.abi == "aarch64 with a 32-bit system-linux-gnu"
    assert parse("@processor\narmv7l\n").word_bits == 32
    assert parse("@processor\nriscv64\n").word_bits == 64


def test_a_foreign_kernel_means_emulation() -> None:
    assert parse(PI.replace("@kernel_architecture\naarch64", "@kernel_architecture\nx86_64")).machine.emulated


@pytest.mark.parametrize(
    ("said", "libc"),
    [("glibc 2.28", "glibc 2.28"), ("bionic", "bionic"), ("/lib/ld-musl-aarch64.so.1", "musl"), ("", "")],
)
def test_c_libraries(said: str, libc: str) -> None:
    assert parse(f"@libc\n{said}\n").libc == libc


def test_free_space_that_cannot_be_told_is_none() -> None:
    assert free_mb("") is None
    assert free_mb("df: no such file") is None
    assert free_mb("Filesystem 1024-blocks Used Available Capacity Mounted on\nnone 2048 0 1000 0% /x") == 1


def test_nothing_said_is_nothing_known() -> None:
    found = parse("")
    assert found.machine.arch == ""
    assert found.machine.cores == 1
    assert profiles.fitting(found.machine) == []


@given(st.text())
def test_whatever_a_device_says_is_facts(text: str) -> None:
    found = parse(text)
    assert DeviceFacts.model_validate_json(found.model_dump_json()) == found


@given(st.lists(st.sampled_from(PI.splitlines(keepends=True))))
def test_whatever_part_of_it_a_device_says_is_facts(lines: list[str]) -> None:
    assert parse("".join(lines)).machine.cores >= 1


def test_files_without_a_last_line_feed_do_not_run_together() -> None:
    """A board's name in a device tree, which ends with a zero byte."""
    lines = [line for line in scripts.facts("/").splitlines() if line.startswith(("section()", "known()"))]
    text = "\n".join([*lines, "section model printf 'Raspberry Pi 5\\000'", "section governor echo ondemand"])
    found = parse(subprocess.run(["sh", "-c", text], capture_output=True, check=True).stdout.decode())
    assert found.machine.device_model == "Raspberry Pi 5"
    assert found.machine.governor == "ondemand"


@pytest.mark.parametrize("threads", [None, "1"])
def test_this_machine_by_its_shell_is_this_machine_by_python(
    threads: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`nproc` prints the number in OMP_NUM_THREADS where it is set; the processor has as many cores as before."""
    monkeypatch.delenv("OMP_NUM_THREADS")
    if threads:
        monkeypatch.setenv("OMP_NUM_THREADS", threads)
    with open_device("local") as device:
        assert device.facts() == this_machine()


def test_every_kind_of_device_has_facts(peer: Peer) -> None:
    with peer.open(DeviceOptions(exclusive=False)) as device:
        found = device.probe()
    mine = this_machine()
    assert (found.machine.arch, found.machine.cores, found.machine.isa) == (mine.arch, mine.cores, mine.isa)
    assert found.machine.memory_mb == mine.memory_mb
    assert found.free_disk_mb is not None
    assert peer.left() == []


@pytest.mark.parametrize("shell", ["dash", "bash", "mksh", "busybox"])
def test_scripts_are_plain_shell(shell: str, tmp_path: Path) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    command = [shell, "sh"] if shell == "busybox" else [shell]
    texts = (
        scripts.session(mark="m", exclusive=True, wait_s=1, who="a@b"),
        scripts.run("/a 'b", 1, "/dev/null", ["a'b", "$c"]),
        scripts.facts("/a"),
        scripts.end("/a", 1),
        scripts.framed(scripts.is_stored("/a", 1, "0" * 64), "m"),
    )
    for text in texts:
        subprocess.run([*command, "-n"], input=text.encode(), check=True, timeout=60)
        assert len(text) < 4000, "adb of old Androids takes no longer commands"
