"""A hyperparameter search on the page and in the terminal."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from edge_ptf.package import open_payload
from edge_ptf.report import plots
from edge_ptf.report.contents import contents
from edge_ptf.report.page import report_page
from edge_ptf.report.study import Study, read_study
from edge_ptf.report.tuning import ranked, tuning_lines, tuning_table
from edge_ptf.training.tuning_record import Tuning, TuningTrial


def trial(number: int, score: float, state: Any = "finished", **options: Any) -> TuningTrial:
    reason = "after 2 epochs it was behind" if state == "stopped" else ""
    history = (score - 1, score)
    return TuningTrial(
        number=number, options=options, state=state, reason=reason, history=history, score=score, seconds=90.0
    )


@pytest.fixture
def found() -> Tuning:
    trials = (
        trial(0, 88.0),
        trial(1, 90.5, learning_rate=3e-4, batch_size=16),
        trial(2, 70.0, "stopped", learning_rate=1e-5, batch_size=64),
        trial(3, 89.0, learning_rate=1e-4, batch_size=32),
    )
    return Tuning(
        section="finetune",
        metric="accuracy",
        trials=trials,
        best=1,
        noise=0.5,
        importance={"batch_size": 0.1, "learning_rate": 0.9},
        conclusion="trial 1 is better than the recipe by 2.50, more than noise",
        seconds=360.0,
    )


def test_the_terminal_has_the_best_first_and_the_conclusion(found: Tuning) -> None:
    console = Console(width=100, record=True)
    console.print(tuning_table(found))
    text = console.export_text()
    assert [each.number for each in ranked(found)] == [1, 3, 0, 2]
    assert "learning rate 0.0003, batch size 16" in text
    assert "the options of the recipe" in text
    assert "Trial 1 is better than the recipe by 2.50, more than noise." in text
    assert "What the scores depend on: learning rate 90 %, batch size 10 %." in text


def test_the_lines_of_the_result(found: Tuning) -> None:
    assert tuning_lines(found) == [
        "Tuning of finetune: trial 1 is better than the recipe by 2.50, more than noise",
        "4 trials, 3 finished, 1 stopped early",
        "best: learning rate 0.0003, batch size 16; accuracy 90.50 % after 2 epochs",
        "importance: learning rate 90 %, batch size 10 %",
    ]


def test_the_page_has_the_trials_their_scores_and_the_importance(
    make_study: Callable[..., Study], found: Tuning
) -> None:
    study = replace(make_study(), tuning=found)
    section = contents(study)["tuning"]
    assert [row[0] for row in section["trials"]] == [1, 3, 0]
    assert section["importance"] == [("learning rate", "", 90.0), ("batch size", "", 10.0)]
    page = report_page(study)
    assert 'id="tuning"' in page
    assert 'href="#tuning"' in page
    assert 'data-still="tuning"' in page
    assert re.search(r"What the scores depend on.*learning rate</th><td class=\"number\">90\.0 %", page, re.DOTALL)
    assert 'id="tuning"' not in report_page(make_study())


@pytest.mark.parametrize(("scores", "best"), [((1.0, 3.0, 2.0), (1, 3, 3)), ((3.0, 1.0, 2.0), (3, 1, 1))])
def test_the_line_is_the_best_so_far(scores: tuple[float, ...], best: tuple[float, ...], found: Tuning) -> None:
    """The first scores are of a metric whose large values are good, the second of one whose small values are."""
    trials = tuple(trial(number, score) for number, score in enumerate(scores))
    plot = plots.trials(found.replace(trials=trials, best=1), "RMSE", "")
    assert np.allclose(plot.renderers[0].data_source.data["y"], best)


def test_the_search_is_read_from_the_directory_of_a_run(
    make_payload: Callable[..., Any], found: Tuning, tmp_path: Path
) -> None:
    moved = shutil.copy(make_payload().path, tmp_path / "package.eptf")
    payload = open_payload(Path(moved))
    found.write(tmp_path)
    assert read_study(payload, {"stages": []}).tuning == found
    assert read_study(payload).tuning is None
