"""One launch of the latency protocol in Python.

`python -m edge_ptf.runtime.bench` takes the arguments of `edge-ptf-runner bench` and writes the same record.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from edge_ptf.engines.base import joined_outputs
from edge_ptf.environment import environment
from edge_ptf.errors import BadInputError, EdgePtfError
from edge_ptf.machine import this_machine
from edge_ptf.runtime.memory import peak_memory_mb
from edge_ptf.runtime.record import SCHEMA
from edge_ptf.runtime.runner import timed_runner
from edge_ptf.runtime.turns import Pace, shuffled, take_turns, warm_up

Text = tuple[str, str | None]
DIGITS = 6
"""Decimal places of a time in ms. The clock counts nanoseconds."""


class Subject:
    """A package in this process, called with one text after another."""

    def __init__(self, package: Path, threads: int, texts: Sequence[Text]) -> None:
        self.runner, self.load_ms = timed_runner(package, threads)
        self.texts = texts
        self.warmup_calls = 0
        self.rows: list[tuple[float, float, float, float, int]] = []
        self.first_ms = self._answer(0)[0]

    def warm_up(self) -> None:
        """Calls the package until the times are steady."""
        self.warmup_calls = warm_up(lambda number: self._answer(number)[0])

    def call(self, number: int) -> float:
        """Answers a text and stores the times."""
        self.rows.append(self._answer(number))
        return self.rows[-1][0]

    def record(self) -> dict[str, Any]:
        """The part of the record for one package."""
        names = ("end_to_end_ms", "tokenize_ms", "engine_ms", "decode_ms")
        columns = list(zip(*self.rows, strict=True))
        return {
            "payload": self.runner.payload.digest,
            "load_ms": round(self.load_ms, DIGITS),
            "first_ms": round(self.first_ms, DIGITS),
            "warmup_calls": self.warmup_calls,
            **{name: [round(ms, DIGITS) for ms in columns[place]] for place, name in enumerate(names)},
            "tokens": list(columns[4]),
        }

    def _answer(self, number: int) -> tuple[float, float, float, float, int]:
        """End-to-end, tokenizer, engine and decoding time in ms, and tokens. Engine time is that of the graph only."""
        clock, runner = time.perf_counter_ns, self.runner
        text, pair = self.texts[number % len(self.texts)]
        begin = clock()
        encoding = runner.encode(text, pair)
        feeds = [runner.session.feeds(part) for part in encoding.parts()]
        before = clock()
        parts = [runner.session.run(feed) for feed in feeds]
        after = clock()
        runner.task.head.decode(runner.task.head.read(joined_outputs(parts)), encoding, text)
        end = clock()
        times = (end - begin, before - begin, after - before, end - after)
        whole, tokenize, engine, decode = (each / 1e6 for each in times)
        return whole, tokenize, engine, decode, len(encoding.input_ids)


def launch(arguments: argparse.Namespace) -> dict[str, Any]:
    """Loads, warms up and measures. Returns the record."""
    texts = read_texts(arguments.texts)
    texts = [texts[number] for number in shuffled(len(texts), arguments.seed)]
    before = environment()
    subject = Subject(arguments.package, arguments.threads, texts)
    engine = subject.runner.engine
    baseline = Subject(arguments.baseline, arguments.threads, texts) if arguments.baseline else None
    packages = [subject, baseline] if baseline else [subject]
    for package in packages:
        package.warm_up()
    rate = arguments.rate if arguments.mode == "paced" else 0.0
    take_turns([package.call for package in packages], Pace(arguments.seconds, arguments.calls, rate))
    peak, after = peak_memory_mb(), environment()
    return {
        "schema": SCHEMA,
        "runner": "",
        "engine": f"{engine.name} {engine.version()}",
        "machine": this_machine().model_dump(mode="json"),
        "before": before.model_dump(mode="json"),
        "after": after.model_dump(mode="json"),
        "mode": arguments.mode,
        "rate": rate or None,
        "threads": arguments.threads,
        **subject.record(),
        "baseline": baseline.record() if baseline else None,
        "peak_memory_mb": round(peak, 2) if arguments.memory else None,
        "flags": [],
        "warnings": [],
    }


def read_texts(file: Path) -> list[Text]:
    """Reads one JSON object per line: `text`, and `text_pair` if the package takes pairs."""
    rows = [json.loads(line) for line in file.read_text(encoding="utf-8").split("\n") if line]
    if not rows:
        raise BadInputError(f"--texts {file}: no text in it")
    return [(row["text"], row.get("text_pair")) for row in rows]


def main() -> int:
    """Runs one launch. Returns the exit code."""
    parser = argparse.ArgumentParser(prog="edge_ptf.runtime.bench", description=__doc__)
    parser.add_argument("package", type=Path)
    parser.add_argument("--texts", type=Path, required=True)
    parser.add_argument("--baseline", type=Path)
    parser.add_argument("--mode", choices=("burst", "paced", "sustained"), default="burst")
    parser.add_argument("--rate", type=float, default=10.0)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--calls", type=int, default=400)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--memory", action="store_true")
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    try:
        arguments.out.write_text(json.dumps(launch(arguments)), encoding="utf-8")
    except EdgePtfError as error:
        sys.stderr.write(f"edge-ptf: {error}\n")
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
