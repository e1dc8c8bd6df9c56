"""How well a package answers classes that are added from a few texts: some classes are left out of the training.

python benchmarks/new_classes.py ../shared/data/clinc150 --classes 10 --texts 5

Classes are left out of all splits, evenly over the sorted names. `compress` makes a package of the rest. Then the
classes are added, each from its first texts of train. The figures are over test: the accuracy on texts of the old
classes before and after, on texts of the new classes, and with an out-of-scope label the recall before and after.
"""

from __future__ import annotations

import argparse
import csv
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from edge_ptf import Runner, tasks
from edge_ptf import data as data_package
from edge_ptf.data.dataset import LabelledData
from edge_ptf.examples import Example

TASK = "prototype-classification"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", help="what --data of compress takes")
    parser.add_argument("--classes", type=int, default=10, help="how many are left out")
    parser.add_argument("--texts", type=int, default=5, help="of train, for each of them")
    parser.add_argument("--out-of-scope-label", default="oos")
    parser.add_argument("--profile", default="x86-vnni")
    parser.add_argument("--model", default="minilm-l6")
    parser.add_argument("--out", type=Path, default=Path("build/new-classes"))
    parser.epilog = "All other options are passed to compress."
    given, more = parser.parse_known_args()
    scope = given.out_of_scope_label
    data = data_package.load(given.data, tasks.get(TASK))
    new = left_out(data, given.classes, scope)
    write_rest(data, new, given.out / "data")
    command = [sys.executable, "-m", "edge_ptf", "compress", "--profile", given.profile, "--model", given.model]
    command += ["--task", TASK, "--data", str(given.out / "data"), "--out", str(given.out / "job"), *more]
    done = subprocess.run([*command, "--out-of-scope-label", scope], check=False)
    if done.returncode not in (0, 3, 4):
        raise SystemExit(done.returncode)
    package = given.out / "job" / json.loads((given.out / "job" / "run.json").read_text(encoding="utf-8"))["package"]
    for name, value in figures(Runner(package), data, new, given.texts, scope).items():
        print(f"{name:<45}  {value:.2f} %")


def left_out(data: LabelledData, count: int, scope: str) -> list[str]:
    """Classes, evenly over the sorted names."""
    known = [label for label in data.labels if label != scope]
    return known[:: max(1, len(known) // count)][:count]


def write_rest(data: LabelledData, new: Sequence[str], folder: Path) -> None:
    """The texts of all other classes, as CSV files."""
    folder.mkdir(parents=True, exist_ok=True)
    for split in ("train", "validation", "test"):
        rows = [(each.text, each.label) for each in getattr(data, split) if each.label not in new]
        with (folder / f"{split}.csv").open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows([("text", "label"), *rows])


def figures(runner: Runner, data: LabelledData, new: Sequence[str], texts: int, scope: str) -> dict[str, float]:
    """Shares of right answers in percent, before and after the classes are added."""
    old = [each for each in data.test if each.label not in (*new, scope)]
    outside = [each for each in data.test if each.label == scope]
    before = {"old classes": _right(runner, old), "out of scope": _right(runner, outside)}
    for label in new:
        runner.add_class(label, [each.text for each in data.train if each.label == label][:texts])
    return {
        "old classes, before": before["old classes"],
        "old classes, after": _right(runner, old),
        f"{len(new)} new classes of {texts} texts": _right(runner, [each for each in data.test if each.label in new]),
        "out of scope, before": before["out of scope"],
        "out of scope, after": _right(runner, outside),
    }


def _right(runner: Runner, examples: Sequence[Example]) -> float:
    hits = [runner.answer(each.text).label == each.label for each in examples]
    return 100 * sum(hits) / len(hits) if hits else float("nan")


if __name__ == "__main__":
    main()
