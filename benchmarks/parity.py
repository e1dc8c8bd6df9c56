"""Checks that the C++ runner answers as Python does: token ids and labels on a test split, random strings, and ARM.

python benchmarks/parity.py clinc150 build/clinc150/package.eptf

Python is the `tokenizers` library and ONNX Runtime at batch size 1. For ARM the same package runs under emulation
(`make runner-aarch64`). There, a label may differ if the logits of the two labels are closer together than the
package's golden tolerance, because processors sum in different orders. Such near-ties are listed.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import random
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from edge_ptf import data, open_package, tasks
from edge_ptf.data.dataset import DataConfig
from edge_ptf.package import Payload
from edge_ptf.package.tokenizers.proof import random_texts
from edge_ptf.runtime import Runner
from edge_ptf.runtime.native import NativeRunner

ROOT = Path(__file__).resolve().parents[1]
RESULTS = Path(__file__).parent / "results"
EMULATOR = ROOT / "cpp_runner" / "scripts" / "qemu-aarch64"
TOOL = ROOT / "build" / "runner-aarch64" / "edge-ptf-runner"
PROCESSORS = ("cortex-a53", "cortex-a76", "max")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", choices=["clinc150", "wnut17"])
    parser.add_argument("package", type=Path)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="folder with the data sets")
    parser.add_argument("--fuzz", type=int, default=300_000, help="random strings, a tenth of them not UTF-8")
    parser.add_argument("--arm", type=int, default=150, help="number of test texts for each ARM processor")
    given = parser.parse_args()
    payload = open_package(given.package)
    python = Runner(payload)
    kind = tasks.get(payload.manifest.head.task)
    scope = payload.manifest.head.options["out_of_scope_label"]
    texts = [
        row.text for row in data.load(str(given.data / given.name), kind, DataConfig(out_of_scope_label=scope)).test
    ]
    with NativeRunner(payload.path, 1) as runner:
        figures: dict[str, object] = {
            "package": payload.digest,
            "runner": runner.library.title,
            "test texts": len(texts),
            **_compare_answers(python, runner, texts),
            "random strings": given.fuzz,
            "random strings with other ids": _compare_random(python, runner, given.fuzz),
        }
    if TOOL.exists() and given.arm:
        sample = random.Random(0).sample(texts, min(given.arm, len(texts)))
        figures["texts on each ARM processor"] = len(sample)
        for processor in PROCESSORS:
            figures[processor] = _on_arm(payload, python, processor, sample)
    for name, value in figures.items():
        print(f"{name:<32}  {value}")
    RESULTS.mkdir(exist_ok=True)
    file = RESULTS / f"parity-{given.name}.json"
    file.write_text(json.dumps(figures, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    wrong = [
        name
        for name in ("texts with other ids", "texts with other answers", "random strings with other ids")
        if figures[name]
    ]
    wrong += [name for name in PROCESSORS if re.search("label differs|FAILS", str(figures.get(name)))]
    if wrong:
        sys.exit(f"not equal: {', '.join(wrong)}")


def _compare_answers(python: Runner, runner: NativeRunner, texts: Sequence[str]) -> dict[str, object]:
    ids = answers = 0
    furthest = 0.0
    for text in texts:
        wanted = python.encode(text)
        ids += runner.encode(text)[0] != wanted.input_ids
        logits = python.logits(wanted)
        expected, found = python.task.head.decode(logits, wanted, text), runner.answer(text)
        spans = [
            [(item["type"], item["start"], item["end"]) for item in each.details.get("entities", ())]
            for each in (expected, found)
        ]
        answers += found.label != expected.label or spans[0] != spans[1]
        furthest = max(furthest, float(np.max(np.abs(runner.logits - logits))))
    return {"texts with other ids": ids, "texts with other answers": answers, "largest difference of a logit": furthest}


def _compare_random(python: Runner, runner: NativeRunner, count: int) -> int:
    """The number of random strings with other ids. Invalid UTF-8 is read as Python replaces it."""
    core, limit = python.tokenizer.plain(), python.max_length
    core.enable_truncation(limit)
    different = 0
    for given in (*random_texts(count - count // 10, 1), *_broken(count // 10)):
        text = given if isinstance(given, str) else given.decode(errors="replace")
        different += runner.encode(given)[0] != core.encode(text).ids
    return different


def _broken(count: int) -> Iterator[bytes]:
    chance = random.Random(2)
    for text in random_texts(count, 3):
        content = bytearray(text.encode())
        for _ in range(chance.randint(1, 4)):
            content.insert(chance.randint(0, len(content)), chance.randint(0x80, 0xFF))
        yield bytes(content)


def _on_arm(payload: Payload, python: Runner, processor: str, texts: Sequence[str]) -> str:
    command = [str(EMULATOR), "-cpu", processor, str(TOOL)]
    selftest = subprocess.run([*command, "selftest", str(payload.path)], capture_output=True, text=True, check=False)
    verdict = "passes" if selftest.returncode == 0 else f"FAILS ({selftest.stderr.strip().splitlines()[-1]})"
    lines = "".join(json.dumps({"text": text}) + "\n" for text in texts)
    answered = subprocess.run(
        [*command, "predict", str(payload.path), "--jsonl"],
        input=lines.encode(),
        capture_output=True,
        check=True,
        env={**os.environ, "LC_ALL": "C.UTF-8"},
    )
    ties, wrong = [], []
    for text, line in zip(texts, answered.stdout.decode().splitlines(), strict=True):
        head, wanted = json.loads(line)["heads"][0], python.answer(text).label
        found = tuple(item["label"] for item in head.get("words", head["answers"]))
        if found == (wanted if isinstance(wanted, tuple) else (wanted,)):
            continue
        (ties if _near_tie(payload, python, text) else wrong).append(text)
    listed = "".join(f"; near-tie: {text!r}" for text in ties) + "".join(f"; label differs: {text!r}" for text in wrong)
    return f"selftest {verdict}, {len(texts) - len(ties) - len(wrong)} labels equal{listed}"


def _near_tie(payload: Payload, python: Runner, text: str) -> bool:
    """Whether the answer can change if logits move by the golden tolerance."""
    logits = np.atleast_2d(python.logits(python.encode(text))).astype(np.float64)
    reach = 2 * payload.manifest.golden.tolerance * float(np.max(np.abs(logits)))
    ordered = np.sort(logits, axis=-1)
    if float(np.min(ordered[:, -1] - ordered[:, -2])) <= reach:
        return True
    threshold = payload.manifest.head.options["threshold"]
    if threshold is None or not 0 < threshold < 1:
        return False
    best = 1 / float(np.sum(np.exp(logits[0] - ordered[0, -1])))
    odds = [math.log(share / (1 - share)) for share in (min(best, 1 - 1e-12), threshold)]
    return abs(odds[0] - odds[1]) <= reach


if __name__ == "__main__":
    main()
