"""Hardware profiles: what a device is, how its engine runs, which INT8 scheme it executes, and its targets."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator

from edge_ptf import engines as known_engines
from edge_ptf.config import Source, StrictModel, read_yaml, resolve
from edge_ptf.engines import EngineSettings, Opset
from edge_ptf.errors import ConfigError, ProfileError, near_matches
from edge_ptf.machine import Machine, this_machine
from edge_ptf.quantization import Int8Scheme

HOST = "host"
HOST_CANDIDATES = ("jetson", "jetson-agx-orin", "jetson-xavier-nx", "raspberry-pi-5", "raspberry-pi-4", "x86-vnni")
ACCURACY_TARGETS = ("max_drop", "min_score")
"""Targets that have a limit for each metric."""
LAST_RESORTS = ("x86-avx2", "x86-generic", "arm64-generic", "x86-tensorrt")
"""The last one is never 'host': `bench` does not measure a GPU yet."""


class Match(StrictModel):
    """How to recognise the machine; an empty field does not matter."""

    arch: str = Field("", description="x86_64 or aarch64.")
    isa_any: tuple[str, ...] = Field((), description="One of these instruction sets must be there.")
    isa_none: tuple[str, ...] = Field((), description="None of these may be there.")
    device_model: str = Field("", description="Part of the board's name in its device tree.")
    gpu: str = Field("", description="Part of the GPU's name, as its driver says it.")
    os: str = Field("", description="Beginning of the operating system's name.")


class Engine(EngineSettings):
    """How the engine is set up, whichever runs the graph."""

    opset: Opset = 17


class QuantizationScheme(Int8Scheme):
    """The INT8 quantization the device executes exactly and quickly."""

    precision: Literal["int8", "fp32"] = Field("int8", description="fp32: no INT8 at all.")
    mode: Literal["dynamic", "static"] = Field(
        "dynamic", description="When activation ranges are found: at each call, or by calibration."
    )

    def options(self) -> dict[str, Any]:
        """The same as options of the stage `quantize`."""
        return {"mode": "none"} if self.precision == "fp32" else self.model_dump(include=set(Int8Scheme.model_fields))


class LatencyLimit(StrictModel):
    """End-to-end, text to answer, batch 1, in milliseconds."""

    p50: float | None = Field(None, gt=0, description="Limit of the median.")
    p95: float | None = Field(None, gt=0, description="Limit of the 95th percentile.")


class Targets(StrictModel):
    """Limits of the gate; one that is not set is not judged."""

    max_drop: dict[str, float] = Field(
        default_factory=dict,
        description="What a gated metric may lose against the teacher, by metric: points, or the metric's own unit.",
    )
    min_score: dict[str, Annotated[float, Field(allow_inf_nan=False)]] = Field(
        default_factory=dict,
        description="Worst score that a metric may have, by metric: the least one, or the largest one if a lower "
        "score is better; in percent, or in the metric's own unit.",
    )
    latency_ms: LatencyLimit = Field(default_factory=LatencyLimit, description="Only for named boards.")
    min_speedup: float | None = Field(None, gt=0, description="Engine time of the FP32 teacher ÷ that of the package.")
    package_mb: float | None = Field(None, gt=0, description="Size of the sealed package without samples, 10^6 bytes.")
    peak_memory_mb: float | None = Field(None, gt=0, description="Peak resident memory of a process that answers.")

    @field_validator("max_drop")
    @classmethod
    def _not_negative(cls, drops: dict[str, float]) -> dict[str, float]:
        for name, points in drops.items():
            if not 0 <= points <= 100:
                raise ValueError(f"{name}: a drop is between 0 and 100 points")
        return drops


class Profile(StrictModel):
    """One `profiles/*.yaml`."""

    schema_version: Literal[1] = Field(alias="schema", description="Version of this format.")
    name: str = Field(pattern=r"^[a-z0-9][a-z0-9.-]*$", description="Short name, as in --profile.")
    title: str = Field(description="What the device is called.")
    extends: str | None = Field(
        None, description="A profile whose values hold where this one has none; `match` holds as a whole."
    )
    match: Match = Field(default_factory=Match, description="How to recognise the machine.")
    engines: tuple[str, ...] = Field(
        ("onnxruntime",),
        min_length=1,
        description="What runs the graph, the preferred engine first: "
        f"{', '.join((*known_engines.BUILT_FOR, *known_engines.ENGINES))}. All run the same graph.",
    )
    engine: Engine = Field(default_factory=Engine, description="How the engine is set up.")
    scheme: QuantizationScheme = Field(default_factory=QuantizationScheme, description="The INT8 quantization.")
    recipe: dict[str, dict[str, Any]] = Field(default_factory=dict, description="Stage options for this device.")
    targets: Targets = Field(default_factory=Targets, description="Limits of the gate.")
    confidence: float = Field(0.95, gt=0.5, lt=1, description="Confidence of the one-sided bounds.")

    @field_validator("engines")
    @classmethod
    def _known_engines(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        known = (*known_engines.BUILT_FOR, *known_engines.ENGINES)
        for name in names:
            if name not in known:
                raise ValueError(f"unknown engine '{name}'. {near_matches(name, known)}")
        if len({*names}) < len(names):
            raise ValueError("an engine is named twice")
        if not {*names} & {*known_engines.ENGINES}:
            raise ValueError(f"edge-ptf runs none of these engines yet; add {' or '.join(known_engines.ENGINES)}")
        return names


def folder() -> Path:
    """Where the shipped profiles lie: inside the installed package, or at the top of a source tree."""
    package = Path(__file__).parent
    installed = package / "shipped_profiles"
    return installed if installed.is_dir() else package.parent / "profiles"


def names() -> tuple[str, ...]:
    """Names of the shipped profiles."""
    return tuple(sorted(path.stem for path in folder().glob("*.yaml")))


def load(name: str) -> Profile:
    """A shipped profile, a profile file, or for 'host' the shipped profile that fits this machine best.

    Raises:
        ProfileError: no such profile.
        ConfigError: it is not valid; every wrong field with its line.
    """
    if name == HOST:
        return for_machine(this_machine())
    path = Path(name)
    if path.suffix in (".yaml", ".yml") or "/" in name:
        if not path.is_file():
            raise ProfileError(f"{name}: no such profile file", hint=f"Shipped profiles: {', '.join(names())}")
        return read(path)
    if name not in names():
        raise ProfileError(
            f"unknown profile '{name}'", hint=near_matches(name, (*names(), HOST)) + "; or give a YAML file"
        )
    return read(folder() / f"{name}.yaml")


def for_machine(machine: Machine) -> Profile:
    """The shipped profile that fits a machine best: a named board first, then the instruction set.

    Raises:
        ProfileError: none fits.
    """
    if found := fitting(machine):
        return load(found[0])
    raise ProfileError(
        f"no shipped profile fits this machine ({machine.arch}, {machine.cpu})",
        hint="Write one (edge-ptf profiles show arm64-generic > mine.yaml, other match.arch); give --profile mine.yaml",
    )


def fitting(machine: Machine) -> list[str]:
    """The shipped profiles that a machine matches, the best one first."""
    order = {name: place for place, name in enumerate((*HOST_CANDIDATES, *LAST_RESORTS))}
    found = [name for name in names() if not mismatches(load(name), machine)]
    return sorted(found, key=lambda name: order.get(name, len(HOST_CANDIDATES) - 0.5))


def read(path: Path) -> Profile:
    """Reads one file and whatever it extends."""
    return resolve(Profile, _sources(path, ()))


def mismatches(profile: Profile, machine: Machine) -> list[str]:
    """Why a measurement on this machine does not count for the profile; empty when the machine is such a device."""
    wanted, reasons = profile.match, []
    if wanted.arch and machine.arch != wanted.arch:
        reasons.append(f"{machine.arch} is not {wanted.arch}")
    if wanted.isa_any and not set(wanted.isa_any) & set(machine.isa):
        reasons.append(f"the processor has none of {', '.join(wanted.isa_any)}")
    if there := set(wanted.isa_none) & set(machine.isa):
        reasons.append(f"the processor has {', '.join(sorted(there))}")
    if wanted.device_model and wanted.device_model.lower() not in machine.device_model.lower():
        reasons.append(f"'{machine.device_model or machine.cpu}' is no {wanted.device_model}")
    if wanted.gpu and wanted.gpu.lower() not in machine.gpu.lower():
        reasons.append(f"'{machine.gpu}' is no {wanted.gpu} GPU" if machine.gpu else f"there is no {wanted.gpu} GPU")
    if wanted.os and not machine.os.lower().startswith(wanted.os.lower()):
        reasons.append(f"{machine.os or 'this system'} is not {wanted.os}")
    return reasons


def same_architecture(profile: Profile, machine: Machine) -> bool:
    """Whether an engine runs a graph on this machine with the kernels of the profile's processors.

    So it is if the architecture is the same, on another device too. A graph for ARM says nothing about itself on x86.
    """
    return profile.match.arch in ("", machine.arch)


def _sources(path: Path, seen: tuple[Path, ...]) -> list[Source]:
    """The file and what it extends, weakest first."""
    place = path.resolve()
    if place in seen:
        raise ConfigError(f"{path}: 'extends' goes round in a circle ({' → '.join(p.stem for p in (*seen, place))})")
    values, lines = read_yaml(path)
    if not isinstance(values, dict):
        raise ConfigError(f"{path}: not a mapping of fields", hint="Write one 'field: value' on each line")
    own = Source(str(path), values, lines)
    above = values.get("extends")
    if above is None:
        return [own]
    if not isinstance(above, str):
        raise ConfigError(f"{path}:{lines[('extends',)]}: 'extends' takes the name or file of a profile")
    parent = path.parent / above if above.endswith((".yaml", ".yml")) else folder() / f"{above}.yaml"
    if not parent.is_file():
        raise ConfigError(
            f"{path}:{lines[('extends',)]}: 'extends: {above}' is not there", hint=near_matches(above, names())
        )
    below = _sources(parent, (*seen, place))
    if "match" in values:  # another device is recognised in another way
        below = [replace(source, values={**source.values, "match": {}}) for source in below]
    return [*below, own]
