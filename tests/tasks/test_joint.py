"""Tests for several tasks at once."""

from __future__ import annotations

import pytest

from edge_ptf import tasks
from edge_ptf.errors import BadInputError
from edge_ptf.examples import Example

NAME = "intent=text-classification,slots=token-classification"
KIND = tasks.get(NAME)
EXAMPLES = [
    Example("lights on", ("light", ("O", "O"))),
    Example("play jazz", ("music", ("O", "B-genre"))),
    Example("stop", ("music", None)),
    Example("in here", (None, ("O", "B-room"))),
]
LABELS = KIND.collect_labels(EXAMPLES)
TASK = tasks.create(KIND.spec_for(LABELS))


def test_the_labels_have_the_names_of_their_tasks() -> None:
    assert LABELS[:3] == ("intent.light", "intent.music", "slots.O")
    assert "slots.I-room" in LABELS
    assert KIND.label_names(EXAMPLES[1]) == ("intent.music", "slots.O", "slots.B-genre")
    assert KIND.class_names(EXAMPLES[3]) == ["slots.room"]
    assert KIND.confusions(("light", None), ("music", ("O",))) == [("intent.light", "intent.music")]
    assert KIND.describe(("light", ("O", "B-room")), "in here") == "intent: light; slots: room: here"
    assert KIND.describe((None, ("O", "O")), "in here") == "slots: no entity"


def test_the_same_name_gives_the_same_class() -> None:
    assert tasks.get(NAME) is KIND
    assert tasks.create(TASK.head.spec).name == NAME == KIND.name
    assert KIND.columns == ("text", "label", "tokens", "tags")


def test_labels_of_other_tasks_and_unknown_ones_are_found() -> None:
    assert TASK.check_label(EXAMPLES[2]) is None
    assert TASK.check_label(Example("a", ("stop", None))) == "intent: label 'stop' does not occur in train"
    assert "slots: tag 'B-song'" in str(TASK.check_label(Example("a", (None, ("B-song",)))))


def test_strata_tell_which_tasks_label_an_example() -> None:
    assert len({KIND.stratum(example) for example in EXAMPLES}) == 4


def test_a_split_needs_labels_of_every_task() -> None:
    assert KIND.split_fault("test", EXAMPLES) is None
    fault = KIND.split_fault("test", EXAMPLES[2:3])
    assert fault is not None
    assert fault[0] == "test has no label of the task 'slots'"
    only = [Example("a", ("light", ("O",))), Example("b", ("light", ("B-room",)))]
    assert str(KIND.split_fault("train", only)) == str(
        ("task 'intent': train has only one class (light)", "Give at least two classes")
    )


def test_majority_answers_and_reports_are_those_of_the_tasks() -> None:
    references = [example.label for example in EXAMPLES]
    assert TASK.majority_answers(references)[3] == (None, ("O", "O"))
    assert TASK.majority_answers(references)[2] == ("music", None)
    answers = [("light", ("O", "O")), ("music", ("O", "O")), ("light", ("O",)), ("light", ("O", "B-room"))]
    report = {row["name"]: row for row in TASK.class_report(references, answers)}
    assert report["intent.light"]["support"] == 1
    assert report["slots.room"]["f1"] == 100.0
    assert "slots.B-genre" in {row["name"] for row in TASK.word_report(references, answers)}


def test_limits_of_a_profile_are_for_the_metric_of_every_task() -> None:
    assert KIND.limits({"accuracy": 1.0}) == {"accuracy": 1.0, "intent.accuracy": 1.0, "slots.accuracy": 1.0}
    assert KIND.limits({"accuracy": 1.0, "intent.accuracy": 2.0})["intent.accuracy"] == 2.0
    assert tasks.get("text-classification").limits({"accuracy": 1.0}) == {"accuracy": 1.0}


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("intent=text-classification", "one task needs no name"),
        ("intent=text-classification,token-classification", "several tasks need a name each"),
        ("a=text-classification,a=token-classification", "the name 'a' is given twice"),
        ("a b=text-classification,c=token-classification", "'a b' is no name of a task"),
        ("a=text-classification,b=tagging", "unknown task 'tagging'"),
        ("a=text-classification,b=sentence-pair-classification,c=token-classification", "cannot share an encoder"),
        ("a=token-classification,b=relation-extraction", r"b \(relation-extraction\) reads an input of its own"),
        ("a=text-classification,b=question-answering", "cannot share an encoder"),
    ],
)
def test_tasks_that_cannot_be_combined_are_refused(name: str, message: str) -> None:
    with pytest.raises(BadInputError, match=message):
        tasks.get(name)


@pytest.mark.parametrize(
    "name",
    [
        "a=sentence-pair-classification,b=regression",
        "a=text-classification,b=text-classification,c=multi-label-classification",
        "a=multi-label-classification,b=token-classification,c=regression",
    ],
)
def test_tasks_with_the_same_input_can_be_combined(name: str) -> None:
    assert tasks.get(name).name == name


def test_an_out_of_scope_label_belongs_to_one_task() -> None:
    spec = KIND.spec_for((*LABELS, "intent.oos"), "intent.oos")
    assert [metric.name for metric in tasks.create(spec).metrics][:2] == [
        "intent.in_scope_accuracy",
        "intent.out_of_scope_recall",
    ]
    for label, message in (("oos", "names none of the tasks intent, slots"), ("slots.O", "has no out-of-scope label")):
        with pytest.raises(BadInputError, match=message):
            KIND.spec_for(LABELS, label)
