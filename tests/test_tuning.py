"""The search of hyperparameters, around a training that is a formula."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from edge_ptf import tasks
from edge_ptf.errors import EnvironmentFault
from edge_ptf.models.lineage import FinetuneFacts
from edge_ptf.training import DistillConfig, FinetuneConfig, TrainingStopped
from edge_ptf.training.tuning_record import FILE, Tuning, read_tuning
from edge_ptf.tuning import BATCHES, RATES, Space, tune

METRICS = {
    metric.name: metric
    for name in ("text-classification", "regression")
    for metric in tasks.create(
        tasks.get(name).spec_for(["a", "b"] if name == "text-classification" else ["value"])
    ).metrics
}
ACCURACY, RMSE = METRICS["accuracy"], METRICS["rmse"]
TEXTS = 2000
CONFIG = FinetuneConfig(epochs=4)
Watch = Callable[[Sequence[float]], str | None]


class Formula:
    """A training whose score depends on the learning rate: best at `best`."""

    def __init__(self, folder: Path, best: float = 3e-5, width: float = 40.0, lower: bool = False) -> None:
        self.folder, self.best, self.width, self.lower = folder, best, width, lower
        self.made: list[Any] = []

    def __call__(self, config: Any, watch: Watch) -> Any:
        self.made.append(config)
        distance = abs(math.log10(config.learning_rate / self.best))
        last, history = 90 - self.width * distance, list[float]()
        for epoch in range(1, config.epochs + 1):
            history.append(100 - last * epoch / config.epochs if self.lower else last * epoch / config.epochs)
            if epoch < config.epochs and (reason := watch(history)):
                raise TrainingStopped(reason, history)
        folder = self.folder / str(len(self.made))
        folder.mkdir(parents=True)
        facts = FinetuneFacts(
            validation=tuple(history), kept_epoch=len(history), texts=1, tokens_per_epoch=1, device="cpu",
            precision="fp32", threads=1, cpu_capability="",
        )  # fmt: skip
        return SimpleNamespace(artifact=SimpleNamespace(info=SimpleNamespace(facts=facts)), folder=folder)


def run(train: Any, folder: Path, count: int, metric: Any = ACCURACY, config: Any = CONFIG, **rest: Any) -> Tuning:
    return tune(train, config, metric, TEXTS, count, f"sqlite:///{folder / 'tuning.db'}", {"data": "a"}, **rest)


def test_the_best_options_are_found_and_are_better_than_noise(tmp_path: Path) -> None:
    train, seen = Formula(tmp_path / "models"), []
    found = run(train, tmp_path, 25, on_trial=seen.append)
    assert [trial.number for trial in found.trials] == list(range(25)) == [trial.number for trial in seen]
    first, winner = found.trials[0], found.winner
    assert (first.options, first.state) == ({}, "finished")
    assert first.score == pytest.approx(90 - 40 * math.log10(2e-4 / 3e-5))
    assert winner is not None
    assert winner.score == max(trial.score for trial in found.trials if trial.state == "finished") > first.score + 10
    assert 1e-5 < winner.options["learning_rate"] < 1e-4
    assert found.is_better
    assert found.conclusion == (
        f"trial {winner.number} is better than the recipe by {winner.score - first.score:.{ACCURACY.digits}f}, more "
        "than noise"
    )
    assert train.made[0] == CONFIG
    assert max(found.importance, key=lambda name: found.importance[name]) == "learning_rate"


def test_trainings_that_fall_behind_are_stopped_early(tmp_path: Path) -> None:
    found = run(Formula(tmp_path / "models"), tmp_path, 25, config=CONFIG.replace(epochs=9))
    stopped = [trial for trial in found.trials if trial.state == "stopped"]
    assert stopped
    assert all("it was behind" in trial.reason for trial in stopped)
    assert found.trials[0].state == "finished"
    best = max(trial.score for trial in found.trials if trial.state == "finished")
    assert all(trial.score < best for trial in stopped)


def test_a_metric_whose_small_values_are_good(tmp_path: Path) -> None:
    found = run(Formula(tmp_path / "models", lower=True), tmp_path, 15, RMSE)
    assert found.winner is not None
    assert found.winner.score == min(trial.score for trial in found.trials if trial.state == "finished")


def test_differences_within_noise_are_said_to_be_none(tmp_path: Path) -> None:
    found = run(Formula(tmp_path / "models", width=0.1), tmp_path, 10)
    assert not found.is_better
    assert "within the noise" in found.conclusion or "no options are better" in found.conclusion


def test_only_the_best_model_stays(tmp_path: Path) -> None:
    train = Formula(tmp_path / "models")
    found = run(train, tmp_path, 12)
    assert found.winner is not None
    assert len(list((tmp_path / "models").iterdir())) == 1


def test_a_second_run_goes_on_where_the_first_ended(tmp_path: Path) -> None:
    train = Formula(tmp_path / "models")
    run(train, tmp_path, 3)
    found = run(train, tmp_path, 5)
    assert len(train.made) == len(found.trials) == 5
    assert run(train, tmp_path, 5).trials == found.trials
    assert len(train.made) == 5
    other = Formula(tmp_path / "others")
    run(other, tmp_path, 1, config=CONFIG.replace(seed=1))
    assert len(other.made) == 1


def test_an_interrupted_trial_is_made_again_with_its_options(tmp_path: Path) -> None:
    train = Formula(tmp_path / "models")

    def killed(config: Any, watch: Watch) -> Any:
        if len(train.made) == 2:
            train.made.append(config)
            raise KeyboardInterrupt
        return train(config, watch)

    with pytest.raises(KeyboardInterrupt):
        run(killed, tmp_path, 4)
    found = run(train, tmp_path, 4)
    assert train.made[2].model_dump() == train.made[3].model_dump()
    assert len(found.trials) == 4


def test_the_recipes_own_trial_stays_that_after_an_interruption(tmp_path: Path) -> None:
    def killed(config: Any, watch: Watch) -> Any:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(killed, tmp_path, 2)
    train = Formula(tmp_path / "models")
    assert run(train, tmp_path, 2).trials[0].options == {}
    assert train.made[0] == CONFIG


def test_the_space_of_a_training() -> None:
    full = Space(CONFIG, True)
    assert full.rates == RATES["finetune"]
    assert {"dropout", "layer_decay", "label_smoothing", "warmup", "weight_decay"} == set(full.ranges)
    assert "label_smoothing" not in Space(CONFIG, False).ranges
    assert full.epochs == (2, 8)
    assert Space(CONFIG.replace(method="lora"), True).rates[1] == 5 * RATES["finetune"][1]
    taught = Space(DistillConfig(hidden_weight=0.0), True)
    assert "hidden_weight" not in taught.ranges
    assert "dropout" not in taught.ranges
    assert {"label_weight", "relation_weight", "spliced_texts"} <= set(taught.ranges)


def test_options_of_the_recipe_outside_of_the_space_are_moved_to_its_edge() -> None:
    params = Space(CONFIG.replace(learning_rate=1.0, batch_size=7, dropout=0.9), True).of_recipe()
    assert params["learning_rate"] == RATES["finetune"][1]
    assert params["dropout"] == 0.3
    assert "batch_size" not in params
    assert 7 not in BATCHES


def test_the_record_is_read_back(tmp_path: Path) -> None:
    found = run(Formula(tmp_path / "models"), tmp_path, 2)
    found.write(tmp_path)
    assert read_tuning(tmp_path) == found
    (tmp_path / FILE).write_text("{", encoding="utf-8")
    assert read_tuning(tmp_path) is None
    assert read_tuning(tmp_path / "nowhere") is None


def test_a_storage_that_cannot_be_used_is_one_line_without_its_password(tmp_path: Path) -> None:
    with pytest.raises(EnvironmentFault) as caught:
        tune(Formula(tmp_path), CONFIG, ACCURACY, TEXTS, 1, "nosuch://me:secret@host/db", {})
    assert "secret" not in f"{caught.value} {caught.value.hint}"
