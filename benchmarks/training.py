"""Compares the training throughput of `finetune` with a plain PyTorch loop on CLINC150.

    python benchmarks/training.py

The unit is real (unpadded) tokens per second. Both train all-MiniLM-L6-v2 with AdamW at batch size 32. The plain loop
shuffles, pads each batch to its longest text and updates every weight in FP32.

The two alternate with the same texts in this process. The ratio is the median over rounds. The time of `finetune`
includes everything in an epoch: validation of a few texts, and saving its state.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import torch

import edge_ptf
from edge_ptf import tasks
from edge_ptf.models.base_models import resolve_base
from edge_ptf.models.checkpoint import load_base_model, load_tokenizer
from edge_ptf.training import FinetuneConfig, device_and_precision, finetune

BATCH = 32
RATE = 2e-4


class Clock:
    """Times only the training, from the first step to the end."""

    def start(self, title: str, total: int, done: int = 0) -> None:
        self.begin = time.perf_counter()

    def advance(self, steps: int = 1, note: str = "") -> None: ...

    def finish(self) -> None:
        self.seconds = time.perf_counter() - self.begin


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default="../shared/data/clinc150")
    parser.add_argument("--texts", type=int, default=3200)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    kind = tasks.get("text-classification")
    data = edge_ptf.load_data(given.data, kind)
    step = max(len(data.train) // given.texts, 1)
    data = replace(data, train=data.train[::step][: given.texts], validation=data.validation[:20])
    task = tasks.create(kind.spec_for(data.labels))
    base = resolve_base("minilm-l6")
    tokenizer = load_tokenizer(base)
    encodings = task.encode(tokenizer, data.train, 128)
    targets = [task.head.target(example, encoding) for example, encoding in zip(data.train, encodings, strict=True)]
    tokens = sum(len(encoding.input_ids) for encoding in encodings)
    forms = ["fp32"] + (["bf16"] if device_and_precision("auto")["precision"] == "bf16" else [])
    rates: dict[str, list[float]] = {name: [] for name in ("plain loop", *forms)}
    for number in range(given.rounds):
        rates["plain loop"].append(tokens / _plain(base, task, encodings, targets, number))
        for form in forms:
            clock = Clock()
            with tempfile.TemporaryDirectory() as folder:
                config = FinetuneConfig(epochs=1, batch_size=BATCH, learning_rate=RATE, precision=form, seed=number)
                finetune(base, "minilm-l6", data, task, config, Path(folder) / "out", clock)
            rates[form].append(tokens / clock.seconds)
        print(
            f"round {number + 1}: " + ", ".join(f"{name} {rate[-1]:,.0f}" for name, rate in rates.items()), flush=True
        )
    figures = {"texts": len(data.train), "tokens": tokens, "threads": torch.get_num_threads(), "rounds": given.rounds}
    for name, rate in rates.items():
        ratios = [own / plain for own, plain in zip(rate, rates["plain loop"], strict=True)]
        figures |= {
            f"{name}, tokens/s": round(statistics.median(rate)),
            f"{name}, ratio": round(statistics.median(ratios), 2),
        }
    for name, value in figures.items():
        print(f"{name:<24}{value}")
    (Path(__file__).parent / "results" / "training.json").write_text(
        json.dumps(figures, indent=1) + "\n", encoding="utf-8"
    )


def _plain(base: Path, task: tasks.Task, encodings: list, targets: list, seed: int) -> float:
    torch.manual_seed(seed)
    model = load_base_model(base, task).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=RATE)
    order = torch.randperm(len(encodings)).tolist()
    started = time.perf_counter()
    for begin in range(0, len(order), BATCH):
        rows = [encodings[index].input_ids for index in order[begin : begin + BATCH]]
        longest = max(map(len, rows))
        ids = torch.tensor([[*row, *[0] * (longest - len(row))] for row in rows])
        mask = torch.tensor([[1] * len(row) + [0] * (longest - len(row)) for row in rows])
        wanted = torch.tensor([targets[index] for index in order[begin : begin + BATCH]])
        loss = model(input_ids=ids, attention_mask=mask, labels=wanted).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
