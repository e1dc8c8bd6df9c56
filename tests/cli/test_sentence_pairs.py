"""Sentence pair classification from a table to an answer, in Python and in the C++ runner."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from edge_ptf.package import open_payload
from edge_ptf.runtime import Runner
from edge_ptf.runtime.native import NativeRunner, find_library, load_library
from tests.cli.test_multi_label import QUICK

TASK = ("--task", "sentence-pair-classification")
WANTS = ("turn on the lights", "play some jazz", "set a timer", "what is the weather")


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with train, validation and test: whether the second text says the same as the first one."""
    folder = tmp_path_factory.mktemp("pairs")
    for split, count in {"train": 120, "validation": 60, "test": 60}.items():
        rows = ["premise,hypothesis,label"]
        for number in range(count):
            first, same = WANTS[number % 4], number % 3 == 0
            second = first if same else WANTS[(number + 1) % 4]
            rows.append(f"please {first} {split} {number},{second},{'same' if same else 'other'}")
        (folder / f"{split}.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    return folder


@pytest.mark.slow
def test_a_job_ends_in_a_package_that_both_runners_answer_alike(
    run: Callable, tiny_base: Callable[[str], Path], pairs: Path, tmp_path: Path
) -> None:
    job = ("--model", tiny_base("bert"), "--data", pairs, *TASK, "--out", "build")
    found = run("compress", "--profile", "x86-generic", *job, *QUICK, "--min-speedup", "0.01")
    assert found.returncode in (0, 3, 4), found.stderr
    assert "Column 'hypothesis' is read as text_pair." in found.stderr + found.stdout
    assert '"your text" --pair "the second text"' in found.stdout
    verdict = json.loads((tmp_path / "build" / "verdict.json").read_text(encoding="utf-8"))
    assert "max_drop.accuracy" in {target["target"] for target in verdict["target_verdicts"]}
    payload = open_payload(tmp_path / "build" / "package.eptf")
    entry = payload.manifest.heads[0]
    assert (entry.task, entry.kind, entry.text_pairs) == ("sentence-pair-classification", "text", True)
    accuracy = next(each for each in payload.evidence() if each.kind == "accuracy" and each.payload == payload.digest)
    assert list(accuracy.metrics) == ["accuracy", "ece", "macro_f1", "mcc"]
    assert -1 <= accuracy.metrics["mcc"] <= 1

    said = run("predict", payload.path, WANTS[0], "--pair", WANTS[0], "--json")
    assert json.loads(said.stdout)["label"] in ("same", "other")
    report = run("report", "build", "--out", "page.html")
    assert report.returncode == 0, report.stderr

    if find_library() is None:
        pytest.skip("the C++ runner is not built: make runner")
    python = Runner(payload)
    with NativeRunner(payload.path, 1, load_library()) as native:
        assert native.selftest().golden
        for first in WANTS:
            for second in WANTS:
                wanted, got = python.answer(first, second), native.answer(first, second)
                assert got.label == wanted.label
                assert got.score == pytest.approx(wanted.score, abs=1e-6)


def test_every_row_without_a_second_text_is_named(
    run: Callable, tiny_base: Callable[[str], Path], tmp_path: Path
) -> None:
    rows = [{"text": f"a {number}", "text_pair": "b", "label": "xy"[number % 2]} for number in range(20)]
    rows[3] |= {"text_pair": " "}
    rows[5].pop("text_pair")
    (tmp_path / "data.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    job = ("--profile", "x86-generic", "--model", tiny_base("bert"), "--data", "data.jsonl", *TASK, "--out", "build")
    found = run("compress", *job, "--dry-run")
    assert found.returncode == 2
    assert "data.jsonl:4: the second text of the pair is empty" in found.stderr
    assert "data.jsonl:6: the second text of the pair is missing" in found.stderr
