"""Measures a payload: its answers on `test`, its latency and its memory. Each measurement is a separate process."""

from __future__ import annotations

from edge_ptf.bench.accuracy import EvaluateConfig, evaluate, load_accuracy, runner_for
from edge_ptf.bench.interleaved import Comparison, compare_latency, load_comparison
from edge_ptf.bench.latency import BenchConfig, bench, load_bench
from edge_ptf.bench.texts import BenchTexts, golden_texts, texts_of

__all__ = [
    "BenchConfig",
    "BenchTexts",
    "Comparison",
    "EvaluateConfig",
    "bench",
    "compare_latency",
    "evaluate",
    "golden_texts",
    "load_accuracy",
    "load_bench",
    "load_comparison",
    "runner_for",
    "texts_of",
]
