"""The whole job on a real data set, as a user runs it, and the same run again: every figure of the result in one table.

python benchmarks/real_data.py clinc150 --out build/clinc150
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path

RESULTS = Path(__file__).parent / "results"
JOBS = {
    "clinc150": ["--task", "text-classification", "--out-of-scope-label", "oos"],
    "wnut17": ["--task", "token-classification"],
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", choices=JOBS)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="folder with the data sets")
    parser.add_argument("--profile", default="x86-vnni")
    parser.add_argument("--out", type=Path)
    parser.epilog = "What is not listed here is passed on to compress."
    given, more = parser.parse_known_args()
    out = given.out or Path("build") / f"{given.name}-{given.profile}"
    command = [sys.executable, "-m", "edge_ptf", "compress", "--profile", given.profile, "--model", "minilm-l6"]
    command += ["--data", str(given.data / given.name), *JOBS[given.name], "--out", str(out), *more]
    runs = [_timed(command, out), _timed(command, out)]
    figures = _figures(out, runs)
    width = max(map(len, figures))
    for name, value in figures.items():
        print(f"{name:<{width}}  {value}")
    RESULTS.mkdir(exist_ok=True)
    file = RESULTS / f"{given.name}-{given.profile}.json"
    file.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")


def _timed(command: list[str], out: Path) -> tuple[int, float, str]:
    """Exit code, seconds, and how many stages were reused from an earlier run."""
    started = time.monotonic()
    code = subprocess.run(command, check=False).returncode
    if code not in (0, 3, 4):
        sys.exit(code)
    seconds = time.monotonic() - started
    stages = json.loads((out / "run.json").read_text(encoding="utf-8"))["stages"]
    return code, seconds, f"{sum(stage['reused'] for stage in stages)} of {len(stages)}"


def _figures(out: Path, runs: list[tuple[int, float, str]]) -> dict[str, object]:
    from edge_ptf import open_package
    from edge_ptf.package.evidence import AccuracyEvidence, LatencyEvidence, MemoryEvidence
    from edge_ptf.statistics import percentile

    package = open_package(out / "package.eptf")
    figures: dict[str, object] = {"exit code": runs[0][0]}
    for when, (_, seconds, reused) in zip(("", ", second run"), runs, strict=True):
        figures |= {f"seconds{when}": round(seconds, 1), f"stages reused{when}": reused}
    for evidence in package.evidence():
        if isinstance(evidence, AccuracyEvidence):
            who = "package" if evidence.payload == package.digest else "teacher"
            figures |= {f"{who} {name}, %": round(value, 2) for name, value in sorted(evidence.metrics.items())}
        elif isinstance(evidence, LatencyEvidence):
            calls = [ms for launch in evidence.launches for ms in launch.end_to_end_ms]
            figures["latency p50, ms"] = round(percentile(calls, 0.5), 3)
            figures["latency p95, ms"] = round(percentile(calls, 0.95), 3)
        elif isinstance(evidence, MemoryEvidence):
            figures["peak memory, MB"] = max(evidence.peak_memory_mb)
    verdict = package.verdict()
    assert verdict is not None
    for item in verdict.judgements:
        value, bound = (None if number is None else round(number, 3) for number in (item.value, item.bound))
        figures[item.target] = f"{value} {item.unit}, bound {bound}, limit {item.limit}: {item.status.value}"
    figures["verdict"] = verdict.status.value if verdict.status else "nothing judged"
    figures["payload"] = package.digest
    return figures


if __name__ == "__main__":
    main()
