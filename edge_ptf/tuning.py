"""Hyperparameter search: Optuna proposes the options of a training, and validation texts judge them.

The sampler is TPE (Bergstra et al. 2011), and Hyperband stops trainings that fall behind (Li et al. 2018, JMLR 18;
asynchronous successive halving inside each bracket). The first trial has the options of the recipe, so the result says
whether others are better by more than the noise of the validation split.
"""

from __future__ import annotations

import math
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

from edge_ptf.cache import Outcome
from edge_ptf.digests import value_digest
from edge_ptf.metrics import Direction, Metric
from edge_ptf.models.checkpoint import Checkpoint
from edge_ptf.models.lineage import TrainingFacts
from edge_ptf.search.studies import open_study, quiet_optuna, take_up
from edge_ptf.training import DistillConfig, FinetuneConfig, TrainingStopped, Watch
from edge_ptf.training.tuning_record import SURE, Tuning, TuningTrial

TRIAL, RECIPE = "trial", "recipe"
"""What a trial of the study is marked with: its record, and that it has the options of the recipe."""
REDUCTION = 3
"""Hyperband: one of so many trainings goes on at each rung."""
LEAST_FOR_IMPORTANCE = 8
"""Finished trials from which the importance of an option is computed."""
LARGER_RATE = 5.0
"""How much larger the learning rates are where few parameters are trained."""
RATES = {"finetune": (1e-5, 1e-3), "distill": (1e-4, 2e-3)}
BATCHES, RANKS = (16, 32, 64), (4, 8, 16, 32)
Config = FinetuneConfig | DistillConfig
Train = Callable[[Any, Watch], Outcome[Checkpoint]]
"""Trains with a configuration; the watch may stop it."""


def tune(
    train: Train,
    config: Config,
    metric: Metric,
    scored: int,
    count: int,
    storage: str,
    identity: Mapping[str, Any],
    smooths: bool = False,
    on_trial: Callable[[TuningTrial], None] = lambda _: None,
) -> Tuning:
    """Makes `count` trials, those of earlier runs on the same storage counted.

    Args:
        train: makes one training.
        config: the options of the recipe, for the first trial and for all that is not proposed.
        metric: judges a training on validation.
        scored: validation texts.
        storage: a database URL; several processes may share it.
        smooths: label smoothing is proposed too, for tasks with one class for a text.
        identity: what else decides a score, such as the digest of the data. Another identity is another study.

    Raises:
        MissingExtraError: Optuna is not installed.
        EnvironmentFault: the storage cannot be used.
    """
    optuna = quiet_optuna("tune")
    section: Literal["finetune", "distill"] = "distill" if isinstance(config, DistillConfig) else "finetune"
    most = 2 * config.epochs
    parts = {"section": section, "config": config.model_dump(mode="json"), **identity}
    study = open_study(
        storage,
        f"edge-ptf-tune-{value_digest(parts)[:16]}",
        direction="maximize" if metric.direction is Direction.HIGHER else "minimize",
        sampler=optuna.samplers.TPESampler(seed=config.seed, n_startup_trials=min(count // 2 + 1, 8)),
        pruner=optuna.pruners.HyperbandPruner(min_resource=1, max_resource=most, reduction_factor=REDUCTION),
    )
    if not study.trials:
        study.enqueue_trial(Space(config, smooths).of_recipe(), user_attrs={RECIPE: True})
    take_up(study)
    kept: list[Outcome[Checkpoint]] = []

    def make(trial: Any) -> float:
        is_recipe = bool(trial.user_attrs.get(RECIPE))
        proposed = Space(config, smooths).propose(trial)
        options = {} if is_recipe else proposed
        started, history = time.monotonic(), list[float]()

        def watch(scores: Sequence[float]) -> str | None:
            history[:] = scores
            trial.report(scores[-1], step=len(scores))
            if not is_recipe and trial.should_prune():
                return f"after {len(scores)} epochs it was behind"
            return None

        def ended(state: Literal["finished", "stopped"], score: float, reason: str = "") -> TuningTrial:
            made = TuningTrial(
                number=trial.number,
                options=options,
                state=state,
                reason=reason,
                history=tuple(history),
                score=score,
                seconds=round(time.monotonic() - started, 1),
            )
            trial.set_user_attr(TRIAL, made.model_dump(mode="json"))
            on_trial(made)
            return made

        try:
            outcome = train(config.replace(**options), watch)
        except TrainingStopped as stopped:
            history[:] = stopped.history
            ended("stopped", history[-1], stopped.reason)
            raise optuna.TrialPruned(stopped.reason) from None
        facts = outcome.artifact.info.facts
        assert isinstance(facts, TrainingFacts)
        history[:] = facts.validation
        made = ended("finished", facts.validation[facts.kept_epoch - 1])
        _keep_one(kept, outcome, metric)
        return made.score

    missing = count - len([trial for trial in study.get_trials(deepcopy=False) if TRIAL in trial.user_attrs])
    if missing > 0:
        study.optimize(make, n_trials=missing)
    return _conclude(study, section, metric, scored)


def trials_of(study: Any) -> list[TuningTrial]:
    """The trials of a study, whichever process made them, in their order."""
    return [
        TuningTrial.model_validate(trial.user_attrs[TRIAL])
        for trial in study.get_trials(deepcopy=False)
        if TRIAL in trial.user_attrs
    ]


class Space:
    """What is proposed for a training."""

    def __init__(self, config: Config, smooths: bool) -> None:
        self.config, self.smooths = config, smooths
        self.teaches = isinstance(config, DistillConfig)
        factor = LARGER_RATE if isinstance(config, FinetuneConfig) and config.method != "full" else 1.0
        self.rates = tuple(factor * rate for rate in RATES["distill" if self.teaches else "finetune"])
        self.epochs = max(config.epochs // 2, 1), 2 * config.epochs
        self.ranges: dict[str, tuple[float, float]] = {"warmup": (0.0, 0.3)}
        if isinstance(config, DistillConfig):
            self.ranges |= {"label_weight": (0.0, 1.0), "spliced_texts": (0.0, 4.0), "relation_weight": (0.0, 1.0)}
            if config.hidden_weight:  # hidden states of other widths cannot be compared
                self.ranges["hidden_weight"] = (0.1, 2.0)
        else:
            self.ranges |= {"dropout": (0.0, 0.3), "layer_decay": (0.6, 1.0), "weight_decay": (0.0, 0.1)}
            if smooths:
                self.ranges["label_smoothing"] = (0.0, 0.2)

    def propose(self, trial: Any) -> dict[str, Any]:
        """The options of a trial."""
        found: dict[str, Any] = {
            "learning_rate": trial.suggest_float("learning_rate", *self.rates, log=True),
            "epochs": trial.suggest_int("epochs", *self.epochs),
            "batch_size": trial.suggest_categorical("batch_size", BATCHES),
        }
        found |= {name: trial.suggest_float(name, *ends) for name, ends in self.ranges.items()}
        if isinstance(self.config, DistillConfig):
            found["logit_loss"] = trial.suggest_categorical("logit_loss", ("mse", "kl"))
            if found["logit_loss"] == "kl":
                found["temperature"] = trial.suggest_float("temperature", 1.0, 8.0)
        elif self.config.method in ("lora", "dora"):
            found["rank"] = trial.suggest_categorical("rank", RANKS)
        return found

    def of_recipe(self) -> dict[str, Any]:
        """The parameters of the recipe's own options, as far as the space has them."""
        values = self.config.model_dump()
        found = {name: getattr(self.config, name) for name in ("learning_rate", "epochs", "batch_size")}
        found |= {name: getattr(self.config, name) for name in self.ranges if getattr(self.config, name) is not None}
        found["learning_rate"] = min(max(found["learning_rate"], self.rates[0]), self.rates[1])
        found |= {name: min(max(found[name], low), high) for name, (low, high) in self.ranges.items() if name in found}
        if found["batch_size"] not in BATCHES:
            del found["batch_size"]
        if "logit_loss" in values:
            found["logit_loss"] = values["logit_loss"]
        return found


def _keep_one(kept: list[Outcome[Checkpoint]], outcome: Outcome[Checkpoint], metric: Metric) -> None:
    """Deletes the checkpoint of the worse one: a model is large, and its trial has all that is needed to train it."""
    kept.append(outcome)
    if len(kept) > 1:
        kept.sort(key=lambda each: _score(each) * (1 if metric.direction is Direction.HIGHER else -1))
        worse = kept.pop(0)
        if worse.folder != kept[0].folder:
            shutil.rmtree(worse.folder)


def _score(outcome: Outcome[Checkpoint]) -> float:
    facts = outcome.artifact.info.facts
    assert isinstance(facts, TrainingFacts)
    return facts.validation[facts.kept_epoch - 1]


def _conclude(study: Any, section: Literal["finetune", "distill"], metric: Metric, scored: int) -> Tuning:
    trials = trials_of(study)
    finished = [trial for trial in trials if trial.state == "finished"]
    higher = metric.direction is Direction.HIGHER
    best = max(finished, key=lambda trial: trial.score if higher else -trial.score, default=None)
    first = next((trial for trial in trials if not trial.options), None)
    noise, said = 0.0, "no training was finished"
    if best is not None:
        said = f"trial {best.number} is the best"
    if best is not None and first is not None:
        noise = math.hypot(metric.noise(best.score, scored), metric.noise(first.score, scored))
        ahead = abs(best.score - first.score)
        if best is first:
            said = "no options are better than those of the recipe"
        elif ahead > SURE * noise:
            said = f"trial {best.number} is better than the recipe by {ahead:.{metric.digits}f}, more than noise"
        else:
            said = (
                f"trial {best.number} is the best by {ahead:.{metric.digits}f}, which is within the noise of "
                f"{SURE * noise:.{metric.digits}f}: the options of the recipe are as good"
            )
    return Tuning(
        section=section,
        metric=metric.name,
        trials=tuple(trials),
        best=best.number if best else None,
        noise=noise,
        importance=_importance(study) if len(finished) >= LEAST_FOR_IMPORTANCE else {},
        conclusion=said,
        seconds=round(sum(trial.seconds for trial in trials), 1),
    )


def _importance(study: Any) -> dict[str, float]:
    """By PED-ANOVA (Watanabe et al., IJCAI 2023)."""
    from optuna.importance import PedAnovaImportanceEvaluator, get_param_importances

    found = get_param_importances(study, evaluator=PedAnovaImportanceEvaluator())
    return {name: round(float(value), 4) for name, value in found.items()}
