"""What the test split can prove is what the gate would say about two models that answer alike."""

from __future__ import annotations

import pytest

from edge_ptf import tasks
from edge_ptf.metrics import gated
from edge_ptf.provable import provable, unprovable

TEXT = tasks.create(tasks.get("text-classification").spec_for(("a", "b")))
SCOPED = tasks.create(tasks.get("text-classification").spec_for(("a", "b", "oos"), "oos"))
TAGGER = tasks.create(tasks.get("token-classification").spec_for(("O", "B-who", "I-who")))
LABELS = tasks.create(tasks.get("multi-label-classification").spec_for(("a", "b")))


def test_sixty_rows_cannot_prove_one_point() -> None:
    (found,) = provable(TEXT, ["a", "b"] * 30, {"accuracy": 1.0}, 0.95)
    assert (found.examples, found.needed, found.possible) == (60, 361, False)
    assert found.bound == pytest.approx(5.79, abs=0.01)
    assert found.sentence == (
        "accuracy: 60 test rows can prove a drop of at most 5.79 points at best; for 1 point you need about 370"
    )
    (enough,) = provable(TEXT, ["a"] * 361, {"accuracy": 1.0}, 0.95)
    assert enough.possible
    assert unprovable([found, enough]) == (found,)


@pytest.mark.parametrize(
    ("task", "references"),
    [
        (TEXT, ["a", "b", "b"] * 20),
        (SCOPED, ["a", "b", "oos"] * 20),
        (TAGGER, [("B-who", "I-who", "O"), ("O", "O"), ("B-who", "B-who")] * 20),
        (LABELS, [("a",), (), ("a", "b")] * 20),
    ],
    ids=lambda item: item.name if hasattr(item, "name") else "",
)
def test_the_bound_is_the_gates_own_for_equal_answers(task: tasks.Task, references: list[object]) -> None:
    limits = {metric.name: 0.5 for metric in gated(task.metrics)}
    found = provable(task, references, limits, 0.9)
    assert [each.metric for each in found] == list(limits)
    for metric, each in zip(gated(task.metrics), found, strict=True):
        rows = metric.per_example(references, references)
        assert each.bound == metric.bound(rows, rows, 0.9).bound
        assert each.examples == metric.counted(rows)
        assert each.needed is not None and each.needed > each.examples


def test_only_gated_metrics_with_a_limit_are_told() -> None:
    assert provable(TEXT, ["a", "b"], {"macro_f1": 1.0, "entity_f1": 1.0}, 0.95) == ()
    (open_one,) = provable(TEXT, ["a", "b"], {"accuracy": None}, 0.95)
    assert open_one.possible
    assert "no limit is set" in open_one.sentence


def test_a_metric_that_no_row_is_about_proves_nothing() -> None:
    inside, outside = provable(SCOPED, ["a"] * 500, {"in_scope_accuracy": 1.0, "out_of_scope_recall": 5.0}, 0.95)
    assert inside.possible
    assert (outside.examples, outside.bound, outside.possible) == (0, None, False)
    assert "no test row counts" in outside.sentence


def test_a_limit_of_zero_has_no_number_of_rows() -> None:
    (found,) = provable(TEXT, ["a"] * 50, {"accuracy": 0.0}, 0.95)
    assert found.needed is None
    assert "no number of rows is known" in found.sentence


def test_a_score_is_provable_by_right_answers_alone() -> None:
    found, drop = provable(TEXT, ["a", "b"] * 30, {"accuracy": 1.0}, 0.95, {"accuracy": 97})
    assert (found.target, found.unit, found.direction, drop.target) == ("min_score", "%", "higher", "max_drop")
    assert found.bound == pytest.approx(100 * 0.05 ** (1 / 60))
    assert (found.examples, found.needed, found.possible) == (60, 99, False)  # 0.97 ** 99 < 0.05 < 0.97 ** 98
    assert found.sentence == (
        "accuracy: 60 test rows can prove a score of at least 95.13 % at best; for 97 % you need about 99"
    )
    (enough,) = provable(TEXT, ["a"] * 99, {}, 0.95, {"accuracy": 97})
    assert enough.possible
    (perfect,) = provable(TEXT, ["a"] * 99, {}, 0.95, {"accuracy": 100})
    assert (perfect.possible, perfect.needed) == (False, None)


@pytest.mark.parametrize(
    ("task", "references"),
    [
        (SCOPED, ["a", "b", "oos"] * 20),
        (TAGGER, [("B-who", "I-who", "O"), ("O", "O"), ("B-who", "B-who")] * 20),
        (LABELS, [("a",), (), ("a", "b")] * 20),
    ],
)
def test_the_bound_of_a_score_is_the_gates_own_for_right_answers(task: tasks.Task, references: list[object]) -> None:
    found = provable(task, references, {}, 0.9, {metric.name: 99.5 for metric in gated(task.metrics)})
    for metric, each in zip(gated(task.metrics), found, strict=True):
        rows = metric.per_example(references, references)
        assert each.bound == metric.score_bound(rows, 0.9).bound < 100
        assert each.examples == metric.counted(rows)
        assert each.needed is not None and each.needed > each.examples


def test_a_score_that_no_row_is_about_is_not_provable() -> None:
    (outside,) = provable(SCOPED, ["a"] * 500, {}, 0.95, {"out_of_scope_recall": 50})
    assert (outside.examples, outside.bound, outside.possible) == (0, None, False)
    assert "so no score can be proven" in outside.sentence
