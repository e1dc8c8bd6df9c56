"""A device with a clock that the test sets."""

from __future__ import annotations

import itertools
import json
import random
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from edge_ptf.bench.devices import Device, DeviceFacts, DeviceOptions, Finished
from edge_ptf.errors import EnvironmentFault
from edge_ptf.machine import Machine
from edge_ptf.package import open_payload
from edge_ptf.runtime.record import SCHEMA
from edge_ptf.runtime.turns import Pace, Timer, shuffled, take_turns, warm_up

Ms = Callable[[str, int, int], float]
BOARD = Machine(arch="aarch64", cpu="Cortex-A76", isa=("neon", "asimddp"), cores=4, memory_mb=8000, os="Linux 6.12")
QUIET: dict[str, Any] = {
    "load": 0.1,
    "governor": "performance",
    "ticks": 0,
    "idle_ticks": 0,
    "stolen_ticks": 0,
    "process_ms": 0,
}


def steady(name: str, launch: int, call: int) -> float:
    """A baseline that takes four times as long, with some noise."""
    noise = random.Random(f"{name}{launch}{call}").uniform(0.98, 1.02)
    return (4.0 if name == "baseline" else 1.0) * noise


class FakeDevice(Device):
    """Launches take no time: `ms(name, launch, call)` is the engine time of a call, `facts_of(launch)` what is noted
    before and after it."""

    def __init__(self, ms: Ms = steady, name: str = "ssh://pi@kitchen") -> None:
        self.name, self.ms, self.options = name, ms, DeviceOptions()
        self.machine = BOARD
        self.facts_of: Callable[[int], tuple[dict[str, Any], dict[str, Any]]] = lambda _: ({}, {})
        self.commands: list[list[str]] = []
        self.files: dict[str, bytes] = {}
        self.put_files: list[Path] = []
        self.answers: Callable[[list[str]], Finished | None] = lambda _: None
        self.launch = itertools.count()

    def open(self) -> None:
        """See Device."""

    def probe(self) -> DeviceFacts:
        return DeviceFacts(machine=self.machine)

    def runner(self) -> str:
        return "/run/edge-ptf-runner"

    def put(self, local: Path) -> str:
        self.put_files.append(local)
        self.files[str(local)] = local.read_bytes()
        return str(local)

    def place(self, name: str) -> str:
        return f"/run/{name}"

    def get(self, remote: str) -> bytes:
        if remote not in self.files:
            raise EnvironmentFault(f"{self.name}: {remote} cannot be read")
        return self.files[remote]

    def cleanup(self) -> None:
        """See Device."""

    def run(
        self, argv: Sequence[str], *, env: Mapping[str, str] | None = None, stdin: bytes = b"", timeout_s: float
    ) -> Finished:
        self.commands.append(list(argv))
        if (answer := self.answers(list(argv))) is not None:
            return answer
        if "selftest" in argv:
            return Finished(0, b"16 golden vectors answered\n", b"")
        at = argv.index("--texts") - 1
        options = dict(zip(argv[at + 1 :: 2], argv[at + 2 :: 2], strict=False))
        memory = "--memory" in argv
        self.files[options["--out"]] = json.dumps(self._record(argv[at], options, memory)).encode()
        return Finished(0, b"", b"")

    def _record(self, package: str, options: dict[str, str], memory: bool) -> dict[str, Any]:
        launch = next(self.launch)
        texts = [json.loads(line)["text"] for line in self.files[options["--texts"]].decode().splitlines()]
        order = [texts[number] for number in shuffled(len(texts), int(options["--seed"]))]
        sides = {"payload": package} | ({"baseline": options["--baseline"]} if "--baseline" in options else {})
        times = {name: _Times(open_payload(Path(path)).digest) for name, path in sides.items()}

        def call(name: str, *, kept: bool = True) -> Callable[[int], float]:
            def answer(number: int) -> float:
                ms = self.ms(name, launch, times[name].calls)
                times[name].add(ms, len(order[number % len(order)].split()), kept)
                return ms

            return answer

        for name in sides:
            call(name, kept=False)(0)
            times[name].first = times[name].last
            times[name].warmup = warm_up(call(name, kept=False))
        clock = itertools.count()
        pace = Pace(float(options["--seconds"]), int(options["--calls"]))
        take_turns([call(name) for name in sides], pace, Timer(lambda: float(next(clock)), lambda _: None))
        before, after = self.facts_of(launch)
        return {
            "schema": SCHEMA,
            "runner": "0.1.0",
            "engine": "onnxruntime 1.23.0",
            "machine": self.machine.model_dump(mode="json", exclude={"gpu"}),
            "before": {**QUIET, **before},
            "after": {**QUIET, "ticks": 100, "idle_ticks": 75, "process_ms": 250, **after},
            "mode": options["--mode"],
            "rate": float(options["--rate"]) if "--rate" in options else None,
            "threads": int(options["--threads"]),
            **times["payload"].record(),
            "baseline": times["baseline"].record() if "baseline" in times else None,
            "peak_memory_mb": 100.0 + launch if memory else None,
            "flags": ["what the tool itself says"],
            "warnings": [],
        }


class _Times:
    def __init__(self, digest: str) -> None:
        self.digest, self.calls, self.warmup, self.first, self.last = digest, 0, 0, 0.0, 0.0
        self.engine: list[float] = []
        self.tokens: list[int] = []

    def add(self, ms: float, tokens: int, kept: bool) -> None:
        self.calls, self.last = self.calls + 1, ms
        if kept:
            self.engine.append(ms)
            self.tokens.append(tokens)

    def record(self) -> dict[str, Any]:
        count = len(self.engine)
        return {
            "payload": self.digest,
            "load_ms": 12.5,
            "first_ms": self.first + 0.5,
            "warmup_calls": self.warmup,
            "end_to_end_ms": [ms + 0.5 for ms in self.engine],
            "tokenize_ms": [0.3] * count,
            "engine_ms": self.engine,
            "decode_ms": [0.1] * count,
            "tokens": self.tokens,
        }


@pytest.fixture
def fake_device() -> Callable[..., FakeDevice]:
    """Makes a device with a clock that the test sets."""
    return FakeDevice
