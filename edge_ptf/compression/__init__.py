"""Making a checkpoint physically smaller: layers, attention heads, feed-forward units, vocabulary."""

from __future__ import annotations

from edge_ptf.compression.attempts import Attempt, Search, best, conclude, drop_of, front, shortfall
from edge_ptf.compression.costs import CostConfig, CostTable, find_costs, open_costs, settled
from edge_ptf.compression.gradual import GradualConfig, in_steps
from edge_ptf.compression.prediction import Limits, Prediction, Predictor
from edge_ptf.compression.pruning import UNITS_STEP, PruneConfig, prune

__all__ = [
    "UNITS_STEP",
    "Attempt",
    "CostConfig",
    "CostTable",
    "GradualConfig",
    "Limits",
    "Prediction",
    "Predictor",
    "PruneConfig",
    "Search",
    "best",
    "conclude",
    "drop_of",
    "find_costs",
    "front",
    "in_steps",
    "open_costs",
    "prune",
    "settled",
    "shortfall",
]
