"""Neural Compressor 3: PyTorch export and post-training quantization (PT2E), compiled by the worker with Inductor."""

from __future__ import annotations

from typing import Any

import torch
from arguments import arguments, feeds
from neural_compressor.torch.export import export
from neural_compressor.torch.quantization import DynamicQuantConfig, StaticQuantConfig, convert, prepare
from transformers import AutoModelForSequenceClassification

VARIANTS = ("dynamic", "static")
NAMES = ["input_ids", "attention_mask", "token_type_ids"]


class Logits(torch.nn.Module):
    """The model with positional inputs and nothing but logits."""

    def __init__(self, model: torch.nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, input_ids: Any, attention_mask: Any, token_type_ids: Any) -> Any:
        return self.model(input_ids=input_ids, attention_mask=attention_mask, token_type_ids=token_type_ids).logits


def main() -> None:
    given = arguments(VARIANTS)
    model = AutoModelForSequenceClassification.from_pretrained(given.teacher, attn_implementation="eager").eval()
    example = _inputs(given.calibration[len(given.calibration) // 2])
    length = torch.export.Dim("length", min=2, max=128)
    shapes = tuple({1: length} for _ in NAMES)
    exported = export(Logits(model), example_inputs=example, dynamic_shapes=shapes)
    config = DynamicQuantConfig() if given.variant == "dynamic" else StaticQuantConfig()
    prepared = prepare(exported, config, example_inputs=example)
    with torch.no_grad():
        for ids in given.calibration:
            prepared(*_inputs(ids))
    quantized = convert(prepared)
    quantized.save(example_inputs=example, output_dir=str(given.out))


def _inputs(ids: list[int]) -> tuple[torch.Tensor, ...]:
    return tuple(torch.from_numpy(value) for value in feeds(ids, NAMES).values())


if __name__ == "__main__":
    main()
