"""Multi-label classification from a table to an answer, in Python and in the C++ runner."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from edge_ptf.package import open_payload
from edge_ptf.runtime import Runner
from edge_ptf.runtime.native import NativeRunner, find_library, load_library

TOPICS = {"light": "turn on the lights", "music": "play some jazz", "time": "set a timer", "weather": "is it raining"}
QUICK = (
    *("--set", "finetune.epochs=4", "--set", "finetune.learning_rate=0.005", "--set", "distill.epochs=2"),
    *("--set", "distill.learning_rate=0.005", "--set", "distill.spliced_texts=0.5", "--set", "bench.launches=5"),
    *("--set", "bench.calls=100", "--set", "bench.seconds=0", "--set", "bench.memory_launches=2"),
    *("--set", "prune.num_layers=2", "--set", "prune.intermediate_size=[32]"),
)
"""A short job of any task."""
WEIGHTS = ("--set", "finetune.positive_weights=root")


@pytest.fixture(scope="module")
def topics(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with train, validation and test: each text is one to three sentences, a topic each, or none."""
    folder = tmp_path_factory.mktemp("topics")
    names = list(TOPICS)
    for split, count in {"train": 160, "validation": 60, "test": 60}.items():
        rows = ["text,labels"]
        for number in range(count):
            chosen = [name for place, name in enumerate(names) if (number * 7 + number // 3) >> place & 1]
            words = " and ".join([TOPICS[name] for name in chosen] or ["hello there"])
            rows.append(f"{words} {split} {number},{'|'.join(chosen)}")
        (folder / f"{split}.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    return folder


@pytest.mark.slow
def test_a_job_ends_in_a_package_that_both_runners_answer_alike(
    run: Callable, tiny_base: Callable[[str], Path], topics: Path, tmp_path: Path
) -> None:
    job = ("--model", tiny_base("bert"), "--data", topics, "--task", "multi-label-classification", "--out", "build")
    found = run("compress", "--profile", "x86-generic", *job, *QUICK, *WEIGHTS, "--min-speedup", "0.01")
    assert found.returncode in (0, 3, 4), found.stderr
    verdict = json.loads((tmp_path / "build" / "verdict.json").read_text(encoding="utf-8"))
    assert "max_drop.micro_f1" in {target["target"] for target in verdict["target_verdicts"]}
    payload = open_payload(tmp_path / "build" / "package.eptf")
    assert (payload.manifest.head.kind, payload.manifest.head.labels) == ("multi-label", tuple(TOPICS))
    assert len(payload.manifest.head.options["thresholds"]) == len(TOPICS)
    assert json.loads(payload.read("config.json"))["problem_type"] == "multi_label_classification"
    accuracy = next(each for each in payload.evidence() if each.kind == "accuracy" and each.payload == payload.digest)
    assert set(accuracy.metrics) == {"micro_f1", "macro_f1", "ranking_precision"}
    assert all(sorted(row.ranking) == [0, 1, 2, 3] for row in accuracy.rows)

    said = run("predict", payload.path, "play some jazz and set a timer", "hello there", "--json")
    answers = [json.loads(line) for line in said.stdout.splitlines()]
    assert all({item["label"] for item in answer["classes"]} == set(TOPICS) for answer in answers)
    report = run("report", "build", "--out", "page.html")
    assert report.returncode == 0, report.stderr

    if find_library() is None:
        pytest.skip("the C++ runner is not built: make runner")
    texts = [line.split(",")[0] for line in (topics / "test.csv").read_text(encoding="utf-8").splitlines()[1:]]
    python = Runner(payload)
    with NativeRunner(payload.path, 1, load_library()) as native:
        assert native.selftest().golden
        for text in texts:
            wanted, got = python.answer(text), native.answer(text)
            assert (got.label, got.ranking) == (wanted.label, wanted.ranking)
            assert got.score == pytest.approx(wanted.score, abs=1e-6)
            assert [item["label"] for item in got.details["classes"]] == [
                item["label"] for item in wanted.details["classes"]
            ]


@pytest.mark.parametrize(
    ("line", "message"),
    [("play,music|music", "the label 'music' is given twice"), ("play,music|", "the label '' is neither")],
)
def test_a_wrong_row_is_named(
    run: Callable, tiny_base: Callable[[str], Path], tmp_path: Path, line: str, message: str
) -> None:
    (tmp_path / "data.csv").write_text(f"text,labels\nstop,time\n{line}\n", encoding="utf-8")
    found = run(
        "compress",
        "--profile",
        "x86-generic",
        "--model",
        tiny_base("bert"),
        "--data",
        "data.csv",
        *(
            *("--task", "multi-label-classification"),
            *("--out", "build"),
        ),
    )
    assert found.returncode == 2
    assert "data.csv:3" in found.stderr
    assert message in found.stderr


def test_all_labels_that_train_lacks_are_named_at_once(
    run: Callable, tiny_base: Callable[[str], Path], tmp_path: Path
) -> None:
    rows = {
        "train": "play,music\nstop,time\nplay and stop,music|time\n",
        "validation": "wait,time\n",
        "test": "rain,weather\ngo,time\nsnow and ice,weather|cold\n",
    }
    for split, content in rows.items():
        (tmp_path / f"{split}.csv").write_text(f"text,labels\n{content}", encoding="utf-8")
    job = ("--model", tiny_base("bert"), "--data", ".", "--task", "multi-label-classification", "--out", "build")
    found = run("compress", "--profile", "x86-generic", *job)
    assert found.returncode == 2
    assert (
        "2 rows cannot be used. Every label must occur in train: add rows with cold, weather, or remove" in found.stderr
    )
    assert "test.csv:2: label 'weather' does not occur in train" in found.stderr
    assert "test.csv:4: the labels 'cold', 'weather' do not occur in train" in found.stderr
