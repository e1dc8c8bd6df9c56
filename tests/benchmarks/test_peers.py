"""The comparison with other toolkits: the parts that need no toolkit."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest

PEERS = Path(__file__).resolve().parents[2] / "benchmarks" / "peers"
WORKER = """
import sys
sys.path.insert(0, sys.argv[1])
from serve import serve

def load(model, threads):
    print("a toolkit says something")
    return f"engine of {model.name}, {threads}", lambda feeds: feeds["input_ids"].sum(axis=1, keepdims=True)

serve(load)
"""


def _module(name: str) -> ModuleType:
    sys.path.insert(0, str(PEERS))
    try:
        return importlib.import_module(name)
    finally:
        sys.path.remove(str(PEERS))


@pytest.fixture(scope="module")
def figures() -> Any:
    return _module("figures")


@pytest.fixture(scope="module")
def toolkits() -> Any:
    return _module("toolkits")


def _row(figures: Any, toolkit: str, variant: str, validation: float, ratio: float) -> Any:
    return figures.Row(
        *(toolkit, variant, "ONNX Runtime", 23.0, validation, 0.5),
        {"accuracy": figures.Metric(validation - 1, 0.5, 0.9)},
        {"1": figures.Speed(ratio, 0.9 * ratio, 1.1 * ratio, 1.5)},
    )


def test_a_worker_answers_line_by_line_whatever_its_toolkit_prints(tmp_path: Path) -> None:
    (tmp_path / "ids.json").write_text("[[1, 2], [3, 4, 5]]")
    requests = [
        {"do": "load", "model": "m.onnx", "threads": 2},
        {"do": "texts", "file": str(tmp_path / "ids.json")},
        {"do": "time", "rows": [1, 0, 1]},
        {"do": "logits", "file": str(tmp_path / "logits.npy")},
        {"do": "stop"},
    ]
    found = subprocess.run(
        [sys.executable, "-c", WORKER, str(PEERS / "workers")],
        input="".join(json.dumps(request) + "\n" for request in requests),
        capture_output=True,
        text=True,
        check=True,
    )
    loaded, texts, times, logits = map(json.loads, found.stdout.splitlines())
    assert loaded == {"engine": "engine of m.onnx, 2"}
    assert texts == logits == {"texts": 2}
    assert len(times["ns"]) == 3
    assert all(each > 0 for each in times["ns"])
    assert np.load(tmp_path / "logits.npy").tolist() == [[3.0], [12.0]]
    assert "a toolkit says something" in found.stderr


def test_best_is_the_fastest_variant_that_keeps_validation_accuracy(figures: Any) -> None:
    teacher = _row(figures, "teacher", "", 96, 1)
    rows = [
        _row(figures, "a", "quick and wrong", 90, 4),
        _row(figures, "a", "right", 95.5, 2),
        _row(figures, "a", "right and slow", 96, 1.5),
        _row(figures, "b", "wrong", 80, 3),
        _row(figures, "b", "less wrong", 85, 2),
    ]
    figures.mark_best(rows, teacher, "1")
    assert [row.variant for row in rows if row.best] == ["right", "less wrong"]


def test_speed_is_the_ratio_of_medians_over_launches(figures: Any) -> None:
    found = figures.speed([[4_000_000] * 5] * 3, [[1_000_000] * 5] * 3)
    assert (found.ratio, found.low, found.high, found.p50_ms) == (4, 4, 4, 1)


def test_table_has_a_line_for_each_row_and_says_what_is_not_known(figures: Any) -> None:
    rows = [_row(figures, "a", "dynamic", 95, 2), _row(figures, "b", "static", 94, 3)]
    rows[0].best = True
    rows[1].speed["1"].low = None
    lines = figures.table(rows, {"accuracy": "accuracy"}).splitlines()
    assert len(lines) == 4
    assert len({line.count("|") for line in lines}) == 1
    assert "**a**" in lines[2]
    assert "2.00 × (1.80–2.20)" in lines[2]
    assert "| 3.00 × |" in lines[3]


def test_plot_is_well_formed_and_names_every_model(figures: Any) -> None:
    rows = [_row(figures, "a & b", "dynamic", 95, 2), _row(figures, "c", "static", 94, 3)]
    rows[0].best = True
    picture = ElementTree.fromstring(_module("plot").plot(rows, "accuracy", "accuracy", "1"))
    titles = [element.text for element in picture.iter("{http://www.w3.org/2000/svg}title")]
    assert titles == ["c static: 93.00 %, 3.00 ×, 23.0 MB", "a & b dynamic: 94.00 %, 2.00 ×, 23.0 MB"]


def test_every_toolkit_has_its_recipe_and_pins_what_matters(toolkits: Any) -> None:
    for toolkit in toolkits.TOOLKITS:
        recipe = (toolkits.RECIPES / toolkit.recipe).read_text(encoding="utf-8")
        assert all(f'"{variant}"' in recipe for variant in toolkit.variants)
        assert toolkits.versions(toolkit)
        assert (toolkits.WORKERS / toolkit.engine.worker).exists()
        assert (toolkits.REQUIREMENTS / f"{toolkit.engine.environment}.txt").exists()
