"""ONNX Runtime: sessions on the CPU."""

from __future__ import annotations

from edge_ptf.engines.onnxruntime.session import GraphSession, feeds, interleaved_ms, logit_distance

__all__ = ["GraphSession", "feeds", "interleaved_ms", "logit_distance"]
