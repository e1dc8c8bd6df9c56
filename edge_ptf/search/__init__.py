"""Finding a recipe that meets the targets: a ladder of predicted candidates, and a search with Optuna."""

from __future__ import annotations

from edge_ptf.search.ladder import climb
from edge_ptf.search.trials import search
from edge_ptf.search.workshop import WHOLE, Plan, Predictors, Workshop, planned

__all__ = ["WHOLE", "Plan", "Predictors", "Workshop", "climb", "planned", "search"]
