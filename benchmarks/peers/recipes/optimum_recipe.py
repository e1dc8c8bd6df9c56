"""Optimum: `ORTModel` exports, `ORTOptimizer` fuses (O2), `ORTQuantizer` quantizes for AVX512-VNNI."""

from __future__ import annotations

import shutil
from pathlib import Path

import onnx
from arguments import arguments, feeds
from datasets import Dataset
from onnxruntime.tools.symbolic_shape_infer import SymbolicShapeInference
from optimum.onnxruntime import ORTModelForSequenceClassification, ORTOptimizer, ORTQuantizer
from optimum.onnxruntime.configuration import AutoCalibrationConfig, AutoQuantizationConfig, OptimizationConfig

VARIANTS = ("dynamic", "dynamic-o2", "static", "static-products")


def main() -> None:
    given = arguments(VARIANTS)
    folder = given.out / "fp32"
    model = ORTModelForSequenceClassification.from_pretrained(given.teacher, export=True)
    if given.variant.endswith("-o2"):
        ORTOptimizer.from_pretrained(model).optimize(
            save_dir=folder, optimization_config=OptimizationConfig(optimization_level=2)
        )
        _infer_types(next(folder.glob("*.onnx")))
    else:
        model.save_pretrained(folder)
    quantizer = ORTQuantizer.from_pretrained(folder, file_name=next(folder.glob("*.onnx")).name)
    static = given.variant.startswith("static")
    config = AutoQuantizationConfig.avx512_vnni(is_static=static, per_channel=True)
    if given.variant == "static-products":
        config.operators_to_quantize = ["MatMul", "Gemm", "Gather"]
    ranges = None
    if static:
        rows = [feeds(ids, list(model.input_names)) for ids in given.calibration]
        data = Dataset.from_list([{name: value[0].tolist() for name, value in row.items()} for row in rows])
        ranges = quantizer.fit(
            dataset=data,
            calibration_config=AutoCalibrationConfig.minmax(data),
            operators_to_quantize=config.operators_to_quantize,
        )
    quantizer.quantize(save_dir=given.out, quantization_config=config, calibration_tensors_range=ranges)
    next(given.out.glob("*_quantized.onnx")).rename(given.out / "model.onnx")
    shutil.rmtree(folder)
    Path("augmented_model.onnx").unlink(missing_ok=True)


def _infer_types(path: Path) -> None:
    """The quantizer needs the output types of fused operators, which ONNX cannot infer."""
    model = SymbolicShapeInference.infer_shapes(onnx.load(path), auto_merge=True)
    onnx.save(model, path)


if __name__ == "__main__":
    main()
