"""The C++ runner as it was built for a processor: which files a device needs of it."""

from __future__ import annotations

import os
import platform
from pathlib import Path

from edge_ptf.errors import BadInputError, EnvironmentFault
from edge_ptf.machine import ARCHITECTURES

TOOL = "edge-ptf-runner"
LIBRARY = "libedge_ptf_runner.so"
ENGINES = ("libonnxruntime.so.1", "libonnxruntime.so")
"""ONNX Runtime as a Linux program asks for it, and as an Android one does."""
BUILD = Path(__file__).resolve().parents[3] / "build"
"""Where `make runner` and `make runner-aarch64` put it, beside a source tree."""


def variable(arch: str) -> str:
    """The environment variable that names the folder for a processor."""
    return f"EDGE_PTF_RUNNER_{arch.upper()}"


def find(arch: str, *, word_bits: int = 64, android: bool = False, chosen: Path | None = None) -> dict[str, Path]:
    """The tool and the libraries it comes with, by the names they must have in one directory.

    Args:
        arch: of the device, such as aarch64.
        word_bits: of the device's programs; a 64-bit kernel may carry a 32-bit system.
        android: the device has Android's C library.
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
    folder = chosen or (Path(named) if named else BUILD / _preset(arch, android))
    if not (folder / TOOL).is_file():
        if chosen or named:
            raise BadInputError(f"{folder}: no {TOOL} in it", hint="Give the folder that the runner was built in")
        raise EnvironmentFault(
            f"no {TOOL} is built for {arch}{' Android' if android else ''}", hint=_how(arch, android)
        )
    places = [folder, folder.parent / "lib"]
    own = next((found for place in places if (found := _own_library(place))), None)
    engine = next(
        (place / name for place in [*places, *_of_build(folder)] for name in ENGINES if (place / name).is_file()), None
    )
    if engine is None:
        raise EnvironmentFault(f"{folder}: {ENGINES[0]} is not with the runner", hint="Put it into that folder")
    return {path.name: path for path in (folder / TOOL, own, engine) if path is not None}


def _preset(arch: str, android: bool) -> str:
    if android and arch == "aarch64":
        return "runner-android-arm64"
    return "runner-release" if arch == _host() else f"runner-{arch}"


def _how(arch: str, android: bool) -> str:
    if android and arch == "aarch64":
        return f"Build it with Android's NDK (cmake --preset android-arm64), or give its folder in {variable(arch)}"
    if arch == _host():
        return "Run `make runner`"
    if arch == "aarch64":
        return "Run `make runner-aarch64`"
    return f"Build cpp_runner for it, and give the folder in {variable(arch)}"


def _host() -> str:
    return ARCHITECTURES.get(platform.machine(), platform.machine())


def _own_library(folder: Path) -> Path | None:
    """The library under the name that programs ask for; a tool that was built static needs none."""
    versions = sorted(folder.glob(f"{LIBRARY}.*"), key=lambda path: len(path.name))
    plain = folder / LIBRARY
    return versions[0] if versions else plain if plain.is_file() else None


def _of_build(folder: Path) -> list[Path]:
    """Where the build found ONNX Runtime."""
    cache = folder / "CMakeCache.txt"
    lines = cache.read_text(encoding="utf-8").splitlines() if cache.is_file() else []
    return [Path(line.partition("=")[2]).parent for line in lines if line.startswith("ONNXRuntime_LIBRARY:")]
