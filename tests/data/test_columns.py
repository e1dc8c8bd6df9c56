from __future__ import annotations

import json
from pathlib import Path

import pytest

from edge_ptf.data import DataConfig, load
from edge_ptf.data.columns import OTHER_NAMES, Columns
from edge_ptf.data.readers import read_file
from edge_ptf.data.rows import Findings, Row
from edge_ptf.errors import DataError, ExitCode
from edge_ptf.tasks.multi_label_classification import MultiLabelClassification
from edge_ptf.tasks.sentence_pair_classification import SentencePairClassification
from edge_ptf.tasks.text_classification import TextClassification
from edge_ptf.tasks.token_classification import TokenClassification

TEXT = Columns.of(TextClassification, DataConfig())
LABELS = Columns.of(MultiLabelClassification, DataConfig())
PAIR = Columns.of(SentencePairClassification, DataConfig())


def read(path: Path, content: str, columns: Columns = TEXT) -> tuple[list[dict[str, object]], list[str]]:
    path.write_text(content, encoding="utf-8")
    findings = Findings()
    rows: list[Row] = list(read_file(path, columns, findings))
    return [row.values for row in rows], findings.notes


@pytest.mark.parametrize(
    ("header", "notes"),
    [
        ("text,label", []),
        ("Text,LABEL", ["Column 'Text' is read as text.", "Column 'LABEL' is read as label."]),
        ("\ufeffutterance, Intent ", ["Column 'utterance' is read as text.", "Column 'Intent' is read as label."]),
        ("sentence,label", ["Column 'sentence' is read as text."]),
        ("text,sentiment", ["Column 'sentiment' is read as label."]),
    ],
)
def test_usual_names_are_read_and_noted(tmp_path: Path, header: str, notes: list[str]) -> None:
    assert read(tmp_path / "x.csv", f"{header}\nhello,greet\n") == ([{"text": "hello", "label": "greet"}], notes)


def test_an_exact_name_wins_over_every_other_one(tmp_path: Path) -> None:
    rows, notes = read(tmp_path / "x.csv", "Text,utterance,text,intent,label\na,b,c,d,e\n")
    assert (rows, notes) == ([{"text": "c", "label": "e"}], [])


def test_an_exact_name_in_a_later_json_record_wins_too(tmp_path: Path) -> None:
    lines = [{"utterance": "a", "label": "x"}, {"text": "b", "utterance": "c", "label": "y"}]
    rows, notes = read(tmp_path / "x.jsonl", "\n".join(map(json.dumps, lines)))
    assert ([row["text"] for row in rows], notes) == ([None, "b"], [])


def test_a_difference_in_case_comes_before_another_name(tmp_path: Path) -> None:
    rows, notes = read(tmp_path / "x.csv", "Text,utterance,label\na,b,c\n")
    assert (rows, notes) == ([{"text": "a", "label": "c"}], ["Column 'Text' is read as text."])


@pytest.mark.parametrize(
    ("suffix", "content"),
    [("csv", "utterance,query,label\na,b,c\n"), ("jsonl", '{"utterance": "a", "query": "b", "label": "c"}\n')],
)
def test_two_possible_columns_are_refused_in_one_line(tmp_path: Path, suffix: str, content: str) -> None:
    with pytest.raises(DataError) as caught:
        read(tmp_path / f"x.{suffix}", content)
    said = str(caught.value)
    assert caught.value.exit_code == ExitCode.BAD_INPUT
    assert "\n" not in said
    for part in (f"x.{suffix}", "'utterance'", "'query'", "--set data.text_column=NAME"):
        assert part in said


def test_a_named_column_is_not_replaced_by_another_name(tmp_path: Path) -> None:
    columns = Columns.of(TextClassification, DataConfig(text_column="said"))
    with pytest.raises(DataError, match="no column 'said'"):
        read(tmp_path / "x.csv", "utterance,label\na,b\n", columns)
    assert read(tmp_path / "x.csv", "Said,label\na,b\n", columns)[1] == ["Column 'Said' is read as text."]


def test_a_column_that_is_named_for_another_role_is_no_candidate(tmp_path: Path) -> None:
    columns = Columns.of(TextClassification, DataConfig(text_pair_column="query"))
    rows, _ = read(tmp_path / "x.csv", "utterance,query,label\na,b,c\n", columns)
    assert rows == [{"text": "a", "text_pair": "b", "label": "c"}]


def test_usual_names_of_a_pair_are_read_together(tmp_path: Path) -> None:
    rows, notes = read(tmp_path / "x.csv", "premise,Hypothesis,label\na,b,c\n")
    assert rows == [{"text": "a", "text_pair": "b", "label": "c"}]
    assert notes == ["Column 'premise' is read as text.", "Column 'Hypothesis' is read as text_pair."]
    with pytest.raises(DataError, match="no column 'text'"):
        read(tmp_path / "x.csv", "premise,label\na,c\n")
    with pytest.raises(DataError, match=r"2 columns could be it: 'premise', 'sentence'"):
        read(tmp_path / "x.csv", "premise,hypothesis,sentence,label\na,b,c,d\n")


def test_labels_of_a_multi_label_task_may_be_called_label(tmp_path: Path) -> None:
    rows, notes = read(tmp_path / "x.jsonl", '{"text": "a", "label": ["x", "y"]}\n', LABELS)
    assert (rows, notes) == ([{"text": "a", "labels": ["x", "y"]}], ["Column 'label' is read as labels."])


@pytest.mark.parametrize(
    "header",
    ["premise,hypothesis", "sentence1,sentence2", "sentence_A,sentence_B", "question,sentence", "query,passage"],
)
def test_a_task_of_pairs_finds_both_texts_by_usual_names(tmp_path: Path, header: str) -> None:
    rows, notes = read(tmp_path / "x.csv", f"{header},label\na,b,c\n", PAIR)
    first, second = header.split(",")
    assert rows == [{"text": "a", "text_pair": "b", "label": "c"}]
    assert notes == [f"Column '{first}' is read as text.", f"Column '{second}' is read as text_pair."]


def test_a_task_of_pairs_names_the_missing_second_text(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no column 'text_pair', but sentence-pair-classification needs it"):
        read(tmp_path / "x.csv", "question,label\na,c\n", PAIR)
    with pytest.raises(DataError, match="2 columns could be it: 'answer', 'sentence'"):
        read(tmp_path / "x.csv", "question,answer,sentence,label\na,b,c,d\n", PAIR)


def test_a_question_is_a_text_by_itself_where_pairs_are_optional(tmp_path: Path) -> None:
    rows, _ = read(tmp_path / "x.csv", "question,answer,label\na,b,c\n")
    assert rows == [{"text": "a", "label": "c"}]


def test_no_other_name_serves_two_columns_of_one_task() -> None:
    for task in (TextClassification, MultiLabelClassification, TokenClassification):
        names = [name for column in task.columns for name in (column, *OTHER_NAMES[column])]
        assert len(names) == len({*names})


def test_an_unreadable_header_is_shown_on_one_short_line(tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        read(
            tmp_path / "x.csv",
            '"Hello,\nwhere is my parcel? I have been waiting for days now",shipping\nmore,billing\n',
        )
    assert "\n" not in str(caught.value)
    assert "Hello,\\nwhere is my parcel" in caught.value.message
    assert "add a first line with the column names" in caught.value.hint


# Nested fields


NESTED = '{"id": 1, "message": {"text": "a", "lang": "en"}, "labels": {"intent": "x"}}\n'


@pytest.mark.parametrize(("suffix", "content"), [("jsonl", NESTED), ("json", f"[{NESTED}]")])
def test_nested_fields_have_dotted_names(tmp_path: Path, suffix: str, content: str) -> None:
    columns = Columns.of(TextClassification, DataConfig(text_column="message.text", label_column="labels.intent"))
    assert read(tmp_path / f"x.{suffix}", content, columns) == ([{"text": "a", "label": "x"}], [])


def test_a_missing_column_shows_the_nested_fields_that_it_could_be(tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        read(tmp_path / "x.jsonl", NESTED)
    assert "found: id, message.text, message.lang, labels.intent" in caught.value.message
    assert "--set data.text_column=message.text --set data.label_column=labels.intent" in caught.value.hint


def test_a_field_whose_own_name_has_a_dot_wins(tmp_path: Path) -> None:
    columns = Columns.of(TextClassification, DataConfig(text_column="m.text"))
    content = '{"m": {"text": "inner"}, "m.text": "own", "label": "x"}\n{"m": {"text": "b"}, "label": "x"}\n'
    assert [row["text"] for row in read(tmp_path / "x.jsonl", content, columns)[0]] == ["own", "b"]


def test_objects_that_are_nested_very_deeply_are_values(tmp_path: Path) -> None:
    deep = '{"a": ' * 500 + "1" + "}" * 500
    assert read(tmp_path / "x.jsonl", f'{{"text": "t", "label": "x", "more": {deep}}}\n')[0] == [
        {"text": "t", "label": "x"}
    ]


# All splits


def test_each_guess_is_one_note_of_the_data_set(tmp_path: Path) -> None:
    for name in ("train", "validation", "test"):
        (tmp_path / f"{name}.csv").write_text(f"utterance;intent\n{name} on;on\n{name} off;off\n")
    report = load(str(tmp_path), TextClassification).report
    assert report.columns == {"text": "utterance", "label": "intent"}
    assert report.notes == (
        "The fields are separated by ';', as the header shows.",
        "Column 'utterance' is read as text.",
        "Column 'intent' is read as label.",
    )


def test_the_columns_of_a_saved_data_set_are_guessed_in_the_same_way(tmp_path: Path) -> None:
    import datasets

    rows = {
        "message": [{"text": f"number {index}", "lang": "en"} for index in range(40)],
        "Intent": [("even", "odd")[index % 2] for index in range(40)],
    }
    datasets.Dataset.from_dict(rows).save_to_disk(str(tmp_path / "set"))
    data = load(str(tmp_path / "set"), TextClassification, DataConfig(text_column="message.text"))
    assert data.labels == ("even", "odd")
    assert "Column 'Intent' is read as label." in data.report.notes


def test_guesses_in_a_file_of_unlabelled_texts_are_noted(tmp_path: Path) -> None:
    source = tmp_path / "all.csv"
    source.write_text("text,label\n" + "".join(f"number {index},{('a', 'b')[index % 2]}\n" for index in range(40)))
    (tmp_path / "logs.csv").write_text("user;utterance\n1;hello\n")
    data = load(str(source), TextClassification, DataConfig(unlabelled=str(tmp_path / "logs.csv")))
    assert [example.text for example in data.unlabelled] == ["hello"]
    assert "The fields are separated by ';', as the header shows." in data.report.notes
    assert "Column 'utterance' is read as text." in data.report.notes
