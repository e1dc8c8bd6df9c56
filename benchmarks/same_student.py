"""Checks whether two runs of `edge-ptf compress` trained bit-identical models.

    python benchmarks/same_student.py BEFORE AFTER

BEFORE and AFTER are `--out` folders of two runs with the same settings and seeds, on one machine, by two versions of
the code. The program compares the weights of each trained model tensor by tensor. Equal weights give equal logits. It
also compares the logits of the student's INT8 graph on random token ids.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from safetensors.numpy import load_file

TRAINED = ("finetune", "prune", "distill")


def weights(run: Path, stage: str) -> dict[str, Any]:
    """The tensors of the checkpoint from a stage of a run."""
    (file,) = run.glob(f"stages/{stage}-*/model.safetensors")
    return load_file(file)


def differing(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    """Names of the tensors that are not bit-identical or not in both."""
    return [
        name
        for name in sorted(before.keys() | after.keys())
        if name not in before or name not in after or before[name].tobytes() != after[name].tobytes()
    ]


def logits(run: Path) -> list[Any]:
    """The logits of the student's INT8 graph for some token ids."""
    (file,) = run.glob("stages/quantize-*/model.onnx")
    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    draw, found = np.random.default_rng(0), []
    for length in (3, 8, 16, 32):
        ids = draw.integers(5, 1000, (1, length), dtype=np.int64)
        known = {
            "input_ids": ids,
            "attention_mask": np.ones_like(ids),
            "token_type_ids": np.zeros_like(ids),
        }
        found.append(session.run(None, {item.name: known[item.name] for item in session.get_inputs()})[0])
    return found


def main() -> int:
    """Returns 0 if all is equal, 1 if something differs."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("before", type=Path)
    parser.add_argument("after", type=Path)
    given = parser.parse_args()
    record: dict[str, Any] = {}
    for stage in TRAINED:
        before, after = weights(given.before, stage), weights(given.after, stage)
        record[stage] = {"tensors": len(before), "differing": differing(before, after)}
    equal = [np.array_equal(a, b) for a, b in zip(logits(given.before), logits(given.after), strict=True)]
    record["student logits"] = {"texts": len(equal), "differing": equal.count(False)}
    print(json.dumps(record, indent=1))
    return int(any(item["differing"] for item in record.values()))


if __name__ == "__main__":
    sys.exit(main())
