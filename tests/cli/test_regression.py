"""Regression from a table to an answer, in Python and in the C++ runner."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from edge_ptf.package import open_payload, verify
from edge_ptf.runtime import Runner
from edge_ptf.runtime.native import NativeRunner, find_library, load_library
from tests.cli.test_multi_label import QUICK

TASK = ("--task", "regression")
STARS = {"turn off the lights": 10.0, "what is the weather": 20.0, "set a timer": 30.0, "play some jazz": 50.0}


@pytest.fixture(scope="module")
def ratings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with train, validation and test: a text, and a number that depends on it."""
    folder = tmp_path_factory.mktemp("ratings")
    texts = list(STARS)
    for split, count in {"train": 120, "validation": 60, "test": 60}.items():
        rows = ["review,rating"]
        for number in range(count):
            chosen = [texts[(number * step) % 4] for step in (1, 3)][: 1 + number % 2]
            mean = sum(STARS[text] for text in chosen) / len(chosen)
            rows.append(f"{' and '.join(chosen)} {split} {number},{mean + number % 3 / 10:g}")
        (folder / f"{split}.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    return folder


@pytest.mark.slow
def test_a_job_ends_in_a_package_that_both_runners_answer_alike(
    run: Callable, tiny_base: Callable[[str], Path], ratings: Path, tmp_path: Path
) -> None:
    job = ("--model", tiny_base("bert"), "--data", ratings, *TASK, "--out", "build")
    limits = ("--max-drop", "rmse=2", "--min-score", "rmse=9", "--min-speedup", "0.01")
    found = run("compress", "--profile", "x86-generic", *job, *QUICK, *limits)
    assert found.returncode in (0, 3, 4), found.stderr
    said = found.stdout + found.stderr
    assert "Column 'review' is read as text." in said
    assert re.search(r"answers differ, by [\d.e-]+ \(median\) and at\s+most", said)
    assert "McNemar" not in said and "of answers as in FP32" not in said
    verdict = json.loads((tmp_path / "build" / "verdict.json").read_text(encoding="utf-8"))
    targets = {target["target"]: target for target in verdict["target_verdicts"]}
    assert {"max_drop.spearman", "max_drop.pearson", "max_drop.rmse", "min_score.rmse"} <= set(targets)
    assert targets["min_score.rmse"]["direction"] == "lower"
    assert targets["min_score.rmse"]["bound"] > targets["min_score.rmse"]["value"] > 0

    payload = open_payload(tmp_path / "build" / "package.eptf")
    head = payload.manifest.head
    assert (head.kind, head.labels) == ("regression", ("value",))
    assert 10 < head.options["mean"] < 50 and 1 < head.options["deviation"] < 20
    assert json.loads(payload.read("config.json"))["problem_type"] == "regression"
    assert json.loads(payload.read("config.json"))["edge_ptf"]["options"] == head.options
    accuracy = next(each for each in payload.evidence() if each.kind == "accuracy" and each.payload == payload.digest)
    assert set(accuracy.metrics) == {"spearman", "pearson", "rmse"}
    assert accuracy.metrics["spearman"] > 0.5
    assert accuracy.class_report == ()
    assert all(isinstance(value, float) for row in accuracy.rows for value in (row.reference, row.label))
    assert verify(payload.path).golden

    answers = [json.loads(line) for line in run("predict", payload.path, *STARS, "--json").stdout.splitlines()]
    assert all(isinstance(answer["label"], float) and answer["score"] == answer["label"] for answer in answers)
    assert all(0 < answer["label"] < 60 for answer in answers)
    report = run("report", "build", "--out", "page.html")
    assert report.returncode == 0, report.stderr
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "The answer is a number" in page
    assert "Confusion" not in page and "Changed answers" not in page

    if find_library() is None:
        pytest.skip("the C++ runner is not built: make runner")
    texts = [line.split(",")[0] for line in (ratings / "test.csv").read_text(encoding="utf-8").splitlines()[1:]]
    python = Runner(payload)
    with NativeRunner(payload.path, 1, load_library()) as native:
        assert native.selftest().golden
        for text in texts:
            wanted, got = python.answer(text), native.answer(text)
            assert got.label == got.score == pytest.approx(wanted.label, rel=1e-6)
            assert (got.details, got.ranking) == (wanted.details, wanted.ranking)
    tool = load_library().path.parent / "edge-ptf-runner"
    asked = [str(tool), "predict", str(payload.path), texts[0]]
    wanted = python.answer(texts[0]).label
    line = subprocess.run(asked, capture_output=True, text=True, check=True).stdout
    assert line.split("\t")[0] == f"{wanted:.6g}"
    row = json.loads(subprocess.run([*asked, "--json"], capture_output=True, text=True, check=True).stdout)
    (item,) = row["heads"][0]["answers"]
    assert item == {"label": "value", "number": True, "score": pytest.approx(wanted, rel=1e-6)}
    assert "scores" not in row["heads"][0]


def test_every_row_without_a_number_is_named(run: Callable, tiny_base: Callable[[str], Path], tmp_path: Path) -> None:
    values = ["1", "2.5", "nan", "3", "good", "inf", "", "4"] * 4
    rows = "".join(f"text {number},{value}\n" for number, value in enumerate(values))
    (tmp_path / "data.csv").write_text(f"text,value\n{rows}", encoding="utf-8")
    job = ("--profile", "x86-generic", "--model", tiny_base("bert"), "--data", "data.csv", *TASK, "--out", "build")
    found = run("compress", *job, "--dry-run")
    assert found.returncode == 2
    assert "16 rows cannot be used" in found.stderr
    assert "data.csv:4: the value 'nan' is no number" in found.stderr
    assert "data.csv:6: the value 'good' is no number" in found.stderr
    assert "data.csv:8: the value is empty" in found.stderr


def test_check_describes_numbers_and_text_classification_of_ratings_names_the_task(
    run: Callable, tmp_path: Path
) -> None:
    rows = "".join(f"text {number},{number % 5 + 1}\n" for number in range(100))
    (tmp_path / "data.csv").write_text(f"text,label\n{rows}", encoding="utf-8")
    found = run("check", "data.csv", *TASK)
    assert found.returncode == 0, found.stderr
    flat = " ".join(found.stdout.split())
    assert "Task: regression, a number. Columns: text from 'text', value from 'label'." in flat
    assert "1 to 5, mean" in flat
    assert "least and most frequent class" not in flat
    report = json.loads(run("check", "data.csv", *TASK, "--json").stdout)
    assert report["data"]["splits"]["train"]["values"]["largest"] == 5
    other = run("check", "data.csv", "--task", "text-classification")
    assert "--task regression may suit" in " ".join(other.stdout.split())
