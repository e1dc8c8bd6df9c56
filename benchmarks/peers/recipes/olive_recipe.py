"""Olive: conversion, transformer optimization and quantization as passes of one `olive run`."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

from arguments import arguments
from olive import run

VARIANTS = ("dynamic", "static-qoperator", "static-qdq")
CONVERT = {"type": "OnnxConversion", "target_opset": 17, "use_dynamo_exporter": False}
FUSE = {"type": "OrtTransformersOptimization", "model_type": "bert"}
DYNAMIC = {"type": "OnnxDynamicQuantization", "precision": "int8", "per_channel": True}
STATIC = {
    **{"type": "OnnxStaticQuantization", "precision": "int8", "activation_type": "uint8", "per_channel": True},
    **{"data_config": "calibration", "calibrate_method": "MinMax"},
}
PASSES: dict[str, dict[str, Any]] = {
    "dynamic": {"convert": CONVERT, "fuse": FUSE, "quantize": DYNAMIC},
    "static-qdq": {"convert": CONVERT, "quantize": {**STATIC, "quant_format": "QDQ"}},
    "static-qoperator": {"convert": CONVERT, "fuse": FUSE, "quantize": {**STATIC, "quant_format": "QOperator"}},
}


def main() -> None:
    given = arguments(VARIANTS)
    calibration = given.out / "calibration.json"
    calibration.write_text(json.dumps(given.calibration), encoding="utf-8")
    os.environ["CALIBRATION"] = str(calibration)
    config = {
        "input_model": {
            "type": "HfModel",
            "model_path": str(given.teacher),
            "task": "text-classification",
            "load_kwargs": {"attn_implementation": "eager"},  # the form that the optimizer fuses
        },
        "systems": {
            "cpu": {
                "type": "LocalSystem",
                "accelerators": [{"device": "cpu", "execution_providers": ["CPUExecutionProvider"]}],
            }
        },
        "data_configs": [
            {
                "name": "calibration",
                "type": "DummyDataContainer",
                "user_script": str(Path(__file__).parent / "olive_data.py"),
                "load_dataset_config": {"type": "calibration_texts"},
                "pre_process_data_config": {"type": "skip_pre_process"},
                "post_process_data_config": {"type": "skip_post_process"},
                "dataloader_config": {"type": "one_by_one"},
            }
        ],
        "passes": PASSES[given.variant],
        "host": "cpu",
        "target": "cpu",
        "cache_dir": str(given.out / "cache"),
        "output_dir": str(given.out / "run"),
        "no_artifacts": False,
    }
    run(config)
    found = next((given.out / "run").rglob("*.onnx"))
    shutil.move(found, given.out / "model.onnx")
    for folder in ("run", "cache"):
        shutil.rmtree(given.out / folder)
    calibration.unlink()


if __name__ == "__main__":
    main()
