"""What a machine has of NVIDIA: GPU, driver, CUDA, JetPack, TensorRT, and the build of ONNX Runtime."""

from __future__ import annotations

import json
import re
import sys
from importlib import metadata
from pathlib import Path

from pydantic import Field

from edge_ptf.config import StrictModel
from edge_ptf.engines.tensorrt.library import WHEELS, gpu, installed
from edge_ptf.errors import EnvironmentFault

GPU_WHEEL, CPU_WHEEL = "onnxruntime-gpu", "onnxruntime"
LAST_FOR_CUDA_12 = "1.26.*"
"""Of onnxruntime-gpu: its extras of 1.26.0 name CUDA 12, those of 1.31.1 name CUDA 13."""
CUDA_PROVIDER = "CUDAExecutionProvider"
LEAST_CAPABILITY = 75
"""Of TensorRT-RTX and of TensorRT 11."""
JETPACKS = {"35": "5", "36.2": "6.0", "36.3": "6.0", "36.4": "6.1 or 6.2", "38": "7.0 or 7.1"}
"""JetPack by the release of Jetson Linux (L4T), or by its first number."""
JETPACK_PYTHON = (3, 10)
"""JetPack 6 has the Python module of TensorRT for this version only."""


class Nvidia(StrictModel):
    """What is there. An empty text means that it is not."""

    gpu: str = Field("", description="The first GPU, by the driver.")
    compute_capability: int | None = Field(None, description="87 for 8.7.")
    driver_cuda: str = Field("", description="The newest CUDA that the driver runs.")
    cuda: str = Field("", description="The CUDA toolkit in /usr/local/cuda.")
    l4t: str = Field("", description="Release of Jetson Linux, such as 36.4.3.")
    tensorrt: str = Field("", description="Library and version.")
    tensorrt_problem: str = Field("", description="Why TensorRT cannot be used.")
    onnxruntime: tuple[str, ...] = Field((), description="Installed wheels of ONNX Runtime, with their versions.")
    providers: tuple[str, ...] = Field((), description="Execution providers of that ONNX Runtime.")

    @property
    def jetpack(self) -> str:
        """The JetPack of a Jetson; empty if it is no Jetson, or if its release is not known."""
        numbers = self.l4t.split(".")
        return JETPACKS.get(".".join(numbers[:2])) or JETPACKS.get(numbers[0], "")


def nvidia(root: Path = Path("/")) -> Nvidia:
    """Looks at this machine.

    Args:
        root: the directory that contains /etc and /usr.
    """
    found, problem = "", ""
    try:
        library = installed()
        found = f"{library.name} {library.version}"
    except EnvironmentFault as error:
        problem = error.message
    device = gpu()
    return Nvidia(
        gpu=device.name if device else "",
        compute_capability=device.capability if device else None,
        driver_cuda=device.cuda if device else "",
        cuda=_cuda(root / "usr/local/cuda/version.json"),
        l4t=_l4t(root / "etc/nv_tegra_release"),
        tensorrt=found,
        tensorrt_problem=problem,
        onnxruntime=tuple(f"{name} {version}" for name in (CPU_WHEEL, GPU_WHEEL) if (version := _version(name))),
        providers=_providers(),
    )


def advice(found: Nvidia, python: tuple[int, int] = sys.version_info[:2]) -> list[str]:
    """What to install so that the GPU can be used, one sentence each; [] without a GPU."""
    if not found.gpu:
        return []
    return [*_onnxruntime_advice(found), *_tensorrt_advice(found, python)]


def _onnxruntime_advice(found: Nvidia) -> list[str]:
    if len(found.onnxruntime) > 1:
        return [
            f"{' and '.join(found.onnxruntime)} overwrite each other: uninstall both, then install {GPU_WHEEL}",
        ]
    if CUDA_PROVIDER in found.providers:
        return []
    if found.l4t:
        return [
            "This ONNX Runtime does not use the GPU, and no package registry of Python has one that does on a Jetson: "
            "see docs/how-to/jetson.md"
        ]
    pinned = "" if _major(found.driver_cuda) >= 13 else f"=={LAST_FOR_CUDA_12}"
    return [
        f"This ONNX Runtime does not use the GPU: pip uninstall {CPU_WHEEL}, then "
        f'pip install "{GPU_WHEEL}[cuda,cudnn]{pinned}"'
    ]


def _tensorrt_advice(found: Nvidia, python: tuple[int, int]) -> list[str]:
    if found.tensorrt:
        return []
    if found.l4t:
        wrong = found.jetpack.startswith("6") and python != JETPACK_PYTHON
        version = ".".join(map(str, JETPACK_PYTHON))
        return [
            "TensorRT's Python module is missing: sudo apt install python3-libnvinfer, and make the environment with "
            f"--system-site-packages{f' by Python {version}, the only one that it is for' if wrong else ''}"
        ]
    if (found.compute_capability or 0) < LEAST_CAPABILITY:
        return [f"TensorRT 11 and TensorRT-RTX need compute capability {LEAST_CAPABILITY / 10:g} or newer"]
    return [
        f"TensorRT is missing: pip install tensorrt-cu{13 if _major(found.driver_cuda) >= 13 else 12}, or TensorRT-RTX "
        f"by pip install {WHEELS}"
    ]


def _major(version: str) -> int:
    return int(version.partition(".")[0] or 0)


def _cuda(file: Path) -> str:
    try:
        return str(json.loads(file.read_text(encoding="utf-8"))["cuda"]["version"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def _l4t(file: Path) -> str:
    """Its first line begins so: # R36 (release), REVISION: 4.3."""
    try:
        text = file.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    found = re.match(r"# R(\d+) \(release\), REVISION: (\d+(?:\.\d+)*)", text)
    return f"{found[1]}.{found[2]}" if found else ""


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return ""


def _providers() -> tuple[str, ...]:
    try:
        import onnxruntime
    except ImportError:
        return ()
    return tuple(onnxruntime.get_available_providers())
