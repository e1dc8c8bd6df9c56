"""Texts without labels: from several kinds of files, and never a text of validation or test."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from edge_ptf.data import DataConfig, load
from edge_ptf.errors import DataError
from edge_ptf.tasks.text_classification import TextClassification

ROWS = [(f"text number {number}", "ab"[number % 2]) for number in range(40)]
LOGS = ["  one of the logs ", "", "Text  NUMBER 3", "another of the logs", "One of the  logs", "text number 39"]


@pytest.fixture
def source(tmp_path: Path) -> str:
    for name, rows in (("train", ROWS[:20]), ("validation", ROWS[20:30]), ("test", ROWS[30:])):
        lines = [json.dumps({"text": text, "label": label}) for text, label in rows]
        (tmp_path / f"{name}.jsonl").write_text("\n".join(lines), encoding="utf-8")
    return str(tmp_path)


def write(folder: Path, suffix: str, texts: list[str]) -> str:
    file = folder / f"logs{suffix}"
    shown = [json.dumps({"text": text}) if suffix == ".jsonl" else f'"{text}"' for text in texts]
    lines = {".txt": texts, ".jsonl": shown, ".csv": ["text", *shown]}[suffix]
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return str(file)


@pytest.mark.parametrize("suffix", [".txt", ".jsonl", ".csv"])
def test_each_text_is_read_once_and_none_that_judges(source: str, tmp_path: Path, suffix: str) -> None:
    (tmp_path / "logs").mkdir()
    texts = LOGS if suffix == ".txt" else [text for text in LOGS if text]
    file = write(tmp_path / "logs", suffix, texts)
    data = load(source, TextClassification, DataConfig(unlabelled=file))
    found = [example.text.strip() for example in data.unlabelled]
    assert found == ["one of the logs", "Text  NUMBER 3", "another of the logs"]
    assert data.fingerprint == load(source, TextClassification).fingerprint
    assert load(source, TextClassification).unlabelled == ()
    notes = " ".join(data.report.notes)
    assert "Unlabelled texts for distillation: 3." in notes
    assert "more than once in the file: 1." in notes and "validation or test contains them: 1." in notes
    assert data.tried_on_validation().unlabelled == data.unlabelled
    assert (data.judged_split, data.tried_on_validation().judged_split) == ("test", "validation")


def test_pairs_need_pairs(tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    for name, rows in (("train", ROWS[:20]), ("validation", ROWS[20:30]), ("test", ROWS[30:])):
        lines = [json.dumps({"text": text, "text_pair": f"pair of {text}", "label": label}) for text, label in rows]
        (tmp_path / f"{name}.jsonl").write_text("\n".join(lines), encoding="utf-8")
    file = write(tmp_path / "logs", ".jsonl", ["alone"])
    with pytest.raises(DataError, match="text_pair"):
        load(str(tmp_path), TextClassification, DataConfig(unlabelled=file))
    pair = tmp_path / "logs" / "pairs.jsonl"
    pair.write_text(json.dumps({"text": "one", "text_pair": "two"}), encoding="utf-8")
    (example,) = load(str(tmp_path), TextClassification, DataConfig(unlabelled=str(pair))).unlabelled
    assert (example.text, example.text_pair) == ("one", "two")
    with pytest.raises(DataError, match="not a file of unlabelled texts"):
        load(str(tmp_path), TextClassification, DataConfig(unlabelled=write(tmp_path / "logs", ".txt", ["one"])))


def test_what_cannot_be_used_is_said_with_its_place(source: str, tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()

    def reading(file: str) -> None:
        load(source, TextClassification, DataConfig(unlabelled=file))

    with pytest.raises(DataError, match="no such file"):
        reading("nowhere.txt")
    with pytest.raises(DataError, match="every text is also in validation or test"):
        reading(write(tmp_path / "logs", ".txt", ["text number 39"]))
    with pytest.raises(DataError, match="not a file of unlabelled texts"):
        reading(str(Path(__file__)))
    bad = tmp_path / "logs" / "bad.jsonl"
    bad.write_text('{"text": "fine"}\n{"text": ""}\n{"text": 3}\n{"text": "on \\ud83d"}\n', encoding="utf-8")
    with pytest.raises(DataError) as caught:
        reading(str(bad))
    assert [problem.rsplit(":", 2)[1] for problem in caught.value.problems] == ["2", "3", "4"]
