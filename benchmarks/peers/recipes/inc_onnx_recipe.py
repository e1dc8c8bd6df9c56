"""Neural Compressor 2.6, the last with ONNX: post-training quantization of the fused graph, as in its BERT examples."""

from __future__ import annotations

from typing import Any

import onnx
from arguments import arguments, feeds
from neural_compressor import PostTrainingQuantConfig, quantization
from onnxruntime.transformers import optimizer

VARIANTS = ("dynamic", "static", "static-qdq")


class Loader:
    """A dataloader of Neural Compressor: batches of inputs and labels."""

    batch_size = 1

    def __init__(self, calibration: list[list[int]], names: list[str]) -> None:
        self.batches = [(feeds(ids, names), 0) for ids in calibration]

    def __iter__(self) -> Any:
        return iter(self.batches)


def main() -> None:
    given = arguments(VARIANTS)
    names = [item.name for item in onnx.load(given.graph).graph.input]
    fused = given.out / "fused.onnx"
    optimizer.optimize_model(
        str(given.graph), model_type="bert", num_heads=0, hidden_size=0, opt_level=0
    ).save_model_to_file(str(fused))
    static = given.variant.startswith("static")
    config = PostTrainingQuantConfig(
        approach="static" if static else "dynamic",
        quant_format="QDQ" if given.variant.endswith("qdq") else "default",
        calibration_sampling_size=[len(given.calibration)],
        op_type_dict={".*": {"weight": {"granularity": ["per_channel"]}}},
    )
    model = quantization.fit(str(fused), config, calib_dataloader=Loader(given.calibration, names) if static else None)
    model.save(str(given.out / "model.onnx"))
    fused.unlink()


if __name__ == "__main__":
    main()
