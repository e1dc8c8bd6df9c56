"""Builds a TensorRT engine from an ONNX graph.

The names that are used here exist with these signatures in the Python bindings of TensorRT 10.16, 11.4 and
TensorRT-RTX 1.7.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from edge_ptf.engines.tensorrt.library import RTX, Library
from edge_ptf.engines.tensorrt.verify import verify_graph
from edge_ptf.errors import EnvironmentFault, PackageError

TYPICAL = 16
"""The length in tokens that an engine with one range of lengths is tuned for."""


def build_engine(
    content: bytes,
    library: Library,
    capability: int,
    lengths: Sequence[int],
    timing_cache: bytes = b"",
    local: bool = False,
) -> tuple[bytes, bytes]:
    """An engine for texts that are run one at a time.

    Args:
        content: the ONNX file, with a batch axis and an axis of tokens in each input.
        capability: the compute capability that it is for.
        lengths: the longest text of each optimisation profile, rising; a profile begins behind the one before.
        timing_cache: from an earlier build on the same GPU. TensorRT-RTX has none.
        local: the engine is for the GPU of this machine, not for a compute capability without it.

    Returns:
        The engine and the new timing cache, which is empty for TensorRT-RTX.

    Raises:
        PackageError: TensorRT cannot build from the graph; lists each violation of its rules.
        EnvironmentFault: TensorRT cannot work here.
    """
    refuse(content, library.target, capability)
    trt = library.module
    log = _log(trt)
    try:
        builder = trt.Builder(log)
    except (TypeError, RuntimeError):  # the bindings say only that the library gave nothing
        raise EnvironmentFault(f"{library.name} {library.version} cannot work here ({log.last()})") from None
    network = builder.create_network(1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED))
    parser = trt.OnnxParser(network, log)
    if not parser.parse(content):
        said = [f"{item.node_name()}: {item.desc()}" for item in map(parser.get_error, range(parser.num_errors))]
        raise PackageError(
            f"{library.name} {library.version} cannot read the graph ({_line(said)})",
            hint="Please report it: the check of edge-ptf accepted it",
        )
    config = builder.create_builder_config()
    config.clear_flag(trt.BuilderFlag.TF32)  # FP32 stays FP32, as on the machine that made the golden vectors
    cache = None
    if library.name == RTX:
        config.num_compute_capabilities = 1
        known = trt.ComputeCapability.__members__
        config.set_compute_capability(known["CURRENT" if local else f"SM{capability}"], 0)
    else:
        cache = config.create_timing_cache(timing_cache)
        config.set_timing_cache(cache, False)
    _add_profiles(builder, network, config, lengths)
    engine = builder.build_serialized_network(network, config)
    if engine is None:
        raise EnvironmentFault(f"{library.name} {library.version} built no engine ({log.last()})")
    return bytes(engine), bytes(config.get_timing_cache().serialize()) if cache is not None else b""


def refuse(content: bytes, version: str, capability: int) -> None:
    """Refuses a graph that breaks a rule of TensorRT.

    Raises:
        PackageError: lists each violation.
    """
    problems = [str(found) for found in verify_graph(content, version, capability) if found.refused]
    if problems:
        raise PackageError(
            "TensorRT does not accept the graph",
            hint="Quantize with --tensorrt fp16, int8-ffn or int8",
            problems=problems,
        )


def profile_lengths(library: Library, longest: int, wanted: Sequence[int] = ()) -> tuple[int, ...]:
    """The longest text of each optimisation profile, the last one the longest text of the model.

    TensorRT-RTX makes kernels for the lengths that it meets when it runs, so one profile is enough there.
    """
    chosen = wanted or (() if library.name == RTX else (8, 16, 32, 64, 128))
    return (*sorted({length for length in chosen if length < longest}), longest)


def _add_profiles(builder: Any, network: Any, config: Any, lengths: Sequence[int]) -> None:
    first = 1
    for last in lengths:
        profile = builder.create_optimization_profile()
        for place in range(network.num_inputs):
            tensor = network.get_input(place)
            usual = last if len(lengths) > 1 else min(TYPICAL, last)
            profile.set_shape(tensor.name, (1, first), (1, usual), (1, last))
        config.add_optimization_profile(profile)
        first = last + 1


def _log(trt: Any) -> Any:
    """A logger that keeps the errors of TensorRT. Its base class is that of the library that is used."""

    class Log(trt.ILogger):  # type: ignore[misc]
        def __init__(self) -> None:
            trt.ILogger.__init__(self)
            self.errors: list[str] = []

        def log(self, severity: Any, message: str) -> None:
            if severity <= trt.ILogger.ERROR:
                self.errors.append(message)

        def last(self) -> str:
            return _line(self.errors[-1:])

    return Log()


def _line(said: Sequence[str]) -> str:
    return " ".join("; ".join(said).split())[:300]
