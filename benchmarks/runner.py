"""Measures what the C++ runner adds to ONNX Runtime: latency through its C API, start, memory, size, tokenizer.

    python benchmarks/runner.py build/clinc150-x86-vnni/package.eptf
    python benchmarks/runner.py PACKAGE --texts my-texts.txt

It needs `make runner`, cmake and a C++ compiler. It installs the runner in a separate folder and compiles two programs
against it: `programs/app.c` (the C API, as an app uses it) and `programs/bare_onnxruntime.cpp` (the same model without
a tokenizer). The programs alternate in a new random order each round, with the same texts equally often. A ratio is
that of one round, and its interval (95 %) is over rounds. Starts are measured with the files in the system's cache.
"""

from __future__ import annotations

import argparse
import csv
import json
import platform
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
from tokenizers import Tokenizer

from edge_ptf.errors import EdgePtfError
from edge_ptf.package import Payload, open_payload
from edge_ptf.runtime.native import NativeRunner, load_library
from edge_ptf.statistics import log_mean_limits, percentile, percentile_interval

ROOT = Path(__file__).resolve().parents[1]
BUILT = ROOT / "build" / "runner-release"
DEPENDENCIES = ROOT / "build" / f"deps-{platform.machine()}"
WORK = ROOT / "build" / "runner-benchmark"
STARTS = 3
"""Number of starts of each program in each round."""

Json = dict[str, Any]
Samples = dict[str, list[float]]


@dataclass(frozen=True, slots=True)
class Figure:
    """A measured value with its interval, and its target."""

    name: str
    value: float
    low: float | None
    high: float | None
    unit: str
    target: str
    least: float | None = None
    most: float | None = None

    @property
    def status(self) -> str:
        """`met`: the whole interval meets the target. `not proven`: only the value does."""
        values = [self.value, *(each for each in (self.low, self.high) if each is not None)]
        within = [
            (self.least is None or each >= self.least) and (self.most is None or each <= self.most) for each in values
        ]
        return "met" if all(within) else "not proven" if within[0] else "NOT MET"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("package", type=Path)
    parser.add_argument("--texts", type=Path, help="one text on each line; default: the test texts of --data")
    parser.add_argument("--data", type=Path, default=Path("../shared/data/clinc150"), help="folder with test.csv")
    parser.add_argument("--count", type=int, default=500, help="number of texts, drawn from the given texts")
    parser.add_argument("--passes", type=int, default=2, help="number of calls of each text in each round")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "runner.json")
    given = parser.parse_args()
    if given.rounds < 3 or given.count < 1 or given.passes < 1:
        parser.error("--rounds must be at least 3, --count and --passes at least 1")
    try:
        payload = open_payload(given.package)
        setup = Setup(payload, given.package, _texts(given), given.passes)
    except EdgePtfError as error:
        _stop(int(error.exit_code), str(error))
    samples: Samples = {}
    draw = random.Random(0)
    for number in range(given.rounds):
        for measure in draw.sample(setup.measures, len(setup.measures)):
            for name, value in measure(number).items():
                samples.setdefault(name, []).append(value)
        print(f"\rround {number + 1} of {given.rounds}", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    found = figures(samples, setup.stripped_kb())
    for figure in found:
        interval = "" if figure.low is None else f"({figure.low:.3g} to {figure.high:.3g})"
        print(f"{figure.name:<45}{figure.value:>8.4g} {figure.unit:<5}{interval:<18}{figure.target:<17}{figure.status}")
    for warning in setup.warnings:
        print(f"warning: {warning}")
    record = {
        **{"payload": payload.digest, "machine": setup.machine, "engine": setup.engine, "warnings": setup.warnings},
        **{"texts": len(setup.texts), "calls": setup.calls, "rounds": given.rounds},
        "figures": [{**asdict(figure), "status": figure.status} for figure in found],
        "samples": samples,
    }
    given.out.parent.mkdir(parents=True, exist_ok=True)
    given.out.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


class Setup:
    """The programs, their files, and one method for each measurement of a round."""

    def __init__(self, payload: Payload, package: Path, texts: list[str], passes: int) -> None:
        self.package, self.texts, self.calls = package, texts, passes * len(texts)
        self.warnings: list[str] = []
        self.machine: Json = {}
        self.engine = ""
        self.prefix, self.programs = _build()
        self.library = next(self.prefix.glob("lib*/libedge_ptf_runner.so.*.*"))
        manifest = payload.manifest
        self.tokenizer = Tokenizer.from_str(payload.read("tokenizer.json").decode())
        self.tokenizer.enable_truncation(manifest.tokenizer.max_length)
        self.settings = manifest.engine
        (WORK / "model.onnx").write_bytes(payload.model())
        _write(WORK / "texts.txt", texts)
        with NativeRunner(package, library=load_library(str(self.library))) as runner:
            ids = [runner.encode(text)[0] for text in texts]
        if ids != [self.tokenizer.encode(text).ids for text in texts]:
            _stop(3, "the runner's token ids are not those of the tokenizers library")
        _write(WORK / "ids.txt", [" ".join(map(str, each)) for each in ids])
        if (ours := self.app(0)["best"]) != (bare := self.bare(0)["best"]):
            _stop(3, f"the runner's best class is {ours}, that of ONNX Runtime alone {bare}")
        self.measures: list[Callable[[int], dict[str, float]]] = [
            *(self.measure_bench, self.measure_app, self.measure_bare),
            *(self.measure_tokenizer, self.measure_python_tokenizer, self.measure_starts),
        ]

    def app(self, calls: int) -> Json:
        """`programs/app.c`."""
        return _json(self.programs / "app", self.package, WORK / "texts.txt", calls)

    def bare(self, calls: int) -> Json:
        """Runs `programs/bare_onnxruntime.cpp` with the settings that the runner takes from the package."""
        settings = (self.settings.threads, int(self.settings.spinning), int(self.settings.arena))
        return _json(self.programs / "bare_onnxruntime", WORK / "model.onnx", WORK / "ids.txt", calls, *settings)

    def bench(self, number: int, *more: str) -> Json:
        """Runs `edge-ptf-runner bench` with the same texts equally often."""
        options = ("--texts", WORK / "texts.txt", "--calls", self.calls, "--seconds", 0, "--seed", number, "--json")
        return _json(self.prefix / "bin" / "edge-ptf-runner", "bench", self.package, *options, *more)

    def measure_bench(self, number: int) -> dict[str, float]:
        record = self.bench(number)
        self.machine, self.engine = record["machine"], record["engine"]
        self.warnings = sorted({*self.warnings, *record["warnings"], *record["flags"]})
        whole, engine = np.asarray(record["end_to_end_ms"]), np.asarray(record["engine_ms"])
        return {"bench_ms": percentile(whole, 0.5), "glue_ms": percentile(whole - engine, 0.5)}

    def measure_app(self, number: int) -> dict[str, float]:
        found = self.app(self.calls)
        return {"app_ms": percentile(found["times_ns"], 0.5) / 1e6, "app_peak_mb": found["peak_kb"] * 1024 / 1e6}

    def measure_bare(self, number: int) -> dict[str, float]:
        found = self.bare(self.calls)
        return {"bare_ms": percentile(found["times_ns"], 0.5) / 1e6, "bare_peak_mb": found["peak_kb"] * 1024 / 1e6}

    def measure_tokenizer(self, number: int) -> dict[str, float]:
        return {"tokenizer_us": 1000 * percentile(self.bench(number, "--only", "tokenizer")["end_to_end_ms"], 0.5)}

    def measure_python_tokenizer(self, number: int) -> dict[str, float]:
        times = []
        for text in [*self.texts, *(self.texts * (self.calls // len(self.texts)))]:
            begin = time.perf_counter_ns()
            self.tokenizer.encode(text)
            times.append(time.perf_counter_ns() - begin)
        return {"python_tokenizer_us": percentile(times[len(self.texts) :], 0.5) / 1000}

    def measure_starts(self, number: int) -> dict[str, float]:
        """Time from just before the process starts until its first answer, by the clock that both processes read."""
        times: Samples = {"start_ms": [], "bare_start_ms": []}
        for _ in range(STARTS):
            for name, program in (("start_ms", self.app), ("bare_start_ms", self.bare)):
                begin = time.clock_gettime_ns(time.CLOCK_MONOTONIC)
                times[name].append((program(0)["first_ns"] - begin) / 1e6)
        return {name: percentile(values, 0.5) for name, values in times.items()}

    def stripped_kb(self) -> float:
        """Size of the library without debug information."""
        copy = WORK / "stripped.so"
        shutil.copyfile(self.library, copy)
        _run("strip", copy)
        return copy.stat().st_size / 1000


def figures(samples: Samples, stripped_kb: float) -> list[Figure]:
    """Every target of the runner with its measured value."""

    def ratio(
        name: str, over: str, under: str, target: str, scale: float = 1, unit: str = "x", **limits: float
    ) -> Figure:
        values = [scale * a / b for a, b in zip(samples[over], samples[under], strict=True)]
        low, high = log_mean_limits(values, 0.025)
        return Figure(name, float(np.exp(np.mean(np.log(values)))), low, high, unit, target, **limits)

    start = percentile_interval(samples["start_ms"], 0.5)
    extra = [a - b for a, b in zip(samples["app_peak_mb"], samples["bare_peak_mb"], strict=True)]
    memory = percentile_interval(extra, 0.5)
    return [
        ratio("app through the C API / bench, p50", "app_ms", "bench_ms", "0.97 to 1.03", least=0.97, most=1.03),
        Figure("process start to first answer", start.value, start.low, start.high, "ms", "at most 120", most=120),
        ratio("process start / bare ONNX Runtime", "start_ms", "bare_start_ms", "at most 1.3", most=1.3),
        Figure(
            "peak memory over bare ONNX Runtime", memory.value, memory.low, memory.high, "MB", "at most 15", most=15
        ),
        Figure("stripped library without ONNX Runtime", stripped_kb, None, None, "kB", "at most 600", most=600),
        ratio("tokenizer + glue, of end-to-end p50", "glue_ms", "bench_ms", "at most 3", 100, "%", most=3),
        ratio(
            "tokenizer / `tokenizers` from Python, speed",
            "python_tokenizer_us",
            "tokenizer_us",
            "at least 20",
            least=20,
        ),
    ]


def _build() -> tuple[Path, Path]:
    """The folder of the installed runner, and the folder of the programs."""
    for needed in (BUILT / "cmake_install.cmake", DEPENDENCIES):
        if not needed.exists():
            _stop(5, f"{needed} does not exist: run `make runner`")
    if shutil.which("cmake") is None:
        _stop(5, "cmake is not installed")
    prefix, programs = WORK / "prefix", WORK / "programs"
    _run("cmake", "--install", BUILT, "--prefix", prefix)
    settings = (f"-DCMAKE_PREFIX_PATH={prefix}", f"-DONNXRUNTIME_ROOT={DEPENDENCIES}")
    _run("cmake", "-S", ROOT / "benchmarks" / "programs", "-B", programs, *settings)
    _run("cmake", "--build", programs)
    return prefix, programs


def _texts(given: argparse.Namespace) -> list[str]:
    file = given.texts or given.data / "test.csv"
    try:
        with file.open(encoding="utf-8", newline="") as stream:
            found = stream.read().splitlines() if given.texts else [row["text"] for row in csv.DictReader(stream)]
    except (OSError, KeyError) as error:
        _stop(2, f"{file}: cannot be read as texts ({error}); give --texts FILE with one text on each line")
    whole = [text for text in found if text.strip() and "\n" not in text and not text.startswith("{")]
    if not whole:
        _stop(2, f"{file}: no text in it")
    return random.Random(0).sample(whole, min(given.count, len(whole)))


def _write(file: Path, lines: list[str]) -> None:
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _json(*command: object) -> Json:
    return dict(json.loads(_run(*command)))


def _run(*command: object) -> str:
    found = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False)
    if found.returncode != 0:
        _stop(found.returncode, found.stderr.strip() or found.stdout.strip())
    return found.stdout


def _stop(code: int, message: str) -> NoReturn:
    print(message, file=sys.stderr)
    sys.exit(code)


if __name__ == "__main__":
    main()
