"""The arithmetic of a predicted duration. The time of a step is given: nothing is timed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from edge_ptf import profiles, tasks
from edge_ptf.config import Source
from edge_ptf.data.dataset import LabelledData
from edge_ptf.data_check import Duration, rounded_minutes
from edge_ptf.duration import ASSUMED_SHARE, FIXED_S, predict_duration, student_share
from edge_ptf.examples import Example
from edge_ptf.models import LayerShape
from edge_ptf.recipe import Recipe, resolve_recipe
from edge_ptf.training.step_time import StepTime, measure_step

TASK = tasks.get("text-classification")
STEP = StepTime(2.0, (LayerShape(num_heads=4, intermediate_size=128),) * 6, 8, 32)


def recipe(**values: Any) -> Recipe:
    return resolve_recipe(None, TASK, [Source("test", values)])


@pytest.fixture
def data(tiny_data: Callable[..., LabelledData]) -> LabelledData:
    """640 rows of train, 64 of validation, 160 of test."""
    row = Example("turn on the light", "light")
    return replace(tiny_data(), train=(row,) * 640, validation=(row,) * 64, test=(row,) * 160)


def test_every_step_is_counted(data: LabelledData) -> None:
    """20 steps an epoch; validation takes 2/3 of a step, and the teacher answers 1,920 texts once, in 20 steps."""
    chosen = recipe(
        finetune={"epochs": 3, "batch_size": 32},
        distill={"epochs": 5, "spliced_texts": 2.0},
        prune={"num_layers": 3, "intermediate_size": None},
        bench={"launches": 5, "seconds": 4, "memory_launches": 2},
    )
    found = predict_duration(STEP, data, chosen)
    assert found.steps == {
        "finetune": pytest.approx(3 * (20 + 2 / 3)),
        "distill": pytest.approx(20 + 5 * 0.5 * (60 + 2 / 3), abs=0.05),
        "evaluate": pytest.approx(2 * 2 / 3 * 5, abs=0.05),
    }
    bench = (5 + 2) * (4 + 1)
    assert found.minutes == pytest.approx((2.0 * sum(found.steps.values()) + FIXED_S + bench) / 60, abs=0.01)
    assert (found.trials, found.most_minutes) == (1, pytest.approx(found.minutes, abs=0.01))


def test_twice_the_step_takes_twice_the_training(data: LabelledData) -> None:
    quick, slow, none = (predict_duration(replace(STEP, seconds=s), data, recipe()).minutes for s in (1.0, 2.0, 0.0))
    assert slow - none == pytest.approx(2 * (quick - none))


def test_a_search_has_a_most(data: LabelledData) -> None:
    chosen = resolve_recipe(profiles.load("x86-vnni"), TASK, [])
    found = predict_duration(STEP, data, chosen)
    assert chosen.search.automatic
    assert found.trials == chosen.search.heuristic_trials == 3
    assert found.most_minutes > 3 * found.minutes  # further teachers, and a longer training
    assert "If the search makes all 3 trials" in found.sentence
    single = chosen.replace(search={**chosen.search.model_dump(), "heuristic_trials": 1})
    assert predict_duration(STEP, data, single).trials == 1


def test_each_fold_trains_on_the_other_folds(data: LabelledData) -> None:
    """Of 640 rows, 4 folds train on 480 each: 15 steps an epoch."""
    chosen = recipe(
        finetune={"epochs": 3, "batch_size": 32},
        distill={"epochs": 5, "spliced_texts": 2.0},
        prune={"num_layers": 3, "intermediate_size": None},
        cross_validation={"folds": 4},
    )
    found = predict_duration(STEP, data, chosen)
    each = 3 * (15 + 2 / 3) + 15 + 5 * 0.5 * (45 + 2 / 3)
    assert found.steps["folds"] == pytest.approx(4 * each, abs=0.1)
    assert found.minutes > predict_duration(STEP, data, chosen.replace(cross_validation={})).minutes


def test_each_seed_trains_again(data: LabelledData) -> None:
    once = recipe(ensemble={"teachers": 2})
    found = predict_duration(STEP, data, once.replace(repetition={"seeds": 3}))
    alone = predict_duration(STEP, data, once)
    assert found.steps["further seeds"] == pytest.approx(2 * sum(alone.steps.values()), abs=0.5)
    assert found.minutes > 2 * alone.minutes


@pytest.mark.parametrize(
    ("prune", "share"),
    [
        ({"num_layers": None, "intermediate_size": None}, 1.0),
        ({"num_layers": 0.5, "intermediate_size": None}, 0.5),
        ({"num_layers": None, "intermediate_size": 0.5}, (128 + 128) / (128 + 256)),
        ({"num_layers": 3, "num_heads": 2, "intermediate_size": 64}, 0.25),
        ({"num_layers": None, "intermediate_size": None, "hidden_size": 16}, 0.5),
        ({"num_layers": None, "intermediate_size": None, "speedup": 4.0}, 0.25),
        ({"num_layers": 99}, ASSUMED_SHARE),
    ],
)
def test_a_student_has_its_share_of_the_work(prune: dict[str, Any], share: float) -> None:
    assert student_share(STEP, recipe(prune=prune)) == pytest.approx(share)


@pytest.mark.parametrize(
    ("minutes", "said"),
    [
        (0.2, "1 minute"),
        (1.6, "2 minutes"),
        (9.6, "10 minutes"),
        (44.4, "44 minutes"),
        (127.0, "130 minutes"),
        (1260.0, "1,300 minutes"),
    ],
)
def test_a_duration_is_told_no_more_exactly_than_it_is_known(minutes: float, said: str) -> None:
    assert rounded_minutes(minutes) == said


def test_the_sentence_has_the_factor_of_uncertainty() -> None:
    found = Duration(step_seconds=0.123, steps={}, minutes=12.0, most_minutes=12.0, trials=1)
    assert found.sentence == (
        "a run takes about 12 minutes on this machine, within a factor of 2 (6 minutes to 24 minutes); "
        "measured: 0.12 s for a training step"
    )


def test_a_step_is_measured_on_texts_of_the_data(tiny_base: Callable[[str], Path], tiny_data: Callable) -> None:
    labelled = tiny_data()
    task = tasks.create(TASK.spec_for(labelled.labels))
    found = measure_step(tiny_base("bert"), task, labelled.train, recipe().finetune)
    assert found.seconds > 0
    assert (len(found.layers), found.head_size, found.hidden_size) == (3, 8, 32)
