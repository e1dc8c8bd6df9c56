"""Kills `compress` at random moments, runs it again each time, and compares the payload's digest.

    python benchmarks/kill_resume.py --kills 20

The digest must equal that of an undisturbed run. The job is reduced (a twelfth of the demo data, two epochs of each
training), so that one run takes half a minute. A kill is SIGKILL to the whole process group, at a moment drawn evenly
over the length of the undisturbed run.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

from edge_ptf.data.demo import generate

SHARE = 12
SETTINGS = (
    "finetune.epochs=2",
    "distill.epochs=2",
    "distill.spliced_texts=0.2",
    "bench.launches=5",
    "bench.seconds=0.2",
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("build/kill-resume"))
    given = parser.parse_args()
    shutil.rmtree(given.out, ignore_errors=True)
    data = _data(given.out / "data")
    started = time.monotonic()
    _finish(data, given.out / "whole")
    length = time.monotonic() - started
    expected = _digest(given.out / "whole")
    print(f"undisturbed: {length:.0f} s, payload {expected}", flush=True)
    draw, same = random.Random(given.seed), 0
    for number in range(1, given.kills + 1):
        out = given.out / "killed"
        shutil.rmtree(out, ignore_errors=True)
        moment = draw.uniform(0, length)
        process = subprocess.Popen(_command(data, out), stdout=subprocess.DEVNULL, start_new_session=True)
        try:
            process.wait(moment)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        _finish(data, out)
        found = _digest(out)
        same += found == expected
        print(f"{number:>3}: killed after {moment:5.1f} s: {'same' if found == expected else found}", flush=True)
    print(f"{same} of {given.kills} runs end with the same payload digest")
    file = Path(__file__).parent / "results" / "kill_resume.json"
    file.write_text(json.dumps({"kills": given.kills, "same": same, "seconds": round(length)}) + "\n", encoding="utf-8")
    sys.exit(same != given.kills)


def _data(folder: Path) -> Path:
    folder.mkdir(parents=True)
    for split, rows in generate().items():
        lines = [json.dumps({"text": row.text, "label": row.intent}) for row in rows[::SHARE]]
        (folder / f"{split}.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder


def _command(data: Path, out: Path) -> list[str]:
    command = [sys.executable, "-m", "edge_ptf", "compress", "--profile", "host", "--model", "minilm-l6"]
    command += ["--data", str(data), "--task", "text-classification", "--out", str(out)]
    return [*command, *(part for setting in SETTINGS for part in ("--set", setting))]


def _finish(data: Path, out: Path) -> None:
    code = subprocess.run(_command(data, out), stdout=subprocess.DEVNULL, check=False).returncode
    if code not in (0, 3, 4):
        sys.exit(f"compress ended with {code}")


def _digest(out: Path) -> str:
    return str(json.loads((out / "run.json").read_text(encoding="utf-8"))["payload"])


if __name__ == "__main__":
    main()
