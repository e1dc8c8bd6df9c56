"""A tiny payload, made once through the real stages, without training."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edge_ptf import tasks
from edge_ptf.data.dataset import DataReport, LabelledData
from edge_ptf.export import ExportConfig, QuantizeConfig, export, quantize
from edge_ptf.package import AssembleConfig, Payload, assemble
from edge_ptf.tasks.base import Example

TEXTS = (
    "turn on the lights",
    "play some jazz music please",
    "set a timer for ten minutes",
    "what is the weather today",
)


def labelled(kind: str = "text-classification", *, paired: bool = False) -> LabelledData:
    """48 rows of three classes (or BIO tags), the same in every split."""
    rows = []
    for index in range(48):
        text = f"{TEXTS[index % 4]} {'now ' * (index % 5)}".strip()
        if kind == "token-classification":
            tags = tuple("B-what" if place == 1 else "O" for place in range(len(text.split())))
            rows.append(Example(text, tags))
        else:
            rows.append(Example(text, "abc"[index % 3], TEXTS[(index + 1) % 4] if paired else None))
    labels = tasks.get(kind).collect_labels(rows)
    report = DataReport(source="made here", splits={}, split_by="given")
    return LabelledData(tuple(rows), tuple(rows), tuple(rows), labels, report, "0" * 64)


@pytest.fixture(scope="session")
def make_payload(tiny_base: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Payload]:
    """Builds a payload of a tiny random model: `make_payload(family, task, mode, paired)`; each form once."""
    made: dict[Any, Payload] = {}

    def build(
        family: str = "bert", kind: str = "text-classification", mode: str = "dynamic", *, paired: bool = False
    ) -> Payload:
        key = (family, kind, mode, paired)
        if key not in made:
            made[key] = _build(tiny_base(family), kind, mode, tmp_path_factory.mktemp("payload"), paired)
        return made[key]

    return build


def _build(base: Path, kind: str, mode: str, out: Path, paired: bool) -> Payload:
    import torch

    from edge_ptf.checkpoint import fresh_info, load_base_model, load_tokenizer, save_checkpoint

    data = labelled(kind, paired=paired)
    task = tasks.create(tasks.get(kind).spec_for(data.labels))
    torch.manual_seed(0)
    model = load_base_model(base, task)
    for parameter in model.parameters():
        parameter.data.mul_(1.5)  # answers that differ from text to text
    checkpoint = save_checkpoint(model, load_tokenizer(base), fresh_info(model, task, "tiny", 64), out / "checkpoint")
    graph = export(checkpoint, data, ExportConfig(), out / "fp32")
    graph = quantize(graph, data, QuantizeConfig.model_validate({"mode": mode}), out / "quantized")
    return assemble(graph, data, AssembleConfig(name="tiny"), out / "package")
