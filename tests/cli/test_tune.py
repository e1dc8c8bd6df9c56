"""`edge-ptf tune` with tiny models: fine-tuning, distillation, the recipe, and what it refuses."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

TASK = ("--task", "text-classification")
SHORT = ("--set", "finetune.epochs=2", "--set", "distill.epochs=1", "--set", "distill.spliced_texts=0")


@pytest.mark.slow
def test_fine_tuning_is_tuned_and_the_recipe_is_used(
    run: Callable, tiny_base: Callable[[str], Path], csv_data: Path, tmp_path: Path
) -> None:
    command = ("tune", "--data", csv_data, "--model", tiny_base("bert"), *TASK, *SHORT, "--out", "tuning")
    done = run(*command, "--trials", 3)
    assert done.returncode == 0, done.stderr
    assert "trial 0: the options of the recipe" in done.stdout
    assert "Trials, the best first" in done.stdout
    record = json.loads((tmp_path / "tuning" / "tuning.json").read_text(encoding="utf-8"))
    assert [trial["number"] for trial in record["trials"]] == [0, 1, 2]
    recipe = yaml.safe_load((tmp_path / "tuning" / "recipe.yaml").read_text(encoding="utf-8"))
    assert recipe["task"] == "text-classification"
    best = record["trials"][record["best"]]
    assert {**{"epochs": 2}, **best["options"]}.items() <= recipe["finetune"].items()
    assert len(list((tmp_path / "tuning" / "stages").glob("finetune-*"))) == 1
    again = run(*command, "--trials", 3)
    assert "trial 1:" not in again.stdout
    dry = run("compress", "--config", "tuning/recipe.yaml", "--profile", "x86-generic", "--out", "run", "--dry-run")
    assert dry.returncode == 0, dry.stderr


@pytest.mark.slow
def test_distillation_is_tuned(run: Callable, tiny_base: Callable[[str], Path], csv_data: Path, tmp_path: Path) -> None:
    data = ("--data", csv_data, *TASK)
    assert run("finetune", "--model", tiny_base("bert"), *data, "--epochs", 1, "--out", "teacher").returncode == 0
    small = ("--num-layers", 2, "--intermediate-size", 32, "--out", "student")
    assert run("prune", "--checkpoint", "teacher", *data, *small).returncode == 0
    both = ("--teacher", "teacher", "--student", "student")
    done = run("tune", *data, *both, *SHORT, "--trials", 2, "--out", "tuning")
    assert done.returncode == 0, done.stderr
    record = json.loads((tmp_path / "tuning" / "tuning.json").read_text(encoding="utf-8"))
    assert record["section"] == "distill"
    assert {"logit_loss", "hidden_weight"} <= record["trials"][1]["options"].keys()
    one = run("tune", *data, "--teacher", "teacher", "--out", "tuning")
    assert one.returncode == 2
    assert one.stderr.startswith("edge-ptf: --teacher is given without --student. Give both")


def test_no_trial_is_refused(run: Callable, tiny_base: Callable[[str], Path], csv_data: Path) -> None:
    done = run("tune", "--data", csv_data, "--model", tiny_base("bert"), *TASK, "--trials", 0, "--out", "tuning")
    assert done.returncode == 2
    assert done.stderr == "edge-ptf: --trials 0: must be at least 1\n"
