"""Runs a built engine by `trtexec`, the program that comes with TensorRT. It starts once for each text.

The options that are used are those of TensorRT 10.3 to 11.1 (`samples/common/sampleOptions.cpp`).
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edge_ptf.engines.base import Inputs, Outputs, Session, TensorInfo
from edge_ptf.errors import EnvironmentFault

NAME = "trtexec"
FOLDERS = (Path("/usr/src/tensorrt/bin"), Path("/usr/local/tensorrt/bin"))
"""Where JetPack and the containers of NVIDIA have it; it is in no search path there."""
TRANSFERS_OFF_SINCE = 11
"""From this version on the copies to and from the GPU are timed only if an option says so."""
SECONDS = 180
"""For one start, with the loading of the engine."""
WARM_UP_MS = 300
TIMES = ("GPU Compute Time", "H2D Latency", "D2H Latency")


@dataclass(frozen=True, slots=True)
class Timing:
    """Milliseconds of one call, by the clock of the GPU, with the copies of inputs and outputs."""

    median: float
    p95: float


def find() -> Path | None:
    """The program; None if it is not there."""
    if found := shutil.which(NAME):
        return Path(found)
    return next((folder / NAME for folder in FOLDERS if (folder / NAME).is_file()), None)


class TrtexecSession(Session):
    """An engine as a session: correct values, at the price of a start of the program for each call."""

    def __init__(
        self,
        program: Path,
        engine: Path,
        inputs: Sequence[str],
        outputs: Sequence[str],
        lengths: Sequence[int],
        version: str,
    ) -> None:
        """Args:
        inputs: names of the engine's inputs, each int64 [1, length].
        outputs: names of its outputs.
        lengths: the longest text of each optimisation profile, rising.
        version: of TensorRT.
        """
        self.program, self.engine, self.lengths, self.version = program, engine, tuple(lengths), version
        self.inputs, self.outputs = tuple(inputs), tuple(outputs)

    def run(self, feeds: Inputs) -> Outputs:
        """One call.

        Raises:
            EnvironmentFault: the program failed, took too long, or wrote no values.
        """
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "outputs.json"
            once = ["--warmUp=0", "--duration=0", "--iterations=1", "--avgRuns=1", f"--exportOutput={file}"]
            self._start(feeds, Path(folder), once)
            return self._outputs(file)

    def tensors(self) -> tuple[tuple[TensorInfo, ...], tuple[TensorInfo, ...]]:
        """The names alone: the engine's file does not say more to this program."""
        inputs, outputs = (tuple(TensorInfo(name, "", ()) for name in names) for names in (self.inputs, self.outputs))
        return inputs, outputs

    def time(self, feeds: Inputs, seconds: int) -> Timing:
        """The time of a call with a CUDA graph, over some seconds of calls in a row.

        Raises:
            EnvironmentFault: as `run`.
        """
        options = [f"--warmUp={WARM_UP_MS}", f"--duration={seconds}", "--useCudaGraph", "--percentile=95"]
        if int(self.version.partition(".")[0]) >= TRANSFERS_OFF_SINCE:
            options.append("--includeDataTransfers")
        with tempfile.TemporaryDirectory() as folder:
            said = self._start(feeds, Path(folder), options)
        rows = [_row(said, name) for name in TIMES]
        if rows[0] is None:
            raise EnvironmentFault(f"{self.program}: it printed no time of the GPU", hint=_last(said))
        known = [row for row in rows if row is not None]
        return Timing(sum(row[0] for row in known), sum(row[1] for row in known))

    def _start(self, feeds: Inputs, folder: Path, options: Sequence[str]) -> str:
        length = feeds[self.inputs[0]].shape[1]
        for name in self.inputs:
            np.ascontiguousarray(feeds[name], dtype="<i8").tofile(folder / name)
        command = [
            str(self.program),
            f"--loadEngine={self.engine}",
            f"--useProfile={self._profile(length)}",
            "--shapes=" + ",".join(f"{name}:1x{length}" for name in self.inputs),
            "--loadInputs=" + ",".join(f"{name}:{folder / name}" for name in self.inputs),
            *options,
        ]
        try:
            done = subprocess.run(
                command, check=False, capture_output=True, text=True, errors="replace", timeout=SECONDS
            )
        except subprocess.TimeoutExpired:
            raise EnvironmentFault(f"{self.program} did not end within {SECONDS} s with {self.engine}") from None
        except OSError as error:
            raise EnvironmentFault(f"{self.program} cannot be started ({error.strerror})") from None
        if done.returncode:
            raise EnvironmentFault(
                f"{self.program} failed with {self.engine} (exit code {done.returncode})",
                hint=_last(done.stdout + done.stderr),
            )
        return done.stdout

    def _profile(self, length: int) -> int:
        for number, longest in enumerate(self.lengths):
            if length <= longest:
                return number
        raise EnvironmentFault(f"{self.engine}: a text of {length} tokens is longer than {self.lengths[-1]}")

    def _outputs(self, file: Path) -> Outputs:
        try:
            text = re.sub(r"(?<=[\s,])(-?)inf\b", r"\1Infinity", file.read_text(encoding="utf-8"))
            written = json.loads(re.sub(r"(?<=[\s,])-?nan\b", "NaN", text))
            found = {
                item["name"]: np.asarray(item["values"], np.float32).reshape(
                    [int(size) for size in item["dimensions"].split("x")]
                )
                for item in written
            }
            return {name: found[name] for name in self.outputs}
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise EnvironmentFault(f"{self.program} wrote no outputs of {self.engine} ({error!r:.100})") from None


def _row(said: str, name: str) -> tuple[float, float] | None:
    """Median and 95th percentile of a line of the summary."""
    found = re.search(rf"\b{name}: .*?median = ([\d.e+-]+) ms, percentile\(95%\) = ([\d.e+-]+) ms", said)
    return (float(found[1]), float(found[2])) if found else None


def _last(said: str) -> str:
    """The last error that the program printed, or else its last line."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    return next((line for line in reversed(lines) if "[E]" in line), lines[-1] if lines else "it printed nothing")[:300]
