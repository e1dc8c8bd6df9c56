"""Finding a recipe that meets the targets: a heuristic search, and a wide one with Optuna."""

from __future__ import annotations

from edge_ptf.search.heuristic import heuristic_search
from edge_ptf.search.optuna_search import search
from edge_ptf.search.trial_runner import WHOLE, Overrides, Predictors, TrialRunner, apply_overrides

__all__ = ["WHOLE", "Overrides", "Predictors", "TrialRunner", "apply_overrides", "heuristic_search", "search"]
