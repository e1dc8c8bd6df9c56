"""A whole run with folds, on a tiny model."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edge_ptf import pipeline, profiles, stages, tasks
from edge_ptf.cli.main import main
from edge_ptf.config import Source
from edge_ptf.data import LabelledData, load
from edge_ptf.data.splits import content
from edge_ptf.package import open_payload
from edge_ptf.preparation import Job
from edge_ptf.recipe import resolve_recipe
from edge_ptf.report.study import open_study

TASK = tasks.get("text-classification")


@pytest.mark.slow
def test_a_whole_run(
    tiny_base: Callable[[str], Path], csv_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    values = {
        "finetune": {"epochs": 1},
        "distill": {"epochs": 1, "spliced_texts": 0.2},
        "prune": {"num_layers": 2, "intermediate_size": [32]},
        "bench": {"launches": 5, "calls": 100, "seconds": 0, "memory_launches": 2},
        "speed_check": {"allow_slower": True},
        "targets": {"max_drop": {"accuracy": 100}, "min_score": {"accuracy": 1}},
        "cross_validation": {"folds": 2},
    }
    profile = profiles.load("x86-generic")
    recipe = resolve_recipe(profile, TASK, [Source("test", values)])
    job = Job(profile, str(tiny_base("bert")), str(csv_data), TASK, tmp_path / "out", recipe)
    trained, judged = list[LabelledData](), list[LabelledData]()

    def spied(stage: Any, seen: list[LabelledData]) -> Any:
        def call(place: Any, model: Any, data: LabelledData, *rest: Any) -> Any:
            seen.append(data)
            return stage(place, model, data, *rest)

        return call

    monkeypatch.setattr(stages, "finetune", spied(stages.finetune, trained))
    monkeypatch.setattr(stages, "evaluate", spied(stages.evaluate, judged))
    subjects: list[str] = []
    result = pipeline.compress(job, on_stage=lambda _, subject: subjects.append(subject))

    given = load(str(csv_data), TASK)
    whole, *folds = trained
    assert whole.train == (*given.train, *given.test) == result.data.test
    assert [data.fingerprint for data in judged] == [fold.fingerprint for fold in folds for _ in range(2)]
    for fold in folds:
        assert not {content(row) for row in fold.train} & {content(row) for row in fold.test}
    answered = [row for fold in folds for row in fold.test]
    assert len(answered) == len(whole.train)
    assert {content(row) for row in answered} == {content(row) for row in whole.train}
    assert "fold 1/2 teacher" in subjects and "fold 2/2 student" in subjects

    assert [row.reference for row in result.accuracy.rows] == [row.label for row in result.data.test]
    assert result.accuracy.folds == result.baseline_accuracy.folds == 2
    assert result.payload.digest not in result.accuracy.fold_payloads
    assert result.verdict.warnings[0].startswith("accuracy is cross-validated over 2 folds")
    assert {item.title for item in result.verdict.target_verdicts} >= {
        *("accuracy, cross-validated", "accuracy, drop, cross-validated"),
    }
    sealed = open_payload(result.package)
    assert sealed.verdict() == result.verdict
    assert "cross-validated over 2 folds" in result.report.read_text(encoding="utf-8")
    with_texts = open_study(result.package).with_examples(given, str(csv_data))
    assert with_texts.examples == result.data.test

    again = pipeline.compress(job)
    assert all(outcome.reused for outcome in again.outcomes if outcome.stage != "bench")
    assert again.payload.digest == result.payload.digest
    assert again.accuracy == result.accuracy


def test_the_flag_is_a_setting(
    csv_data: Path,
    tiny_base: Callable[[str], Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    words = ["compress", "--profile", "x86-generic", "--model", str(tiny_base("bert")), "--data", str(csv_data)]
    words += ["--task", "text-classification", "--out", "out", "--folds", "3", "--dry-run"]
    assert main.main(words, standalone_mode=False) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "cross_validation.folds" in said
    assert "Cross-validation: the package is trained on train and test" in said
    assert "accuracy: 144 test rows can prove" in said  # 96 of train and 48 of test
