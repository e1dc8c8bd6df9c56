"""Question answering: rows of every form, and what is wrong with them."""

from __future__ import annotations

from typing import Any

import pytest

from edge_ptf.data.dataset import fingerprint
from edge_ptf.errors import BadInputError
from edge_ptf.examples import Example
from edge_ptf.tasks.base import RowError
from edge_ptf.tasks.question_answering import QuestionAnswering

CONTEXT = "Anna lives in Rome, and Bob in Rome too."
TASK = QuestionAnswering(QuestionAnswering.spec_for(()))


def row(**values: Any) -> dict[str, Any]:
    return {"question": "Where does Bob live?", "context": CONTEXT, **values}


@pytest.mark.parametrize(
    ("values", "spans"),
    [
        ({"answer": "Rome"}, ((14, 18),)),
        ({"answer": "Rome", "answer_start": 31}, ((31, 35),)),
        ({"answer": "Rome", "answer_start": "31"}, ((31, 35),)),
        ({"answer": "Rome", "answer_start": 31.0}, ((31, 35),)),
        ({"answer": " Rome", "answer_start": 30}, ((31, 35),)),
        ({"answer": ["Rome", "Bob"], "answer_start": [31, 24]}, ((31, 35), (24, 27))),
        ({"answer": '["Rome", "Bob"]'}, ((14, 18), (24, 27))),
        ({"answer": [{"text": "Rome", "answer_start": 31}, {"text": "Bob"}]}, ((31, 35), (24, 27))),
        ({"answer": {"text": ["Rome"], "answer_start": [31]}}, ((31, 35),)),
        ({"answer": {"text": [], "answer_start": []}}, ()),
        ({"answer": []}, ()),
        ({"answer": ""}, ()),
        ({"answer": None, "is_impossible": True}, ()),
        ({"answer": "Rome", "is_impossible": "false"}, ((14, 18),)),
    ],
)
def test_answers_are_found_in_the_context(values: dict[str, Any], spans: tuple[tuple[int, int], ...]) -> None:
    example = QuestionAnswering.example(row(**values))
    assert (example.text, example.text_pair, example.spans) == ("Where does Bob live?", CONTEXT, spans)
    assert example.label == tuple(CONTEXT[begin:end] for begin, end in spans)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"answer": "Paris"}, "the answer 'Paris' is not in the context"),
        ({"answer": "Rome", "answer_start": 13}, "the answer is 'Rome', but at answer_start 13 the context has ' Rom'"),
        ({"answer": "Rome", "answer_start": 99}, "answer_start 99 of 'Rome' is outside the context of 40 characters"),
        ({"answer": "Rome", "answer_start": -1}, "answer_start -1 of 'Rome' is outside"),
        ({"answer": "Rome", "answer_start": "x"}, "answer_start is 'x'; it must be a whole number"),
        ({"answer": "Rome", "answer_start": 1.5}, "answer_start is 1.5"),
        ({"answer": "Rome", "answer_start": True}, "answer_start is True"),
        ({"answer": ["Rome", "Bob"], "answer_start": [31]}, "2 answers, but 1 values of answer_start"),
        ({"answer": ["Rome", ""]}, "the answer '' is not a text"),
        ({"answer": [7]}, "the answer 7 is not a text"),
        ({"answer": "Rome", "is_impossible": True}, "is_impossible is true, but there is an answer"),
        ({"answer": [], "is_impossible": False}, "is_impossible is false, but there is no answer"),
        ({"answer": "Rome", "is_impossible": "maybe"}, "is_impossible is 'maybe'"),
        ({"question": " ", "answer": "Rome"}, "the question is empty"),
        ({"context": None, "answer": "Rome"}, "the context is empty"),
    ],
)
def test_a_wrong_row_says_why(values: dict[str, Any], message: str) -> None:
    with pytest.raises(RowError) as error:
        QuestionAnswering.example(row(**values))
    assert message in str(error.value)


def test_scores_are_those_of_squad() -> None:
    references = [("Rome", "in Rome"), (), ("Anna",), ("Bob",)]
    answers = [("in Rome",), (), (), ("the Bob",)]
    found = {metric.name: metric.score(metric.per_example(references, answers)) for metric in TASK.metrics}
    assert found == {"f1": 75.0, "exact_match": 75.0}
    assert [metric.name for metric in TASK.metrics if metric.gated] == ["f1"]
    assert TASK.metrics[0].score(TASK.metrics[0].per_example([("Anna lives",)], [("Anna",)])) == pytest.approx(200 / 3)


def test_a_split_keeps_the_share_of_questions_without_an_answer() -> None:
    answered, silent = Example("q", ("a",), "a", ((0, 1),)), Example("q", (), "a")
    assert QuestionAnswering.stratum(answered) != QuestionAnswering.stratum(silent)
    assert QuestionAnswering.class_names(silent) == ["no answer"]
    assert QuestionAnswering.split_fault("train", [silent]) is not None
    assert QuestionAnswering.split_fault("train", [silent, answered]) is None
    assert QuestionAnswering.split_fault("test", [silent]) is None
    assert TASK.majority_answers([("a",), ()]) == [(), ()]
    assert (TASK.describe(("a", "a", "b"), None), TASK.describe((), None)) == ("a | b", "no answer")
    with pytest.raises(BadInputError, match="no out-of-scope label"):
        QuestionAnswering.spec_for((), "none")


def test_places_of_answers_are_part_of_the_fingerprint_and_change_no_other() -> None:
    one, other = (Example("q", ("a",), "a a", ((place, place + 1),)) for place in (0, 2))
    assert fingerprint({"train": [one]}, ()) != fingerprint({"train": [other]}, ())
    # worked out before there were places
    plain = {"train": [Example("turn on", "light", None)]}
    assert fingerprint(plain, ("light",)) == PLAIN


PLAIN = "52bf7810c58e53ffe1d74c7c79003b6358753e54f83577133d7a699ff7117592"
