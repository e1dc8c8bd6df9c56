"""A model that Inductor compiled ahead of time, under PyTorch."""

from __future__ import annotations

from pathlib import Path

import torch
from serve import Feeds, Run, serve

Tensors = tuple[torch.Tensor, ...]


def load(model: Path, threads: int) -> tuple[str, Run]:
    torch.set_num_threads(threads)
    torch.set_grad_enabled(False)
    compiled = torch._inductor.aoti_load_package(str(model))

    def run(inputs: Tensors) -> object:
        return compiled(*inputs)

    return f"PyTorch {torch.__version__.split('+')[0]}", run


def tensors(feeds: Feeds) -> Tensors:
    return tuple(torch.from_numpy(value) for value in feeds.values())


if __name__ == "__main__":
    serve(load, tensors)
