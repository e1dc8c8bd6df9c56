"""Heads: what the outputs of a graph mean."""

from __future__ import annotations

from edge_ptf.heads.spec import LOGITS, LOGITS_AXES, HeadSpec, OutputSpec, is_per_token

__all__ = ["LOGITS", "LOGITS_AXES", "HeadSpec", "OutputSpec", "is_per_token"]
