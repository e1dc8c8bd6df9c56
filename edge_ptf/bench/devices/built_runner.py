"""Finds the built C++ runner for a processor, and the files that a device needs."""

from __future__ import annotations

import os
import platform
from pathlib import Path

from edge_ptf.errors import BadInputError, EnvironmentFault
from edge_ptf.machine import ARCHITECTURES

TOOL = "edge-ptf-runner"
LIBRARY = "libedge_ptf_runner.so"
ENGINES = ("libonnxruntime.so.1", "libonnxruntime.so")
"""Names of the ONNX Runtime library: the one a Linux program loads, then the one an Android program loads."""
BUILD = Path(__file__).resolve().parents[3] / "build"
"""Output folder of `make runner` and `make runner-aarch64` in a source tree."""


def variable(arch: str) -> str:
    """The environment variable that names the folder for a processor."""
    return f"EDGE_PTF_RUNNER_{arch.upper()}"


def find(arch: str, *, word_bits: int = 64, android: bool = False, chosen: Path | None = None) -> dict[str, Path]:
    """The tool and its libraries, by the names that they must have in one directory.

    Args:
        arch: processor architecture of the device, such as aarch64.
        word_bits: word size of the device's programs; a 64-bit kernel may run a 32-bit system.
        android: the device has Android's C library.
        chosen: the folder to use.

    Raises:
        BadInputError: the chosen folder contains no runner.
        EnvironmentFault: no runner is built for this processor.
    """
    if word_bits != 64:
        raise EnvironmentFault(
            f"the device's system has {word_bits} bits; the runner needs 64",
            hint="Install a 64-bit system on the device",
        )
    named = os.environ.get(variable(arch))
    folder = chosen or (Path(named) if named else BUILD / _preset(arch, android))
    if not (folder / TOOL).is_file():
        if chosen or named:
            raise BadInputError(f"{folder}: no {TOOL} in this folder", hint="Give the folder with the built runner")
        raise EnvironmentFault(
            f"no {TOOL} is built for {arch}{' Android' if android else ''}", hint=_how(arch, android)
        )
    places = [folder, folder.parent / "lib"]
    own = next((found for place in places if (found := _own_library(place))), None)
    engine = next(
        (place / name for place in [*places, *_of_build(folder)] for name in ENGINES if (place / name).is_file()), None
    )
    if engine is None:
        raise EnvironmentFault(f"{folder}: {ENGINES[0]} is missing beside the runner", hint="Copy it into this folder")
    return {path.name: path for path in (folder / TOOL, own, engine) if path is not None}


def _preset(arch: str, android: bool) -> str:
    if android and arch == "aarch64":
        return "runner-android-arm64"
    return "runner-release" if arch == _host() else f"runner-{arch}"


def _how(arch: str, android: bool) -> str:
    if android and arch == "aarch64":
        return f"Build it with Android's NDK (cmake --preset android-arm64), or set {variable(arch)} to its folder"
    if arch == _host():
        return "Run `make runner`"
    if arch == "aarch64":
        return "Run `make runner-aarch64`"
    return f"Build cpp_runner for it, and set {variable(arch)} to the folder"


def _host() -> str:
    return ARCHITECTURES.get(platform.machine(), platform.machine())


def _own_library(folder: Path) -> Path | None:
    """The runner's library under the name that programs load; None for a statically linked tool."""
    versions = sorted(folder.glob(f"{LIBRARY}.*"), key=lambda path: len(path.name))
    plain = folder / LIBRARY
    return versions[0] if versions else plain if plain.is_file() else None


def _of_build(folder: Path) -> list[Path]:
    """The folders where the build found ONNX Runtime."""
    cache = folder / "CMakeCache.txt"
    lines = cache.read_text(encoding="utf-8").splitlines() if cache.is_file() else []
    return [Path(line.partition("=")[2]).parent for line in lines if line.startswith("ONNXRuntime_LIBRARY:")]
