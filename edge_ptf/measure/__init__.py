"""Evidence about a payload: its answers on `test`, its latency, its memory. Always in a process of its own."""

from __future__ import annotations

from edge_ptf.measure.accuracy import EvaluateConfig, evaluate, load_accuracy, runner_for
from edge_ptf.measure.latency import BenchConfig, bench, load_bench

__all__ = ["BenchConfig", "EvaluateConfig", "bench", "evaluate", "load_accuracy", "load_bench", "runner_for"]
