"""Compares ways to fine-tune few parameters with full fine-tuning: accuracy, share, time, peak memory.

python benchmarks/adapters.py --data ../shared/data/clinc150 --out-of-scope-label oos
python benchmarks/adapters.py --data demo --methods full lora --results none

Each method trains in a process of its own; its memory is that of this process at its peak. Its FP32 package answers the
test split. The learning rate of a method other than full is chosen on validation from `--learning-rates`. Nothing else
may run meanwhile.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"
METHODS = ("full", "lora", "dora", "ia3", "bitfit")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True)
    parser.add_argument("--task", default="text-classification")
    parser.add_argument("--out-of-scope-label")
    parser.add_argument("--model", default="minilm-l6")
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=METHODS)
    parser.add_argument("--rank", type=int, default=8)
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--learning-rates", type=float, nargs="+", default=[1e-3, 3e-3])
    parser.add_argument("--out", type=Path, default=Path("build/adapters"))
    parser.add_argument("--results", default="adapters", help="name of the results file; none: no file is written")
    given = parser.parse_args()
    rows = []
    for method in given.methods:
        rates = [2e-4] if method == "full" else given.learning_rates
        trials = [_train(given, method, rate) for rate in rates]
        best = max(trials, key=lambda trial: trial["validation"])
        rows.append({**best, **_test(given, Path(best.pop("folder"))), "trials": [_short(trial) for trial in trials]})
        row = {name: value for name, value in rows[-1].items() if name != "trials"}
        print(json.dumps(row), flush=True)
    if given.results != "none":
        RESULTS.mkdir(exist_ok=True)
        (RESULTS / f"{given.results}.json").write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")


def _train(given: argparse.Namespace, method: str, rate: float) -> dict[str, Any]:
    folder = given.out / f"{method}-{rate:g}"
    command = ["finetune", "--model", given.model, *_data(given), "--epochs", str(given.epochs), "--method", method]
    command += ["--rank", str(given.rank), "--learning-rate", str(rate), "--out", str(folder), "--overwrite"]
    seconds, peak = _run(command)
    facts = json.loads((folder / "edge_ptf.json").read_text(encoding="utf-8"))["lineage"][-1]["facts"]
    trained, size = facts.get("trained_parameters"), facts.get("parameters")
    return {
        "method": method,
        "learning rate": rate,
        "validation": facts["validation"][facts["kept_epoch"] - 1],
        "trained parameters": trained,
        "share, %": round(100 * trained / size, 2) if trained else 100.0,
        "seconds": round(seconds, 1),
        "peak memory, MB": peak,
        "folder": str(folder),
    }


def _test(given: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """The metrics of the checkpoint's FP32 package on the test split."""
    graph, package, found = (folder.parent / f"{folder.name}-{name}" for name in ("onnx", "package", "accuracy"))
    _run(["export", "--checkpoint", str(folder), *_data(given), "--out", str(graph), "--overwrite"])
    _run(["assemble", "--graph", str(graph), *_data(given), "--out", str(package), "--overwrite"])
    _run(["evaluate", str(package / "payload.eptf"), *_data(given), "--out", str(found), "--overwrite"])
    metrics = json.loads((found / "accuracy.json").read_text(encoding="utf-8"))["metrics"]
    return {f"test {name}": round(value, 2) for name, value in metrics.items()}


def _data(given: argparse.Namespace) -> list[str]:
    scope = ["--out-of-scope-label", given.out_of_scope_label] if given.out_of_scope_label else []
    return ["--data", given.data, "--task", given.task, *scope]


def _short(trial: dict[str, Any]) -> dict[str, Any]:
    return {name: trial[name] for name in ("learning rate", "validation", "seconds")}


def _run(words: list[str]) -> tuple[float, int]:
    """Seconds, and the peak memory of the process in MB; Linux counts it in KiB."""
    started = time.monotonic()
    process = os.posix_spawn(sys.executable, [sys.executable, "-m", "edge_ptf", *words], os.environ)
    _, status, usage = os.wait4(process, 0)
    if status:
        sys.exit(f"edge-ptf {words[0]} failed")
    return time.monotonic() - started, round(usage.ru_maxrss * 1024 / 1e6)


if __name__ == "__main__":
    main()
