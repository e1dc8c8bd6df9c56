"""Sentence embedding from a table to vectors, in Python, in the C++ runner and without edge-ptf."""

from __future__ import annotations

import ctypes
import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from edge_ptf.package import open_payload, verify
from edge_ptf.runtime import Runner
from edge_ptf.runtime.native import NativeRunner, find_library, load_library
from tests.cli.test_multi_label import QUICK

TASK = ("--task", "sentence-embedding")
TOPICS = {
    "light": ("turn on the lights", "lights on please", "turn the light on"),
    "music": ("play some jazz music", "play music please", "some jazz please"),
    "timer": ("set a timer for ten minutes", "timer ten minutes please", "set ten minutes"),
    "weather": ("what is the weather today", "weather today please", "is today cold"),
}
NEAR = 2e-5


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with train, validation and test: two texts, and 5 for the same topic, 1 for others."""
    folder = tmp_path_factory.mktemp("pairs")
    names = list(TOPICS)
    for split, count in {"train": 120, "validation": 48, "test": 48}.items():
        rows = ["sentence_A,sentence_B,relatedness_score"]
        for number in range(count):
            one, other = names[number % 4], names[(number + (number // 4) % 2) % 4]
            texts = [TOPICS[topic][(number // step) % 3] for topic, step in ((one, 1), (other, 3))]
            rows.append(f"{texts[0]} {split} {number},{texts[1]},{5 if one == other else 1 + number % 3 / 10:g}")
        (folder / f"{split}.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    return folder


def first_texts(folder: Path) -> list[list[str]]:
    lines = (folder / "test.csv").read_text(encoding="utf-8").splitlines()[1:]
    return [line.split(",")[:2] for line in lines]


@pytest.mark.slow
def test_a_job_ends_in_vectors_that_both_runners_give_alike(
    run: Callable, tiny_base: Callable[[str], Path], pairs: Path, tmp_path: Path
) -> None:
    job = ("--model", tiny_base("bert"), "--data", pairs, *TASK, "--out", "build")
    own = ("--set", "finetune.matryoshka=[8]", "--set", "prune.hidden_size=0.75", "--set", "assemble.dimensions=16")
    found = run("compress", "--profile", "x86-generic", *job, *QUICK, *own, "--min-speedup", "0.01")
    assert found.returncode in (0, 3, 4), found.stderr
    said = found.stdout + found.stderr
    assert "Column 'relatedness_score' is read as score." in said
    assert "answers differ, by" in said
    verdict = json.loads((tmp_path / "build" / "verdict.json").read_text(encoding="utf-8"))
    assert "max_drop.spearman" in {target["target"] for target in verdict["target_verdicts"]}

    payload = open_payload(tmp_path / "build" / "package.eptf")
    head = payload.manifest.head
    wanted = {"dimensions": 16, "form": "scores", "matryoshka": [8], "pooling": "mean"}
    assert (head.kind, len(head.labels), head.options) == ("embedding", 32, wanted)
    assert json.loads(payload.read("config.json"))["edge_ptf"]["options"] == wanted
    baseline = open_payload(tmp_path / "build" / "package-baseline.eptf")
    assert baseline.manifest.head.options["dimensions"] is None  # the drop is over whole vectors
    accuracy = next(each for each in payload.evidence() if each.kind == "accuracy" and each.payload == payload.digest)
    assert set(accuracy.metrics) == {"spearman"} and accuracy.metrics["spearman"] > 0.5
    assert verify(payload.path).golden

    page = run("report", "build", "--out", "page.html")
    assert page.returncode == 0, page.stderr
    html = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "Confusion" not in html and "The answer is a vector" in html
    lines = run("predict", payload.path, "lights on please", "--pair", "turn on the lights", "--json").stdout
    answer = json.loads(lines)
    assert answer["label"] == answer["score"] == answer["cosine"]
    shown = run("predict", payload.path, "lights on please").stdout
    assert shown.split("\t")[0].endswith(", … (16 numbers)")
    short = json.loads(run("predict", payload.path, "lights on please", "--dimensions", "8", "--json").stdout)
    assert len(short["label"]) == 8 and np.linalg.norm(short["label"]) == pytest.approx(1, abs=1e-4)
    refused = run("predict", payload.path, "x", "--dimensions", "33")
    assert (
        refused.returncode == 2 and "--dimensions is 33, but an answer of sentence-embedding has 32" in refused.stderr
    )

    if find_library() is None:
        pytest.skip("the C++ runner is not built: make runner")
    python = Runner(payload)
    with NativeRunner(payload.path, 1, load_library()) as native:
        assert native.selftest().golden
        for text, pair in first_texts(pairs):
            two, one = (
                (python.answer(text, pair), native.answer(text, pair)),
                (python.answer(text), native.answer(text)),
            )
            assert two[1].label == two[1].score == pytest.approx(two[0].label, abs=NEAR)
            assert set(two[1].details) == set(two[0].details) == {"cosine"}
            assert one[1].label == pytest.approx(one[0].label, abs=NEAR) and len(one[1].label) == 16
            assert one[1].score == one[0].score == 1
    tool = load_library().path.parent / "edge-ptf-runner"

    def asked(*arguments: str) -> str:
        command = [str(tool), "predict", str(payload.path), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    row = json.loads(asked("lights on please", "--pair", "turn on the lights", "--json"))["heads"][0]
    assert row["score"] == pytest.approx(answer["score"], abs=NEAR)
    assert row["answers"] == [{"label": "cosine", "number": True, "score": row["score"]}]
    assert [len(vector) for vector in row["vectors"]] == [16, 16]
    cut = json.loads(asked("lights on please", "--dimensions", "8", "--json"))["heads"][0]["vectors"][0]
    assert cut == pytest.approx(short["label"], abs=NEAR)
    assert asked("lights on please").split("\t")[0].endswith(", … (16 numbers)")
    command = [str(tool), "predict", str(payload.path), "x", "--dimensions", "17"]
    beyond = subprocess.run(command, capture_output=True, text=True, check=False)
    assert beyond.returncode == 2 and "a vector of this package has 16 numbers" in beyond.stderr
    library = load_library()
    library._handle.edge_ptf_cosine.restype = ctypes.c_double
    values = (ctypes.c_float * 4)(3, 4, 6, 8)
    half = ctypes.cast(ctypes.byref(values, 8), ctypes.POINTER(ctypes.c_float))
    assert library._handle.edge_ptf_cosine(values, half, ctypes.c_size_t(2)) == pytest.approx(1)
    assert library._handle.edge_ptf_cosine(values, None, ctypes.c_size_t(2)) == 0


def test_options_of_vectors_are_checked_before_the_training(
    run: Callable, tiny_base: Callable[[str], Path], pairs: Path
) -> None:
    job = ("--profile", "x86-generic", "--model", tiny_base("bert"), "--data", pairs, "--out", "build", "--dry-run")
    for option, said in (
        ("assemble.dimensions=33", "assemble.dimensions is 33, but an answer of sentence-embedding has 32 numbers"),
        ("finetune.matryoshka=[64]", "a shorter vector of 64 numbers, and the model has 32"),
        ("assemble.dimensions=0", "assemble.dimensions"),
    ):
        found = run("compress", *job, *TASK, "--set", option)
        assert found.returncode == 2 and said in found.stderr, (option, found.stderr)


def test_check_describes_pairs(run: Callable, pairs: Path) -> None:
    found = run("check", pairs, *TASK)
    assert found.returncode == 0, found.stderr
    flat = " ".join(found.stdout.split())
    assert "Task: sentence-embedding, a vector." in flat and "score from 'relatedness_score'" in flat
