"""`label-errors` on data with a planted error, and what it refuses."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import pytest

TASK = ("--task", "text-classification")
LEARN = ("--set", "finetune.epochs=25", "--set", "finetune.learning_rate=0.003")


@pytest.mark.slow
def test_a_planted_error_is_listed_first(
    run: Callable, tiny_base: Callable[[str], Path], csv_data: Path, tmp_path: Path
) -> None:
    data = tmp_path / "data"
    data.mkdir()
    for name in ("train", "validation", "test"):
        text = (csv_data / f"{name}.csv").read_text(encoding="utf-8")
        (data / f"{name}.csv").write_text(text.replace("play some jazz 0,music", "play some jazz 0,timer"))
    command = ("label-errors", data, "--model", tiny_base("bert"), *TASK, *LEARN, "--folds", 2, "--out", "labels")
    done = run(*command)
    assert done.returncode == 0, done.stderr
    with (tmp_path / "labels" / "label-errors.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert (rows[0]["text"], rows[0]["label"], rows[0]["suggested"]) == ("play some jazz 0", "timer", "music")
    assert "Likely wrong labels" in done.stdout
    assert "confused with" in done.stdout
    again = run(*command)
    assert "reused" in again.stdout


def test_what_cannot_be_judged_is_refused(run: Callable, tiny_base: Callable[[str], Path], csv_data: Path) -> None:
    base = ("--model", tiny_base("bert"), "--out", "labels")
    few = run("label-errors", csv_data, *base, *TASK, "--folds", 1)
    assert few.returncode == 2
    assert few.stderr == "edge-ptf: --folds 1: must be from 2 to 20\n"
    several = run(
        "label-errors", csv_data, *base, "--task", "multi-label-classification", "--set", "data.labels_column=label"
    )
    assert several.returncode == 2
    assert "multi-label-classification does not choose one class for a text" in several.stderr
