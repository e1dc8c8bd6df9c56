"""The C++ runner as it was built for a processor: which files a device needs of it."""

from __future__ import annotations

import os
import platform
from pathlib import Path

from edge_ptf.errors import BadInputError, EnvironmentFault
from edge_ptf.machine import ARCHITECTURES

TOOL = "edge-ptf-runner"
ENGINE = "libonnxruntime.so.1"
BUILD = Path(__file__).resolve().parents[3] / "build"
"""Where `make runner` and `make runner-aarch64` put it, beside a source tree."""


def variable(arch: str) -> str:
    """The environment variable that names the folder for a processor."""
    return f"EDGE_PTF_RUNNER_{arch.upper()}"


def find(arch: str, word_bits: int = 64, chosen: Path | None = None) -> dict[str, Path]:
    """The tool and the libraries it comes with, by the names they must have in one directory.

    Args:
        arch: of the device, such as aarch64.
        word_bits: of the device's programs; a 64-bit kernel may carry a 32-bit system.
        chosen: the folder to take.

    Raises:
        BadInputError: the chosen folder holds no runner.
        EnvironmentFault: none is built for that processor.
    """
    if word_bits != 64:
        raise EnvironmentFault(
            f"the device's system has {word_bits} bits; the runner needs 64", hint="Install a 64-bit system on it"
        )
    named = os.environ.get(variable(arch))
    folder = chosen or (Path(named) if named else _built(arch))
    if not (folder / TOOL).is_file():
        if chosen or named:
            raise BadInputError(f"{folder}: no {TOOL} in it", hint="Give the folder that the runner was built in")
        raise EnvironmentFault(f"no {TOOL} is built for {arch}", hint=_how(arch))
    libraries = [_library(folder, arch)] if not (folder / ENGINE).is_file() else [folder / ENGINE]
    own = sorted(folder.glob("libedge_ptf_runner.so.*"), key=lambda path: len(path.name))
    own += sorted((folder.parent / "lib").glob("libedge_ptf_runner.so.*"), key=lambda path: len(path.name))
    return {TOOL: folder / TOOL, **{path.name: path for path in (*own[:1], *libraries)}}


def _built(arch: str) -> Path:
    return BUILD / ("runner-release" if arch == _host() else f"runner-{arch}")


def _host() -> str:
    return ARCHITECTURES.get(platform.machine(), platform.machine())


def _how(arch: str) -> str:
    if arch == _host():
        return "Run `make runner`"
    if arch == "aarch64":
        return "Run `make runner-aarch64`"
    return f"Build cpp_runner for it, and give the folder in {variable(arch)}"


def _library(folder: Path, arch: str) -> Path:
    """ONNX Runtime: beside the tool once installed, else where the build found it."""
    places = [folder.parent / "lib", *_of_build(folder)]
    for place in places:
        if (place / ENGINE).is_file():
            return place / ENGINE
    raise EnvironmentFault(f"{folder}: {ENGINE} for {arch} is not with the runner", hint="Put it into that folder")


def _of_build(folder: Path) -> list[Path]:
    cache = folder / "CMakeCache.txt"
    lines = cache.read_text(encoding="utf-8").splitlines() if cache.is_file() else []
    return [Path(line.partition("=")[2]).parent for line in lines if line.startswith("ONNXRuntime_LIBRARY:")]
