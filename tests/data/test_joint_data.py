"""Tests for reading the labels of several tasks."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from edge_ptf import tasks
from edge_ptf.data import load
from edge_ptf.data.joint import sources_of
from edge_ptf.errors import BadInputError, DataError

KIND = tasks.get("intent=text-classification,slots=token-classification")
ROWS: tuple[tuple[str, str | None, str | None], ...] = (
    ("lights on in kitchen", "light", "O O O B-room"),
    ("play jazz", "music", "O B-genre"),
    ("stop it", "music", None),
    ("in the bedroom", None, "O O B-room"),
)


def write(folder: Path, rows: Any, split: str = "train", **names: str) -> Path:
    lines = []
    for text, intent, tags in rows:
        row = {"text": text, "intent": intent, "tokens": text.split(), "tags": tags and tags.split()}
        lines.append(
            json.dumps(
                {names.get(name, name): value for name, value in row.items() if name not in names or names[name]}
            )
        )
    (folder / f"{split}.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder


def three_splits(folder: Path, rows: Any = ROWS, **names: str) -> Path:
    folder.mkdir(exist_ok=True)
    for split, word in (("train", "now"), ("validation", "then"), ("test", "later")):
        write(folder, [(f"{text} {word}", a, b and f"{b} O") for text, a, b in rows], split, **names)
    return folder


def test_one_file_has_the_labels_of_all_tasks(tmp_path: Path) -> None:
    data = load(str(three_splits(tmp_path)), KIND)
    assert [(example.text, example.label) for example in data.train] == [
        ("lights on in kitchen now", ("light", ("O", "O", "O", "B-room", "O"))),
        ("play jazz now", ("music", ("O", "B-genre", "O"))),
        ("stop it now", ("music", None)),
        ("in the bedroom now", (None, ("O", "O", "B-room", "O"))),
    ]
    assert data.labels == (
        *("intent.light", "intent.music", "slots.O", "slots.B-genre", "slots.I-genre", "slots.B-room", "slots.I-room"),
    )
    assert data.report.columns == {"text": "text", "intent.label": "intent", "tokens": "tokens", "slots.tags": "tags"}
    assert data.report.splits["test"].classes == {
        "intent.light": 1,
        "intent.music": 2,
        "slots.genre": 1,
        "slots.room": 2,
    }


def test_the_column_of_a_task_has_its_name_or_a_usual_one(tmp_path: Path) -> None:
    data = load(str(three_splits(tmp_path, intent="label", tags="slots")), KIND)
    assert data.train[0].label == ("light", ("O", "O", "O", "B-room", "O"))
    assert data.report.columns["intent.label"] == "label"
    assert data.report.columns["slots.tags"] == "slots"


def test_words_are_a_text_where_there_is_no_other(tmp_path: Path) -> None:
    data = load(str(three_splits(tmp_path, text="")), KIND)
    assert data.train[2].text == "stop it now"
    assert data.train[2].label == ("music", None)


def test_each_task_has_a_file_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    for split, word in (("train", "now"), ("validation", "then"), ("test", "later")):
        texts = [f"{text} {word},{intent}" for text, intent, _ in ROWS if intent]
        (tmp_path / "a" / f"{split}.csv").write_text("\n".join(["text,label", *texts, f"wait {word},music"]) + "\n")
        tagged = [zip([*text.split(), word], f"{tags} O".split(), strict=True) for text, _, tags in ROWS if tags]
        blocks = ["\n".join(f"{token} {tag}" for token, tag in rows) for rows in tagged]
        (tmp_path / "b" / f"{split}.conll").write_text("\n\n".join(blocks) + "\n")
    data = load(f"intent={tmp_path / 'a'},slots={tmp_path / 'b'}", KIND)
    assert {example.text: example.label for example in data.test} == {
        "lights on in kitchen later": ("light", ("O", "O", "O", "B-room", "O")),
        "play jazz later": ("music", ("O", "B-genre", "O")),
        "stop it later": ("music", None),
        "wait later": ("music", None),
        "in the bedroom later": (None, ("O", "O", "B-room", "O")),
    }


def test_a_task_without_a_test_split_gets_one_before_the_texts_are_joined(tmp_path: Path) -> None:
    three_splits(tmp_path / "slots", [row for row in ROWS if row[2]])
    rows = [f"say number {number},{('light', 'music')[number % 2]}" for number in range(60)]
    (tmp_path / "intent.csv").write_text("\n".join(["text,label", *rows]) + "\n")
    data = load(f"intent={tmp_path / 'intent.csv'},slots={tmp_path / 'slots'}", KIND)
    assert sum(example.label[0] is not None for example in data.test) == 12
    assert any(note.startswith("The data of 'intent' were split by content hash") for note in data.report.notes)


def test_an_empty_set_of_labels_is_a_label_and_null_is_none(tmp_path: Path) -> None:
    rows = [("a", ["x"]), ("b", []), ("c", None), ("d", ["x", "y"])]
    for split in ("train", "validation", "test"):
        lines = [{"text": f"{text} {split}", "topics": topics, "intent": "uv"[text > "b"]} for text, topics in rows]
        (tmp_path / f"{split}.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in lines), encoding="utf-8")
    kind = tasks.get("topics=multi-label-classification,intent=text-classification")
    labels = {example.text[0]: example.label for example in load(str(tmp_path), kind).train}
    assert labels == {"a": (("x",), "u"), "b": ((), "u"), "c": (None, "v"), "d": (("x", "y"), "v")}


def test_a_text_that_two_rows_label_is_paired_in_order(tmp_path: Path) -> None:
    three_splits(tmp_path)
    write(tmp_path, [*ROWS, ("go", "light", "O"), ("go", "music", "O")])
    train = load(str(tmp_path), KIND).train
    assert [example.label for example in train if example.text == "go"] == [("light", ("O",)), ("music", ("O",))]


def test_the_built_in_corpus_has_both_labels() -> None:
    data = load("demo", KIND)
    assert all(None not in example.label for example in data.train)
    alone = load("demo", tasks.get("text-classification"))
    assert {example.text: example.label[0] for example in data.test} == {e.text: e.label for e in alone.test}


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([("hello", None, None)], r"train.jsonl:1: the row has no label of 'intent' or 'slots'"),
        ([("a b", "light", "O X-room")], r"train.jsonl:1: tag 'X-room' belongs to no tag scheme"),
        ([("a b", ["light"], "O O")], r"train.jsonl:1: the label \['light'\] is a list"),
    ],
)
def test_bad_rows_are_named(tmp_path: Path, rows: Any, message: str) -> None:
    three_splits(tmp_path)
    write(tmp_path, [*rows, *ROWS])
    with pytest.raises(DataError) as caught:
        load(str(tmp_path), KIND)
    assert re.search(message, "\n".join(caught.value.problems))


def test_text_and_words_must_be_the_same(tmp_path: Path) -> None:
    three_splits(tmp_path)
    row = {"text": "don't stop", "intent": "music", "tokens": ["do", "n't", "stop"], "tags": ["O", "O", "O"]}
    with (tmp_path / "train.jsonl").open("a") as file:
        file.write(json.dumps(row) + "\n")
    with pytest.raises(DataError) as caught:
        load(str(tmp_path), KIND)
    assert list(caught.value.problems) == [
        f"{tmp_path}/train.jsonl:5: 'slots' reads other words (\"do n't stop\") than 'intent' (\"don't stop\")"
    ]


def test_a_split_without_labels_of_a_task_is_refused(tmp_path: Path) -> None:
    three_splits(tmp_path)
    write(tmp_path, [(f"{text} later", intent, None) for text, intent, _ in ROWS if intent], "test")
    with pytest.raises(DataError, match="test has no label of the task 'slots'"):
        load(str(tmp_path), KIND)


def test_a_missing_column_is_named_with_its_task(tmp_path: Path) -> None:
    three_splits(tmp_path, intent="")
    with pytest.raises(
        DataError, match=r"no column 'intent' or 'label', but 'intent' \(text-classification\) needs it"
    ):
        load(str(tmp_path), KIND)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("intent=a.csv", "the task 'slots' has no data"),
        ("intent=a.csv,intent=b.csv", "'intent' has two sources"),
        ("intent=a.csv,tags=b.csv", "there is no task 'tags'"),
    ],
)
def test_sources_must_fit_the_tasks(source: str, message: str) -> None:
    with pytest.raises(BadInputError, match=message):
        sources_of(source, ["intent", "slots"])


def test_sources_are_split_at_the_names_of_tasks() -> None:
    assert sources_of("intent=a,b.csv,slots=c=d.csv", ["intent", "slots"]) == {"intent": "a,b.csv", "slots": "c=d.csv"}
    assert sources_of("data,all.csv", ["intent", "slots"]) == {"intent": "data,all.csv", "slots": "data,all.csv"}
