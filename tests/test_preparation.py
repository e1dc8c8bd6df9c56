"""What happens before the first stage, from Python and from the commands that train."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from edge_ptf import pipeline, preparation, profiles, tasks
from edge_ptf.cli.main import main
from edge_ptf.config import Source
from edge_ptf.errors import BadInputError, CheckpointError
from edge_ptf.machine import this_machine
from edge_ptf.preparation import Job, prepare
from edge_ptf.progress import SILENT
from edge_ptf.recipe import resolve_recipe

TASK = tasks.get("text-classification")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """One file of 300 rows: 210, 30 and 60 are train, validation and test."""
    rows = [f"text number {number},{'abc'[number % 3]}" for number in range(300)]
    file = tmp_path / "data.csv"
    file.write_text("\n".join(["text,label", *rows]) + "\n", encoding="utf-8")
    return file


def job(model: Path, data: Path, **targets: Any) -> Job:
    profile = profiles.load("x86-generic")
    recipe = resolve_recipe(profile, TASK, [Source("test", {"targets": targets})])
    limited = frozenset(f"{kind}.{name}" for kind in ("max_drop", "min_score") for name in targets.get(kind, ()))
    return Job(profile, str(model), str(data), TASK, data.parent / "out", recipe, limited=limited)


def test_what_the_test_split_cannot_prove_is_told_after_the_data(tiny_base: Callable[[str], Path], data: Path) -> None:
    reported: list[str] = []
    found = prepare(
        job(tiny_base("bert"), data, max_drop={"accuracy": 1.0}),
        SILENT,
        lambda report: reported.append(f"{report.splits['test'].rows} rows"),
        reported.append,
    )
    assert reported == [
        "60 rows",
        "accuracy: 60 test rows can prove a drop of at most 5.79 points at best; for 1 point you need about 370",
    ]
    assert [each.needed for each in found.provable] == [361]
    assert found.prunable
    assert len(found.data.test) == 60
    assert not (data.parent / "out").exists()


def test_a_limit_that_can_be_proven_is_not_told(tiny_base: Callable[[str], Path], data: Path) -> None:
    reported: list[str] = []
    prepare(job(tiny_base("bert"), data, max_drop={"accuracy": 5.8}), SILENT, on_warning=reported.append)
    assert reported == []


def test_that_the_speed_of_int8_cannot_be_checked_here_is_told(
    tiny_base: Callable[[str], Path], data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine = this_machine().replace(arch="x86_64", device_model="")
    monkeypatch.setattr(preparation, "this_machine", lambda: machine)
    asked = job(tiny_base("bert"), data)
    for profile in map(profiles.load, profiles.names()):
        reported: list[str] = []
        made = replace(asked, profile=profile, recipe=resolve_recipe(profile, TASK, []))
        prepare(made, SILENT, on_warning=reported.append)
        warned = [each for each in reported if each.startswith("whether INT8 is faster than FP32 on ")]
        assert len(warned) == bool(profiles.mismatches(profile, machine)), profile.name
        assert profile.name != "jetson" or "NVIDIA Jetson Orin Nano cannot be checked here (x86_64 is not" in warned[0]
        full = made.recipe.replace(quantize=made.recipe.quantize.replace(mode="none"))
        assert not preparation.unchecked_speed(replace(made, recipe=full))


def test_model_and_limits_are_checked(tiny_base: Callable[[str], Path], data: Path) -> None:
    with pytest.raises(CheckpointError, match="no such directory"):
        prepare(job(data.parent / "nothing.d", data), SILENT)
    with pytest.raises(BadInputError, match="not judged by 'entity_f1'"):
        prepare(job(tiny_base("bert"), data, max_drop={"entity_f1": 1.0}), SILENT)


def test_a_score_that_the_test_split_cannot_prove_is_told(tiny_base: Callable[[str], Path], data: Path) -> None:
    reported: list[str] = []
    base = tiny_base("bert")
    prepare(job(base, data, max_drop={"accuracy": 6}, min_score={"accuracy": 97}), SILENT, on_warning=reported.append)
    assert reported == [
        "accuracy: 60 test rows can prove a score of at least 95.13 % at best; for 97 % you need about 99"
    ]


@pytest.mark.parametrize(
    ("score", "said"),
    [
        ({"entity_f1": 90.0}, "min_score: the task text-classification is not judged by 'entity_f1'"),
        (
            {"accuracy": 0.9},
            "min_score: accuracy=0.9 is not a score in percent. It is from 1 to 100, such as 90 for",
        ),
        ({"accuracy": 101.0}, "min_score: accuracy=101 is not a score in percent"),
    ],
)
def test_a_worst_score_is_one_of_a_gated_metric_in_percent(
    tiny_base: Callable[[str], Path], data: Path, score: dict[str, float], said: str
) -> None:
    with pytest.raises(BadInputError, match=re.escape(said)):
        prepare(job(tiny_base("bert"), data, min_score=score), SILENT)


@pytest.mark.parametrize("command", ["compress", "search"])
def test_it_is_printed_before_anything_is_trained(
    command: str,
    tiny_base: Callable[[str], Path],
    data: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def train(*_: object) -> None:
        raise BadInputError("training begins")

    monkeypatch.setattr(pipeline.stages, "finetune", train)
    monkeypatch.chdir(data.parent)
    words = [command, "--profile", "x86-generic", "--model", str(tiny_base("bert")), "--data", str(data)]
    words += ["--task", "text-classification", "--out", "out", "--max-drop", "accuracy=1"]
    with pytest.raises(BadInputError, match="training begins"):
        main.main(words, standalone_mode=False)
    said = " ".join(capsys.readouterr().out.split())
    assert "Warning: accuracy: 60 test rows can prove a drop of at most 5.79 points at best" in said
    assert said.index("Data: ") < said.index("Warning: ")


@pytest.mark.slow
def test_a_useless_teacher_is_told_when_it_is_trained(tiny_base: Callable[[str], Path], data: Path) -> None:
    """It is one that has learned nothing: its learning rate is too small."""
    asked = job(tiny_base("bert"), data, max_drop={"accuracy": 50}, min_score={"accuracy": 80})
    lazy = asked.recipe.finetune.replace(epochs=1, learning_rate=1e-9)
    reported: list[str] = []
    made = replace(asked, recipe=asked.recipe.replace(finetune=lazy))
    pipeline.begin(made, SILENT, lambda _: None, lambda *_: None, on_warning=reported.append)
    useless, missing = reported
    assert useless.startswith("the teacher is no better than the most frequent class alone on validation: accuracy ")
    assert missing.startswith("the teacher itself misses a target on validation: accuracy ")
    assert "the limit is 80.00 %" in missing
