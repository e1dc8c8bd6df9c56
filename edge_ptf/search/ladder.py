"""The ladder: the candidate that is predicted to meet the targets, and what the last attempt says to try next."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from edge_ptf.architecture import LayerShape
from edge_ptf.compression import Attempt, Limits, Predictor, Search, best, conclude
from edge_ptf.profiles import Targets
from edge_ptf.search.workshop import Plan, Workshop

MARGIN = {"speedup": 1.05, "size_mb": 1.005}
"""Between prediction and limit: the table of costs is right within a few percent, the count of bytes closer."""
LONGER = 2
"""How many times as long a student is taught whose accuracy is not proven."""
COSTS = ("min_speedup", "latency_ms", "package_mb")


def limits_of(targets: Targets, predictor: Predictor) -> Limits:
    """The targets as limits of a prediction. A latency counts where costs were measured, as the speed-up it needs."""
    wanted = [targets.min_speedup] if targets.min_speedup is not None else []
    costs = predictor.costs
    if targets.latency_ms.p50 is not None and costs.full_precision_ms and costs.source == "measured":
        wanted.append(costs.full_precision_ms / targets.latency_ms.p50)
    return Limits(speedup=max(wanted, default=None), size_mb=targets.package_mb)


def climb(
    workshop: Workshop,
    predictor: Predictor,
    on_attempt: Callable[[Attempt], None] = lambda _: None,
) -> Search:
    """Tries candidates until one meets the targets on validation, or attempts or time are used up.

    The first is the deepest structure that is predicted to be quick and small enough. One that turns out too slow or
    too large is followed by a smaller one, with the prediction corrected by what was measured; one whose accuracy is
    not proven is taught longer. A further attempt is begun only if it can be expected to end in time.
    """
    began, config = time.monotonic(), workshop.recipe.search
    limits, unreachable = predictor.reachable(limits_of(workshop.recipe.targets, predictor))
    attempts: list[Attempt] = []
    why_stopped = f"{config.attempts} attempts were made"
    while len(attempts) < config.attempts:
        step = _next(workshop, predictor, limits, attempts)
        if step is None:
            why_stopped = "the ladder knows nothing further to try; `edge-ptf search` looks wider"
            break
        why, plan, layers, effort = step
        left = config.minutes * 60 - (time.monotonic() - began)
        if attempts and effort * attempts[-1].seconds > left:
            why_stopped = f"another attempt would not end within {config.minutes:g} minutes"
            break
        found = workshop.attempt(f"attempt {len(attempts) + 1}", why, plan, predictor.of(layers))
        attempts.append(found)
        on_attempt(found)
        if found.met:
            why_stopped = "so nothing further was tried"
            break
    winner = best(attempts)
    return Search(
        attempts=tuple(attempts),
        winner=winner.name if winner else None,
        conclusion=conclude(attempts, why_stopped),
        unreachable=tuple(unreachable),
        seconds=round(time.monotonic() - began, 1),
    )


def structure_plan(layers: Sequence[LayerShape]) -> dict[str, Any]:
    """Options of `prune` that give layers of one shape."""
    return {"layers": len(layers), "ffn": (layers[0].ffn,), "heads": None, "keep_layers": None, "speedup": None}


def _next(
    workshop: Workshop, predictor: Predictor, limits: Limits, attempts: Sequence[Attempt]
) -> tuple[str, Plan, tuple[LayerShape, ...], float] | None:
    """Why, with which options, of which structure, and how many times the work of the last attempt."""
    within = _tightened(limits, attempts)
    layers = predictor.deepest(within)
    if layers is None:
        return None
    plan: dict[str, dict[str, Any]] = {"prune": structure_plan(layers)}
    if not attempts:
        return "the deepest structure that is predicted to meet the targets", plan, layers, 1.0
    last = attempts[-1]
    smaller = last.misses(*COSTS) and plan["prune"] != last.plan["prune"]
    epochs, usual = last.plan.get("distill", {}).get("epochs"), workshop.recipe.distill.epochs
    if smaller:
        if epochs:
            plan["distill"] = {"epochs": epochs}
        return "a smaller structure: the last one was measured to be too slow or too large", plan, layers, 1.0
    if last.misses("max_drop") and epochs is None:
        plan = {"prune": last.plan["prune"], "distill": {"epochs": LONGER * usual}}
        shapes = (LayerShape(heads=layers[0].heads, ffn=last.plan["prune"]["ffn"][0]),) * last.plan["prune"]["layers"]
        return f"taught {LONGER} times as long: the accuracy drop was not proven", plan, shapes, float(LONGER)
    return None


def _tightened(limits: Limits, attempts: Sequence[Attempt]) -> Limits:
    """Limits for predictions: with a margin, and corrected by how far the attempts so far were off."""
    factors = dict(MARGIN)
    for attempt in attempts:
        if attempt.speedup:
            factors["speedup"] = max(factors["speedup"], attempt.predicted.speedup / attempt.speedup * 1.02)
        if attempt.size_mb:
            factors["size_mb"] = max(factors["size_mb"], attempt.size_mb / attempt.predicted.size_mb)
    return replace(
        limits,
        speedup=None if limits.speedup is None else limits.speedup * factors["speedup"],
        size_mb=None if limits.size_mb is None else limits.size_mb / factors["size_mb"],
    )
