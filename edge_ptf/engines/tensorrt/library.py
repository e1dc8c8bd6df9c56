"""The TensorRT that is installed here: the full library (10 or 11) or TensorRT-RTX."""

from __future__ import annotations

import ctypes
import re
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from edge_ptf.errors import EnvironmentFault

FULL, RTX = "tensorrt", "tensorrt-rtx"
MODULES = {"tensorrt": FULL, "tensorrt_rtx": RTX, "tensorrt_rtx_bindings": RTX}
"""Python modules in the order in which they are tried, and the library of each."""
WHEELS = "tensorrt-rtx-cu12-libs tensorrt-rtx-cu12-bindings"
VERSIONS = (10, 11)
"""Of the full library."""
MAJOR_ATTRIBUTE, MINOR_ATTRIBUTE = 75, 76
"""CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR and _MINOR of the CUDA driver API."""


@dataclass(frozen=True, slots=True)
class Library:
    """A TensorRT that is installed."""

    name: str
    """`tensorrt` or `tensorrt-rtx`."""
    version: str
    module: Any

    @property
    def target(self) -> str:
        """The name of its rules, as in `TARGETS`."""
        return "rtx" if self.name == RTX else f"{self.version.partition('.')[0]}.x"

    @property
    def capabilities(self) -> tuple[int, ...]:
        """The compute capabilities that it builds for without their GPU, 86 for 8.6."""
        if self.name != RTX:
            return ()
        names = self.module.ComputeCapability.__members__
        return tuple(int(name[2:]) for name in names if re.fullmatch(r"SM\d+", name))


@dataclass(frozen=True, slots=True)
class Gpu:
    """The first GPU of the machine."""

    name: str
    capability: int
    """87 for 8.7."""
    cuda: str = ""
    """The newest version of CUDA that the driver runs, such as 12.6."""


def installed() -> Library:
    """The TensorRT of this machine; the full library is preferred.

    Raises:
        EnvironmentFault: there is none, or one that is too old.
    """
    for module, name in MODULES.items():
        try:
            found = import_module(module)
        except (ImportError, OSError):  # OSError: the wheel has names only, without the library
            continue
        library = Library(name, str(found.__version__), found)
        if name == FULL and int(library.version.partition(".")[0]) not in VERSIONS:
            raise EnvironmentFault(
                f"TensorRT {library.version} is installed, and edge-ptf builds with TensorRT 10, 11 or TensorRT-RTX",
                hint="Use JetPack 6.1 or newer on a Jetson",
            )
        return library
    raise EnvironmentFault(
        "no TensorRT is installed",
        hint=f"On a PC: pip install {WHEELS}; on a Jetson: JetPack's Python package python3-libnvinfer",
    )


def gpu() -> Gpu | None:
    """The first GPU, by the CUDA driver; None if there is no driver or no GPU."""
    try:
        driver = ctypes.CDLL("libcuda.so.1")
    except OSError:
        return None
    count, device, name = ctypes.c_int(), ctypes.c_int(), ctypes.create_string_buffer(128)
    if driver.cuInit(0) or driver.cuDeviceGetCount(ctypes.byref(count)) or not count.value:
        return None
    values, version = (ctypes.c_int * 2)(), ctypes.c_int()
    driver.cuDriverGetVersion(ctypes.byref(version))  # 12060 for 12.6
    driver.cuDeviceGet(ctypes.byref(device), 0)
    driver.cuDeviceGetName(name, len(name), device)
    for place, attribute in enumerate((MAJOR_ATTRIBUTE, MINOR_ATTRIBUTE)):
        driver.cuDeviceGetAttribute(ctypes.byref(values, place * ctypes.sizeof(ctypes.c_int)), attribute, device)
    cuda = f"{version.value // 1000}.{version.value % 1000 // 10}"
    return Gpu(name.value.decode(), 10 * values[0] + values[1], cuda)
