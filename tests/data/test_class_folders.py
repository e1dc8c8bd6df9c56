"""A folder for each class, with a file for each text."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge_ptf.data import DataConfig, load
from edge_ptf.errors import DataError
from edge_ptf.tasks.multi_label_classification import MultiLabelClassification
from edge_ptf.tasks.text_classification import TextClassification


def written(folder: Path, count: int = 20, word: str = "text") -> Path:
    for label in ("good", "bad film"):
        (folder / label).mkdir(parents=True)
        for index in range(count):
            (folder / label / f"{index}.txt").write_text(f"{word} {label}\nline {index}\n", encoding="utf-8")
    return folder


def test_a_folder_is_a_class_and_a_file_is_a_text(tmp_path: Path) -> None:
    for split in ("train", "dev", "test"):
        written(tmp_path / split, 5, split)
    data = load(str(tmp_path), TextClassification)
    assert data.report.split_by == "given"
    assert data.labels == ("bad film", "good")
    assert [len(split) for split in (data.train, data.validation, data.test)] == [10, 10, 10]
    assert data.test[0].text == "test bad film\nline 0"


def test_without_splits_they_are_made(tmp_path: Path) -> None:
    data = load(str(written(tmp_path)), TextClassification)
    assert len(data.train) + len(data.validation) + len(data.test) == 40
    assert "content hash" in data.report.split_by


def test_bad_texts_are_named_by_their_file(tmp_path: Path) -> None:
    empty = written(tmp_path) / "good" / "3.txt"
    empty.write_text("\n", encoding="utf-8")
    with pytest.raises(DataError) as caught:
        load(str(tmp_path), TextClassification)
    assert list(caught.value.problems) == [f"{empty}:1: the text is empty"]
    empty.write_bytes("é".encode("cp1252"))
    with pytest.raises(DataError, match=r"3\.txt:1: not UTF-8"):
        load(str(tmp_path), TextClassification)
    assert load(str(tmp_path), TextClassification, DataConfig(encoding="cp1252")).labels == ("bad film", "good")


def test_other_files_are_counted_and_hidden_ones_left_out(tmp_path: Path) -> None:
    folder = written(tmp_path / "train")
    (folder / "good" / "notes.pdf").write_bytes(b"x")
    (folder / "good" / ".DS_Store").write_bytes(b"x")
    (folder / ".git").mkdir()
    (folder / ".git" / "1.txt").write_text("no", encoding="utf-8")
    data = load(str(tmp_path), TextClassification)
    assert data.labels == ("bad film", "good")
    assert "Files and folders beside the .txt files of train, not read: 1." in data.report.notes


def test_what_cannot_be_read_so_says_what_to_do(tmp_path: Path) -> None:
    written(tmp_path / "train")
    with pytest.raises(DataError, match=r"gives one label to each text, but multi-label-classification needs"):
        load(str(tmp_path), MultiLabelClassification)
    (tmp_path / "train.csv").write_text("text,label\na,b\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"two files for train: train and train\.csv"):
        load(str(tmp_path), TextClassification)


def test_a_folder_of_one_class_is_no_data_set(tmp_path: Path) -> None:
    (tmp_path / "good").mkdir()
    (tmp_path / "good" / "1.txt").write_text("good", encoding="utf-8")
    with pytest.raises(DataError, match="no train file"):
        load(str(tmp_path), TextClassification)
