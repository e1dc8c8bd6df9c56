"""Folds of a cross-validation."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from edge_ptf import tasks
from edge_ptf.data import LabelledData, load
from edge_ptf.data.folds import CrossValidationConfig, fold_numbers, folds, pooled, rare_classes
from edge_ptf.data.splits import content
from edge_ptf.errors import DataError
from edge_ptf.examples import Example

TASK = tasks.get("text-classification")


@pytest.fixture
def data(tmp_path: Path) -> LabelledData:
    """100 rows of three classes; five texts occur twice, in another case."""
    rows = [f"text number {number},{'abc'[number % 3]}" for number in range(95)]
    rows += [f"TEXT number {number},{'abc'[number % 3]}" for number in range(0, 95, 20)]
    (tmp_path / "data.csv").write_text("\n".join(["text,label", *rows]) + "\n", encoding="utf-8")
    return pooled(load(str(tmp_path / "data.csv"), TASK), TASK)


def test_the_pool_is_train_and_test_and_validation_stays(tmp_path: Path, data: LabelledData) -> None:
    given = load(str(tmp_path / "data.csv"), TASK)
    assert data.train == data.test == (*given.train, *given.test)
    assert data.validation == given.validation
    assert data.fingerprint != given.fingerprint
    assert pooled(given, TASK).fingerprint == data.fingerprint
    rows = {name: split.rows for name, split in data.report.splits.items()}
    assert rows == {"train": len(data.train), "validation": len(given.validation), "test": len(data.train)}


@pytest.mark.parametrize("count", [2, 5, 7])
def test_each_text_is_judged_once_by_those_that_have_not_seen_it(data: LabelledData, count: int) -> None:
    found = folds(data, TASK, count)
    judged = [place for fold in found for place in fold.places]
    assert sorted(judged) == list(range(len(data.test)))
    for fold in found:
        assert fold.data.test == tuple(data.test[place] for place in fold.places)
        own, learned = ({content(row) for row in rows} for rows in (fold.data.test, fold.data.train))
        assert not own & learned
        assert not own & {content(row) for row in fold.data.validation}
        assert len(fold.data.train) + len(fold.data.test) == len(data.test)
        assert fold.data.validation == data.validation
        assert fold.data.labels == data.labels
        assert fold.data.judged_split == "test"
    assert len({fold.data.fingerprint for fold in found} | {data.fingerprint}) == count + 1
    sizes = [len({content(row) for row in fold.data.test}) for fold in found]
    assert max(sizes) - min(sizes) <= 1


@given(st.lists(st.sampled_from("abcd"), min_size=10, max_size=80), st.integers(2, 5), st.randoms())
def test_classes_are_spread_evenly_and_the_order_has_no_effect(labels: list[str], count: int, draw: Any) -> None:
    rows = [Example(f"text {number}", label) for number, label in enumerate(labels)]
    numbers = dict(zip(rows, fold_numbers(rows, TASK.stratum, count), strict=True))
    for label in set(labels):
        own = Counter(numbers[row] for row in rows if row.label == label)
        assert max(own.values()) - min(own[number] for number in range(count)) <= 1
    mixed = draw.sample(rows, len(rows))
    assert dict(zip(mixed, fold_numbers(mixed, TASK.stratum, count), strict=True)) == numbers


def test_a_fold_does_not_learn_an_unlabelled_text_that_it_judges(data: LabelledData) -> None:
    logs = (Example(data.test[0].text.upper(), "a"), Example("something else", "a"))
    for fold in folds(replace(data, unlabelled=logs), TASK, 4):
        assert fold.data.unlabelled == (logs[1:] if 0 in fold.places else logs)


def test_too_few_texts_and_rare_classes_are_told(data: LabelledData, tiny_data: Callable[..., LabelledData]) -> None:
    few = replace(data, train=data.train[:3], test=data.test[:3])
    with pytest.raises(DataError, match="3 different texts are too few for 4 folds"):
        folds(few, TASK, 4)
    rare = replace(data, test=(*data.test, Example("only one", "z")))
    assert rare_classes(rare, TASK, 5) == ["z"]
    assert rare_classes(data, TASK, 5) == []


def test_a_number_of_folds_is_from_2_to_20() -> None:
    assert CrossValidationConfig().folds is None
    for wrong in (0, 1, 21):
        with pytest.raises(ValidationError):
            CrossValidationConfig(folds=wrong)
