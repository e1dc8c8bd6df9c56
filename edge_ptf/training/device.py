"""Where training runs, and in which precision."""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

Precision: TypeAlias = Literal["auto", "fp32", "bf16"]


def device_and_precision(precision: Precision = "auto") -> dict[str, Any]:
    """Device, precision and threads of a training run: what its result depends on beside data and options.

    `auto` is bfloat16 (autocast; weights and optimizer stay FP32) on a GPU and on processors with bfloat16 matrix
    units (AMX), where it is several times faster, and FP32 elsewhere.
    """
    import torch

    cuda = torch.cuda.is_available()
    quick = cuda or _has_matrix_units()
    return {
        "device": f"cuda ({torch.cuda.get_device_name()})" if cuda else "cpu",
        "precision": ("bf16" if quick else "fp32") if precision == "auto" else precision,
        "threads": 0 if cuda else torch.get_num_threads(),
        "cpu_capability": "" if cuda else torch.backends.cpu.get_cpu_capability(),
    }


def on_gpu() -> bool:
    """Whether training runs on a GPU here."""
    import torch

    return bool(torch.cuda.is_available())


def _has_matrix_units() -> bool:
    import torch

    return bool(getattr(torch.cpu, "_is_amx_tile_supported", lambda: False)())
