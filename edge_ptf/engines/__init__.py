"""Engines: what runs a graph. One package for each, which defines `ENGINE`.

To add an engine, add its package here and its name to `PACKAGES`. See docs/how-to/add-an-engine.md.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from importlib import import_module

from edge_ptf.engines.base import Engine, Session, TensorInfo
from edge_ptf.engines.parallel import answer_all
from edge_ptf.engines.settings import EngineSettings, Opset, Threads
from edge_ptf.errors import BadInputError, EnvironmentFault, PackageError, near_matches

__all__ = [
    "BUILT_FOR",
    "ENGINES",
    "PACKAGES",
    "Engine",
    "EngineSettings",
    "Opset",
    "Session",
    "TensorInfo",
    "Threads",
    "answer_all",
    "engine_for",
    "formats",
    "get",
    "running",
]

PACKAGES = ("onnxruntime",)
BUILT_FOR = ("tensorrt",)
"""Engines that edge-ptf makes graphs and builds files for, and does not run yet."""

ENGINES: dict[str, Engine] = {name: import_module(f"{__name__}.{name}").ENGINE for name in PACKAGES}


def get(name: str) -> Engine:
    """The engine of that name.

    Raises:
        BadInputError: there is none; the hint names the closest.
    """
    if name not in ENGINES:
        raise BadInputError(f"unknown engine '{name}'", hint=near_matches(name, ENGINES))
    return ENGINES[name]


def formats() -> tuple[str, ...]:
    """Every format of a graph that an engine here runs."""
    return tuple(dict.fromkeys(name for engine in ENGINES.values() for name in engine.formats))


def running(graph_format: str) -> tuple[Engine, ...]:
    """The engines that run graphs of a format, at least one; the first is preferred.

    Raises:
        BadInputError: there is none; the hint names the closest format.
    """
    if found := tuple(engine for engine in ENGINES.values() if graph_format in engine.formats):
        return found
    raise BadInputError(f"unknown graph format '{graph_format}'", hint=near_matches(graph_format, formats()))


def engine_for(graph_format: str, required: Mapping[str, str], where: str) -> Engine:
    """The engine that runs a package's graph here.

    Args:
        graph_format: as in `graphs[].format`.
        required: `requires.engines`: name and least version of every engine that may run the package.
        where: the package, for messages.

    Raises:
        PackageError: the package names no version.
        EnvironmentFault: no engine here is among them, or its version is too old.
    """
    too_old = ""
    for engine in running(graph_format):
        least = required.get(engine.name)
        if least is None:
            continue
        found = engine.version()
        if _numbers(re.sub(r"[^\d.].*", "", found).rstrip("."), where) >= _numbers(least, where):
            return engine
        too_old = f"{where}: the package requires {engine.name} {least} or newer; {found} is installed"
    if too_old:
        raise EnvironmentFault(too_old, hint="Install a newer version of it")
    names = ", ".join(required)
    raise EnvironmentFault(
        f"{where}: the package runs on the engines '{names}', and edge-ptf has none of them",
        hint=near_matches(next(iter(required), ""), ENGINES),
    )


def _numbers(version: str, where: str) -> list[int]:
    """'1.23.0' as [1, 23]: a number that is not there counts as 0."""
    if not re.fullmatch(r"\d{1,9}(\.\d{1,9})*", version):
        raise PackageError(f"{where}: requires.engines: '{version[:20]}' is not a version such as 1.23")
    return [int(part) for part in re.sub(r"(\.0+)*$", "", version).split(".")]
