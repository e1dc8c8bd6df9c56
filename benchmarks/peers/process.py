"""The client of a worker process, which answers line by line: see `workers/serve.py`."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Any

from toolkits import QUIET, WORKERS, Engine, python


class WorkerError(Exception):
    """The worker ended. The message is its last line of output."""


class Worker:
    """Use as a context manager."""

    def __init__(self, engine: Engine, model: Path, threads: int) -> None:
        self.words = tempfile.TemporaryFile(mode="w+", encoding="utf-8", errors="replace")  # noqa: SIM115
        self.process = subprocess.Popen(
            [str(python(engine.environment)), str(WORKERS / engine.worker)],
            **{"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": self.words, "text": True},
            env={**os.environ, **QUIET, "OMP_NUM_THREADS": str(threads)},
        )
        try:
            self.engine: str = self.ask(do="load", model=str(model.resolve()), threads=threads)["engine"]
        except WorkerError:
            self.__exit__(None, None, None)
            raise

    def ask(self, **request: Any) -> dict[str, Any]:
        """Sends one request and returns its reply.

        Raises:
            WorkerError: there is no reply.
        """
        assert self.process.stdin and self.process.stdout
        try:
            self.process.stdin.write(json.dumps(request) + "\n")
            self.process.stdin.flush()
            line = self.process.stdout.readline()
        except BrokenPipeError:
            line = ""
        if not line:
            self.process.wait()
            self.words.seek(0)
            lines = self.words.read().strip().splitlines()
            raise WorkerError(lines[-1] if lines else f"exit status {self.process.returncode}")
        return dict(json.loads(line))

    def time_ns(self, rows: list[int]) -> list[int]:
        """The time of one call for each of these texts."""
        return list(self.ask(do="time", rows=rows)["ns"])

    def __enter__(self) -> Worker:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self.process.stdin and self.process.stdout
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()
        self.words.close()
