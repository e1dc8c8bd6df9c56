"""A quantized model that Neural Compressor saved, compiled by PyTorch's Inductor."""

from __future__ import annotations

from pathlib import Path

import torch
from neural_compressor.torch.quantization import load as load_quantized
from serve import Feeds, Run, serve


def load(model: Path, threads: int) -> tuple[str, Run]:
    torch.set_num_threads(threads)
    torch._inductor.config.freezing = True
    compiled = torch.compile(load_quantized(str(model.parent)), dynamic=True)

    def run(feeds: tuple[torch.Tensor, ...]) -> object:
        with torch.no_grad():
            return compiled(*feeds)

    return f"PyTorch {torch.__version__}", run


def tensors(feeds: Feeds) -> tuple[torch.Tensor, ...]:
    return tuple(torch.from_numpy(value) for value in feeds.values())


if __name__ == "__main__":
    serve(load, tensors)
