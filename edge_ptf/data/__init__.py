"""Labelled text: reads it, checks it and splits it."""

from __future__ import annotations

from edge_ptf.data.dataset import DataConfig, LabelledData
from edge_ptf.data.loading import is_at_hand, load

__all__ = ["DataConfig", "LabelledData", "is_at_hand", "load"]
