"""NNCF on OpenVINO: the checkpoint is converted by OpenVINO, then quantized or its weights compressed by NNCF."""

from __future__ import annotations

import nncf
import openvino
import torch
from arguments import arguments, feeds
from transformers import AutoModelForSequenceClassification

VARIANTS = ("static", "static-half-smooth", "weights")
SMOOTHING = {"static": 0.95, "static-half-smooth": 0.5}
"""SmoothQuant's alpha for matmuls; the default is 0.95."""
NAMES = ["input_ids", "attention_mask", "token_type_ids"]


def main() -> None:
    given = arguments(VARIANTS)
    teacher = AutoModelForSequenceClassification.from_pretrained(given.teacher).eval()
    example = {name: torch.from_numpy(value) for name, value in feeds(given.calibration[0], NAMES).items()}
    shapes = [(name, openvino.PartialShape([1, -1]), openvino.Type.i64) for name in NAMES]
    model = openvino.convert_model(teacher, example_input=example, input=shapes)
    if given.variant == "weights":  # OpenVINO quantizes activations at run time
        model = nncf.compress_weights(model, mode=nncf.CompressWeightsMode.INT8_SYM)
    else:
        data = nncf.Dataset(given.calibration, lambda ids: feeds(ids, NAMES))
        smooth = nncf.AdvancedSmoothQuantParameters(matmul=SMOOTHING[given.variant])
        model = nncf.quantize(
            model,
            data,
            model_type=nncf.ModelType.TRANSFORMER,
            subset_size=len(given.calibration),
            advanced_parameters=nncf.AdvancedQuantizationParameters(smooth_quant_alphas=smooth),
        )
    openvino.save_model(model, given.out / "model.xml", compress_to_fp16=False)


if __name__ == "__main__":
    main()
