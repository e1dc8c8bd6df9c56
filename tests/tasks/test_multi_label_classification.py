"""Multi-label classification: rows, labels, metrics, descriptions."""

from __future__ import annotations

from typing import Any

import pytest

from edge_ptf import tasks
from edge_ptf.examples import Example, Prediction
from edge_ptf.metrics import scores
from edge_ptf.tasks.base import RowError
from edge_ptf.tasks.multi_label_classification import MultiLabelClassification

TASK = tasks.create(MultiLabelClassification.spec_for(("anger", "fear", "joy")))


@pytest.mark.parametrize(
    ("labels", "wanted"),
    [
        (["joy", "anger"], ("anger", "joy")),
        ("joy|anger", ("anger", "joy")),
        (" joy | anger ", ("anger", "joy")),
        ("joy", ("joy",)),
        ([], ()),
        ("", ()),
        ("  ", ()),
        ([3, "joy"], ("3", "joy")),
        (("joy",), ("joy",)),
    ],
)
def test_labels_are_a_list_or_separated_by_a_bar(labels: Any, wanted: tuple[str, ...]) -> None:
    assert MultiLabelClassification.example({"text": "hi", "labels": labels}) == Example("hi", wanted)


def test_a_pair_of_texts_is_read() -> None:
    row = {"text": "hi", "text_pair": "ho", "labels": "joy"}
    assert MultiLabelClassification.example(row) == Example("hi", ("joy",), "ho")


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"text": "hi"}, "the labels are missing"),
        ({"text": "hi", "labels": None}, "write an empty list"),
        ({"text": "", "labels": "joy"}, "the text is empty"),
        ({"text": "hi", "labels": "joy||anger"}, "the label '' is neither"),
        ({"text": "hi", "labels": ["joy", "joy"]}, "the label 'joy' is given twice"),
        ({"text": "hi", "labels": "joy|joy "}, "given twice"),
        ({"text": "hi", "labels": [None]}, "the label None is neither"),
        ({"text": "hi", "labels": [True]}, "the label True is neither"),
        ({"text": "hi", "labels": [1.5]}, "the label 1.5 is neither"),
        ({"text": "hi", "labels": 7}, "the labels 7 are neither a list"),
        ({"text": "hi", "labels": {"joy": 1}}, "are neither a list"),
    ],
)
def test_rows_that_cannot_be_used_say_why(row: dict[str, Any], message: str) -> None:
    with pytest.raises(RowError, match=message):
        MultiLabelClassification.example(row)


def test_labels_come_in_alphabetic_order() -> None:
    examples = [Example("x", ("joy",)), Example("y", ()), Example("z", ("anger", "joy"))]
    assert MultiLabelClassification.collect_labels(examples) == ("anger", "joy")


def test_a_label_that_train_does_not_have_is_named() -> None:
    assert TASK.check_label(Example("x", ("joy",))) is None
    assert TASK.check_label(Example("x", ("joy", "love"))) == "label 'love' does not occur in train"
    several = "the labels 'hope', 'love' do not occur in train"
    assert TASK.check_label(Example("x", ("hope", "joy", "love"))) == several


def test_metrics_are_micro_and_macro_f1_and_ranking_precision() -> None:
    references = [("joy",), ("anger", "fear"), ()]
    answers = [
        Prediction(("joy",), 0.9, ranking=(2, 0, 1)),
        Prediction(("anger", "joy"), 0.9, ranking=(2, 0, 1)),
        Prediction((), 0.9, ranking=(0, 1, 2)),
    ]
    found = scores(TASK.metrics, references, answers)
    assert found["micro_f1"] == pytest.approx(100 * 2 * 2 / (3 + 3))
    assert found["macro_f1"] == pytest.approx(100 * (1 + 0 + 2 / 3) / 3)
    assert found["ranking_precision"] == pytest.approx(100 * (1 + (1 / 2 + 2 / 3) / 2 + 1) / 3)
    assert [metric.name for metric in TASK.metrics if metric.gated] == ["micro_f1"]


def test_the_class_report_counts_each_label() -> None:
    rows = TASK.class_report([("joy",), ("anger",)], [("joy", "anger"), ()])
    assert rows == [
        {"name": "anger", "precision": 0.0, "recall": 0.0, "f1": 0.0, "support": 1},
        {"name": "joy", "precision": 100.0, "recall": 100.0, "f1": 100.0, "support": 1},
    ]


def test_confusions_set_a_label_against_none() -> None:
    assert TASK.confusions(("joy", "fear"), ("joy", "anger")) == [
        ("no label", "anger"),
        ("fear", "no label"),
        ("joy", "joy"),
    ]


def test_labels_are_described_as_in_the_data() -> None:
    assert TASK.describe(("anger", "joy"), "x") == "anger | joy"
    assert TASK.describe((), "x") == "no label"


def test_a_drop_has_a_limit_where_the_profile_has_none() -> None:
    assert MultiLabelClassification.recipe["targets"]["max_drop"] == {"micro_f1": 1.5}


@pytest.mark.parametrize(
    ("references", "most"), [([("a", "b"), ("b",), ()], ("b",)), ([(), ()], ())], ids=["one", "no labels"]
)
def test_the_majority_answers_are_the_most_frequent_label(
    references: list[tuple[str, ...]], most: tuple[str, ...]
) -> None:
    task = tasks.create(tasks.get("multi-label-classification").spec_for(("a", "b")))
    assert task.majority_answers(references) == [most] * len(references)
