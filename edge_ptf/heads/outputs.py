"""Logits and targets of a head: one array or tensor, or a mapping from the names of several parts to theirs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any


def mapped(values: Any, change: Callable[[Any], Any]) -> Any:
    """What `change` makes of an array or tensor; of a mapping, what it makes of each of them."""
    if isinstance(values, Mapping):
        return {name: mapped(value, change) for name, value in values.items()}
    return change(values)


def in_fp32(logits: Any) -> Any:
    """Logits of a model as FP32 tensors."""
    return mapped(logits, lambda tensor: tensor.float())


def as_arrays(logits: Any) -> Any:
    """Logits of a model as FP32 arrays."""
    return mapped(logits, lambda tensor: tensor.float().cpu().numpy())
