"""Lines and tables about the trials of a recipe."""

from __future__ import annotations

import io
from typing import Any

import pytest
from rich.console import Console

from edge_ptf.compression import Prediction, Search, Trial
from edge_ptf.package.evidence import TargetVerdict
from edge_ptf.report import trials


def trial(name: str = "trial 1", **values: Any) -> Trial:
    known: dict[str, Any] = {
        "name": name,
        "why": "",
        "overrides": {"prune": {"num_layers": 3, "intermediate_size": [256]}},
        "state": "finished",
        "predicted": Prediction(speedup=12.0, size_mb=5.0),
        "drops": {"in_scope_accuracy": 0.4, "out_of_scope_recall": 2.0},
        "speedup": 12.34,
        "size_mb": 4.97,
        "seconds": 90.0,
    }
    return Trial(**{**known, **values})


def shown(thing: Any) -> str:
    console = Console(file=io.StringIO(), width=160)
    console.print(thing)
    return console.file.getvalue()  # type: ignore[attr-defined, no-any-return]


SIZE = {"num_layers": 3, "intermediate_size": [256]}


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        ({"prune": {"num_layers": 1, "intermediate_size": [512], "num_heads": None}}, "1 layer, 512 neurons"),
        ({"prune": {"num_layers": 4, "intermediate_size": [256], "num_heads": [7]}}, "4 layers, 7 heads, 256 neurons"),
        ({"prune": {**SIZE, "vocabulary_size": 9600}}, "3 layers, 256 neurons, 9,600 subwords"),
        (
            {"prune": {**SIZE, "vocabulary_size": None}, "quantize": {"embeddings": "int4"}},
            "3 layers, 256 neurons, only subwords in the texts, table in INT4",
        ),
        (
            {"prune": SIZE, "ensemble": {"teachers": 3}, "distill": {"epochs": 16}},
            "3 layers, 256 neurons, 3 teachers, epochs 16",
        ),
        ({"prune": SIZE, "distill": {"learning_rate": 0.00051}}, "learning rate 0.00051"),
    ],
)
def test_overrides_are_said_in_words(overrides: dict[str, dict[str, Any]], words: str) -> None:
    assert words in trials.options(trial(overrides=overrides))


def test_an_attempt_says_what_came_out_and_what_is_missing() -> None:
    assert trials.outcome(trial()) == "drop on validation 0.40 / 2.00 points, 12.34× the teacher, 4.97 MB"
    missing = trials.outcome(trial(short={"max_drop.out_of_scope_recall": 0.3, "min_speedup": 0.1}))
    assert missing.endswith("misses out-of-scope recall, min speedup")
    stopped = trial(state="stopped", reason="hopeless", drops={}, speedup=None, size_mb=None)
    assert trials.outcome(stopped) == "stopped: hopeless"
    assert "trial 1: 3 layers, 256 neurons; stopped: hopeless" in shown(trials.trial_line(stopped))


def target(name: str, value: float, bound: float, limit: float, unit: str, direction: str) -> TargetVerdict:
    return TargetVerdict(
        target=name,
        title=name,
        unit=unit,
        direction=direction,
        limit=limit,
        value=value,
        bound=bound,
        status="UNPROVEN",
    )


def test_a_target_that_only_its_bound_misses_says_so() -> None:
    near = trial(
        short={"min_speedup": 0.05, "max_drop.in_scope_accuracy": 0.2, "package_mb": 0.3},
        target_verdicts=(
            target("min_speedup", 4.45, 3.8, 4.0, "×", "higher"),
            target("max_drop.in_scope_accuracy", 0.4, 0.9, 1.0, "points", "lower"),
            target("package_mb", 13.0, 13.0, 10.0, "MB", "lower"),
        ),
    )
    assert trials.outcome(near).endswith(
        "misses min speedup (its bound 3.80× is below the limit 4.00×), "
        "in-scope accuracy (test is not expected to prove the limit 1.00 points), package mb"
    )


def test_the_table_marks_the_winner_and_the_front() -> None:
    better = trial("trial 2", drops={"in_scope_accuracy": 0.2}, speedup=13.0)
    found = Search(
        trials=(trial(), better),
        winner="trial 2",
        conclusion="trial 2 is nearest to the targets",
        unreachable=("size_mb",),
        seconds=180.0,
    )
    text = shown(trials.search_table(found))
    (first,), (second,) = (
        [line for line in text.splitlines() if f" {name} " in line] for name in ("trial 1", "trial 2")
    )
    assert "▸" in second and "yes" in second
    assert "▸" not in first and "yes" not in first
    assert "Trial 2 is nearest to the targets." in text
    assert "the limit on the package size" in text
