"""Relation extraction: rows, markers, labels."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from edge_ptf.errors import BadInputError
from edge_ptf.tasks.base import RowError
from edge_ptf.tasks.relation_extraction import RelationExtraction, mark_entities

TEXT = "Anna lives in Rome"
MARKED = "<e1>Anna</e1> lives in <e2>Rome</e2>"


def row(**values: Any) -> dict[str, Any]:
    return {"text": TEXT, "label": "lives-in", **values}


@pytest.mark.parametrize(
    ("first", "second"),
    [("0:4", "14:18"), ([0, 4], [14, 18]), ("[0, 4]", "14-18"), ({"start": 0, "end": 4}, {"begin": 14, "end": 18})],
)
def test_offsets_become_markers(first: Any, second: Any) -> None:
    example = RelationExtraction.example(row(entity1=first, entity2=second))
    assert (example.text, example.label, example.text_pair) == (MARKED, "lives-in", None)


def test_the_second_entity_may_come_first() -> None:
    assert mark_entities(TEXT, (14, 18), (0, 4)) == "<e2>Anna</e2> lives in <e1>Rome</e1>"


def test_a_marked_text_is_read_as_it_is() -> None:
    assert RelationExtraction.example({"text": MARKED, "label": "x"}).text == MARKED


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"entity1": "0:4", "entity2": "3:7"}, "the entities 0:4 and 3:7 overlap"),
        ({"entity1": "0:4", "entity2": "14:19"}, "outside the text of 18 characters"),
        ({"entity1": "4:4", "entity2": "14:18"}, "the first entity 4:4 is empty"),
        ({"entity1": "0:4"}, "'entity2' is None; it must be the begin and the end"),
        ({"entity1": "Anna", "entity2": "14:18"}, "'entity1' is 'Anna'"),
        ({"entity1": [0, 4.5], "entity2": "14:18"}, "'entity1' is [0, 4.5]"),
        ({"entity1": [True, 4], "entity2": "14:18"}, "'entity1' is [True, 4]"),
        ({"text": MARKED, "entity1": "0:4", "entity2": "14:18"}, "the marker <e1> too"),
        ({}, "the text has no marker <e1>"),
        ({"text": "<e1>Anna</e1> <e1>Bob</e1> in <e2>Rome</e2>"}, "2 marker <e1>"),
        ({"text": "</e1>Anna<e1> in <e2>Rome</e2>"}, "the end of an entity stands before its begin <e1>"),
        ({"text": "<e1> </e1> in <e2>Rome</e2>"}, "the entity at <e1> is empty"),
        ({"text": "<e1>Anna <e2>in</e1> Rome</e2>"}, "the marked entities overlap"),
        ({"text": MARKED, "label": ""}, "the label is empty"),
    ],
)
def test_a_wrong_row_says_why(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(RowError) as error:
        RelationExtraction.example(row(**wrong))
    assert message in str(error.value)


@given(st.text(min_size=2, max_size=30), st.data())
def test_without_its_markers_a_marked_text_is_the_text(text: str, data: st.DataObject) -> None:
    assume("<e" not in text and "</e" not in text)
    places = data.draw(st.lists(st.integers(0, len(text)), min_size=4, max_size=4).map(sorted))
    assume(places[0] < places[1] <= places[2] < places[3])
    marked = mark_entities(text, (places[0], places[1]), (places[2], places[3]))
    first = marked[marked.index("<e1>") + 4 : marked.index("</e1>")]
    second = marked[marked.index("<e2>") + 4 : marked.index("</e2>")]
    assert (first, second) == (text[places[0] : places[1]], text[places[2] : places[3]])
    for marker in ("<e1>", "</e1>", "<e2>", "</e2>"):
        marked = marked.replace(marker, "")
    assert marked == text


def test_a_usual_name_stands_for_no_relation() -> None:
    spec = RelationExtraction.spec_for(("Cause-Effect(e1,e2)", "Other"))
    assert spec.options["no_relation"] == "Other"
    assert RelationExtraction.spec_for(("a", "b")).options["no_relation"] is None
    assert [metric.name for metric in RelationExtraction(spec).metrics if metric.gated] == ["macro_f1"]


def test_there_is_no_out_of_scope_label() -> None:
    with pytest.raises(BadInputError, match="no out-of-scope label"):
        RelationExtraction.spec_for(("a", "b"), "b")


def test_sample_texts_are_marked() -> None:
    for text in ("a", "turn on the lights", "🙂"):
        assert "<e1>" in RelationExtraction.sample_text(text)
