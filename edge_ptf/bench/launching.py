"""One launch of the latency protocol: the C++ runner on the device, or Python on this machine.

Both programs take the same arguments and write the same record (`docs/bench.schema.json`).
"""

from __future__ import annotations

import itertools
import json
import os
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeAlias

from pydantic import ValidationError

from edge_ptf.bench.devices import Device, Finished, built_runner
from edge_ptf.digests import file_digest, value_digest
from edge_ptf.errors import (
    BadInputError,
    EdgePtfError,
    EnvironmentFault,
    ExitCode,
    PackageError,
    VerificationError,
)
from edge_ptf.machine import Machine, this_machine
from edge_ptf.package.payload import Payload
from edge_ptf.runtime.record import LaunchRecord, Mode
from edge_ptf.runtime.turns import Pace

LOCAL = "local"
SLOWEST_CALL_S = 10.0
"""Limit for one call of the slowest model on the slowest device. A longer call counts as hanging."""
START_S = 300.0
"""Time to load both packages, warm up and write the record on a slow device."""
SOURCES = Path(__file__).resolve().parents[2]
ERRORS: dict[int, type[EdgePtfError]] = {
    ExitCode.BAD_INPUT: PackageError,
    ExitCode.FAIL: VerificationError,
    ExitCode.ENVIRONMENT: EnvironmentFault,
}
Text: TypeAlias = tuple[str, str | None]
Runtime: TypeAlias = Literal["auto", "python", "runner"]


@dataclass(frozen=True, slots=True)
class Workload:
    """The work of each launch."""

    texts: str
    """Path of a `texts_file` on the device."""
    pace: Pace
    mode: Mode = "burst"
    threads: int = 1


@dataclass(slots=True)
class Program:
    """The program that measures on a device. `command` takes the arguments of `edge-ptf-runner bench`."""

    device: Device
    command: Sequence[str]
    env: Mapping[str, str] = field(default_factory=dict)
    _numbers: itertools.count[int] = field(default_factory=itertools.count)

    def launch(
        self, package: str, workload: Workload, seed: int, *, baseline: str | None = None, memory: bool = False
    ) -> LaunchRecord:
        """Starts one process that loads, warms up and measures.

        Args:
            package, baseline: paths on the device.
            seed: seed for the order of the texts.

        Raises:
            PackageError, VerificationError, EnvironmentFault: the program reported this error or ended too early.
        """
        pace, out = workload.pace, self.device.place(f"launch-{next(self._numbers)}.json")
        arguments = ["--texts", workload.texts, "--mode", workload.mode, "--threads", workload.threads]
        arguments += ["--seconds", pace.seconds, "--calls", pace.calls, "--seed", seed, "--out", out]
        arguments += ["--rate", pace.rate] if workload.mode == "paced" else []
        arguments += ["--baseline", baseline] if baseline else []
        arguments += ["--memory"] if memory else []
        done = self.device.run(
            [*self.command, package, *map(str, arguments)], env=self.env, timeout_s=_most_seconds(workload)
        )
        _check(self.device, done)
        record = _parsed(self.device, self.device.get(out))
        if memory and not record.peak_memory_mb:
            raise EnvironmentFault(f"{self.device.name}: the system does not report how much memory a process needed")
        return record


def program_for(device: Device, runtime: Runtime, payloads: Sequence[Payload]) -> Program:
    """Selects the C++ runner or Python.

    Args:
        runtime: auto selects the runner if it is built and supports the packages' tokenizers, else Python. Python can
            only measure on this machine.

    Raises:
        EnvironmentFault: there is no runner for the device.
        BadInputError: the packages only accept token ids, or Python is selected for another device.
    """
    here = device.name == LOCAL
    if runtime == "python" and not here:
        raise BadInputError(
            f"{device.name}: only the C++ runner measures on another device", hint="Leave out --runtime python"
        )
    reason = next((_ids_only(payload) for payload in payloads if not payload.manifest.tokenizer.tables), "")
    missing = here and not runner_files(device.facts(), device.options.runner)
    if runtime == "python" or (runtime == "auto" and here and (reason or missing)):
        path = os.pathsep.join([str(SOURCES), *filter(None, [os.environ.get("PYTHONPATH")])])
        return Program(device, [sys.executable, "-m", "edge_ptf.runtime.bench"], {"PYTHONPATH": path})
    if reason:
        raise BadInputError(reason, hint="Use --runtime python" if here else "Measure it on this machine")
    return Program(device, [device.runner(), "bench"])


def runner_files(machine: Machine, chosen: Path | None = None) -> dict[str, Path]:
    """The runner's files for a machine; empty if the runner is not built for it."""
    try:
        return built_runner.find(machine.arch, android=machine.os.startswith("Android"), chosen=chosen)
    except EnvironmentFault:
        return {}


def runner_digest(runtime: Runtime, payloads: Sequence[Payload], device: Device | None) -> str | None:
    """The digest of the runner that `program_for` would select, for the cache key; None if Python measures.

    Args:
        device: None for this machine.
    """
    here = device is None or device.name == LOCAL
    tables = all(payload.manifest.tokenizer.tables for payload in payloads)
    if runtime == "python" or (runtime == "auto" and here and not tables):
        return None
    files = runner_files(device.facts(), device.options.runner) if device else runner_files(this_machine())
    return value_digest({name: file_digest(path) for name, path in files.items()}) if files else None


def selftest(device: Device, payload: Payload) -> str:
    """Answers the package's golden vectors on the device with the C++ runner. Returns the runner's report.

    Raises:
        VerificationError: an answer differs from its golden vector.
    """
    done = device.run([device.runner(), "selftest", bring_package(device, payload)], timeout_s=START_S)
    _check(device, done)
    return done.out.decode(errors="replace").strip()


def bring_package(device: Device, payload: Payload) -> str:
    """Uploads the package. Returns its path on the device."""
    if payload.path.is_dir():
        if device.name != LOCAL:
            raise BadInputError(f"{payload.path}: a directory", hint="Give a package file instead")
        return str(payload.path.resolve())
    return device.put(payload.path)


@contextmanager
def texts_file(texts: Sequence[Text]) -> Iterator[Path]:
    """A temporary file on this machine with the texts as JSON lines."""
    rows = [{"text": text} if pair is None else {"text": text, "text_pair": pair} for text, pair in texts]
    with tempfile.TemporaryDirectory(prefix="edge-ptf-") as folder:
        file = Path(folder) / "texts.jsonl"
        file.write_text("".join(f"{json.dumps(row)}\n" for row in rows), encoding="utf-8")
        yield file


def _ids_only(payload: Payload) -> str:
    why = payload.manifest.tokenizer.unsupported or "no tokenizer tables"
    return f"{payload.path}: the runner accepts token ids only ({why})"


def _most_seconds(workload: Workload) -> float:
    pace = workload.pace
    calls = 2 * pace.calls * (SLOWEST_CALL_S + (1 / pace.rate if pace.rate else 0))
    return START_S + 2 * pace.seconds + calls


def _check(device: Device, done: Finished) -> None:
    if done.code == ExitCode.OK:
        return
    said = done.err.decode(errors="replace").strip().splitlines()
    last = said[-1].partition(": ")[2] if said and said[-1].startswith("edge-ptf") else "".join(said[-1:])
    if done.code == ExitCode.BAD_INPUT and "no such option" in last:
        raise EnvironmentFault(
            f"{device.name}: the runner has another version than this edge-ptf ({last})", hint="Build the runner again"
        )
    if done.code in ERRORS and last:
        raise ERRORS[done.code](f"{device.name}: {last}")
    raise EnvironmentFault(f"{device.name}: the measuring process ended: {last or f'exit code {done.code}'}")


def _parsed(device: Device, content: bytes) -> LaunchRecord:
    try:
        return LaunchRecord.model_validate_json(content)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise EnvironmentFault(
            f"{device.name}: the record of a launch is damaged ({place}: {first['msg']})",
            hint="The runner may have another version than this edge-ptf: build it again",
        ) from None
