"""TensorRT engines of a package: built, kept beside it, and built again when anything that they depend on differs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from edge_ptf.digests import bytes_digest, canonical_json
from edge_ptf.engines.tensorrt import trtexec
from edge_ptf.engines.tensorrt.builder import build_engine, profile_lengths
from edge_ptf.engines.tensorrt.library import FULL, Library, gpu, installed
from edge_ptf.errors import BadInputError, EnvironmentFault, VerificationError
from edge_ptf.package.manifest import GraphEntry
from edge_ptf.package.payload import Payload
from edge_ptf.package.verification import check_golden
from edge_ptf.progress import SILENT, Progress

TIMING_CACHE = "timing.cache"


@dataclass(frozen=True, slots=True)
class EngineFile:
    """One engine on the disk."""

    path: Path
    capability: int
    size_bytes: int
    reused: bool
    """Nothing that it depends on has changed, so it was not built again."""
    golden: int | None = None
    """Golden texts that it answered within their tolerance, all of them; None: it was not run."""


@dataclass(frozen=True, slots=True)
class EngineFiles:
    """The engines of a package, and what built them."""

    library: str
    version: str
    gpu: str
    """The name of the GPU; empty: there is none."""
    files: tuple[EngineFile, ...]

    def lines(self) -> list[str]:
        """A line about each engine, and what was not checked."""
        found = []
        for file in self.files:
            state = "up to date" if file.reused else "built"
            capability = f"{file.capability // 10}.{file.capability % 10}"
            made = f"{state} with {self.library} {self.version} for compute capability {capability}"
            found.append(f"{file.path}: {made}, {file.size_bytes / 1e6:.1f} MB")
        return [*found, f"Golden vectors: {self._golden()}"]

    def _golden(self) -> str:
        counts = {file.golden for file in self.files} - {None}
        if counts:
            return f"{max(count or 0 for count in counts)} of each engine answered, all within the tolerance"
        if not self.gpu:
            return "not run: no GPU"
        return f"not run: no {trtexec.NAME}, the program of TensorRT that runs an engine"


def build_engines(
    payload: Payload,
    out: Path,
    capabilities: Sequence[int] = (),
    lengths: Sequence[int] = (),
    progress: Progress = SILENT,
) -> EngineFiles:
    """Builds an engine of each graph of a package for each compute capability, with the TensorRT that is installed.

    An engine depends on the payload, its graph, the library and its version, the GPU, the compute capability and the
    lengths. They stand in the JSON file beside it.

    Args:
        out: the directory for `GRAPH.smNN.engine`.
        capabilities: 86 for 8.6, for TensorRT-RTX; empty: that of the GPU of this machine.
        lengths: the longest text of each optimisation profile; empty: the usual ones.

    Raises:
        PackageError: TensorRT cannot build from a graph.
        VerificationError: an engine answers a golden text otherwise.
        BadInputError: the library does not build for a compute capability.
        EnvironmentFault: there is no TensorRT or no GPU where one is needed.
    """
    library, found = installed(), gpu()
    chosen = _capabilities(library, capabilities, found.capability if found else None)
    local = not capabilities
    longest = payload.manifest.tokenizer.max_length
    steps = profile_lengths(library, longest, lengths)
    out.mkdir(parents=True, exist_ok=True)
    files = []
    progress.start("Build engines", len(chosen) * len(payload.manifest.graphs))
    for graph in payload.manifest.graphs:
        content = payload.read(graph.file)
        for capability in chosen:
            path = out / f"{graph.name}.sm{capability}.engine"
            key = {
                "schema_version": 1,
                "payload": payload.digest,
                "graph": bytes_digest(content),
                "library": library.name,
                "version": library.version,
                "gpu": found.name if found and local else "",
                "compute_capability": capability,
                "lengths": list(steps),
            }
            reused = _is_current(path, key)
            if not reused:
                _build(path, content, library, capability, steps, local, key)
            files.append(EngineFile(path, capability, path.stat().st_size, reused))
            progress.advance()
    progress.finish()
    if found and local and library.name == FULL and (program := trtexec.find()):
        files = _answer_golden(payload, files, program, library, steps)
    return EngineFiles(library.name, library.version, found.name if found else "", tuple(files))


def engine_session(
    graph: GraphEntry, engine: Path, program: Path, version: str, lengths: Sequence[int]
) -> trtexec.TrtexecSession:
    """A built engine of a graph, run by `trtexec`."""
    inputs, outputs = ([item.name for item in items] for items in (graph.inputs, graph.outputs))
    return trtexec.TrtexecSession(program, engine, inputs, outputs, lengths, version)


def _answer_golden(
    payload: Payload, files: Sequence[EngineFile], program: Path, library: Library, lengths: Sequence[int]
) -> list[EngineFile]:
    """Runs the golden vectors by the engines of this GPU, one for each graph. Some versions of TensorRT build engines
    that are wrong without an error; such an engine is deleted."""
    graphs = payload.manifest.graphs
    sessions = {
        graph.name: engine_session(graph, file.path, program, library.version, lengths)
        for graph, file in zip(graphs, files, strict=True)
    }
    try:
        count, _ = check_golden(payload, sessions=sessions)
    except VerificationError as error:
        for file in files:
            file.path.unlink()
            _about(file.path).unlink()
        raise VerificationError(
            f"{error.message}: the engine of {library.name} {library.version} is deleted",
            hint="Try another form (quantize --tensorrt) or another version of TensorRT",
        ) from None
    return [replace(file, golden=count) for file in files]


def _capabilities(library: Library, wanted: Sequence[int], here: int | None) -> tuple[int, ...]:
    if not wanted:
        if here is None:
            listed = ",".join(str(known) for known in library.capabilities)
            raise EnvironmentFault(
                "no GPU is here to build for",
                hint=f"Name compute capabilities, e.g. --compute-capability {listed}"
                if listed
                else "Build on the machine with the GPU, or install TensorRT-RTX, which needs none",
            )
        return (here,)
    for capability in wanted:
        if capability not in library.capabilities:
            known = ", ".join(str(each) for each in library.capabilities) or "none: it builds for the GPU that is here"
            raise BadInputError(
                f"{library.name} {library.version} does not build for compute capability {capability} without its GPU",
                hint=f"Known: {known}",
            )
    return tuple(dict.fromkeys(wanted))


def _is_current(path: Path, key: dict[str, Any]) -> bool:
    """Whether an engine was built from the same things and is whole."""
    try:
        written = json.loads(_about(path).read_text(encoding="utf-8"))
        return bool(written == {**key, "sha256": bytes_digest(path.read_bytes())})
    except (OSError, ValueError):
        return False


def _build(
    path: Path,
    content: bytes,
    library: Library,
    capability: int,
    steps: Sequence[int],
    local: bool,
    key: dict[str, Any],
) -> None:
    cache = path.parent / TIMING_CACHE
    before = cache.read_bytes() if cache.is_file() else b""
    engine, after = build_engine(content, library, capability, steps, before, local)
    _about(path).unlink(missing_ok=True)  # an interrupted build leaves no engine that looks current
    path.write_bytes(engine)
    if after:
        cache.write_bytes(after)
    _about(path).write_bytes(canonical_json({**key, "sha256": bytes_digest(engine)}))


def _about(path: Path) -> Path:
    return path.with_suffix(".json")
