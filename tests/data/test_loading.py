from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from edge_ptf.data import DataConfig, LabelledData, load
from edge_ptf.errors import BadInputError, ConfigError, DataError, EnvironmentFault, ExitCode
from edge_ptf.tasks.text_classification import TextClassification
from edge_ptf.tasks.token_classification import TokenClassification

Rows = list[tuple[str, str]]
GIVEN: dict[str, Rows] = {
    "train": [("lights on", "on"), ("lights off", "off"), ("on please", "on")],
    "validation": [("switch on", "on"), ("switch off", "off")],
    "test": [("turn on", "on"), ("turn off", "off")],
}


def table(rows: Rows) -> str:
    return "text,label\n" + "".join(f"{text},{label}\n" for text, label in rows)


def folder_of(folder: Path, splits: Mapping[str, Rows]) -> str:
    folder.mkdir(exist_ok=True)
    for name, rows in splits.items():
        (folder / f"{name}.csv").write_text(table(rows), encoding="utf-8")
    return str(folder)


def fails(source: str | Path, task: type = TextClassification, config: DataConfig | None = None) -> DataError:
    with pytest.raises(DataError) as caught:
        load(str(source), task, config or DataConfig())
    assert caught.value.exit_code == ExitCode.BAD_INPUT
    return caught.value


class Listener:
    def __init__(self) -> None:
        self.seen: list[object] = []

    def start(self, title: str, total: int, done: int = 0) -> None:
        self.seen.append(("start", total))

    def advance(self, steps: int = 1, note: str = "") -> None:
        self.seen.append(note)

    def finish(self) -> None:
        self.seen.append("finish")


# Directories and files


def test_given_splits_are_used_as_they_are(tmp_path: Path) -> None:
    data = load(folder_of(tmp_path, GIVEN), TextClassification)
    assert [(example.text, example.label) for example in data.train] == GIVEN["train"]
    assert data.labels == ("off", "on")
    assert data.report.split_by == "given"
    assert data.report.notes == ()
    assert data.report.duplicates_removed == {"train": 0, "validation": 0}
    train = data.report.splits["train"]
    assert (train.rows, train.classes, train.mean_words, train.longest_words) == (3, {"off": 1, "on": 2}, 2.0, 2)


@pytest.mark.parametrize("name", ["valid", "dev", "val", "Validation"])
def test_validation_has_several_usual_names(tmp_path: Path, name: str) -> None:
    splits = {name if split == "validation" else split: rows for split, rows in GIVEN.items()}
    (tmp_path / "README.md").write_text("not data")
    assert load(folder_of(tmp_path, splits), TextClassification).report.split_by == "given"


def test_two_files_for_one_split_are_refused(tmp_path: Path) -> None:
    error = fails(folder_of(tmp_path, {**GIVEN, "dev": GIVEN["validation"]}))
    assert "two files for validation: dev.csv and validation.csv" in error.message


def test_a_folder_without_train_is_refused_and_says_what_it_holds(tmp_path: Path) -> None:
    error = fails(folder_of(tmp_path, {"test": GIVEN["test"], "extra": GIVEN["train"]}))
    assert "no train file (found: extra.csv, test.csv)" in error.message


MANY: Rows = [(f"text number {index}", "even" if index % 2 == 0 else "odd") for index in range(100)]


def test_one_file_is_split_in_three_and_the_report_says_so(tmp_path: Path) -> None:
    source = tmp_path / "all.csv"
    source.write_text(table(MANY))
    data = load(str(source), TextClassification)
    assert {name: split.classes for name, split in data.report.splits.items()} == {
        "train": {"even": 35, "odd": 35},
        "validation": {"even": 5, "odd": 5},
        "test": {"even": 10, "odd": 10},
    }
    assert data.report.split_by == "content hash, stratified (validation 10 %, test 20 %)"
    assert len(data.report.notes) == 2


def test_fractions_come_from_the_configuration(tmp_path: Path) -> None:
    source = tmp_path / "all.csv"
    source.write_text(table(MANY))
    data = load(str(source), TextClassification, DataConfig(validation_fraction=0.2, test_fraction=0.4))
    assert (len(data.train), len(data.validation), len(data.test)) == (40, 20, 40)


def test_a_missing_validation_is_taken_from_train_and_test_stays(tmp_path: Path) -> None:
    data = load(
        folder_of(tmp_path, {"train": MANY, "test": [("x", "odd"), ("y", "even")]}),
        TextClassification,
    )
    assert (len(data.train), len(data.validation), len(data.test)) == (90, 10, 2)
    assert data.report.split_by == "content hash, stratified (validation 10 %)"
    assert data.report.notes == (
        "The data set has no validation. It was taken from train by content hash, stratified.",
    )


def test_a_missing_test_is_taken_from_train(tmp_path: Path) -> None:
    data = load(folder_of(tmp_path, {"train": MANY, "dev": [("x", "odd"), ("y", "even")]}), TextClassification)
    assert (len(data.train), len(data.validation), len(data.test)) == (80, 2, 20)
    assert "no test" in data.report.notes[0]


def test_progress_is_told_for_each_split(tmp_path: Path) -> None:
    listener = Listener()
    load(folder_of(tmp_path, GIVEN), TextClassification, progress=listener)
    assert listener.seen == [("start", 3), "train: 3 rows", "validation: 2 rows", "test: 2 rows", "finish"]


# Bad rows


def test_all_bad_rows_of_all_files_are_reported_at_once(tmp_path: Path) -> None:
    source = folder_of(tmp_path, GIVEN)
    (tmp_path / "train.csv").write_text('text,label\n"two\nlines",on\n ,off\nfine,off\nno label,\n')
    (tmp_path / "test.csv").write_text("text,label\nfine,on\n,on\n")
    error = fails(source)
    assert error.problems == (
        f"{tmp_path}/train.csv:4: the text is empty",
        f"{tmp_path}/train.csv:6: the label is empty",
        f"{tmp_path}/test.csv:3: the text is empty",
    )
    assert "3 rows cannot be used" in error.message


def test_at_most_fifty_bad_rows_are_listed(tmp_path: Path) -> None:
    (tmp_path / "train.csv").write_text("text,label\n" + " ,a\n" * 30)
    (tmp_path / "test.csv").write_text("text,label\n" + "b,\n" * 30)
    error = fails(tmp_path)
    assert len(error.problems) == 51
    assert error.problems[-1] == "... and 10 more"


def test_labels_that_train_lacks_are_problems_with_their_lines(tmp_path: Path) -> None:
    source = folder_of(tmp_path, {**GIVEN, "test": [("turn on", "on"), ("dim it", "dim")]})
    error = fails(source)
    assert error.problems == (f"{tmp_path}/test.csv:3: label 'dim' does not occur in train",)
    assert error.hint == "Every label must occur in train: add rows with dim, or remove these"


def test_a_label_lost_by_removing_duplicates_is_explained(tmp_path: Path) -> None:
    splits = {**GIVEN, "train": [*GIVEN["train"], ("dim it", "dim")], "test": [("dim it", "dim")]}
    assert "because a later split contains them: 1" in fails(folder_of(tmp_path, splits)).hint


def test_the_out_of_scope_label_may_be_absent_from_train(tmp_path: Path) -> None:
    outside = {"validation": [("who are you", "oos")], "test": [("what is love", "oos")]}
    source = folder_of(tmp_path, {name: [*rows, *outside.get(name, [])] for name, rows in GIVEN.items()})
    data = load(source, TextClassification, DataConfig(out_of_scope_label="oos"))
    assert data.labels == ("off", "on")
    assert data.report.splits["test"].classes["oos"] == 1


def test_an_out_of_scope_label_that_nothing_could_learn_to_give_is_refused(tmp_path: Path) -> None:
    source = folder_of(tmp_path, {**GIVEN, "test": [*GIVEN["test"], ("what is love", "oos")]})
    error = fails(source, config=DataConfig(out_of_scope_label="oos"))
    assert "only test contains the out-of-scope label 'oos'" in error.message
    assert "validation" in error.hint


def test_texts_that_test_repeats_are_counted(tmp_path: Path) -> None:
    source = folder_of(tmp_path, {**GIVEN, "test": [*GIVEN["test"], ("turn on", "on"), ("Turn on", "on")]})
    notes = " ".join(load(source, TextClassification).report.notes)
    assert "Rows of test that repeat another row: 2." in notes
    assert "repeat" not in " ".join(load(folder_of(tmp_path / "b", GIVEN), TextClassification).report.notes)


def test_an_out_of_scope_label_that_no_row_has_is_refused(tmp_path: Path) -> None:
    error = fails(folder_of(tmp_path, GIVEN), config=DataConfig(out_of_scope_label="of"))
    assert "no row has the out-of-scope label 'of'" in error.message
    assert "'off'" in error.hint


def test_a_task_without_out_of_scope_refuses_the_label(tmp_path: Path) -> None:
    (tmp_path / "train.conll").write_text("".join(f"Ann{index}\tB-person\n\n" for index in range(20)))
    with pytest.raises(BadInputError, match="has no out-of-scope label"):
        load(str(tmp_path), TokenClassification, DataConfig(out_of_scope_label="oos"))


@pytest.mark.parametrize("split", ["train", "validation", "test"])
def test_an_empty_split_is_refused(tmp_path: Path, split: str) -> None:
    assert f"{split} has no rows" in fails(folder_of(tmp_path, {**GIVEN, split: []})).message


def test_a_split_that_duplicates_leave_empty_is_refused(tmp_path: Path) -> None:
    error = fails(folder_of(tmp_path, {**GIVEN, "validation": GIVEN["test"]}))
    assert "validation is empty" in error.message
    assert "are also in another split" in error.hint


def test_too_few_rows_to_split_are_refused(tmp_path: Path) -> None:
    (tmp_path / "all.csv").write_text(table([("a", "x"), ("b", "y")]))
    error = fails(tmp_path / "all.csv")
    assert "is empty" in error.message
    assert "too few rows" in error.hint


def test_one_class_only_is_refused(tmp_path: Path) -> None:
    error = fails(folder_of(tmp_path, {name: [(f"{name} text", "on")] for name in GIVEN}))
    assert "train has only one class (on)" in error.message


def test_words_without_any_entity_are_one_class(tmp_path: Path) -> None:
    (tmp_path / "all.conll").write_text("".join(f"w{index}\tO\n\n" for index in range(30)))
    assert "train has only one class (O)" in fails(tmp_path / "all.conll", TokenClassification).message


def test_rows_with_and_without_a_pair_do_not_mix(tmp_path: Path) -> None:
    path = tmp_path / "all.jsonl"
    path.write_text('{"text": "a", "label": "x", "text_pair": "b"}\n{"text": "a", "label": "y"}\n' * 10)
    error = fails(path)
    assert len(error.problems) == 10
    assert error.problems[0] == f"{path}:2: the second text of the pair is missing, but other rows have one"


def test_half_a_surrogate_pair_and_odd_labels_are_problems(tmp_path: Path) -> None:
    path = tmp_path / "all.jsonl"
    path.write_text('{"text": "\\ud83d", "label": "x"}\n{"text": "a", "label": ["x"]}\n{"text": 5, "label": "x"}\n')
    assert [problem.split(":")[1] for problem in fails(path).problems] == ["1", "2", "3"]


def test_a_malformed_tag_is_a_problem_on_its_own_line(tmp_path: Path) -> None:
    path = tmp_path / "all.conll"
    path.write_text("Ann\tB-person\nsays\tOO\n\nBob\tB-person\n\u00a0\tB-person\n\n")
    assert fails(path, TokenClassification).problems == (
        f"{path}:2: tag 'OO' belongs to no tag scheme (allowed: O, or B-, I-, E-, S-, L- or U- with a type)",
        f"{path}:5: token '\\xa0' is empty or holds white space",
    )


def test_an_inside_tag_may_begin_an_entity(tmp_path: Path) -> None:
    lines = "".join(f"Ann{index}\tB-person\nParis{index}\tI-place\n\n" for index in range(20))
    (tmp_path / "all.conll").write_text(lines)
    data = load(str(tmp_path / "all.conll"), TokenClassification)
    assert data.labels == ("O", "B-person", "I-person", "B-place", "I-place")
    assert data.report.splits["train"].classes == {"person": 14, "place": 14}


BILOU = "Ann{0}\tB-person\nLee\tL-person\nsleeps\tO\n\nParis{0}\tU-place\n\n"


def test_tags_of_another_scheme_become_bio_in_every_split(tmp_path: Path) -> None:
    for split in ("train", "dev", "test"):
        (tmp_path / f"{split}.conll").write_text("".join(BILOU.format(f"{split}{index}") for index in range(9)))
    data = load(str(tmp_path), TokenClassification)
    for examples in (data.train, data.validation, data.test):
        assert {example.label for example in examples} == {("B-person", "I-person", "O"), ("B-place",)}
    assert data.labels == ("O", "B-person", "I-person", "B-place", "I-place")
    assert data.report.notes == ("Tag scheme: bilou, recognised from train. The tags are converted to BIO.",)


def test_all_tags_that_are_not_of_the_scheme_of_train_are_named_at_once(tmp_path: Path) -> None:
    (tmp_path / "train.conll").write_text("".join(BILOU.format(index) for index in range(20)) + "Bob\tS-person\n")
    (tmp_path / "test.conll").write_text("Eve\tO\nFay\tE-person\n\nRome\tU-place\n\nLi\tPER\n")
    places = {name: tmp_path / f"{name}.conll" for name in ("train", "test")}
    known, allowed = "O, or B-, I-, E-, S-, L- or U- with a type", "bilou (allowed: O, B-, I-, L-, U-)"
    assert fails(tmp_path, TokenClassification).problems == (
        f"{places['test']}:6: tag 'PER' belongs to no tag scheme (allowed: {known})",
        f"{places['train']}:121: tag 'S-person' is not of the scheme of the data, {allowed}",
        f"{places['test']}:2: tag 'E-person' is not of the scheme of the data, {allowed}",
    )


def test_a_named_scheme_is_taken_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "all.conll"
    path.write_text("".join(f"Ann{index}\tI-person\nLee\tI-person\n\nis\tO\nhere{index}\tO\n\n" for index in range(20)))
    guessed, named = (load(str(path), TokenClassification, DataConfig(tag_scheme=name)) for name in (None, "bio"))
    assert guessed.report.notes[0] == "Tag scheme: iob1, recognised from train. The tags are converted to BIO."
    assert ("B-person", "I-person") in {example.label for example in guessed.train}
    assert ("I-person", "I-person") in {example.label for example in named.train}
    assert "Tags of train that do not follow the scheme bio: 20." in named.report.notes[0]
    assert guessed.labels == named.labels
    bilou = load(str(path), TokenClassification, DataConfig(tag_scheme="bilou"))  # I- is a letter of BILOU too
    assert bilou.train == guessed.train
    assert bilou.report.notes[0] == "Tag scheme: bilou, as data.tag_scheme says. The tags are converted to BIO."


def test_words_and_tags_can_stand_in_a_table(tmp_path: Path) -> None:
    rows = "".join(f"call Ann{index},O B-person\n" for index in range(20))
    (tmp_path / "all.csv").write_text("words,bio\n" + rows)
    data = load(str(tmp_path / "all.csv"), TokenClassification, DataConfig(tokens_column="words", tags_column="bio"))
    assert data.train[0].label == ("O", "B-person")


def test_fractions_that_leave_no_train_are_refused() -> None:
    from edge_ptf.config import parse

    with pytest.raises(ConfigError, match="below 1"):
        parse(DataConfig, {"validation_fraction": 0.4, "test_fraction": 0.7}, where="x.yaml")


def test_every_option_has_a_description() -> None:
    assert all(field.description for field in DataConfig.model_fields.values())


# Duplicates and the fingerprint


def test_texts_that_stand_in_a_later_split_are_removed_and_counted(tmp_path: Path) -> None:
    splits = {
        "train": [*GIVEN["train"], ("Turn  ON", "off"), ("SWITCH off", "off")],
        "validation": [*GIVEN["validation"], ("turn OFF", "off")],
        "test": GIVEN["test"],
    }
    data = load(folder_of(tmp_path, splits), TextClassification)
    assert data.report.duplicates_removed == {"train": 2, "validation": 1}
    assert [(example.text, example.label) for example in data.train] == GIVEN["train"]
    assert len(data.validation) == 2
    assert any("Rows removed from train" in note and ": 2." in note for note in data.report.notes)


def test_texts_with_two_labels_in_train_are_noted(tmp_path: Path) -> None:
    data = load(folder_of(tmp_path, {**GIVEN, "train": [*GIVEN["train"], ("Lights on", "off")]}), TextClassification)
    assert data.report.notes == ("Texts that occur in train with different labels: 1.",)
    assert len(data.train) == 4


def fingerprint(source: str, config: DataConfig | None = None) -> str:
    return load(source, TextClassification, config or DataConfig()).fingerprint


def test_the_fingerprint_depends_on_content_and_not_on_names_or_options(tmp_path: Path) -> None:
    first = fingerprint(folder_of(tmp_path / "a", GIVEN))
    other = tmp_path / "b"
    other.mkdir()
    for name, split in (("train", "train"), ("dev", "validation"), ("test", "test")):
        lines = [f'{{"intent": "{label}", "utterance": "{text}"}}\n' for text, label in GIVEN[split]]
        (other / f"{name}.jsonl").write_text("".join(lines))
    config = DataConfig(text_column="utterance", label_column="intent", test_fraction=0.3)
    assert fingerprint(str(other), config) == first
    changed = {**GIVEN, "test": [("turn on", "off"), ("turn off", "off")]}
    assert fingerprint(folder_of(tmp_path / "c", changed)) != first


# Sources that are not files


def test_an_unknown_path_names_its_near_siblings(tmp_path: Path) -> None:
    folder_of(tmp_path, GIVEN)
    error = fails(tmp_path / "trian.csv")
    assert "no such file or folder" in error.message
    assert f"Did you mean {tmp_path}/train.csv" in error.hint
    assert "does not exist either" in fails(tmp_path / "absent" / "train.csv").hint


def test_a_relative_path_into_a_folder_that_exists_is_no_hub_id(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder_of(tmp_path / "sets", GIVEN)
    monkeypatch.chdir(tmp_path)
    assert "sets contains: test.csv, train.csv, validation.csv" in fails("sets/zzz").hint


def test_no_source_at_all_is_refused() -> None:
    assert "the data set has no name" in fails(" ").message


def test_a_hub_that_cannot_be_reached_is_a_fault_of_the_surroundings() -> None:
    with pytest.raises(EnvironmentFault) as caught:
        load("nobody/no-such-set", TextClassification)
    assert caught.value.exit_code == ExitCode.ENVIRONMENT
    assert "\n" not in str(caught.value)
    assert "'nobody/no-such-set' is not a local file or folder, and the hub cannot be reached" in caught.value.message
    assert "save_to_disk" in caught.value.hint


def test_a_misspelt_folder_is_suggested_when_the_hub_cannot_be_reached(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder_of(tmp_path / "intents", GIVEN)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(EnvironmentFault, match="Did you mean intents"):
        load("intent", TextClassification)


@pytest.mark.parametrize("task", [TextClassification, TokenClassification])
def test_the_demo_serves_both_tasks(task: type) -> None:
    small, large = load("demo", task), load("demo-large", task)
    for data in (small, large):
        assert data.report.duplicates_removed == {"train": 0, "validation": 0}
    assert 0 < len(small.train) < len(large.train) / 2
    assert (small.validation, small.test) == (large.validation, large.test)
    assert small.labels == large.labels


def test_the_demo_of_entities_serves_only_words() -> None:
    for name in ("demo", "demo-large"):
        words = load(f"{name}:ner", TokenClassification)
        assert words.fingerprint == load(name, TokenClassification).fingerprint
    with pytest.raises(BadInputError, match="has no text and no label") as caught:
        load("demo:ner", TextClassification)
    assert "\n" not in str(caught.value)


# Data sets of the `datasets` library


def saved(folder: Path, splits: dict[str, dict[str, list[object]]], feature: tuple[str, list[str], bool]) -> str:
    import datasets

    column, names, listed = feature
    kind = datasets.ClassLabel(names=names)
    made = {}
    for name, values in splits.items():
        part = datasets.Dataset.from_dict(values)
        made[name] = part.cast_column(column, datasets.Sequence(kind) if listed else kind)
    datasets.DatasetDict(made).save_to_disk(str(folder))
    return str(folder)


def test_a_saved_data_set_gives_class_names(tmp_path: Path) -> None:
    values = {"train": {"text": ["a", "b"], "label": [0, 1]}, "dev": {"text": ["c"], "label": [1]}}
    values |= {"test": {"text": ["d"], "label": [0]}, "extra": {"text": ["e"], "label": [0]}}
    data = load(saved(tmp_path / "set", values, ("label", ["off", "on"], False)), TextClassification)
    assert [example.label for example in data.train] == ["off", "on"]
    assert data.report.notes == ("The split 'extra' is not used.",)


def test_a_saved_split_without_labels_is_not_used(tmp_path: Path) -> None:
    texts: list[object] = [f"text {index}" for index in range(40)]
    values = {"train": {"text": texts, "label": [0, 1] * 20}, "test": {"text": ["x"], "label": [-1]}}
    data = load(saved(tmp_path / "set", values, ("label", ["off", "on"], False)), TextClassification)
    assert len(data.test) == 8
    assert data.report.notes[0] == "The split 'test' has no labels and is not used."


def test_a_single_row_without_label_is_a_problem(tmp_path: Path) -> None:
    values = {"train": {"text": ["a", "b"], "label": [0, -1]}}
    source = saved(tmp_path / "set", values, ("label", ["off", "on"], False))
    assert fails(source).problems == (f"{source}/train:1: the label is empty",)


def test_tags_of_a_saved_data_set_may_be_named_ner_tags(tmp_path: Path) -> None:
    words: list[object] = [["call", "\u00a0", f"Ann\u00a0{index}"] for index in range(20)]
    values = {"train": {"tokens": [*words, []], "ner_tags": [[0, 0, 1]] * 20 + [[]]}}
    source = saved(tmp_path / "set", values, ("ner_tags", ["O", "B-person", "I-person"], True))
    data = load(source, TokenClassification)
    assert data.train[0].label == ("O", "B-person")
    assert data.train[0].text.startswith("call Ann")
    assert data.report.notes[-3:] == (
        "Words with white space removed from inside: 20.",
        "Words removed because they contain only white space: 20.",
        "Sentences removed because they have no words: 1.",
    )


def test_a_saved_data_set_without_splits_is_split(tmp_path: Path) -> None:
    import datasets

    rows = {"spoken": [text for text, _ in MANY], "label": [label for _, label in MANY]}
    datasets.Dataset.from_dict(rows).save_to_disk(str(tmp_path / "set"))
    data = load(str(tmp_path / "set"), TextClassification, DataConfig(text_column="spoken"))
    assert (len(data.train), len(data.validation), len(data.test)) == (70, 10, 20)
    assert "--set data.text_column=" in fails(tmp_path / "set").hint


def test_a_damaged_saved_data_set_is_a_data_error(tmp_path: Path) -> None:
    (tmp_path / "dataset_dict.json").write_text('{"splits": ["train"]}')
    assert "names 'train', which is not there" in fails(tmp_path).message
    (tmp_path / "train").mkdir()
    assert "cannot be read as a saved data set" in fails(tmp_path).message
    (tmp_path / "dataset_dict.json").write_text("{")
    assert "not readable JSON" in fails(tmp_path).message


def saved_pair(folder: Path) -> tuple[Path, Path]:
    """Two saved data sets beside each other: one with splits, one without."""
    import datasets

    rows = {"text": [text for text, _ in MANY], "label": [label for _, label in MANY]}
    datasets.DatasetDict({"train": datasets.Dataset.from_dict(rows)}).save_to_disk(str(folder / "set"))
    datasets.Dataset.from_dict(rows).save_to_disk(str(folder / "other"))
    return folder / "set", folder / "other"


def test_a_list_of_splits_that_leads_out_of_the_folder_is_refused(tmp_path: Path) -> None:
    folder, other = saved_pair(tmp_path)
    for name in ("../other", str(other), "train/..", ".."):
        (folder / "dataset_dict.json").write_text(json.dumps({"splits": ["train", name]}))
        assert "not in its folder" in fails(folder).message


def test_a_list_of_files_that_leads_out_of_the_folder_is_refused(tmp_path: Path) -> None:
    folder, other = saved_pair(tmp_path)
    (arrow,) = other.glob("*.arrow")
    for state in (folder / "train" / "state.json", tmp_path / "other" / "state.json"):
        content = json.loads(state.read_text())
        for name in (f"../../other/{arrow.name}", str(arrow), 5, None):
            state.write_text(json.dumps({**content, "_data_files": [{"filename": name}]}))
            assert "not in its folder" in fails(folder if state.is_relative_to(folder) else other).message


def test_a_link_out_of_a_saved_data_set_is_refused(tmp_path: Path) -> None:
    folder, other = saved_pair(tmp_path)
    (folder / "test").symlink_to(other)
    (folder / "dataset_dict.json").write_text('{"splits": ["train", "test"]}')
    assert "a link that leads out of the folder" in fails(folder).message


def test_a_hub_data_set_is_read_by_its_id_and_configuration(monkeypatch: pytest.MonkeyPatch) -> None:
    import datasets

    asked = []

    def fetched(name: str, config: str | None, *, trust_remote_code: bool) -> datasets.DatasetDict:
        assert not trust_remote_code
        asked.append((name, config))
        if config is None:
            raise ValueError("Config name is missing.\nPick one")
        rows = {"text": [text for text, _ in MANY], "label": [label for _, label in MANY]}
        return datasets.DatasetDict({"train": datasets.Dataset.from_dict(rows)})

    monkeypatch.setattr(datasets, "load_dataset", fetched)
    assert len(load("owner/set", TextClassification, DataConfig(hub_config="plus")).train) == 70
    assert "data.hub_config" in fails("owner/set").hint
    assert asked == [("owner/set", "plus"), ("owner/set", None)]


@pytest.mark.parametrize(
    ("raised", "expected"),
    [("DatasetNotFoundError", DataError), ("DatasetGenerationError", DataError), ("OSError", EnvironmentFault)],
)
def test_faults_of_the_hub_become_one_line(
    monkeypatch: pytest.MonkeyPatch, raised: str, expected: type[Exception]
) -> None:
    import datasets

    kind = getattr(datasets.exceptions, raised, OSError)

    def fails_to_load(*_: object, **__: object) -> None:
        raise kind("first line\nsecond line")

    monkeypatch.setattr(datasets, "load_dataset", fails_to_load)
    with pytest.raises(expected) as caught:
        load("owner/set", TextClassification)
    assert "\n" not in str(caught.value)


def test_importing_the_room_imports_no_heavy_library() -> None:
    code = "import sys, edge_ptf.data; print([m for m in ('torch', 'datasets', 'transformers') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


# Real data


def counts(data: LabelledData) -> tuple[int, int, int]:
    return len(data.train), len(data.validation), len(data.test)


def test_clinc150_is_read(shared_data: Path) -> None:
    data = load(str(shared_data / "clinc150"), TextClassification, DataConfig(out_of_scope_label="oos"))
    assert counts(data) == (15_095, 3_100, 5_500)
    assert len(data.labels) == 151
    assert data.report.duplicates_removed == {"train": 5, "validation": 0}
    assert data.report.splits["test"].classes["oos"] == 1000


def test_wnut17_is_read_with_its_odd_words(shared_data: Path) -> None:
    data = load(str(shared_data / "wnut17"), TokenClassification)
    assert counts(data) == (3_394, 1_009, 1_287)
    assert len(data.labels) == 13
    assert any("\ufe0f" in example.text.split() for example in data.validation)
    for split in (data.train, data.validation, data.test):
        assert all(len(example.text.split()) == len(example.label) for example in split)
