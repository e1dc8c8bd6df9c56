"""Heuristic search: the candidate that is predicted to meet the targets, and what the last trial says to try next."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from edge_ptf.compression import Limits, Predictor, Search, Trial, best, conclude
from edge_ptf.models import LayerShape
from edge_ptf.profiles import ACCURACY_TARGETS, Targets
from edge_ptf.recipe import Recipe
from edge_ptf.search.trial_runner import NONE_PROVABLE, WHOLE, Overrides, Predictors, TrialRunner, too_few_rows

MARGIN = {"speedup": 1.08, "size_mb": 1.005}
"""Between prediction and limit: what is proven lies some 2 % below what is measured, and the same package an hour later
is measured up to 6 % slower; the count of bytes is closer."""
CORRECTED = 1.02
"""The same once a measurement has corrected the prediction."""
WIDEST = 1.25
"""A measured bound further from its value than this says more about the machine than about the structure."""
ENOUGH = 0.5
"""Share of the teacher's layers below which subwords that only the language uses, and wide hidden states, are not worth
their bytes."""
NARROW = 0.75
"""Share of the hidden states' width that narrower students keep."""
FEW_HEADS = (1 / 2, 1 / 3)
"""Shares of the attention heads that they keep, one after the other, where that is still not enough."""
TEACHERS = 3
"""Teachers of a student whose accuracy is not proven."""
LONGER = 2
"""How many times as long it is taught if that is not enough."""
ROUNDING = 1.5
"""The work of a training step with INT8's rounding, as a multiple of one without: measured in FP32 on one core."""
SPARE = 1.2
"""Further minutes that are named hold this many times what is expected."""
FIRST = "the deepest structure that is predicted to meet the targets"
COST_TARGETS = ("min_speedup", "latency_ms", "package_mb")


def limits_of(targets: Targets, predictor: Predictor) -> Limits:
    """The targets as limits of a prediction. A latency counts where costs were measured, as the speed-up it needs: at
    least that of the mean text, for a percentile too; what is measured then says the rest."""
    wanted = [targets.min_speedup] if targets.min_speedup is not None else []
    latencies = predictor.latencies
    if latencies.full_precision_ms and latencies.source == "measured":
        limits_ms = (targets.latency_ms.p50, targets.latency_ms.p95)
        wanted += [latencies.full_precision_ms / limit for limit in limits_ms if limit is not None]
    return Limits(speedup=max(wanted, default=None), size_mb=targets.package_mb)


def heuristic_search(
    trial_runner: TrialRunner,
    predictors: Predictors,
    on_trial: Callable[[Trial], None] = lambda _: None,
) -> Search:
    """Tries candidates until one meets the targets on validation, or trials or time are used up.

    The first is the deepest structure that is predicted to be quick and small enough. One that turns out too slow or
    too large is followed by a smaller one, with the prediction corrected by what was measured; one whose accuracy is
    not proven by one that several teachers teach, then by one that is taught longer, and at last by one that is taught
    with INT8's rounding. A further trial is begun only if it can be expected to end in time; work that an earlier run
    did counts as if it were done now, so that a resumed search decides as one that was never interrupted.

    If the test split has too few examples to prove a limit, no further trial can meet it, so only one is made.

    Raises:
        RefusedError, ParityError: every trial was refused so; the last one's.
    """
    config = trial_runner.recipe.search
    wanted = limits_of(trial_runner.recipe.targets, predictors(WHOLE))
    form, predictor = _form(predictors, _tightened(wanted, ()))
    limits, unreachable = predictor.reachable(wanted)
    trials: list[Trial] = []
    why_stopped = f"{config.heuristic_trials} trials were made; more are made with --set search.heuristic_trials=N"
    too_few = too_few_rows(trial_runner)
    while len(trials) < config.heuristic_trials:
        if trials and too_few:
            why_stopped = NONE_PROVABLE.format(too_few)
            break
        step = _next(trial_runner, predictor, limits, trials, form)
        spent = sum(trial_runner.work.values())
        if step is None:
            over = f"{config.minutes:g} minutes are spent, and " if trials and spent >= config.minutes * 60 else ""
            why_stopped = f"{over}no other structure or training is left to try; `edge-ptf search` looks wider"
            break
        why, overrides, layers, effort = step
        if trials and spent + effort * trials[-1].seconds > config.minutes * 60:
            why_stopped = _time_is_spent(config.minutes, spent, effort * trials[-1].seconds)
            break
        if too_few:
            why = f"{why}; the only trial, because the test split has too few examples"
        found = trial_runner.trial(f"trial {len(trials) + 1}", why, overrides, predictor.of(layers))
        trials.append(found)
        on_trial(found)
        if found.met:
            why_stopped = "so nothing further was tried"
            break
    winner = best(trials)
    if winner is None and trial_runner.refusal is not None:
        raise trial_runner.refusal
    return Search(
        trials=tuple(trials),
        winner=winner.name if winner else None,
        conclusion=conclude(trials, why_stopped),
        unreachable=tuple(unreachable),
        seconds=round(sum(trial_runner.work.values()), 1),
    )


def _time_is_spent(minutes: float, spent: float, expected: float) -> str:
    """That the time does not allow another trial, and which option allows it.

    Args:
        minutes: what is allowed.
        spent: seconds that the trials took.
        expected: seconds that another one is expected to take.
    """
    needed = math.ceil((spent + expected) * SPARE / 60)
    return (
        f"the time is spent: trials took {spent / 60:.1f} minutes, and another one of about {expected / 60:.1f} would "
        f"not end within {minutes:g} minutes; the same command with --set search.minutes={needed} goes on from here"
    )


def _form(predictors: Predictors, limits: Limits) -> tuple[Overrides, Predictor]:
    """Embedding table, hidden states and heads: the recipe's own table in the teacher's width, or what leaves room for
    more layers.

    Pieces that only the language uses and a quarter of the hidden states are given up late, where fewer than `ENOUGH`
    of the layers fit beside a smaller table, and half or two thirds of the heads last, where no more than that fit even
    so. A speed-up that no structure reaches says nothing about bytes.
    """
    whole = predictors(WHOLE)
    if whole.deepest(Limits(speedup=limits.speedup)) is None:
        limits = replace(limits, speedup=None)
    own: tuple[Overrides, Predictor] = ({}, whole)
    chosen, most = own, -1

    def look(forms: Sequence[tuple[Overrides, Predictor]]) -> None:
        nonlocal chosen, most
        for overrides, predictor in forms:
            depth = len(predictor.deepest(limits) or ())
            if depth > most:
                chosen, most = (overrides, predictor), depth

    half = ENOUGH * len(whole.shapes)
    tables = [own, *whole.smaller_tables()]
    look(tables[:2])
    if most < half:
        look(tables[2:])
        narrow = predictors(NARROW)
        look([({}, narrow), *narrow.smaller_tables()])
        for few in map(narrow.of_heads, FEW_HEADS):
            if most <= half:
                look([({}, few), *few.smaller_tables()])
    return chosen


def structure_overrides(layers: Sequence[LayerShape], predictor: Predictor) -> dict[str, Any]:
    """Options of `prune` that give such layers, all of one shape, in the width that the predictor is for."""
    shape = layers[0]
    heads = None if shape.num_heads == max(each.num_heads for each in predictor.shapes) else (shape.num_heads,)
    sizes = {
        "num_layers": len(layers),
        "num_heads": heads,
        "intermediate_size": (shape.intermediate_size,),
        "hidden_size": predictor.pruned_hidden_size,
    }
    return {**sizes, "keep_layers": None, "speedup": None}


@dataclass(frozen=True, slots=True)
class _Schedule:
    """A way to teach: why it is taken, its options, and its work as a multiple of the first one's."""

    why: str
    overrides: Overrides
    work: float


def _schedules(recipe: Recipe, predictor: Predictor, layers: Sequence[LayerShape]) -> list[_Schedule]:
    """From the cheapest to the dearest."""
    schedules = [_Schedule("", {}, 1.0)]
    overrides: dict[str, dict[str, Any]] = {}
    further = TEACHERS - recipe.ensemble.teachers
    if further > 0:
        overrides = {"ensemble": {"teachers": TEACHERS}}
        why = f"taught by {TEACHERS} teachers: the accuracy drop was not proven"
        schedules.append(_Schedule(why, overrides, 1.0 + further * _share_of_a_teacher(recipe, predictor, layers)))
    overrides = {**overrides, "distill": {"epochs": LONGER * recipe.distill.epochs}}
    why = f"taught {LONGER} times as long: the accuracy drop was not proven"
    schedules.append(_Schedule(why, overrides, float(LONGER)))  # further teachers are there by then
    if recipe.quantize.mode != "none" and not recipe.distill.quantization_aware:
        overrides = {**overrides, "distill": {**overrides["distill"], "quantization_aware": True}}
        why = "taught with INT8's rounding: the accuracy drop was not proven"
        schedules.append(_Schedule(why, overrides, LONGER * ROUNDING))
    return schedules


def _share_of_a_teacher(recipe: Recipe, predictor: Predictor, layers: Sequence[LayerShape]) -> float:
    """The work of fine-tuning one more teacher, as a multiple of teaching the student."""
    small = sum(map(predictor.weights, layers))
    texts = 1 + recipe.distill.spliced_texts + recipe.distill.substituted_texts
    return recipe.finetune.epochs * predictor.full_weights / (recipe.distill.epochs * texts * small)


def _next(
    trial_runner: TrialRunner, predictor: Predictor, limits: Limits, trials: Sequence[Trial], form: Overrides
) -> tuple[str, Overrides, tuple[LayerShape, ...], float] | None:
    """Why, with which options, of which structure, and how many times the work of the last trial.

    Args:
        form: options of the embedding table, which every plan has.
    """
    layers = predictor.deepest(_tightened(limits, trials))
    if not trials:
        layers = layers or predictor.deepest(limits)  # the margin alone may leave nothing
        if layers is None:
            return None
        return FIRST, {**form, "prune": _prune_options(form, layers, predictor)}, layers, 1.0
    last = trials[-1]
    prune: Mapping[str, Any] = last.overrides["prune"]
    if layers and last.misses(*COST_TARGETS):
        prune = _prune_options(form, layers, predictor)
    smaller = prune != last.overrides["prune"]
    if layers is None or not smaller:
        shape = LayerShape(num_heads=predictor.heads, intermediate_size=prune["intermediate_size"][0])
        layers = (shape,) * prune["num_layers"]
    schedules = _schedules(trial_runner.recipe, predictor, layers)
    taught: Overrides = {name: options for name, options in last.overrides.items() if name not in {*form, "prune"}}
    given = [schedule.overrides for schedule in schedules].index(taught)
    better = last.misses(*ACCURACY_TARGETS) and given + 1 < len(schedules)
    if not better and not smaller:
        return None
    why = ["a smaller structure: the last one was measured to be too slow or too large"] if smaller else []
    schedule = schedules[given + 1 if better else given]
    if better:
        why.append(schedule.why)
    return (
        "; ".join(why),
        {**form, "prune": prune, **schedule.overrides},
        layers,
        schedule.work / schedules[given].work,
    )


def _prune_options(form: Overrides, layers: Sequence[LayerShape], predictor: Predictor) -> dict[str, Any]:
    return {**structure_overrides(layers, predictor), **form.get("prune", {})}


def _tightened(limits: Limits, trials: Sequence[Trial]) -> Limits:
    """Limits for predictions: with a margin, and corrected by how far the trials so far were off.

    A speed-up that is quick enough with a bound that is not is followed by one whose bound is predicted to be.
    One that was too slow in milliseconds is followed by one that is predicted to be as much quicker as it was too slow.
    """
    factors, quicker = dict(MARGIN), list[float]()
    for trial in trials:
        if trial.speedup:
            reached = max(_bound(trial, "min_speedup") or trial.speedup, trial.speedup / WIDEST)
            factors["speedup"] = max(
                factors["speedup"], trial.predicted.speedup / min(reached, trial.speedup) * CORRECTED
            )
        if trial.size_mb:
            factors["size_mb"] = max(factors["size_mb"], trial.size_mb / trial.predicted.size_mb)
        late = max((share for name, share in trial.short.items() if name.startswith("latency_ms")), default=0.0)
        if late:
            quicker.append(trial.predicted.speedup * (1 + late) * CORRECTED)
    if limits.speedup is not None:
        quicker.append(limits.speedup * factors["speedup"])
    return replace(
        limits,
        speedup=max(quicker, default=None),
        size_mb=None if limits.size_mb is None else limits.size_mb / factors["size_mb"],
    )


def _bound(trial: Trial, target: str) -> float | None:
    """The bound of a target that a trial misses; None where it is met or has no bound."""
    found = (item.bound for item in trial.target_verdicts if item.target == target and target in trial.short)
    return next(found, None)
