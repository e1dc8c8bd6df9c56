"""TensorRT: the check of a graph against its rules. It needs no TensorRT."""

from __future__ import annotations

from edge_ptf.engines.tensorrt.findings import Finding
from edge_ptf.engines.tensorrt.targets import TARGETS
from edge_ptf.engines.tensorrt.verify import verify_graph

__all__ = ["TARGETS", "Finding", "verify_graph"]
