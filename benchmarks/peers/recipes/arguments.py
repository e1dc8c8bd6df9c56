"""The arguments of every recipe. A recipe writes its model to `out`; its output on the terminal is ignored."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any


def arguments(variants: tuple[str, ...]) -> argparse.Namespace:
    """`calibration` becomes a list of token-id lists: validation texts, one at a time, unpadded."""
    parser = argparse.ArgumentParser()
    parser.add_argument("variant", choices=variants)
    parser.add_argument("--teacher", type=Path, required=True, help="Hugging Face directory")
    parser.add_argument("--graph", type=Path, required=True, help="the same model as FP32 ONNX")
    parser.add_argument("--calibration", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    given.calibration = json.loads(given.calibration.read_text(encoding="utf-8"))
    return given


def feeds(ids: list[int], names: list[str]) -> dict[str, Any]:
    """The inputs of one text, each int64 [1, length]."""
    import numpy as np

    row = np.asarray([ids], dtype=np.int64)
    known = {"input_ids": row, "attention_mask": np.ones_like(row), "token_type_ids": np.zeros_like(row)}
    return {name: known[name] for name in names}


class Reader:
    """Calibration data in the interface of ONNX Runtime's quantizer."""

    def __init__(self, calibration: list[list[int]], names: list[str]) -> None:
        self.calibration, self.names = calibration, names
        self.rewind()

    def rewind(self) -> None:
        self.left = iter(self.calibration)

    def get_next(self) -> dict[str, Any] | None:
        ids = next(self.left, None)
        return None if ids is None else feeds(ids, self.names)
