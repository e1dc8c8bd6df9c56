"""What is said about attempts at a recipe."""

from __future__ import annotations

import io
from typing import Any

import pytest
from rich.console import Console

from edge_ptf.compression import Attempt, Prediction, Search
from edge_ptf.report import attempts


def attempt(name: str = "attempt 1", **values: Any) -> Attempt:
    known: dict[str, Any] = {
        "name": name,
        "why": "",
        "plan": {"prune": {"layers": 3, "ffn": [256]}},
        "state": "finished",
        "predicted": Prediction(speedup=12.0, size_mb=5.0),
        "drops": {"in_scope_accuracy": 0.4, "out_of_scope_recall": 2.0},
        "speedup": 12.34,
        "size_mb": 4.97,
        "seconds": 90.0,
    }
    return Attempt(**{**known, **values})


def shown(thing: Any) -> str:
    console = Console(file=io.StringIO(), width=160)
    console.print(thing)
    return console.file.getvalue()  # type: ignore[attr-defined, no-any-return]


@pytest.mark.parametrize(
    ("plan", "words"),
    [
        ({"prune": {"layers": 1, "ffn": [512], "heads": None}}, "1 layer, 512 units"),
        ({"prune": {"layers": 4, "ffn": [256], "heads": [7]}}, "4 layers, 7 heads, 256 units"),
        ({"prune": {"layers": 3, "ffn": [256], "vocabulary_size": 9600}}, "3 layers, 256 units, 9,600 pieces"),
        (
            {"prune": {"layers": 3, "ffn": [256], "vocabulary_size": None}, "quantize": {"embeddings": "int4"}},
            "3 layers, 256 units, only pieces that occur, table in INT4",
        ),
        (
            {"prune": {"layers": 3, "ffn": [256]}, "ensemble": {"teachers": 3}, "distill": {"epochs": 16}},
            "3 layers, 256 units, 3 teachers, epochs 16",
        ),
        ({"prune": {"layers": 3, "ffn": [256]}, "distill": {"learning_rate": 0.00051}}, "learning rate 0.00051"),
    ],
)
def test_a_plan_is_said_in_words(plan: dict[str, dict[str, Any]], words: str) -> None:
    assert words in attempts.options(attempt(plan=plan))


def test_an_attempt_says_what_came_out_and_what_is_missing() -> None:
    assert attempts.outcome(attempt()) == "drop on validation 0.40 / 2.00 points, 12.34× the teacher, 4.97 MB"
    missing = attempts.outcome(attempt(short={"max_drop.out_of_scope_recall": 0.3, "min_speedup": 0.1}))
    assert missing.endswith("short of out-of-scope recall, min speedup")
    stopped = attempt(state="stopped", reason="hopeless", drops={}, speedup=None, size_mb=None)
    assert attempts.outcome(stopped) == "stopped: hopeless"
    assert "attempt 1: 3 layers, 256 units; stopped: hopeless" in shown(attempts.attempt_line(stopped))


def test_the_table_marks_the_winner_and_the_front() -> None:
    better = attempt("attempt 2", drops={"in_scope_accuracy": 0.2}, speedup=13.0)
    found = Search(
        attempts=(attempt(), better),
        winner="attempt 2",
        conclusion="attempt 2 comes nearest",
        unreachable=("size_mb",),
        seconds=180.0,
    )
    text = shown(attempts.search_table(found))
    (first,), (second,) = (
        [line for line in text.splitlines() if f" {name} " in line] for name in ("attempt 1", "attempt 2")
    )
    assert "▸" in second and "yes" in second
    assert "▸" not in first and "yes" not in first
    assert "Attempt 2 comes nearest." in text
    assert "the limit on the package size" in text
