"""Regression: rows, splits, metrics, and what stands in the place of classes."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
from scipy import stats

from edge_ptf import tasks
from edge_ptf.accuracy_gate import teacher_warnings
from edge_ptf.data import load
from edge_ptf.errors import BadInputError, DataError
from edge_ptf.examples import Example, Prediction
from edge_ptf.metrics import gated, scores
from edge_ptf.preparation import check_targets
from edge_ptf.profiles import Targets
from edge_ptf.provable import provable
from edge_ptf.tasks.base import RowError
from edge_ptf.tasks.regression import Regression

TASK = tasks.create(Regression.spec_for(()))


@pytest.mark.parametrize(
    ("value", "wanted"), [(3, 3.0), (0.5, 0.5), ("4.5", 4.5), (" -1e3 ", -1000.0), ("+2", 2.0), ("0", 0.0)]
)
def test_a_value_is_a_number_or_a_text_that_is_one(value: Any, wanted: float) -> None:
    assert Regression.example({"text": "a", "value": value}) == Example("a", wanted)
    assert isinstance(Regression.example({"text": "a", "value": value}).label, float)
    row = {"text": "a", "text_pair": "b", "value": value}
    assert Regression.example(row) == Example("a", wanted, "b")


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"text": "a"}, "the value is empty"),
        ({"text": "a", "value": None}, "the value is empty"),
        ({"text": "a", "value": " "}, "the value is empty"),
        ({"text": "a", "value": "good"}, "the value 'good' is no number"),
        ({"text": "a", "value": "3,5"}, "the value '3,5' is no number"),
        ({"text": "a", "value": "1_000"}, "is no number"),
        ({"text": "a", "value": "nan"}, "is no number"),
        ({"text": "a", "value": math.nan}, "is no number"),
        ({"text": "a", "value": "inf"}, "is no number"),
        ({"text": "a", "value": -math.inf}, "is no number"),
        ({"text": "a", "value": 10**400}, "is no number"),
        ({"text": "a", "value": True}, "is no number"),
        ({"text": "a", "value": [3]}, "is no number"),
        ({"text": "", "value": 3}, "the text is empty"),
        ({"text": "a", "text_pair": "", "value": 3}, "the second text of the pair is empty"),
    ],
)
def test_rows_that_cannot_be_used_say_why(row: dict[str, Any], message: str) -> None:
    with pytest.raises(RowError, match=message):
        Regression.example(row)


def written(folder: Path, values: list[Any], **more: Any) -> Path:
    file = folder / "all.jsonl"
    rows = [{"text": f"number {index}", "value": value, **more} for index, value in enumerate(values)]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return file


def test_every_bad_row_is_named_at_once(tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        load(str(written(tmp_path, [1, "x", 2.5, None, math.nan, 4] * 5)), Regression)
    assert len(caught.value.problems) == 15
    assert caught.value.problems[0].endswith(
        "all.jsonl:2: the value 'x' is no number; allowed are finite numbers such as 3, -0.5 or 1e3"
    )
    assert int(caught.value.exit_code) == 2


def test_data_are_summarized_by_their_values(tmp_path: Path) -> None:
    data = load(str(written(tmp_path, [index % 5 + 1 for index in range(100)])), Regression)
    report = data.report
    assert data.labels == ("value",)
    assert report.split_by == "content hash (validation 10 %, test 20 %)"
    values = report.splits["train"].values
    assert values is not None
    assert (values.least, values.largest, report.splits["train"].classes) == (1, 5, {})
    assert values.sentence.startswith("1 to 5, mean ")
    assert not report.notes[2:]  # the splits that were made, and nothing about labels


def test_a_split_of_equal_values_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"all values of train are 3\. Give"):
        load(str(written(tmp_path, [3.0] * 60)), Regression)


@pytest.mark.parametrize("name", ["score", "Similarity", "rating", "label"])
def test_the_value_may_have_a_usual_other_name(tmp_path: Path, name: str) -> None:
    rows = "".join(f"a {index},b,{index}\n" for index in range(60))
    (tmp_path / "x.csv").write_text(f"sentence_A,sentence_B,{name}\n{rows}", encoding="utf-8")
    data = load(str(tmp_path / "x.csv"), Regression)
    assert f"Column '{name}' is read as value." in data.report.notes
    assert data.train[0].text_pair == "b"


def test_a_saved_split_without_values_is_left_out(tmp_path: Path) -> None:
    import datasets

    def rows(values: list[float]) -> Any:
        return datasets.Dataset.from_dict({"text": [f"a {n}" for n in range(60)], "label": values})

    parts = {"train": rows([n / 7 for n in range(60)]), "test": rows([-1.0] * 60)}
    datasets.DatasetDict(parts).save_to_disk(str(tmp_path / "set"))
    notes = load(str(tmp_path / "set"), Regression).report.notes
    assert "The split 'test' has no labels and is not used." in notes


def test_correlations_and_the_error_are_judged_and_spearman_steers() -> None:
    references, answers = [1.0, 2.0, 3.0, 5.0], [1.5, 1.0, 4.0, 4.5]
    found = scores(TASK.metrics, references, [Prediction(answer, answer) for answer in answers])
    assert list(found) == ["spearman", "pearson", "rmse"]
    assert found["spearman"] == pytest.approx(stats.spearmanr(references, answers).statistic)
    assert [metric.name for metric in gated(TASK.metrics)] == ["spearman", "pearson", "rmse"]
    assert Regression.recipe["targets"]["max_drop"] == {"spearman": 0.01, "pearson": 0.01}


def test_there_are_no_classes() -> None:
    example = Example("a", 2.5)
    assert (Regression.label_names(example), Regression.class_names(example)) == ((), [])
    assert TASK.class_report([1.0], [2.0]) == []
    assert Regression.confusions(1.0, 2.0) == []
    assert TASK.check_label(example) is None
    assert Regression.describe(3.14159265, None) == "3.14159"
    assert not Regression.right_or_wrong
    with pytest.raises(BadInputError, match="no out-of-scope label"):
        Regression.spec_for((), "other")


def test_a_teacher_that_is_no_better_than_the_mean_is_warned_of() -> None:
    references = [1.0, 2.0, 3.0, 6.0]
    assert TASK.majority_answers(references) == [3.0] * 4
    assert list(teacher_warnings(TASK, references, {"spearman": 0.4}, Targets())) == []
    (said,) = teacher_warnings(TASK, references, {"spearman": 0.0}, Targets())
    assert said.startswith("the teacher is no better than the mean alone: Spearman 0.0000, against 0.0000.")
    (missed,) = teacher_warnings(TASK, references, {"rmse": 0.9}, Targets(min_score={"rmse": 0.5}))
    assert "the teacher itself misses a target: RMSE 0.9000, and the limit is 0.5000" in missed


@pytest.mark.parametrize(
    ("limit", "message"),
    [({"spearman": 85}, "spearman=85 is no score of this metric. It is from -1 to 1"), ({"rmse": -1}, "from 0 to inf")],
)
def test_a_limit_outside_the_range_of_its_metric_is_refused(limit: dict[str, float], message: str) -> None:
    with pytest.raises(BadInputError) as caught:
        check_targets(TASK, [f"min_score.{name}" for name in limit], Targets(min_score=limit))
    assert message in str(caught.value)
    check_targets(TASK, ["min_score.rmse", "max_drop.rmse"], Targets(min_score={"rmse": 0.5}, max_drop={"rmse": 0.1}))


def test_what_numbers_can_prove_is_said_in_the_unit_of_the_metric() -> None:
    references = [float(index % 7) for index in range(60)]
    found = provable(TASK, references, {"spearman": 0.01}, 0.95, {"rmse": 0.5})
    assert [each.metric for each in found] == ["rmse", "spearman"]
    assert "can prove a drop of at most 0.0000 at best; the limit is 0.01" in found[1].sentence
