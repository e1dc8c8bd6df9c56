"""`edge-ptf check`: what data are, what is wrong with them, what they can prove."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

TASK = ("--task", "text-classification")


def test_usable_data_are_described_with_warnings(
    run: Callable, tiny_base: Callable[[str], Path], csv_data: Path, tmp_path: Path
) -> None:
    done = run("check", csv_data, *TASK, "--profile", "x86-vnni", "--model", tiny_base("bert"))
    assert done.returncode == 0, done.stderr
    said = " ".join(done.stdout.split())
    assert "Columns: text from 'text', label from 'label'" in said
    assert "Lengths in tokens" in said
    assert "accuracy: 48 test rows can prove a drop of at most 7.16 points at best; for 1 point" in said
    assert "Warning: accuracy" in said
    assert "The data can be used, with 2 warnings." in said
    assert "compress --folds 5 judges all 144 texts of train and test" in said
    assert "A run takes about " in said and "within a factor of 2" in said
    assert not list(tmp_path.iterdir())


def test_json_holds_the_same(run: Callable, csv_data: Path) -> None:
    done = run("check", csv_data, *TASK, "--max-drop", "accuracy=8", "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["usable"] and found["warnings"] == []
    assert {name: split["rows"] for name, split in found["data"]["splits"].items()} == {
        **{"train": 96, "validation": 24, "test": 48},
    }
    (accuracy,) = found["provable"]
    assert (accuracy["examples"], accuracy["limit"], accuracy["needed"]) == (48, 8.0, 48)
    assert found["max_length"] is None
    assert found["duration"] is None


def test_data_that_cannot_be_used_give_code_2_and_every_problem(run: Callable, tmp_path: Path) -> None:
    (tmp_path / "bad.csv").write_text("text,label\nplay,a\n,b\nstop,\n", encoding="utf-8")
    done = run("check", "bad.csv", *TASK)
    assert done.returncode == 2
    assert "bad.csv:3" in done.stderr and "bad.csv:4" in done.stderr
    as_json = run("check", "bad.csv", *TASK, "--json")
    assert as_json.returncode == 2
    found = json.loads(as_json.stdout)
    assert found["usable"] is False
    assert len(found["problems"]) == 2


def test_wrong_limits_and_models_are_refused(run: Callable, csv_data: Path) -> None:
    limit = run("check", csv_data, *TASK, "--max-drop", "entity_f1=1")
    assert limit.returncode == 2
    assert "not judged by 'entity_f1'" in limit.stderr
    model = run("check", csv_data, *TASK, "--model", "./nothing")
    assert model.returncode == 2
    assert "no such directory" in model.stderr
    task = run("check", csv_data)
    assert task.returncode == 2
    assert "--task is missing" in task.stderr


def test_without_a_limit_it_says_what_can_be_proven(run: Callable, csv_data: Path) -> None:
    done = run("check", csv_data, *TASK)
    assert done.returncode == 0, done.stderr
    assert "no limit is set" in " ".join(done.stdout.split())
    assert "Warning" not in done.stdout


def test_a_worst_score_is_checked_against_the_test_split(run: Callable, csv_data: Path) -> None:
    done = run("check", csv_data, *TASK, "--min-score", "accuracy=97", "--json")
    assert done.returncode == 0, done.stderr
    score, drop = json.loads(done.stdout)["provable"]
    assert (score["target"], score["limit"], score["needed"]) == ("min_score", 97.0, 99)
    assert (drop["target"], drop["limit"]) == ("max_drop", None)
    share = run("check", csv_data, *TASK, "--min-score", "accuracy=0.9")
    assert share.returncode == 2
    assert "such as 90 for 0.9" in share.stderr
    form = run("check", csv_data, *TASK, "--min-score", "accuracy")
    assert form.returncode == 2
    assert "--min-score accuracy: not METRIC=PERCENT" in form.stderr


def test_json_has_the_predicted_minutes(run: Callable, tiny_base: Callable[[str], Path], csv_data: Path) -> None:
    done = run("check", csv_data, *TASK, "--profile", "x86-vnni", "--model", tiny_base("bert"), "--json")
    assert done.returncode == 0, done.stderr
    duration = json.loads(done.stdout)["duration"]
    assert duration["step_seconds"] > 0
    assert 0 < duration["minutes"] < duration["most_minutes"]
    assert (duration["factor"], duration["trials"]) == (2.0, 3)


def test_with_folds_every_text_of_train_and_test_counts(run: Callable, csv_data: Path) -> None:
    done = run("check", csv_data, *TASK, "--max-drop", "accuracy=1", "--set", "cross_validation.folds=5", "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert (found["folds"], found["provable"][0]["examples"]) == (5, 144)
    assert not any("--folds" in warning for warning in found["warnings"])
