"""Tests for the metrics of one of several tasks."""

from __future__ import annotations

import math

import pytest

from edge_ptf import tasks
from edge_ptf.examples import Prediction, combined
from edge_ptf.metrics import scores

KIND = tasks.get("intent=text-classification,slots=token-classification,stars=regression")
TASK = tasks.create(KIND.spec_for(("intent.on", "intent.off", "slots.O", "slots.B-a", "slots.I-a", "stars.value")))
REFERENCES = [("on", ("O", "B-a"), 1.0), ("off", None, 2.0), (None, ("B-a",), 4.0), ("on", ("O",), None)]
ANSWERS = [
    combined({"intent": Prediction(intent, 0.75), "slots": Prediction(tags, 0.5), "stars": Prediction(stars, stars)})
    for intent, tags, stars in (
        ("on", ("O", "O"), 1.5),
        ("on", ("B-a",), 2.5),
        ("off", ("B-a",), 3.0),
        ("on", ("O",), 9.0),
    )
]


def test_each_task_is_scored_on_the_examples_that_have_a_label_of_it() -> None:
    found = scores(TASK.metrics, REFERENCES, ANSWERS)
    assert found["intent.accuracy"] == pytest.approx(100 * 2 / 3)
    assert found["slots.entity_f1"] == pytest.approx(100 * 2 / 3)
    assert found["slots.word_accuracy"] == pytest.approx(75.0)
    assert found["stars.rmse"] == pytest.approx(math.sqrt((0.25 + 0.25 + 1) / 3))
    assert found["intent.ece"] == pytest.approx(100 * abs(2 / 3 - 0.75))


def test_the_metrics_that_are_judged_come_first_with_the_name_of_their_task() -> None:
    names = [metric.name for metric in TASK.metrics]
    assert names[:2] == ["intent.accuracy", "slots.entity_f1"]
    assert [metric.gated for metric in TASK.metrics] == sorted((m.gated for m in TASK.metrics), reverse=True)
    accuracy, ece = TASK.metrics[0], next(metric for metric in TASK.metrics if metric.name == "intent.ece")
    assert (accuracy.title, accuracy.unit, accuracy.score_unit) == ("intent accuracy", "points", "%")
    assert ece.direction.value == "lower"


def test_a_bound_is_that_of_the_tasks_own_metric() -> None:
    metric = TASK.metrics[0]
    inner = tasks.create(tasks.get("text-classification").spec_for(("on", "off"))).metrics[0]
    own = [labels[0] for labels in REFERENCES if labels[0] is not None]
    theirs = ["on", "on", "on"]
    rows = metric.per_example(REFERENCES, metric.answers(ANSWERS))
    right = metric.per_example(REFERENCES, REFERENCES)
    assert metric.counted(rows) == 3
    wanted = inner.bound(inner.per_example(own, own), inner.per_example(own, theirs), 0.95, 50.0)
    assert metric.bound(right, rows, 0.95, 50.0) == wanted
    assert metric.score_bound(rows, 0.95) == inner.score_bound(inner.per_example(own, theirs), 0.95)
    assert metric.noise(50.0, 25) == inner.noise(50.0, 25)


def test_the_mean_of_the_first_metrics_steers_where_their_units_agree() -> None:
    two = tasks.create(
        tasks.get("intent=text-classification,slots=token-classification").spec_for(
            ("intent.on", "intent.off", "slots.O", "slots.B-a", "slots.I-a")
        )
    )
    references = [labels[:2] for labels in REFERENCES]
    answers = [Prediction(each.label[:2], each.score, scores=each.scores, rankings=each.rankings) for each in ANSWERS]
    mean = two.steering
    rows = mean.per_example(references, mean.answers(answers))
    assert mean.title == "mean of intent accuracy and slots entity F1"
    assert mean.score(rows) == pytest.approx(100 * 2 / 3)
    assert mean.noise(50.0, 25) == pytest.approx(10 / math.sqrt(2))
    only_tags = mean.per_example([(None, ("B-a",))], [("on", ("B-a",))])
    assert mean.score(only_tags) == 100.0
    assert math.isnan(mean.score(rows[:0]))
    assert TASK.steering.name == "intent.accuracy"  # a correlation has no mean with percentages


def test_a_task_without_labels_has_no_score() -> None:
    metric = TASK.metrics[0]
    assert math.isnan(metric.score(metric.per_example([(None, ("O",), 1.0)], [("on", ("O",), 1.0)])))
