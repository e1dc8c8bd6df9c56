from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from edge_ptf import profiles, stages, tasks
from edge_ptf.cache import Place
from edge_ptf.compression import Prediction
from edge_ptf.config import Source
from edge_ptf.data.dataset import LabelledData
from edge_ptf.errors import ParityError, RefusedError
from edge_ptf.examples import Example
from edge_ptf.models.checkpoint import Checkpoint
from edge_ptf.recipe import resolve_recipe
from edge_ptf.search import trial_runner as room
from edge_ptf.search.trial_runner import TrialRunner, larger_on_test

PREDICTED = Prediction(speedup=2.0, size_mb=1.0)
QUICK = {
    "distill": {"epochs": 1, "spliced_texts": 0.0},
    "bench": {"calls": 100, "seconds": 0, "memory_launches": 2},
    "speed_check": {"allow_slower": True},
    "targets": {"min_speedup": 1000.0, "package_mb": None, "peak_memory_mb": None},
}
SMALL = {"prune": {"num_layers": 2, "intermediate_size": (32,)}}


def test_each_bound_is_drawn_in_by_the_texts_its_metric_is_about(tiny_data: Callable[..., LabelledData]) -> None:
    known, outside = Example("turn on the light", "light"), Example("who are you", "oos")
    data = replace(tiny_data(), validation=(known,) * 30 + (outside,), test=(known,) * 45 + (outside,) * 10)
    task = tasks.create(tasks.get("text-classification").spec_for(("light", "oos"), "oos"))
    found = larger_on_test(task, data)
    assert found["max_drop.in_scope_accuracy"] == pytest.approx((30 / 45) ** 0.5)
    assert found["max_drop.out_of_scope_recall"] == pytest.approx((1 / 10) ** 0.5)


@pytest.mark.parametrize(("named", "ratio"), [(12, (6 / 12) ** 0.5), (0, 1.0)])
def test_sentences_without_a_name_do_not_count(
    tiny_data: Callable[..., LabelledData], named: int, ratio: float
) -> None:
    name, nothing = Example("ann sings", ("B-who", "O")), Example("rain falls", ("O", "O"))
    data: Any = replace(
        tiny_data("token-classification"), validation=(name,) * 6, test=(name,) * named + (nothing,) * 9
    )
    task = tasks.create(tasks.get("token-classification").spec_for(("O", "B-who", "I-who")))
    wanted = pytest.approx(ratio)
    found = larger_on_test(task, data)
    assert {name for name in found if name.startswith("max_drop.")} == {"max_drop.entity_f1"}
    assert found["max_drop.entity_f1"] == found["min_score.entity_f1"] == wanted


def test_it_knows_which_limits_the_test_split_cannot_prove(shop: TrialRunner) -> None:
    (found,) = shop.unprovable
    assert found.metric == "accuracy"
    assert found.examples == len(shop.data.test)


@pytest.fixture
def shop(
    tiny_teacher: Callable[..., Checkpoint], tiny_data: Callable[..., LabelledData], tmp_path: Path
) -> TrialRunner:
    """A trial_runner for this machine whose speed-up no package reaches."""
    profile, data, teacher = profiles.load("host"), tiny_data(), tiny_teacher()
    recipe = resolve_recipe(profile, tasks.get("text-classification"), [Source("test", QUICK)])
    place = Place(tmp_path, keyed=True)
    graph = stages.export(place, teacher, data, recipe.export).artifact
    baseline = stages.assemble(place, graph, data, recipe.assemble.replace(name="teacher")).artifact
    return TrialRunner(profile, recipe, data, teacher, baseline, place)


@pytest.mark.slow
def test_a_measurement_that_does_not_count_is_made_again_and_meets_no_target(
    shop: TrialRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = []

    def crowded(*arguments: Any, **options: Any) -> Any:
        outcome = measure(*arguments, **options)
        latency, memory = outcome.artifact
        made.append(latency)
        return replace(outcome, artifact=(latency.replace(flags=("crowded",)), memory))

    measure = stages.bench
    monkeypatch.setattr(stages, "bench", crowded)
    found = shop.trial("trial 1", "a test", SMALL, PREDICTED)
    assert len(made) == 2
    assert found.state == "finished"
    assert found.speedup
    assert found.short["min_speedup"] == pytest.approx(1, abs=0.1)
    assert not found.met


@pytest.mark.slow
@pytest.mark.parametrize(
    ("where", "name", "refusal"),
    [
        (room, "int8_graph", RefusedError("INT8 is slower than FP32")),
        (stages, "assemble", ParityError("the tokenizer's tables do not say the same")),
    ],
)
def test_a_student_that_is_refused_is_an_attempt_that_was_stopped(
    shop: TrialRunner, monkeypatch: pytest.MonkeyPatch, where: Any, name: str, refusal: Any
) -> None:
    def refuse(*_: Any) -> Any:
        raise refusal

    monkeypatch.setattr(where, name, refuse)
    found = shop.trial("trial 1", "a test", SMALL, PREDICTED)
    assert (found.state, found.reason) == ("stopped", refusal.message)
    assert found.seconds > 0
    assert shop.refusal is refusal
