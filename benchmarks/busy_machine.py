"""Measures how training slows where another program takes the processor, for settings of OpenMP's threads.

    python benchmarks/busy_machine.py

At the end of each parallel step OpenMP's threads wait for each other. By default a waiting thread spins. If another
program has the core of the last thread, all others spin until that one gets a core again. With
`OMP_WAIT_POLICY=PASSIVE` a waiting thread gives its core away. edge-ptf sets this before it loads PyTorch.

Each setting has a process of its own, because OpenMP reads it at the start. A process trains an encoder of MiniLM's
size (random weights, 32 texts of 12 tokens a step) when it is asked to; the others sleep meanwhile. The settings take
turns in every round, first alone, then beside a program with one busy thread for each core. The unit is training steps
per second; the table has the median over rounds.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from edge_ptf.environment import environment
from edge_ptf.machine import this_machine

RESULTS = Path(__file__).parent / "results" / "busy-machine.json"
SETTINGS = {
    "threads spin (the library's default)": {},
    "OMP_WAIT_POLICY=PASSIVE": {"OMP_WAIT_POLICY": "PASSIVE"},
    "GOMP_SPINCOUNT=1000": {"GOMP_SPINCOUNT": "1000"},
    "PASSIVE, OMP_NUM_THREADS=1": {"OMP_WAIT_POLICY": "PASSIVE", "OMP_NUM_THREADS": "1"},
}
WARM_UP = 3
"""Steps before a turn is timed."""
OWN = ("OMP_WAIT_POLICY", "OMP_NUM_THREADS", "GOMP_SPINCOUNT", "KMP_BLOCKTIME")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=4.0, help="Length of a turn.")
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.worker:
        work()
        return
    before = environment().load
    workers = {name: start(settings) for name, settings in SETTINGS.items()}
    rates: dict[str, dict[str, list[float]]] = {name: {"alone": [], "beside": []} for name in SETTINGS}
    for number in range(given.rounds):
        for name, worker in workers.items():
            rates[name]["alone"].append(ask(worker, given.seconds))
        with competitor():
            for name, worker in workers.items():
                rates[name]["beside"].append(ask(worker, given.seconds))
        print(f"round {number + 1} of {given.rounds}", flush=True)
    for worker in workers.values():
        assert worker.stdin is not None
        worker.stdin.close()
        worker.wait()
    report(rates, before)


def start(settings: dict[str, str]) -> subprocess.Popen[str]:
    """A process with these settings of OpenMP, and none of the caller's."""
    env = {name: value for name, value in os.environ.items() if name not in OWN}
    command = [sys.executable, __file__, "--worker"]
    worker = subprocess.Popen(
        command, env={**env, **settings}, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    ask(worker, 0.0)  # it is ready when it answers
    return worker


def ask(worker: subprocess.Popen[str], seconds: float) -> float:
    """Training steps per second of one turn."""
    assert worker.stdin is not None and worker.stdout is not None
    print(seconds, file=worker.stdin, flush=True)
    return float(worker.stdout.readline())


@contextmanager
def competitor() -> Iterator[None]:
    """Another program that keeps every core busy."""
    command = [sys.executable, "-c", "while True: pass"]
    busy = [subprocess.Popen(command) for _ in range(this_machine().cores)]
    time.sleep(0.5)
    try:
        yield
    finally:
        for process in busy:
            process.kill()
            process.wait()


def work() -> None:
    """Trains for as many seconds as each line of standard input says."""
    import torch
    from transformers import BertConfig, BertForSequenceClassification

    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=2000,
        hidden_size=384,
        num_hidden_layers=6,
        num_attention_heads=12,
        intermediate_size=1536,
        num_labels=29,
        attn_implementation="eager",
    )
    model = BertForSequenceClassification(config)
    optimizer = torch.optim.AdamW(model.parameters(), fused=True)
    texts, labels = torch.randint(0, 2000, (32, 12)), torch.randint(0, 29, (32,))

    def step() -> None:
        model(input_ids=texts, labels=labels).loss.backward()
        optimizer.step()
        optimizer.zero_grad()

    for line in sys.stdin:
        for _ in range(WARM_UP):
            step()
        begun, steps = time.perf_counter(), 0
        while time.perf_counter() - begun < float(line):
            step()
            steps += 1
        print(steps / max(time.perf_counter() - begun, 1e-9), flush=True)


def report(rates: dict[str, dict[str, list[float]]], load: float | None) -> None:
    """Prints the table and writes it."""
    machine = this_machine()
    print(f"\n{machine.cpu}, {machine.cores} cores; load {load} before")
    print("| setting | steps/s alone | beside a busy program | left |\n| --- | ---: | ---: | ---: |")
    rows = {}
    for name, found in rates.items():
        alone, beside = statistics.median(found["alone"]), statistics.median(found["beside"])
        rows[name] = {"alone": found["alone"], "beside": found["beside"]}
        print(f"| {name} | {alone:.2f} | {beside:.2f} | {100 * beside / alone:.0f} % |")
    content = {"machine": machine.model_dump(), "load_before": load, "steps_per_second": rows}
    RESULTS.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
