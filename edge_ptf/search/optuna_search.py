"""The wide search: Optuna proposes sizes and training options, trials are short, and what cannot win is stopped.

Accuracy, speed and size are objectives of their own (multi-objective TPE; Ozaki et al., Multiobjective Tree-structured
Parzen Estimator, JAIR 2022), so what comes out is a front. Several processes, or machines with one file system, work on
one storage.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from edge_ptf.compression import NEURONS_STEP, Prediction, Search, Trial, best, conclude, drop_of
from edge_ptf.digests import value_digest
from edge_ptf.models import LayerShape
from edge_ptf.search.heuristic import limits_of, structure_overrides
from edge_ptf.search.studies import open_study, quiet_optuna, take_up
from edge_ptf.search.trial_runner import NONE_PROVABLE, WHOLE, Overrides, Predictors, TrialRunner, too_few_rows

TRIAL = "trial"
TOO_FAR = 1.3
"""A candidate that is predicted to miss a limit by more than this factor is not trained."""
PATIENCE = 50
"""Proposals left out for each trial that is wanted, after which the search ends."""
WIDTHS = (WHOLE, 0.75, 0.5)
"""Of the hidden states, as shares of the teacher's."""
LEAST_HEADS = 3
"""A layer keeps one head of so many at least."""
SURE = 2.0
"""Standard errors between two validation scores that are no chance."""


def search(
    trial_runner: TrialRunner,
    predictors: Predictors,
    folder: Path,
    on_trial: Callable[[Trial], None] = lambda _: None,
) -> Search:
    """Makes `search.trials` trials, those of an earlier run on the same storage counted, or ends when one meets the
    targets and `search.all_trials` is off.

    If the test split has too few examples to prove a limit, no trial can meet it, so only one is made, as by the
    heuristic search; `search.all_trials` makes all.

    Raises:
        MissingExtraError: Optuna is not installed.
        EnvironmentFault: the storage cannot be used.
    """
    optuna = quiet_optuna("the search")
    config, too_few = trial_runner.recipe.search, too_few_rows(trial_runner)
    study = _open_study(trial_runner, config.storage or f"sqlite:///{(folder / 'search.db').resolve()}")
    space = _Space(trial_runner, predictors)
    if not study.trials:
        for start in space.starts():
            study.enqueue_trial(start)
    take_up(study)

    def over() -> str:
        """Why no further trial is begun."""
        if not config.all_trials and any(trial.met for trial in trials_of(study)):
            return "the targets are met"
        if _counted(study) >= config.trials:
            return f"{config.trials} trials were made; more are made with --trials N"
        if too_few and not config.all_trials and trials_of(study):
            return NONE_PROVABLE.format(f"{too_few}; --all-trials goes on")
        left_out = len(study.get_trials(deepcopy=False)) - _counted(study)
        return f"{left_out:,} proposals were left out as too dear" if left_out >= config.trials * PATIENCE else ""

    def make(trial: Any) -> tuple[float, float, float]:
        overrides, predicted = space.propose(trial)
        if reason := space.hopeless(predicted):
            raise optuna.TrialPruned(reason)
        others = [trial for trial in trials_of(study) if trial.history]
        watch = _watch(others, predicted, trial_runner)
        found = trial_runner.trial(f"trial {trial.number}", "proposed by the search", overrides, predicted, watch)
        trial.set_user_attr(TRIAL, found.model_dump(mode="json"))
        on_trial(found)
        if found.state == "stopped" or found.size_mb is None:
            raise optuna.TrialPruned(found.reason)
        return drop_of(found), found.speedup or predicted.speedup, found.size_mb

    def end(study: Any, _: Any) -> None:
        if over():
            study.stop()

    if not over():
        study.optimize(make, callbacks=[end])
    trials = trials_of(study)
    winner = best(trials)
    return Search(
        trials=tuple(trials),
        winner=winner.name if winner else None,
        conclusion=conclude(trials, over()),
        unreachable=tuple(space.unreachable),
        seconds=round(sum(trial.seconds for trial in trials), 1),
    )


def _open_study(trial_runner: TrialRunner, url: str) -> Any:
    """The study of this job on a storage."""
    from optuna.samplers import TPESampler

    config = trial_runner.recipe.search
    sampler = TPESampler(seed=config.seed, n_startup_trials=min(config.trials // 2 + 1, 10))
    directions = ["minimize", "maximize", "minimize"]
    return open_study(url, _study_name(trial_runner), directions=directions, sampler=sampler)


def trials_of(study: Any) -> list[Trial]:
    """The trials that a study's trials hold, whichever process made them."""
    return [
        Trial.model_validate(trial.user_attrs[TRIAL])
        for trial in study.get_trials(deepcopy=False)
        if TRIAL in trial.user_attrs
    ]


def _counted(study: Any) -> int:
    """Trials that were trained, also those of other processes that are at it."""
    trials = study.get_trials(deepcopy=False)
    return sum(TRIAL in trial.user_attrs or trial.state.name == "RUNNING" for trial in trials)


def _study_name(trial_runner: TrialRunner) -> str:
    """The same job finds its study again; another teacher, data set or recipe has another."""
    parts = {
        "teacher": trial_runner.teacher.digest,
        "data": trial_runner.data.fingerprint,
        "recipe": trial_runner.recipe.model_dump(
            mode="json", exclude={"search": {"trials", "all_trials", "storage", "minutes"}}
        ),
    }
    return f"edge-ptf-{value_digest(parts)[:16]}"


class _Space:
    """What is searched: layers, hidden states, heads, neurons, subwords, learning rate, mixed texts."""

    def __init__(self, trial_runner: TrialRunner, predictors: Predictors) -> None:
        self.recipe, self.predictors = trial_runner.recipe, predictors
        predictor = predictors(WHOLE)
        self.limits, self.unreachable = predictor.reachable(limits_of(trial_runner.recipe.targets, predictor))
        self.depth = len(predictor.shapes)
        self.most = max(shape.intermediate_size for shape in predictor.shapes)
        self.heads = max(shape.num_heads for shape in predictor.shapes)
        self.step = min(NEURONS_STEP, self.most)

    def starts(self) -> list[dict[str, Any]]:
        """First candidates: the deepest structure within the limits in each width, and in the first a layer less."""
        usual = {
            "heads": self.heads,
            "vocabulary": 1.0,
            "learning_rate": self.recipe.distill.learning_rate,
            "spliced_texts": self.recipe.distill.spliced_texts,
        }
        found = list[dict[str, Any]]()
        for width in WIDTHS:
            if layers := self.predictors(width).deepest(self.limits):
                size = {
                    "hidden": width,
                    "layers": len(layers),
                    "neurons": max(layers[0].intermediate_size // self.step, 1),
                }
                found.append({**size, **usual})
                if width == WHOLE and len(layers) > 1:
                    found.append({**size, "layers": len(layers) - 1, **usual})
        return found

    def propose(self, trial: Any) -> tuple[Overrides, Prediction]:
        """The options of a trial, and what is predicted of it."""
        config = self.recipe.prune
        width = trial.suggest_categorical("hidden", WIDTHS)
        count = trial.suggest_int("layers", 1, self.depth)
        heads = trial.suggest_int("heads", max(self.heads // LEAST_HEADS, 1), self.heads)
        neurons = self.step * trial.suggest_int("neurons", 1, self.most // self.step)
        layers, predictor = (LayerShape(num_heads=heads, intermediate_size=neurons),) * count, self.predictors(width)
        prune, subwords = structure_overrides(layers, predictor), predictor.subwords
        if config.vocabulary and config.vocabulary_size:
            share = trial.suggest_float("vocabulary", 0.6, 1.2, step=0.2)
            prune["vocabulary_size"] = round(share * config.vocabulary_size)
            subwords = round(share * subwords)
        distill = {
            "learning_rate": trial.suggest_float("learning_rate", 1e-4, 1e-3, log=True),
            "spliced_texts": trial.suggest_float("spliced_texts", 0.0, 3.0, step=0.5),
            "epochs": self.recipe.search.epochs,
        }
        return {"prune": prune, "distill": distill}, predictor.of(layers, subwords)

    def hopeless(self, predicted: Prediction) -> str:
        """Why a candidate is not worth training; empty where it may be."""
        if self.limits.speedup and predicted.speedup * TOO_FAR < self.limits.speedup:
            return f"predicted {predicted.speedup:.1f} ×, {self.limits.speedup:g} × are wanted"
        if self.limits.size_mb and predicted.size_mb > self.limits.size_mb * TOO_FAR:
            return f"predicted {predicted.size_mb:.1f} MB, {self.limits.size_mb:g} MB are wanted"
        return ""


def _watch(
    others: Sequence[Trial], own: Prediction, trial_runner: TrialRunner
) -> Callable[[Sequence[float]], str | None]:
    """Stops a training that a smaller and quicker trial was surely ahead of after as many epochs."""
    metric, scored = trial_runner.task.steering, len(trial_runner.data.validation)
    percent = " %" if metric.unit == "points" else ""
    better = [
        other for other in others if other.predicted.speedup >= own.speedup and other.predicted.size_mb <= own.size_mb
    ]

    def watch(history: Sequence[float]) -> str | None:
        score = history[-1]
        for other in better:
            if len(other.history) < len(history):
                continue
            theirs = other.history[len(history) - 1]
            noise = math.hypot(metric.noise(score, scored), metric.noise(theirs, scored))
            if metric.direction.lead(theirs, score) > SURE * noise:
                digits = metric.digits - 1
                return (
                    f"after {len(history)} epochs {score:.{digits}f}{percent}, and {other.name}, smaller and quicker, "
                    f"had {theirs:.{digits}f}{percent}"
                )
        return None

    return watch
