"""Neural Compressor 3: post-training quantization in PyTorch (PT2E), compiled ahead of time by Inductor."""

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
    """The model with positional inputs and only logits as output."""

    def __init__(self, model: torch.nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, input_ids: Any, attention_mask: Any, token_type_ids: Any) -> Any:
        return self.model(input_ids=input_ids, attention_mask=attention_mask, token_type_ids=token_type_ids).logits


def main() -> None:
    given = arguments(VARIANTS)
    model = AutoModelForSequenceClassification.from_pretrained(given.teacher, attn_implementation="eager").eval()
    example = _inputs(given.calibration[len(given.calibration) // 2])
    shapes = tuple({1: torch.export.Dim("length", min=2, max=128)} for _ in NAMES)
    exported = export(Logits(model), example_inputs=example, dynamic_shapes=shapes)
    static = given.variant == "static"
    prepared = prepare(exported, StaticQuantConfig() if static else DynamicQuantConfig(), example_inputs=example)
    with torch.no_grad():
        for ids in given.calibration if static else given.calibration[:1]:
            prepared(*_inputs(ids))
        program = torch.export.export(convert(prepared), example, dynamic_shapes=shapes)
        torch._inductor.aoti_compile_and_package(
            program, package_path=str(given.out / "model.pt2"), inductor_configs={"freezing": True}
        )


def _inputs(ids: list[int]) -> tuple[torch.Tensor, ...]:
    return tuple(torch.from_numpy(value) for value in feeds(ids, NAMES).values())


if __name__ == "__main__":
    main()
