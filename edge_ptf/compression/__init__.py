"""Makes a checkpoint physically smaller: fewer layers, attention heads, feed-forward neurons and subwords."""

from __future__ import annotations

from edge_ptf.compression.gradual import GradualConfig, in_steps
from edge_ptf.compression.latency_table import (
    LatencyTable,
    LatencyTableConfig,
    measure_latency_table,
    open_latency_table,
    settled,
)
from edge_ptf.compression.prediction import Limits, Prediction, Predictor
from edge_ptf.compression.pruning import NEURONS_STEP, PruneConfig, prune
from edge_ptf.compression.trials import Search, Trial, best, conclude, drop_of, front, shortfall

__all__ = [
    "NEURONS_STEP",
    "GradualConfig",
    "LatencyTable",
    "LatencyTableConfig",
    "Limits",
    "Prediction",
    "Predictor",
    "PruneConfig",
    "Search",
    "Trial",
    "best",
    "conclude",
    "drop_of",
    "front",
    "in_steps",
    "measure_latency_table",
    "open_latency_table",
    "prune",
    "settled",
    "shortfall",
]
