"""What is known about data before anything is trained."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path

import pytest
from rich.console import Console

from edge_ptf import tasks
from edge_ptf.data import load
from edge_ptf.data.dataset import DataConfig
from edge_ptf.data_check import DataCheck, Lengths, check_data, token_lengths
from edge_ptf.errors import BadInputError
from edge_ptf.preparation import for_judging
from edge_ptf.provable import provable
from edge_ptf.recipe import Recipe
from edge_ptf.report.terminal import data_table

KIND = tasks.get("text-classification")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Classes of 21 and 3 training rows, a conflict, a repeated row, and a test split without the rare class."""
    train = [f"text {number},a" for number in range(20)] + [f"rare {number},b" for number in range(2)]
    train += ["text 0,b", "text 1,a"]
    splits = {"train": train, "validation": ["x 1,a", "x 2,b"], "test": [f"y {number},a" for number in range(30)]}
    for name, rows in splits.items():
        (tmp_path / f"{name}.csv").write_text("\n".join(["utterance,label", *rows]) + "\n", encoding="utf-8")
    return tmp_path


def checked(folder: Path, model: Path | None = None, max_length: int = 8) -> DataCheck:
    config = DataConfig(text_column="utterance")
    data = load(str(folder), KIND, config)
    task = tasks.create(KIND.spec_for(data.labels))
    found = provable(task, [example.label for example in data.test], {"accuracy": 1.0}, 0.95)
    lengths = token_lengths(data, model, max_length) if model else None
    return check_data(data, task, config, found, 0.95, lengths)


def test_columns_classes_and_problems_of_labels_are_named(folder: Path) -> None:
    found = checked(folder)
    assert found.columns == {"text": "utterance", "label": "label"}
    assert found.labels == ("a", "b")
    assert found.rare == {"b": 3}
    assert found.absent == {"test": ("b",)}
    assert found.conflicts == 1
    assert found.repeated == {"train": 2, "validation": 0, "test": 0}
    assert (found.max_length, found.lengths) == (None, {})
    rare, absent, conflicting, few, folds = found.warnings
    assert folds.startswith("test is small for these limits; compress --folds 5 judges all ")
    assert "fewer than 10 examples in train: b" in rare
    assert "test lacks: b" in absent
    assert "different labels: 1" in conflicting
    assert "30 test rows" in few
    assert DataCheck.model_validate_json(found.model_dump_json()) == found


def test_lengths_are_counted_in_tokens_of_the_model_and_nothing_is_cut_before(
    folder: Path, tiny_base: Callable[[str], Path]
) -> None:
    (folder / "test.csv").write_text("utterance,label\n" + "play " * 60 + ",a\nplay,b\n", encoding="utf-8")
    found = checked(folder, tiny_base("bert"))
    assert found.max_length == 8
    assert found.lengths["test"] == Lengths(median=62, p95=62, longest=62, truncated=1)
    assert any("texts of test that are longer than 8 tokens" in each and "1 of 2" in each for each in found.warnings)


def test_the_model_may_read_less_than_the_recipe_allows(folder: Path, tiny_base: Callable[[str], Path]) -> None:
    found = checked(folder, tiny_base("bert"), max_length=100_000)
    assert found.max_length is not None and found.max_length < 100_000


def test_pairs_are_counted_together(tmp_path: Path, tiny_base: Callable[[str], Path]) -> None:
    rows = [f"play music,play jazz number {number},{'ab'[number % 2]}" for number in range(40)]
    (tmp_path / "pairs.csv").write_text("\n".join(["text,text_pair,label", *rows]) + "\n", encoding="utf-8")
    config = DataConfig()
    data = load(str(tmp_path / "pairs.csv"), KIND, config)
    found = check_data(data, tasks.create(KIND.spec_for(data.labels)), config, (), 0.95)
    assert found.columns["text_pair"] == "text_pair"
    _, lengths = token_lengths(data, tiny_base("bert"), 128)
    assert lengths["train"].median > 6


def test_many_classes_are_named_in_short(folder: Path) -> None:
    found = checked(folder).replace(rare={f"c{number:02}": 1 for number in range(11)})
    assert "c07 and 3 more" in found.warnings[0]


@pytest.mark.parametrize(
    ("head", "row", "classes", "in_folds"),
    [
        ("text,text_pair,score", "first {0},second {0},{1}", "–", True),
        ("anchor,positive", "first {0},second {0}", "–", False),
        ("text,label", "text {0},c{1}", "3", False),
    ],
    ids=["scores", "pairs", "classes"],
)
def test_folds_are_advised_only_where_they_are_allowed(
    tmp_path: Path, head: str, row: str, classes: str, in_folds: bool
) -> None:
    rows = [row.format(number, number % 3) for number in range(60)]
    (tmp_path / "data.csv").write_text("\n".join([head, *rows]) + "\n", encoding="utf-8")
    kind = tasks.get("sentence-embedding")
    data = load(str(tmp_path / "data.csv"), kind, DataConfig())
    task = tasks.create(kind.spec_for(data.labels))
    metric = task.metrics[0].name
    limit = {metric: 0.001 if metric == "spearman" else 1.0}
    found = check_data(
        data, task, DataConfig(), provable(task, [example.label for example in data.test], limit, 0.95), 0.95
    )
    said = any("compress --folds 5" in warning for warning in found.warnings)
    lacking = any("can prove" in warning for warning in found.warnings)
    assert said == (in_folds and lacking)
    assert lacking or in_folds
    recipe = Recipe().replace(cross_validation={"folds": 3})
    with nullcontext() if in_folds else pytest.raises(BadInputError, match="cannot be compared"):
        for_judging(data, kind, recipe)
    console = Console(width=160)
    with console.capture() as capture:
        console.print(data_table(found.data))
    (train,) = (line for line in capture.get().splitlines() if line.startswith("│ train"))
    assert train.split("│")[3].strip() == classes
    assert ("least and most frequent class" in capture.get()) == (classes == "3")
