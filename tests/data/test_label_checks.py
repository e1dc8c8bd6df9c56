from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from edge_ptf.data import DataConfig, LabelledData, load
from edge_ptf.data.label_checks import label_fault, twin_notes
from edge_ptf.errors import DataError, ExitCode
from edge_ptf.tasks.base import RowError, Task
from edge_ptf.tasks.multi_label_classification import MultiLabelClassification
from edge_ptf.tasks.sentence_pair_classification import SentencePairClassification
from edge_ptf.tasks.text_classification import TextClassification
from edge_ptf.tasks.token_classification import TokenClassification

COMPOSED, DECOMPOSED = "caf\u00e9", "cafe\u0301"


def loaded(folder: Path, rows: list[dict[str, Any]], task: type[Task] = TextClassification) -> LabelledData:
    path = folder / "all.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return load(str(path), task)


def problems(folder: Path, rows: list[dict[str, Any]], task: type[Task] = TextClassification) -> list[str]:
    with pytest.raises(DataError) as caught:
        loaded(folder, rows, task)
    assert caught.value.exit_code == ExitCode.BAD_INPUT
    return [problem.removeprefix(f"{folder}/all.jsonl:") for problem in caught.value.problems]


def texts(*labels: Any) -> list[dict[str, Any]]:
    return [{"text": f"number {index}", "label": label} for index, label in enumerate(labels)]


@pytest.mark.parametrize("label", [["a", "b"], ["a"], [], '["a", "b"]', "['a', 'b']", " ['a'] "])
def test_a_list_of_labels_names_the_multi_label_task(tmp_path: Path, label: Any) -> None:
    (found,) = problems(tmp_path, texts("a", label, "b"))
    assert found.startswith("2: the label ")
    assert found.endswith("this looks like multi-label: --task multi-label-classification")


@pytest.mark.parametrize("label", ["[/b]", "[b]", "[", "a|b", "=1+1"])
def test_other_labels_with_brackets_are_names(label: str) -> None:
    assert TextClassification.example({"text": "x", "label": label}).label == label


@pytest.mark.parametrize("labels", [["b", "a"], '["b", "a"]', "['b', 'a']", "b|a"])
def test_a_string_of_a_list_is_a_list_for_the_multi_label_task(labels: Any) -> None:
    assert MultiLabelClassification.example({"text": "x", "labels": labels}).label == ("a", "b")
    assert MultiLabelClassification.example({"text": "x", "labels": "[]"}).label == ()


@pytest.mark.parametrize(("label", "why"), [(1.25, "decimal number"), (1.0, "decimal number"), (float("nan"), "empty")])
def test_float_labels_are_named_with_their_line(tmp_path: Path, label: float, why: str) -> None:
    (found,) = problems(tmp_path, texts("a", "b", label))
    assert found.startswith("3: the label ")
    assert why in found


def test_decimal_numbers_as_text_are_values_and_no_classes(tmp_path: Path) -> None:
    found = problems(tmp_path, texts("1", "0.5", "-2.25"))
    assert found[1] == "2: the label 0.5 is a decimal number, and no class; for numbers: --task regression"
    assert len(found) == 3
    assert loaded(tmp_path, texts(*["v1.5", "2.5"] * 20)).labels == ("2.5", "v1.5")
    assert loaded(tmp_path, texts(*["0.0", "1.0"] * 20)).labels == ("0.0", "1.0")


def test_minus_one_beside_class_ids_stands_for_no_label(tmp_path: Path) -> None:
    assert [found.split(":")[0] for found in problems(tmp_path, texts(0, -1, 1, 2, "-1"))] == ["2", "5"]
    found = problems(
        tmp_path,
        [{"text": f"number {i}", "labels": ids} for i, ids in enumerate([[0, 2], [-1], [1]])],
        MultiLabelClassification,
    )
    assert found == ["2: the label -1 stands for 'no label', because all other labels are class ids from 0"]


@pytest.mark.parametrize("labels", [(-1, 0, 1), (-1, 1), ("-1", "other"), (-2, -1, 0, 1, 2)])
def test_minus_one_is_a_class_where_it_can_be_one(tmp_path: Path, labels: tuple[Any, ...]) -> None:
    assert "-1" in loaded(tmp_path, texts(*labels * 20)).labels


def test_minus_one_can_be_the_out_of_scope_label(tmp_path: Path) -> None:
    rows = texts(*[0, -1, 1, 2] * 20)
    (tmp_path / "all.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    data = load(str(tmp_path / "all.jsonl"), TextClassification, DataConfig(out_of_scope_label="-1"))
    assert data.report.splits["test"].classes["-1"] == 4


def test_decimal_numbers_among_several_labels_are_problems_of_their_rows(tmp_path: Path) -> None:
    many = [{"text": f"number {index}", "labels": names} for index, names in enumerate(["0.5|1", "", "2.5"])]
    assert [found[:2] for found in problems(tmp_path, many, MultiLabelClassification)] == ["1:", "3:"]


@pytest.mark.parametrize("label", ["a\x00b", "x\ny", "a\tb", "a\x7fb", "a\x85b", "a\u2028b"])
def test_control_characters_in_labels_are_refused(tmp_path: Path, label: str) -> None:
    (found,) = problems(tmp_path, texts("a", label))
    assert found.startswith(f"2: the label {label!a} has a control character")
    assert found.isascii()


def test_control_characters_are_refused_in_every_kind_of_label(tmp_path: Path) -> None:
    many = [{"text": "x", "labels": ["a", "b\x00c"]}]
    assert problems(tmp_path, many, MultiLabelClassification)[0].startswith("1: the label 'b\\x00c'")
    tagged = [{"tokens": ["x"], "tags": ["B-a\x00"]}]
    assert problems(tmp_path, tagged, TokenClassification)[0].startswith("1: the label 'B-a\\x00'")


def test_joined_emoji_and_right_to_left_labels_are_names() -> None:
    assert all(label_fault(name) is None for name in ("👩‍🚀", "שלום", "a b", "[/b]"))


def test_labels_that_look_the_same_are_noted_escaped(tmp_path: Path) -> None:
    notes = loaded(tmp_path, texts(*[COMPOSED, DECOMPOSED, "tea"] * 20)).report.notes
    assert [note for note in notes if "look the same" in note] == [
        "The labels 'cafe\\u0301' and 'caf\\xe9' look the same, but are two classes: their characters differ (NFC)."
    ]
    assert not list(twin_notes([COMPOSED, "tea", "TEA"]))


def test_a_label_that_train_has_in_another_form_is_explained(tmp_path: Path) -> None:
    for name, label in (("train", COMPOSED), ("validation", COMPOSED), ("test", DECOMPOSED)):
        (tmp_path / f"{name}.csv").write_text(f"text,label\n{name} a,{label}\n{name} b,tea\n", encoding="utf-8")
    with pytest.raises(DataError) as caught:
        load(str(tmp_path), TextClassification)
    assert "('cafe\\u0301'), but 'caf\\xe9' does, which looks the same" in caught.value.problems[0]


# Words and tags


@pytest.mark.parametrize(
    ("item", "what"), [(None, "is null"), (["in"], "a list"), ({"a": 1}, "an object"), (1.5, "decimal"), (True, "true")]
)
@pytest.mark.parametrize("column", ["tokens", "tags"])
def test_tokens_and_tags_that_are_no_text_are_named(tmp_path: Path, column: str, item: Any, what: str) -> None:
    row: dict[str, list[Any]] = {"tokens": ["Ann", "says"], "tags": ["B-a", "O"]}
    bad = {**row, column: [row[column][0], item]}
    found = problems(tmp_path, [row, bad, row, bad], TokenClassification)
    assert [problem.split(":")[0] for problem in found] == ["2", "4"]
    assert found[0].startswith(f"2: item 2 of '{column}' is ")
    assert what in found[0]


@pytest.mark.parametrize(
    ("tokens", "tags"),
    [
        ("['say', '[1]']", "['O', 'B-n']"),
        ('["say", "[1]"]', '["O", "B-n"]'),
        ("say [1]", "O B-n"),
        (["say", "[1]"], "O B-n"),
    ],
)
def test_words_and_tags_in_cells_of_a_table_can_be_lists(tokens: Any, tags: Any) -> None:
    example = TokenClassification.example({"tokens": tokens, "tags": tags})
    assert (example.text, example.label) == ("say [1]", ("O", "B-n"))


@pytest.mark.parametrize(("tokens", "tags", "why"), [("[1]", "O", None), ("a b", "['O', 'O']", "'tokens' is missing")])
def test_the_tags_decide_whether_a_cell_is_a_list(tokens: str, tags: str, why: str | None) -> None:
    if why is None:
        assert TokenClassification.example({"tokens": tokens, "tags": tags}).text == "[1]"
    else:
        with pytest.raises(RowError, match=why):
            TokenClassification.example({"tokens": tokens, "tags": tags})


def test_whole_numbers_are_words() -> None:
    assert TokenClassification.example({"tokens": ["room", 12], "tags": ["O", "B-n"]}).text == "room 12"


def test_null_tokens_of_a_saved_data_set_are_problems(tmp_path: Path) -> None:
    import datasets

    rows = {"tokens": [["Ann", None], ["Bob", "x"]], "tags": [["B-a", "O"], ["B-a", "O"]]}
    datasets.Dataset.from_dict(rows).save_to_disk(str(tmp_path / "set"))
    with pytest.raises(DataError) as caught:
        load(str(tmp_path / "set"), TokenClassification)
    assert caught.value.problems == (f"{tmp_path}/set/train:0: item 2 of 'tokens' is null; every item must be text",)


def test_minus_one_as_pandas_writes_it_stands_for_no_label_too(tmp_path: Path) -> None:
    assert problems(tmp_path, texts("0.0", "-1.0", "1.0", "2.0")) == [
        "2: the label -1.0 stands for 'no label', because all other labels are class ids from 0"
    ]


def test_labels_that_share_a_part_are_noted_as_several_labels(tmp_path: Path) -> None:
    joined = loaded(tmp_path, texts(*["film", "film|good", "good"] * 20)).report.notes
    assert any(note.startswith("Labels such as 'film|good' look like several labels of one text") for note in joined)
    apart = loaded(tmp_path, texts(*["film", "yes|no", "good"] * 20)).report.notes
    assert not any("several labels" in note for note in apart)


def test_pairs_in_text_classification_are_noted_with_their_own_task(tmp_path: Path) -> None:
    rows = [{"text": f"a {place}", "text_pair": "b", "label": "xy"[place % 2]} for place in range(20)]
    notes = loaded(tmp_path, rows).report.notes
    assert sum("--task sentence-pair-classification" in note for note in notes) == 1
    assert loaded(tmp_path, rows).train[0].text_pair == "b"
    assert not any("pair" in note for note in loaded(tmp_path, rows, SentencePairClassification).report.notes)
    single = [{name: row[name] for name in ("text", "label")} for row in rows]
    assert not any("pair" in note for note in loaded(tmp_path, single).report.notes)


@pytest.mark.parametrize(
    ("labels", "noted"),
    [
        (("1", "2", "3", "4", "5"), "the numbers 1 to 5"),
        (("10", "9", "8"), "the numbers 8 to 10"),
        (("-1", "0", "1"), "the numbers -1 to 1"),
        (("0", "1"), None),
        (tuple(map(str, range(12))), None),
        (("1", "2", "good"), None),
    ],
)
def test_a_few_whole_numbers_as_labels_may_be_a_regression(
    tmp_path: Path, labels: tuple[str, ...], noted: str | None
) -> None:
    notes = [note for note in loaded(tmp_path, texts(*labels * 10)).report.notes if "--task regression" in note]
    assert len(notes) == (noted is not None)
    assert noted is None or noted in notes[0]
