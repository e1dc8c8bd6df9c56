"""The graphs that other tools make, as `record_others.py` recorded them."""

from __future__ import annotations

import tarfile
from pathlib import Path
from typing import Any

import onnx

RECORDED = Path(__file__).with_name("recorded.tar.xz")
ZERO, FP8 = "zero-point", "fp8"
RULES: dict[str, frozenset[str]] = {
    "Model-Optimizer, fp8, the rest fp16": frozenset([FP8]),
    "Model-Optimizer, fp8, the rest fp32": frozenset([FP8]),
    "Model-Optimizer, int8, the rest fp16": frozenset(),
    "Model-Optimizer, int8, the rest fp32": frozenset(),
    "NNCF, preset mixed": frozenset([ZERO]),
    "NNCF, preset performance": frozenset(),
    "Optimum, FP32": frozenset(),
    "Optimum, preset arm64, dynamic": frozenset(["dynamic-int8", "type", "uint8", ZERO]),
    "Optimum, preset avx512_vnni, static": frozenset(["dequantize-type", "uint8", ZERO]),
    "Optimum, preset tensorrt": frozenset(["dequantize-type"]),
    "Optimum, preset tensorrt, per channel": frozenset(["dequantize-type"]),
    "torchao, ARM": frozenset([ZERO]),
    "torchao, x86": frozenset([ZERO]),
    "torchao, x86, symmetric": frozenset(),
}
"""The rules that refuse each on a GPU without FP8."""


def graphs() -> dict[str, Any]:
    """The models by name."""
    with tarfile.open(RECORDED) as packed:
        read = {member.name: packed.extractfile(member) for member in packed}
        return {
            name.removesuffix(".onnx"): onnx.load_model_from_string(file.read()) for name, file in read.items() if file
        }
