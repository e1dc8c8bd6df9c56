"""What a machine has of NVIDIA, and what to install. No test needs a GPU."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from click.testing import CliRunner

from edge_ptf import nvidia as facts
from edge_ptf.cli.main import main
from edge_ptf.engines.tensorrt.library import Gpu, Library
from edge_ptf.errors import EnvironmentFault
from edge_ptf.nvidia import CUDA_PROVIDER, Nvidia, advice, nvidia

L4T = "# R36 (release), REVISION: 4.3, GCID: 38968081, BOARD: generic, EABI: aarch64, DATE: Wed Jan  8 2025\n"
ORIN = Nvidia(gpu="Orin", compute_capability=87, driver_cuda="12.6", l4t="36.4.3", onnxruntime=("onnxruntime 1.32.0",))
CARD = Nvidia(gpu="RTX 4090", compute_capability=89, driver_cuda="13.0", onnxruntime=("onnxruntime 1.32.0",))


def missing() -> Library:
    raise EnvironmentFault("no TensorRT is installed")


@pytest.fixture
def board(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name, text in (
        ("etc/nv_tegra_release", L4T),
        ("usr/local/cuda/version.json", '{"cuda": {"name": "CUDA SDK", "version": "12.6.11"}}'),
    ):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    monkeypatch.setattr(facts, "gpu", lambda: Gpu("Orin", 87, "12.6"))
    monkeypatch.setattr(facts, "installed", lambda: Library("tensorrt", "10.3.0", None))
    return tmp_path


def test_a_jetson(board: Path) -> None:
    found = nvidia(board)
    assert (found.gpu, found.compute_capability, found.driver_cuda, found.cuda) == ("Orin", 87, "12.6", "12.6.11")
    assert (found.l4t, found.jetpack, found.tensorrt) == ("36.4.3", "6.1 or 6.2", "tensorrt 10.3.0")
    assert any(name.startswith("onnxruntime ") for name in found.onnxruntime)
    assert "CPUExecutionProvider" in found.providers


def test_nothing_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(facts, "gpu", lambda: None)
    monkeypatch.setattr(facts, "installed", missing)
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    found = nvidia(tmp_path)
    assert (found.gpu, found.cuda, found.l4t, found.jetpack, found.providers) == ("", "", "", "", ())
    assert found.tensorrt_problem == "no TensorRT is installed"
    assert advice(found) == []


@pytest.mark.parametrize(
    ("text", "cuda"), [("{", ""), ("[]", ""), ('{"cuda": null}', ""), ('{"cuda": {"version": "13.0.1"}}', "13.0.1")]
)
def test_a_damaged_file_of_cuda_is_as_if_it_were_not_there(text: str, cuda: str, board: Path) -> None:
    (board / "usr/local/cuda/version.json").write_text(text, encoding="utf-8")
    assert nvidia(board).cuda == cuda


@pytest.mark.parametrize(
    ("l4t", "jetpack"),
    [("35.4.1", "5"), ("36.3.0", "6.0"), ("36.4.7", "6.1 or 6.2"), ("38.2.1", "7.0 or 7.1"), ("41.1", ""), ("", "")],
)
def test_the_jetpack_of_a_release(l4t: str, jetpack: str) -> None:
    assert Nvidia(l4t=l4t).jetpack == jetpack


def test_a_pc_needs_the_wheels_of_its_cuda() -> None:
    runtime, tensorrt = advice(CARD)
    assert runtime.endswith('pip uninstall onnxruntime, then pip install "onnxruntime-gpu[cuda,cudnn]"')
    assert "pip install tensorrt-cu13, or TensorRT-RTX by pip install tensorrt-rtx-cu12-libs" in tensorrt
    runtime, tensorrt = advice(CARD.replace(driver_cuda="12.8"))
    assert '"onnxruntime-gpu[cuda,cudnn]==1.26.*"' in runtime
    assert "tensorrt-cu12" in tensorrt
    assert "compute capability 7.5" in advice(CARD.replace(compute_capability=61))[1]


def test_two_builds_of_onnx_runtime_are_reported() -> None:
    both = CARD.replace(onnxruntime=("onnxruntime 1.32.0", "onnxruntime-gpu 1.31.1"), tensorrt="tensorrt 10.16")
    assert advice(both) == [
        "onnxruntime 1.32.0 and onnxruntime-gpu 1.31.1 overwrite each other: uninstall both, then install "
        "onnxruntime-gpu"
    ]


def test_nothing_is_missing() -> None:
    assert advice(CARD.replace(providers=(CUDA_PROVIDER,), tensorrt="tensorrt-rtx 1.7.1")) == []


def test_a_jetson_takes_nothing_from_a_package_registry() -> None:
    runtime, tensorrt = advice(ORIN, (3, 10))
    assert "docs/how-to/jetson.md" in runtime
    assert tensorrt.endswith(
        "sudo apt install python3-libnvinfer, and make the environment with --system-site-packages"
    )
    assert advice(ORIN, (3, 12))[1].endswith("by Python 3.10, the only one that it is for")
    assert advice(ORIN.replace(l4t="38.2.1"), (3, 12))[1].endswith("--system-site-packages")


def test_the_command_shows_it(board: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = nvidia(board)
    monkeypatch.setattr(facts, "nvidia", lambda: found)
    said = CliRunner().invoke(main, ["doctor"])
    for line in (
        "Orin, compute capability 8.7, driver for CUDA 12.6",
        "6.1 or 6.2 (Jetson Linux 36.4.3)",
        "tensorrt 10.3.0",
        "For the GPU: This ONNX Runtime does not use the GPU",
    ):
        assert line in said.output


def test_the_driver_says_what_the_gpu_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """A fake of the CUDA driver: an Orin with CUDA 12.6."""
    import ctypes

    from edge_ptf.engines.tensorrt import library

    def fill(value: int) -> object:
        return lambda place, *_: setattr(place._obj, "value", value) or 0

    def name_of(buffer: ctypes.Array[ctypes.c_char], size: int, device: object) -> int:
        buffer.value = b"Orin"
        return 0

    driver = SimpleNamespace(
        cuInit=lambda flags: 0,
        cuDeviceGetCount=fill(1),
        cuDriverGetVersion=fill(12060),
        cuDeviceGet=lambda place, number: 0,
        cuDeviceGetName=name_of,
        cuDeviceGetAttribute=lambda place, attribute, device: setattr(
            place._obj, "value", {library.MAJOR_ATTRIBUTE: 8, library.MINOR_ATTRIBUTE: 7}[attribute]
        ),
    )
    monkeypatch.setattr(library.ctypes, "CDLL", lambda name: driver)
    found = library.gpu()
    assert found is not None
    assert (found.name, found.cuda) == ("Orin", "12.6")
