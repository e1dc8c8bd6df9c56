"""ONNX Runtime: sessions on the CPU."""

from __future__ import annotations

from edge_ptf.engines.onnxruntime.engine import OnnxRuntime
from edge_ptf.engines.onnxruntime.session import GraphSession, interleaved_ms, logit_distance

ENGINE = OnnxRuntime()

__all__ = ["ENGINE", "GraphSession", "OnnxRuntime", "interleaved_ms", "logit_distance"]
