"""Measures how long a training step takes on this machine, in a few seconds."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge_ptf import models
from edge_ptf.examples import Example
from edge_ptf.heads.outputs import in_fp32, mapped
from edge_ptf.models import LayerShape
from edge_ptf.models.checkpoint import fresh_info, load_base_model, load_tokenizer, model_inputs
from edge_ptf.tasks.base import Task
from edge_ptf.training.batching import LengthGroupedBatches, collate
from edge_ptf.training.device import device_and_precision, on_gpu
from edge_ptf.training.finetuning import FinetuneConfig, labelled_items, renumbered
from edge_ptf.training.vocabulary import CompactVocabulary

STEPS = 5
"""Steps that are timed at most, after one that is not."""
ENOUGH_S = 3.0
"""No further step is begun after so many seconds."""


@dataclass(frozen=True, slots=True)
class StepTime:
    """The mean time of a training step of the unpruned model, and what its work consists of."""

    seconds: float
    layers: tuple[LayerShape, ...]
    head_size: int
    hidden_size: int


def measure_step(base: Path, task: Task, examples: Sequence[Example], config: FinetuneConfig) -> StepTime:
    """Times some training steps on texts that are spread evenly over `examples`; the result is thrown away.

    The batches are grouped by length as in training. If the first step alone takes long, it is the one that counts.

    Raises:
        CheckpointError: the model cannot be used.
    """
    import torch

    tokenizer, model = load_tokenizer(base), load_base_model(base, task, dropout=config.dropout)
    info = fresh_info(model, task, base.name, config.max_length)
    inputs, pad = model_inputs(model, tokenizer), int(tokenizer.pad_token_id)
    wanted = min(len(examples), (STEPS + 1) * config.batch_size)
    sample = [examples[number * len(examples) // wanted] for number in range(wanted)]
    items = labelled_items(tokenizer, task, sample, info.max_length)
    small = CompactVocabulary((item.encoding for item in items), model.config.vocab_size, pad)
    items = renumbered(items, small)
    small.shrink(model)
    device, quick = "cuda" if on_gpu() else "cpu", device_and_precision(config.precision)["precision"] == "bf16"
    model = model.to(device).train()
    if device == "cpu":
        model.set_attn_implementation("eager")  # as in training
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.0, fused=True)
    sampler = LengthGroupedBatches([len(item.encoding.input_ids) for item in items], config.batch_size, 0)
    times, started = list[float](), time.monotonic()
    for number in range(STEPS + 1):
        if times and time.monotonic() - started > ENOUGH_S:
            break
        batches = list(sampler)
        batch = collate([items[index] for index in batches[number % len(batches)]], inputs, pad, task.head)
        begun = time.monotonic()
        moved = mapped(batch, lambda tensor: tensor.to(device))
        with torch.autocast(device, torch.bfloat16, enabled=quick):
            outputs = model(**{name: moved[name] for name in inputs}, return_dict=True)
        loss: Any = task.head.loss(in_fp32(outputs.logits), moved["targets"])
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        if device == "cuda":
            torch.cuda.synchronize()
        times.append(time.monotonic() - begun)
    counted = times[1:] or times
    return StepTime(sum(counted) / len(counted), info.layers, info.head_size, models.hidden_size(model))
