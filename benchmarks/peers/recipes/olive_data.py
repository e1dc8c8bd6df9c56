"""Calibration data for Olive's static pass: token ids, one text per batch."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import torch
from olive.data.registry import Registry


class Texts(torch.utils.data.Dataset):
    def __init__(self, texts: list[list[int]]) -> None:
        self.texts = texts

    def __len__(self) -> int:
        return len(self.texts)

    def __getitem__(self, index: int) -> tuple[dict[str, torch.Tensor], int]:
        ids = torch.tensor(self.texts[index])
        return {
            "input_ids": ids,
            "attention_mask": torch.ones_like(ids),
            "token_type_ids": torch.zeros_like(ids),
        }, 0


@Registry.register_dataset()
def calibration_texts(**_: Any) -> Texts:
    return Texts(json.loads(Path(os.environ["CALIBRATION"]).read_text(encoding="utf-8")))


@Registry.register_dataloader()
def one_by_one(dataset: Texts, **_: Any) -> torch.utils.data.DataLoader:
    return torch.utils.data.DataLoader(dataset, batch_size=1)
