"""A whole run with several seeds, on a tiny model."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from statistics import fmean, stdev

import pytest

from edge_ptf import pipeline, profiles, tasks
from edge_ptf.cli.main import main
from edge_ptf.config import Source
from edge_ptf.errors import BadInputError, ConfigError
from edge_ptf.preparation import Job
from edge_ptf.recipe import resolve_recipe
from edge_ptf.repetition import Repetition, reseeded, spread

TASK = tasks.get("text-classification")


@pytest.mark.slow
def test_a_whole_run(tiny_base: Callable[[str], Path], csv_data: Path, tmp_path: Path) -> None:
    values = {
        "finetune": {"epochs": 1, "seed": 5},
        "distill": {"epochs": 1, "spliced_texts": 0.2, "seed": 5},
        "prune": {"num_layers": 2, "intermediate_size": [32]},
        "bench": {"launches": 5, "calls": 100, "seconds": 0, "memory_launches": 2},
        "speed_check": {"allow_slower": True},
        "targets": {"max_drop": {"accuracy": 100}},
        "repetition": {"seeds": 3},
        "ensemble": {"teachers": 2},
    }
    profile = profiles.load("x86-generic")
    recipe = resolve_recipe(profile, TASK, [Source("test", values)])
    job = Job(profile, str(tiny_base("bert")), str(csv_data), TASK, tmp_path / "out", recipe)
    subjects: list[str] = []
    result = pipeline.compress(job, on_stage=lambda _, subject: subjects.append(subject))

    assert [run.seed for run in result.repetitions] == [5, 7, 9]
    assert "seed 2/3 extra teacher" in subjects and "seed 3/3 student" in subjects
    first = result.repetitions[0]
    assert (first.teacher, first.package) == (result.baseline_accuracy.metrics, result.accuracy.metrics)
    record = json.loads((tmp_path / "out" / "run.json").read_text(encoding="utf-8"))
    values = [run.package["accuracy"] for run in result.repetitions]
    assert record["seeds"]["spread"]["accuracy"]["package"] == [fmean(values), stdev(values)]
    page = result.report.read_text(encoding="utf-8")
    assert "mean ± standard deviation over 3 seeds" in page
    assert f"{fmean(values):.2f} ± {stdev(values):.2f} %" in page

    alone = pipeline.compress(
        Job(
            profile, job.model, job.data, TASK, tmp_path / "alone", reseeded(recipe, 2).replace(repetition={"seeds": 1})
        )
    )
    assert alone.accuracy.metrics == result.repetitions[2].package
    assert not alone.repetitions
    assert "seeds" not in json.loads((tmp_path / "alone" / "run.json").read_text(encoding="utf-8"))


def test_the_spread_is_that_of_a_sample() -> None:
    runs = [Repetition(seed, {"accuracy": 90.0 + seed}, {"accuracy": 89.0 + 2 * seed}) for seed in range(3)]
    assert spread(runs) == {
        "accuracy": {"teacher": (91.0, 1.0), "package": (91.0, 2.0), "difference": (0.0, 1.0)},
    }


def test_folds_and_seeds_exclude_each_other() -> None:
    values = {"repetition": {"seeds": 2}, "cross_validation": {"folds": 3}}
    with pytest.raises(ConfigError, match="cannot be combined"):
        resolve_recipe(None, TASK, [Source("test", values)])


def test_the_flag_is_a_setting(
    csv_data: Path, tiny_base: Callable[[str], Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["compress", "--profile", "x86-generic", "--model", str(tiny_base("bert")), "--data", str(csv_data)]
    words += ["--task", "text-classification", "--out", str(tmp_path / "out"), "--seeds", "3", "--dry-run"]
    assert main.main([*words, "--json"], standalone_mode=False) == 0
    assert json.loads(capsys.readouterr().out)["recipe"]["repetition"] == {"seeds": 3}
    with pytest.raises(BadInputError, match="--seeds fine-tunes a teacher with each seed"):
        main.main([*words, "--skip-finetune"], standalone_mode=False)
