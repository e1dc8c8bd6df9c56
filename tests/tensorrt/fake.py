"""A fake of TensorRT's Python module, for what happens around a build. It builds nothing.

`make tensorrt` builds the same packages with the real TensorRT-RTX.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import onnx
import pytest

from edge_ptf.engines.tensorrt.library import RTX, Gpu, Library
from edge_ptf.package import engine_files

ORIN = Gpu("Orin", 87)


def install(
    patch: pytest.MonkeyPatch, name: str = RTX, version: str = "1.7.1", gpu: Gpu | None = None, **options: Any
) -> Fake:
    """Makes a fake the TensorRT of this machine, and gives the machine a GPU or none."""
    fake = Fake(version, **options)
    patch.setattr(engine_files, "installed", lambda: Library(name, version, fake))
    patch.setattr(engine_files, "gpu", lambda: gpu)
    return fake


class Named(SimpleNamespace):
    """An enumeration."""

    @property
    def __members__(self) -> dict[str, Any]:
        return dict(vars(self))


class Fake:
    """The module. `built` lists what each build was asked for. With `runs` an engine is its graph, for the fake of
    `trtexec`."""

    def __init__(self, version: str = "1.7.1", refuses: str = "", here: bool = True, runs: bool = False) -> None:
        self.__version__ = version
        self.built: list[dict[str, Any]] = []
        self.refuses, self.here, self.runs = refuses, here, runs
        self.NetworkDefinitionCreationFlag = Named(STRONGLY_TYPED=1)
        self.BuilderFlag = Named(TF32=7)
        self.ComputeCapability = Named(NONE=0, CURRENT=1, SM86=86, SM89=89)
        self.ILogger = type("ILogger", (), {"ERROR": 1, "__init__": lambda log: None})

    def Builder(self, log: Any) -> Any:
        if not self.here:
            log.log(1, "CUDA driver version is insufficient")
            raise TypeError("factory function returned nullptr")
        module, asked = self, {"profiles": [], "log": log}

        def build(network: Any, config: Any) -> bytes | None:
            if module.refuses:
                log.log(1, module.refuses)
                return None
            module.built.append({**asked, "graph": network.content, "capability": config.capability})
            return network.content if module.runs else b"engine of " + str(config.capability).encode()

        return SimpleNamespace(
            create_network=lambda flags: SimpleNamespace(flags=flags, content=b"", num_inputs=0),
            create_builder_config=lambda: Config(asked),
            create_optimization_profile=lambda: Profile(asked),
            build_serialized_network=build,
        )

    def OnnxParser(self, network: Any, log: Any) -> Any:
        def parse(content: bytes) -> bool:
            network.content = content
            inputs = onnx.load_model_from_string(content).graph.input
            network.num_inputs = len(inputs)
            network.get_input = lambda place: SimpleNamespace(name=inputs[place].name)
            return True

        return SimpleNamespace(parse=parse, num_errors=0, get_error=None)


class Profile:
    """An optimisation profile."""

    def __init__(self, asked: dict[str, Any]) -> None:
        self.shapes: dict[str, Any] = {}
        asked["profiles"].append(self.shapes)

    def set_shape(self, name: str, least: Any, usual: Any, most: Any) -> None:
        self.shapes[name] = (least, usual, most)


class Config:
    """A builder's configuration."""

    def __init__(self, asked: dict[str, Any]) -> None:
        self.asked, self.capability, self.num_compute_capabilities = asked, 0, 0
        self.cache: Any = None

    def clear_flag(self, flag: int) -> None:
        self.asked["cleared"] = flag

    def set_compute_capability(self, value: int, place: int) -> None:
        self.capability = value

    def add_optimization_profile(self, profile: Profile) -> int:
        return len(self.asked["profiles"]) - 1

    def create_timing_cache(self, content: bytes) -> Any:
        return SimpleNamespace(serialize=lambda: content + b"timed ")

    def set_timing_cache(self, cache: Any, ignore_mismatch: bool) -> bool:
        self.cache = cache
        return True

    def get_timing_cache(self) -> Any:
        return self.cache
