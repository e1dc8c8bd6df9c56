"""Metrics of answers: score, direction, noise, and the bound of a drop. There is one file for each family."""

from __future__ import annotations

from edge_ptf.metrics.base import Direction, Metric, Percentage, gated, scores
from edge_ptf.metrics.calibration_error import CalibrationError
from edge_ptf.metrics.f1 import F1, Precision, Recall
from edge_ptf.metrics.macro import MacroF1
from edge_ptf.metrics.matthews import Matthews
from edge_ptf.metrics.share import Share

__all__ = [
    "F1",
    "CalibrationError",
    "Direction",
    "MacroF1",
    "Matthews",
    "Metric",
    "Percentage",
    "Precision",
    "Recall",
    "Share",
    "gated",
    "scores",
]
