"""Several tasks on one encoder, from a table to an answer, in Python and in the C++ runner."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from edge_ptf import profiles
from edge_ptf.package import open_payload
from edge_ptf.runtime import Runner
from edge_ptf.runtime.native import NativeRunner, find_library, load_library
from tests.cli.test_multi_label import QUICK

TASKS = ("--task", "intent=text-classification", "--task", "slots=token-classification")
ROOMS = ("kitchen", "bedroom", "living room", "hall")
TEXTS = {
    "light": "turn on the light in {room} {number}",
    "music": "play some jazz in {room} {number}",
    "timer": "set a timer for {number} minutes",
}


@pytest.fixture(scope="module")
def utterances(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with train, validation and test; each fifth text has no tags, and each seventh no intent."""
    folder = tmp_path_factory.mktemp("utterances")
    for split, count in {"train": 150, "validation": 45, "test": 45}.items():
        lines = []
        for number in range(count):
            intent = list(TEXTS)[number % 3]
            words, tags = [], []
            for word in TEXTS[intent].split():
                values = {"{room}": ROOMS[number % 4], "{number}": f"{split} {number}"}
                said = values.get(word, word).split()
                kind = word.strip("{}") if word.startswith("{") else None
                words += said
                tags += [f"{'I' if place else 'B'}-{kind}" if kind else "O" for place in range(len(said))]
            row = {"text": " ".join(words), "intent": intent, "tokens": words, "tags": tags}
            row |= {"tags": None} if number % 5 == 0 else {"intent": None} if number % 7 == 0 else {}
            lines.append(json.dumps(row))
        (folder / f"{split}.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder


@pytest.mark.slow
def test_a_job_ends_in_a_package_that_both_runners_answer_alike(
    run: Callable, tiny_base: Callable[[str], Path], utterances: Path, tmp_path: Path
) -> None:
    job = ("--model", tiny_base("bert"), "--data", utterances, *TASKS, "--out", "build")
    limits = ("--max-drop", "slots.entity_f1=50", "--min-score", "intent.accuracy=10", "--min-speedup", "0.01")
    counts = ("--set", "finetune.task_weights=slots=2", "--set", "finetune.sampling_temperature=2")
    found = run("compress", "--profile", "x86-generic", *job, *QUICK, *limits, *counts)
    assert found.returncode in (0, 3, 4), found.stderr
    assert "intent accuracy" in found.stdout
    verdict = json.loads((tmp_path / "build" / "verdict.json").read_text(encoding="utf-8"))
    judged = {target["target"]: target["limit"] for target in verdict["target_verdicts"]}
    assert judged["max_drop.slots.entity_f1"] == 50
    assert judged["max_drop.intent.accuracy"] == profiles.load("x86-generic").targets.max_drop["accuracy"]
    assert judged["min_score.intent.accuracy"] == 10
    payload = open_payload(tmp_path / "build" / "package.eptf")
    assert [head.name for head in payload.manifest.heads] == ["intent", "slots"]
    config = next(step.config for step in payload.manifest.lineage.steps if step.stage == "finetune")
    assert (config["task_weights"], config["sampling_temperature"]) == ("slots=2", 2.0)
    accuracy = next(each for each in payload.evidence() if each.kind == "accuracy" and each.payload == payload.digest)
    assert {"intent.accuracy", "slots.entity_f1"} <= set(accuracy.metrics)

    said = run("predict", payload.path, "turn on the light in kitchen 5", "--json")
    answer = json.loads(said.stdout)
    assert answer["label"] == [answer["intent"]["label"], answer["slots"]["label"]]
    assert len(answer["slots"]["label"]) == 7
    assert run("predict", payload.path, "play").stdout.startswith("intent: ")
    explained = run("predict", payload.path, "play", "--explain")
    assert explained.returncode == 0, explained.stderr
    assert [line.split("\t")[::2] for line in explained.stdout.splitlines()[1:]] == [["intent", "play"]]
    assert run("verify", payload.path).returncode == 0
    assert run("inspect", payload.path).returncode == 0
    report = run("report", "build", "--out", "page.html")
    assert report.returncode == 0, report.stderr
    assert "slots.room" in (tmp_path / "page.html").read_text(encoding="utf-8")

    if find_library() is None:
        pytest.skip("the C++ runner is not built: make runner")
    rows = [json.loads(line) for line in (utterances / "test.jsonl").read_text(encoding="utf-8").splitlines()]
    python = Runner(payload)
    with NativeRunner(payload.path, 1, load_library()) as native:
        assert native.selftest().golden
        for row in rows:
            wanted, got = python.answer(row["text"]), native.answer(row["text"])
            assert got.label == wanted.label
            assert got.scores == pytest.approx(wanted.scores, abs=1e-6)


def test_check_says_what_each_task_can_prove(run: Callable, utterances: Path) -> None:
    found = run("check", utterances, *TASKS, "--max-drop", "intent.accuracy=5", "--json")
    assert found.returncode == 0, found.stderr
    said = json.loads(found.stdout)
    assert {each["metric"]: each["examples"] for each in said["provable"]} == {
        "intent.accuracy": 40,
        "slots.entity_f1": 36,
    }
    assert said["columns"]["slots.tags"] == "tags"


def test_python_takes_mappings(utterances: Path) -> None:
    import edge_ptf

    task = {"intent": "text-classification", "slots": "token-classification"}
    one = edge_ptf.load_data(utterances, task=task)
    several = edge_ptf.load_data({"source": {"intent": str(utterances), "slots": str(utterances)}}, task=task)
    assert one.fingerprint == several.fingerprint
    assert "intent.light" in one.labels


def test_the_project_file_takes_mappings(utterances: Path, tmp_path: Path) -> None:
    import edge_ptf

    file = tmp_path / "project.yaml"
    file.write_text(
        f"task:\n  intent: text-classification\n  slots: token-classification\n"
        f"data:\n  source:\n    intent: {utterances}\n    slots: {utterances}\n"
    )
    assert "slots.B-room" in edge_ptf.load_data(config=file).labels


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--task", "text-classification", "--task", "b=token-classification"), "one of several needs a name"),
        (("--task", "a=text-classification", "--task", "a=token-classification"), "the name 'a' is given twice"),
        (("--task", "a=text-classification"), "one task needs no name"),
        (("--task", "a=text-classification", "--task", "b=tagging"), "there is no 'tagging'"),
        (("--task", "a=sentence-pair-classification", "--task", "b=token-classification"), "cannot share an encoder"),
        ((*TASKS, "--max-drop", "accuracy=1"), "Did you mean intent.accuracy?"),
        ((*TASKS, "--max-drop", "tags.entity_f1=1"), "is not judged by 'tags.entity_f1'"),
        ((*TASKS, "--out-of-scope-label", "oos"), "Write the task in front: intent.oos"),
        ((*TASKS, "--data", "tags=b"), "one of several needs a name"),
    ],
)
def test_what_cannot_work_is_refused_before_training(
    run: Callable, utterances: Path, tiny_base: Callable[[str], Path], arguments: tuple[str, ...], message: str
) -> None:
    job = ("--profile", "x86-generic", "--model", tiny_base("bert"), "--data", utterances, "--out", "build")
    found = run("compress", *job, *arguments)
    assert found.returncode == 2, found.stderr
    assert found.stderr.count("\n") <= 3
    assert message in found.stderr


def test_data_for_a_task_that_does_not_exist_is_refused(run: Callable, utterances: Path) -> None:
    found = run("check", f"intent={utterances},tags={utterances}", *TASKS)
    assert found.returncode == 2
    assert "there is no task 'tags'. The tasks are intent, slots" in found.stderr
    found = run("check", f"intent={utterances}", *TASKS)
    assert "the task 'slots' has no data" in found.stderr
