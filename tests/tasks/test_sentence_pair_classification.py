"""Sentence pair classification: both texts are needed, and the metrics have the Matthews correlation coefficient."""

from __future__ import annotations

from typing import Any

import pytest
from sklearn.metrics import matthews_corrcoef

from edge_ptf import tasks
from edge_ptf.examples import Example, Prediction
from edge_ptf.metrics import gated, scores
from edge_ptf.tasks.base import RowError
from edge_ptf.tasks.sentence_pair_classification import SentencePairClassification

TASK = tasks.create(SentencePairClassification.spec_for(("contradiction", "entailment", "neutral")))


def test_a_row_is_two_texts_and_a_label() -> None:
    row = {"text": "a dog runs", "text_pair": "an animal moves", "label": "entailment"}
    assert SentencePairClassification.example(row) == Example("a dog runs", "entailment", "an animal moves")
    assert TASK.head.spec.kind == "text"


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"text": "a", "label": "x"}, "the second text of the pair is missing"),
        ({"text": "a", "text_pair": None, "label": "x"}, "the second text of the pair is missing"),
        ({"text": "a", "text_pair": " ", "label": "x"}, "the second text of the pair is empty"),
        ({"text": "", "text_pair": "b", "label": "x"}, "the text is empty"),
        ({"text": "a", "text_pair": "b", "label": ""}, "the label is empty"),
    ],
)
def test_rows_that_cannot_be_used_say_why(row: dict[str, Any], message: str) -> None:
    with pytest.raises(RowError, match=message):
        SentencePairClassification.example(row)


def test_accuracy_is_judged_and_the_correlation_is_reported() -> None:
    references = ["entailment", "neutral", "neutral", "contradiction", "entailment"]
    answers = ["entailment", "neutral", "entailment", "contradiction", "neutral"]
    found = scores(TASK.metrics, references, [Prediction(answer, 1.0) for answer in answers])
    assert list(found) == ["accuracy", "macro_f1", "ece", "mcc"]
    assert found["accuracy"] == 60
    assert found["mcc"] == pytest.approx(matthews_corrcoef(references, answers))
    assert [metric.name for metric in gated(TASK.metrics)] == ["accuracy"]


def test_a_label_for_pairs_that_fit_no_class_is_possible() -> None:
    task = tasks.create(SentencePairClassification.spec_for(("a", "b"), "b"))
    assert [metric.name for metric in task.metrics][-1] == "mcc"
    assert [metric.name for metric in gated(task.metrics)] == ["in_scope_accuracy", "out_of_scope_recall"]
