"""Intervals and bounds for latencies, ratios and paired drops.

All functions are pure functions on numbers. They use every sample; they remove no outliers. Every random step is
seeded, so the same samples give the same bound. `benchmarks/gate_error_rates.py` simulates how often each bound is
wrong.

- `percentiles`: percentiles of independent samples.
- `launches`: latencies of several process launches.
- `drift`: trends in latencies.
- `drops`: metrics of two models on the same examples.
- `scores`: the score of one model.
- `provable`: what a number of examples can prove.
"""

from __future__ import annotations

from edge_ptf.statistics.drift import Drift, drift
from edge_ptf.statistics.drops import (
    Drop,
    binary_drop_bound,
    binary_examples_needed,
    bootstrap_drop_bound,
    bootstrap_score_drop,
    drop_interval,
    examples_needed,
    mcnemar,
    paired_drop,
    share_of,
)
from edge_ptf.statistics.launches import (
    DEPENDENCE_LIMIT,
    LEAST_LAUNCHES,
    MOST_LAUNCHES,
    block_interval,
    dependence,
    launch_percentile,
    launch_percentile_bound,
    launches_to_bound,
    launches_to_decide,
    log_mean_limits,
    prediction_upper_bound,
    rank_autocorrelation,
    ratio_interval,
    speedup,
    values_to_predict,
)
from edge_ptf.statistics.percentiles import (
    Estimate,
    early_stopping_estimate,
    least_samples,
    percentile,
    percentile_interval,
    percentile_ranks,
    percentile_upper_bound,
)
from edge_ptf.statistics.provable import BestCase, best_case
from edge_ptf.statistics.scores import (
    Score,
    binary_examples_for_score,
    binary_score_bound,
    bootstrap_score,
    share_score,
)

__all__ = [
    "DEPENDENCE_LIMIT",
    "LEAST_LAUNCHES",
    "MOST_LAUNCHES",
    "BestCase",
    "Drift",
    "Drop",
    "Estimate",
    "Score",
    "best_case",
    "binary_drop_bound",
    "binary_examples_for_score",
    "binary_examples_needed",
    "binary_score_bound",
    "block_interval",
    "bootstrap_drop_bound",
    "bootstrap_score",
    "bootstrap_score_drop",
    "dependence",
    "drift",
    "drop_interval",
    "early_stopping_estimate",
    "examples_needed",
    "launch_percentile",
    "launch_percentile_bound",
    "launches_to_bound",
    "launches_to_decide",
    "least_samples",
    "log_mean_limits",
    "mcnemar",
    "paired_drop",
    "percentile",
    "percentile_interval",
    "percentile_ranks",
    "percentile_upper_bound",
    "prediction_upper_bound",
    "rank_autocorrelation",
    "ratio_interval",
    "share_of",
    "share_score",
    "speedup",
    "values_to_predict",
]
