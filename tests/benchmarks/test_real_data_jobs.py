"""The data that the jobs of `real_data.py` and the plain scripts read."""

from __future__ import annotations

import importlib.util
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest

from edge_ptf import data as data_package
from edge_ptf import tasks
from edge_ptf.examples import Example
from edge_ptf.models.checkpoint import load_tokenizer
from edge_ptf.runtime import Runner
from tests.conftest import labelled

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"


def script(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(Path(name).stem, BENCHMARKS / name)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Texts with label ids: 0 anger, 1 joy, 2 neutral, 3 surprise, 4 love."""
    (tmp_path / "labels.txt").write_text("anger\njoy\nneutral\nsurprise\nlove\n")
    texts = {'so "good", really': "1,4", "bad": "0", "well": "2", "oh": "3", "oh good": "1,3", "bad good": "0,1"}
    lines = "".join(f"{text}\t{ids}\tx{place}\n" for place, (text, ids) in enumerate(texts.items()))
    for split in ("train", "dev", "test"):
        (tmp_path / f"{split}.tsv").write_text(lines.replace("\t", f" {split}\t", 1))
    return tmp_path


def test_emotions_have_their_names_and_all_texts(source: Path, tmp_path: Path) -> None:
    folder = script("real_data.py").emotions(source, tmp_path / "out", by_sentiment=False)
    lines = (folder / "dev.csv").read_text(encoding="utf-8").splitlines()
    assert lines[0] == "text,labels"
    assert lines[1:3] == ['"so ""good"", really dev",joy|love', "bad,anger"]
    assert len(lines) == 7


def test_a_sentiment_is_the_only_group_of_all_labels_and_ambiguous_texts_are_left_out(
    source: Path, tmp_path: Path
) -> None:
    folder = script("real_data.py").emotions(source, tmp_path / "out", by_sentiment=True)
    rows = [line.rsplit(",", 1)[1] for line in (folder / "test.csv").read_text(encoding="utf-8").splitlines()]
    assert rows == ["label", "positive", "negative", "neutral"]


def test_every_emotion_of_the_real_data_is_in_one_group_or_ambiguous(shared_data: Path, tmp_path: Path) -> None:
    module = script("real_data.py")
    names = (shared_data / "goemotions" / "labels.txt").read_text(encoding="utf-8").split()
    grouped = [name for members in module.SENTIMENTS.values() for name in members.split()]
    assert sorted(set(names) - set(grouped)) == ["confusion", "curiosity", "realization", "surprise"]
    assert max(Counter(grouped).values()) == 1 and set(grouped) <= set(names)
    folder = module.emotions(shared_data / "goemotions", tmp_path, by_sentiment=True)
    found = data_package.load(str(folder), tasks.get("text-classification"))
    assert found.labels == ("negative", "neutral", "positive")


def test_words_without_a_token_are_outside_in_the_plain_script(tiny_base: Callable[[str], Path]) -> None:
    module = script("plain/token_classification.py")
    tokenizer = load_tokenizer(tiny_base("bert"))
    words = ["turn", "\u200b", "unplayable", "light", "off"]
    sentences = [(words, ["O", "O", "B-x", "I-x", "O"])]
    names = ["B-x", "I-x", "O"]
    (row,) = module.encoded(tokenizer, sentences, names, 64)
    assert [names[label] for label in row["labels"] if label != module.IGNORED] == ["O", "B-x", "I-x", "O"]
    reference, answer = module.whole(tokenizer, sentences, [["O", "B-x", "I-x", "O"]], 64)
    assert (reference, answer) == ([sentences[0][1]], [["O", "O", "B-x", "I-x", "O"]])
    cut = module.whole(tokenizer, sentences, [["O", "B-x"]], 4)[1]
    assert cut == [["O", "O", "B-x", "O", "O"]]


def test_the_plain_script_reads_the_sentences_of_a_file(tmp_path: Path) -> None:
    (tmp_path / "x.conll").write_text("a\tO\nb\tB-x\n\n\u00a0\tO\n\n\nc\tO", encoding="utf-8")
    read = script("plain/token_classification.py").read
    assert read(tmp_path / "x.conll") == [(["a", "b"], ["O", "B-x"]), (["c"], ["O"])]


def test_classes_are_left_out_and_added_again(make_payload: Callable, tmp_path: Path) -> None:
    module = script("new_classes.py")
    data = labelled("prototype-classification")
    assert module.left_out(data, 2, "c") == ["a", "b"] and module.left_out(data, 1, "none") == ["a"]
    module.write_rest(data, ["a"], tmp_path)
    lines = (tmp_path / "train.csv").read_text(encoding="utf-8").splitlines()
    assert {line.rpartition(",")[2] for line in lines} == {"label", "b", "c"} and len(lines) == 33
    runner = Runner(make_payload("bert", "prototype-classification", "dynamic"))
    found = module.figures(
        runner,
        replace(data, test=(Example("new text", "new"),), train=(Example("new text", "new"),)),
        ["new"],
        5,
        "none",
    )
    assert found["1 new classes of 5 texts"] == 100 and runner.task.head.spec.labels[-1] == "new"
