"""The client of the answering process."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Any

from edge_ptf.errors import EdgePtfError, EnvironmentFault, ExitCode, PackageError, VerificationError
from edge_ptf.examples import Prediction

ERRORS: dict[int, type[EdgePtfError]] = {ExitCode.FAIL: VerificationError, ExitCode.ENVIRONMENT: EnvironmentFault}


class WorkerProcess:
    """Starts `edge_ptf.runtime.worker` as a separate process. Use it as a context manager."""

    def __enter__(self) -> WorkerProcess:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "edge_ptf.runtime.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            self.process.kill()
        self.process.communicate()

    def load(self, path: Path, name: str, threads: int, library: Path | None = None) -> dict[str, Any]:
        """Opens a package in the process, with the C++ runner if `library` is given. Returns `load_ms` and
        `runtime`.
        """
        chosen = {} if library is None else {"library": str(library)}
        return self._ask({"load": str(path), "as": name, "threads": threads, **chosen})

    def answers(self, name: str, texts: list[tuple[str, str | None]]) -> list[Prediction]:
        """The answer to each text, without its details."""
        found = self._ask({"answers": name, "texts": texts})["answers"]
        return [
            Prediction(_tuples(label), score, ranking=tuple(ranking), scores=tuple(scores), rankings=_tuples(rankings))
            for label, score, ranking, scores, rankings in found
        ]

    def _ask(self, request: dict[str, Any]) -> dict[str, Any]:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        try:
            self.process.stdin.write(json.dumps(request) + "\n")
            self.process.stdin.flush()
            line = self.process.stdout.readline()
        except (BrokenPipeError, ValueError):  # ValueError: the process ended earlier and its streams are closed
            line = ""
        if not line.endswith("\n"):
            raise EnvironmentFault(f"the answering process ended: {self._last_words()}")
        reply: dict[str, Any] = json.loads(line)
        if "error" in reply:
            raise ERRORS.get(reply["exit_code"], PackageError)(reply["error"])
        return reply

    def _last_words(self) -> str:
        _, errors = self.process.communicate()
        lines = errors.strip().splitlines()
        return lines[-1] if lines else f"exit code {self.process.returncode}"


def _tuples(value: Any) -> Any:
    """The lists in a JSON value as tuples."""
    return tuple(map(_tuples, value)) if isinstance(value, list) else value
