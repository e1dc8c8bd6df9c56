"""Every stage of the job, each declared once; `declaration` says what comes from a declaration."""

from __future__ import annotations

from edge_ptf.stages.checkpoints import distill, finetune, latency_table, prune
from edge_ptf.stages.declaration import STAGES, Stage
from edge_ptf.stages.graphs import assemble, calibrate, export, quantize, sensitivity, speed_check
from edge_ptf.stages.measuring import bench, compare, evaluate

__all__ = [
    "STAGES",
    "Stage",
    "assemble",
    "bench",
    "calibrate",
    "compare",
    "distill",
    "evaluate",
    "export",
    "finetune",
    "latency_table",
    "prune",
    "quantize",
    "sensitivity",
    "speed_check",
]
