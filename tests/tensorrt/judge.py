"""TensorRT-RTX must accept and refuse the same graphs as edge-ptf: `python tests/tensorrt/judge.py FOLDER`.

It runs in the environment of `make tensorrt`, and imports nothing of edge-ptf. FOLDER is what `tests.tensorrt.write`
wrote. Each graph is parsed into a strongly typed network and built for a compute capability, which needs no GPU. Each
has a process of its own, because a graph can end the builder with a memory fault. A fault is a refusal, and is counted
apart. The exit code is 1 if a result differs.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import tensorrt_rtx_bindings as tensorrt

LEAST, USUAL, MOST = 1, 16, 64
SECONDS = 60
"""How long one graph may take; then its process is ended, as by a fault."""
FAULT = "the process ended"


class Quiet(tensorrt.ILogger):  # type: ignore[misc]
    """Keeps the errors."""

    def __init__(self) -> None:
        tensorrt.ILogger.__init__(self)
        self.errors: list[str] = []

    def log(self, severity: Any, message: str) -> None:
        if severity <= tensorrt.ILogger.ERROR:
            self.errors.append(message)


def refused(content: bytes, capability: int) -> str:
    """Why TensorRT-RTX refuses a graph; '' if it builds an engine."""
    logger = Quiet()
    builder = tensorrt.Builder(logger)
    network = builder.create_network(1 << int(tensorrt.NetworkDefinitionCreationFlag.STRONGLY_TYPED))
    parser = tensorrt.OnnxParser(network, logger)
    if not parser.parse(content):
        return "parser: " + "; ".join(parser.get_error(place).desc() for place in range(parser.num_errors))
    config = builder.create_builder_config()
    profile = builder.create_optimization_profile()
    for place in range(network.num_inputs):
        tensor = network.get_input(place)
        shape = tuple(tensor.shape)
        if any(size < 0 for size in shape):
            sizes = [tuple(most if size < 0 else size for size in shape) for most in (LEAST, USUAL, MOST)]
            profile.set_shape(tensor.name, *sizes)
    config.add_optimization_profile(profile)
    config.num_compute_capabilities = 1
    config.set_compute_capability(tensorrt.ComputeCapability.__members__[f"SM{capability}"], 0)
    if builder.build_serialized_network(network, config) is None:
        return "builder: " + "; ".join(logger.errors)
    return ""


def apart(content: bytes, capability: int) -> str:
    """The same in a process of its own."""
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        signal.alarm(SECONDS)
        for number in (1, 2):  # the library prints warnings
            os.dup2(os.open(os.devnull, os.O_WRONLY), number)
        try:
            os.write(writing, refused(content, capability).encode()[:60_000])
            os._exit(0)
        except BaseException as error:
            os.write(writing, repr(error).encode()[:60_000])
            os._exit(1)
    os.close(writing)
    with os.fdopen(reading, "rb") as stream:
        said = stream.read().decode()
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        return f"{FAULT} by signal {os.WTERMSIG(status)}"
    if status:
        raise RuntimeError(f"this script failed: {said}")
    return said


def judged(item: dict[str, Any]) -> tuple[dict[str, Any], str]:
    """What `write` said of a graph, and what TensorRT-RTX says."""
    return item, apart((Path(sys.argv[1]) / item["file"]).read_bytes(), item["for"])


def main() -> int:
    items = json.loads((Path(sys.argv[1]) / "expected.json").read_text(encoding="utf-8"))
    differing, counts = 0, Counter[str]()
    with multiprocessing.get_context("fork").Pool(os.cpu_count()) as workers:
        for item, said in workers.imap(judged, items, chunksize=8):
            verdict = ("fault" if said.startswith(FAULT) else "refused") if said else "accepted"
            counts[f"{item['group']}: {verdict}"] += 1
            if bool(said) != bool(item["refused"]):
                differing += 1
                reason = said[:300] or "accepts"
                print(f"DIFFERS {item['group']}, {item['name']}: TensorRT-RTX: {reason}", item["refused"])
    for group, count in sorted(counts.items()):
        print(f"{group} {count}")
    print(f"TensorRT-RTX {tensorrt.__version__}: {sum(counts.values())} graphs, {differing} judged differently")
    return 1 if differing or not counts else 0


if __name__ == "__main__":
    sys.exit(main())
