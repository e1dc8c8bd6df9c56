"""The answering process: `python -m edge_ptf.runtime.worker` serves packages over JSON lines on its standard streams.

Requests are one JSON object per line:
  {"load": path, "as": name, "threads": n}      opens a package; returns load_ms and the runtime;
                                                with "library": path, the C++ runner opens it
  {"answers": name, "texts": [[text, pair]…]}   answers each text; returns label, score and ranking, then
                                                the scores and rankings of several tasks
The reply to a failed request is {"error": …}. The process ends when its input ends.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

from edge_ptf.errors import EdgePtfError
from edge_ptf.runtime.native import NativeRunner, load_library
from edge_ptf.runtime.runner import Runner, timed_runner

NANO = 1e-6


class Worker:
    """The open packages, by name."""

    def __init__(self) -> None:
        self.runners: dict[str, Runner] = {}
        self.native: dict[str, NativeRunner] = {}

    def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        """The reply to one request."""
        if "library" in request:
            return self._load_native(request)
        if "load" in request:
            return self._load(request)
        name = request["answers"]
        return self._answers(self.native.get(name) or self.runners[name], request["texts"])

    def _load(self, request: dict[str, Any]) -> dict[str, Any]:
        runner, elapsed = timed_runner(Path(request["load"]), request["threads"])
        self.runners[request["as"]] = runner
        runtime = {"name": runner.engine.name, "version": runner.engine.version(), "threads": request["threads"]}
        return {"load_ms": elapsed, "runtime": runtime}

    def _load_native(self, request: dict[str, Any]) -> dict[str, Any]:
        library = load_library(request["library"])
        started = time.perf_counter_ns()
        self.native[request["as"]] = NativeRunner(Path(request["load"]), request["threads"], library)
        elapsed = (time.perf_counter_ns() - started) * NANO
        name, version = library.engine
        runtime = {"name": name, "version": version, "threads": request["threads"], "runner": library.title}
        return {"load_ms": elapsed, "runtime": runtime}

    @staticmethod
    def _answers(runner: Runner | NativeRunner, texts: list[Any]) -> dict[str, Any]:
        found = [runner.answer(text, pair) for text, pair in texts]
        return {"answers": [[each.label, each.score, each.ranking, each.scores, each.rankings] for each in found]}


def main() -> None:
    """Serves until the input ends."""
    worker = Worker()
    for line in sys.stdin:
        try:
            reply = worker.answer(json.loads(line))
        except EdgePtfError as error:
            reply = {"error": str(error), "exit_code": int(error.exit_code)}
        sys.stdout.write(json.dumps(reply) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
