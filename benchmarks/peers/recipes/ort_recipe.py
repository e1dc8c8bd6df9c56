"""ONNX Runtime's own tools, as in its documentation for transformers: fuse, pre-process, quantize."""

from __future__ import annotations

from typing import Any

import onnx
from arguments import Reader, arguments
from onnxruntime.quantization import QuantFormat, QuantType, quant_pre_process, quantize_dynamic, quantize_static
from onnxruntime.transformers import optimizer

VARIANTS = ("dynamic", "static-qoperator", "static-qdq", "static-qdq-products")
LINEAR_OPS = ["MatMul", "Gemm", "Gather"]


def main() -> None:
    given = arguments(VARIANTS)
    source, fused = given.graph, given.out / "fused.onnx"
    prepared, out = given.out / "prepared.onnx", given.out / "model.onnx"
    qdq = given.variant.startswith("static-qdq")
    if not qdq:  # operators that the optimizer fuses have no QDQ form
        found = optimizer.optimize_model(str(source), model_type="bert", num_heads=0, hidden_size=0)
        found.save_model_to_file(str(fused))
        source = fused
    quant_pre_process(source, prepared, skip_optimization=not qdq, auto_merge=True)
    options: dict[str, Any] = {"per_channel": True, "weight_type": QuantType.QInt8}
    if given.variant == "dynamic":
        quantize_dynamic(prepared, out, **options)
    else:
        names = [item.name for item in onnx.load(given.graph).graph.input]
        options["quant_format"] = QuantFormat.QDQ if qdq else QuantFormat.QOperator
        if given.variant.endswith("products"):
            options |= {"op_types_to_quantize": LINEAR_OPS, "extra_options": {"MatMulConstBOnly": True}}
        quantize_static(prepared, out, Reader(given.calibration, names), activation_type=QuantType.QUInt8, **options)
    prepared.unlink()
    fused.unlink(missing_ok=True)


if __name__ == "__main__":
    main()
