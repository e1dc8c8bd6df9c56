"""Making a checkpoint physically smaller: layers, attention heads, feed-forward units, vocabulary."""

from __future__ import annotations

from edge_ptf.compression.costs import CostConfig, CostTable, find_costs, open_costs
from edge_ptf.compression.pruning import PruneConfig, prune

__all__ = ["CostConfig", "CostTable", "PruneConfig", "find_costs", "open_costs", "prune"]
