"""Facts about a machine, and where INT8 matmuls are exact."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge_ptf import machine
from edge_ptf.machine import ISA_FLAGS, WAITING, Machine, let_waiting_threads_sleep, this_machine

LAPTOP = """\
processor\t: 0
vendor_id\t: GenuineIntel
model name\t: A Laptop CPU @ 2.00GHz
flags\t\t: fpu sse4_2 avx2 fma avx_vnni

processor\t: 1
model name\t: Another
flags\t\t: fpu
"""
PI = """\
processor\t: 0
BogoMIPS\t: 108.00
Features\t: fp asimd evtstrm crc32 asimdhp cpuid asimdrdm asimddp
CPU part\t: 0xd0b

Hardware\t: BCM2835
Model\t\t: Raspberry Pi 5 Model B Rev 1.0
"""


@pytest.fixture
def system(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, str]]:
    """The files of this process, by path. All other files do not exist."""
    files: dict[str, str] = {}
    monkeypatch.setattr(machine, "_read", lambda path: files.get(path, ""))
    this_machine.cache_clear()
    yield files
    this_machine.cache_clear()


def test_a_laptop_is_recognised(system: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    system["/proc/cpuinfo"] = LAPTOP
    system["/proc/meminfo"] = "MemTotal:       16000000 kB\nMemFree: 1 kB\n"
    system["/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"] = "powersave\n"
    monkeypatch.setattr(platform, "machine", lambda: "AMD64")
    monkeypatch.setattr(platform, "system", lambda: "Linux")
    monkeypatch.setattr(platform, "release", lambda: "6.1.0-13-amd64")
    found = this_machine()
    assert found.arch == "x86_64"
    assert found.cpu == "A Laptop CPU @ 2.00GHz"
    assert found.isa == ("avx2", "avx_vnni")
    assert found.memory_mb == 16384
    assert found.governor == "powersave"
    assert found.os == "Linux 6.1.0"
    assert (found.device_model, found.emulated, found.gpu) == ("", False, "")


def test_a_board_is_recognised(system: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    system["/proc/cpuinfo"] = PI
    system["/proc/device-tree/model"] = "Raspberry Pi 5 Model B Rev 1.0\0"
    monkeypatch.setattr(platform, "machine", lambda: "aarch64")
    found = this_machine()
    assert found.isa == ("neon", "asimddp")
    assert found.device_model == "Raspberry Pi 5 Model B Rev 1.0"
    assert found.cpu == "Raspberry Pi 5 Model B Rev 1.0"


def test_a_foreign_binary_is_emulated(system: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    system["/proc/sys/kernel/arch"] = "x86_64\n"
    monkeypatch.setattr(platform, "machine", lambda: "aarch64")
    assert this_machine().emulated
    this_machine.cache_clear()
    monkeypatch.setattr(platform, "machine", lambda: "x86_64")
    assert not this_machine().emulated


def test_what_cannot_be_found_out_stays_empty(system: dict[str, str]) -> None:
    found = this_machine()
    assert (found.isa, found.device_model, found.governor, found.emulated) == ((), "", "", False)
    assert found.memory_mb > 0
    assert found.cores >= 1
    assert found.cpu


def test_this_machine_is_a_machine() -> None:
    found = this_machine()
    assert found is this_machine()
    assert set(found.isa) <= set(ISA_FLAGS)
    assert found.cores <= (os.cpu_count() or 1)
    assert found.memory_mb > 100
    assert Machine.model_validate_json(found.model_dump_json()) == found


def of(arch: str, *isa: str) -> Machine:
    return Machine(arch=arch, cpu="test", isa=isa, cores=1, memory_mb=1, os="Linux 6")


@pytest.mark.parametrize("isa", [(), ("avx2",), ("avx2", "avx512f")])
def test_x86_before_vnni_saturates_unsigned_by_signed(isa: tuple[str, ...]) -> None:
    old = of("x86_64", *isa)
    assert not old.executes_exactly("uint8", "int8", reduce_range=False)
    assert old.executes_exactly("uint8", "int8", reduce_range=True)
    assert old.executes_exactly("uint8", "uint8", reduce_range=False)
    assert old.executes_exactly("none", "none", reduce_range=False)


def test_signed_activations_saturate_as_well_because_onnxruntime_makes_them_unsigned(tmp_path: Path) -> None:
    assert not of("x86_64", "avx2").executes_exactly("int8", "int8", reduce_range=False)
    if platform.machine() not in ("x86_64", "AMD64"):
        pytest.skip("only on x86 does ONNX Runtime rewrite signed activations")
    import numpy as np
    import onnx
    import onnxruntime
    from onnx import TensorProto, helper, numpy_helper

    scale, zero = numpy_helper.from_array(np.float32(0.1), "s"), numpy_helper.from_array(np.int8(0), "z")
    weight = numpy_helper.from_array(np.full((4, 2), -128, dtype=np.int8), "w")
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "s", "z"], ["xq"]),
        helper.make_node("DequantizeLinear", ["xq", "s", "z"], ["xd"]),
        helper.make_node("DequantizeLinear", ["w", "s", "z"], ["wd"]),
        helper.make_node("MatMul", ["xd", "wd"], ["m"]),
        helper.make_node("QuantizeLinear", ["m", "s", "z"], ["mq"]),
        helper.make_node("DequantizeLinear", ["mq", "s", "z"], ["y"]),
    ]
    shapes = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, width]) for name, width in (("x", 4), ("y", 2))
    ]
    graph = helper.make_graph(nodes, "g", shapes[:1], shapes[1:], [scale, zero, weight])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.optimized_model_filepath = str(tmp_path / "run.onnx")
    onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    kinds = {item.data_type for item in onnx.load(tmp_path / "run.onnx").graph.initializer}
    assert {TensorProto.UINT8, TensorProto.INT8} <= kinds


@pytest.mark.parametrize(
    "able", [of("x86_64", "avx512_vnni"), of("x86_64", "avx_vnni"), of("x86_64", "amx_int8"), of("aarch64", "neon")]
)
@pytest.mark.parametrize(("activation", "weight"), [("uint8", "int8"), ("int8", "int8"), ("uint8", "uint8")])
def test_vnni_and_arm_are_exact(able: Machine, activation: str, weight: str) -> None:
    assert able.executes_exactly(activation, weight, reduce_range=False)
    assert able.executes_exactly(activation, weight, reduce_range=True)


@pytest.mark.parametrize(
    ("given", "policy"),
    [
        ({}, "PASSIVE"),
        ({"OMP_WAIT_POLICY": "ACTIVE"}, "ACTIVE"),
        ({"GOMP_SPINCOUNT": "9"}, None),
        ({"KMP_BLOCKTIME": "1"}, None),
    ],
)
def test_waiting_threads_sleep_unless_the_user_says_otherwise(given: dict[str, str], policy: str | None) -> None:
    environ = dict(given)
    let_waiting_threads_sleep(environ)
    assert environ.get("OMP_WAIT_POLICY") == policy


def test_the_command_sets_it_before_torch_is_loaded() -> None:
    script = """
import os, sys
os.environ.pop("OMP_WAIT_POLICY", None)
from edge_ptf.cli import main as entry
def command(**_):
    print(os.environ["OMP_WAIT_POLICY"], "torch" in sys.modules)
entry.main = command
entry.run()
"""
    env = {name: value for name, value in os.environ.items() if name not in WAITING}
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, env=env)
    assert done.stdout.split() == ["PASSIVE", "False"]
