"""Prototype classification from a table to an answer and to a new class, in Python and in the C++ runner."""

from __future__ import annotations

import json
import re
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from edge_ptf.errors import BadInputError, PackageError
from edge_ptf.examples import Prediction
from edge_ptf.package import open_payload, verify
from edge_ptf.runtime import Runner
from edge_ptf.runtime.native import NativeRunner, find_library, load_library
from tests.cli.test_embedding import NEAR, TOPICS
from tests.cli.test_multi_label import QUICK

SCOPE = "none"
KNOWN = ("light", "music", "timer")
NEW = ("weather", TOPICS["weather"])
OTHERS = ("zxq vb", "what is a cat", "ten cold cats")


@pytest.fixture(scope="module")
def intents(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with train, validation and test: a text and its topic, or no topic in one of six rows."""
    folder = tmp_path_factory.mktemp("intents")
    for split, count in {"train": 120, "validation": 48, "test": 48}.items():
        rows = ["text,label"]
        for number in range(count):
            label = SCOPE if number % 6 == 5 else KNOWN[number % 3]
            text = OTHERS[number // 6 % 3] if label == SCOPE else TOPICS[label][number // 3 % 3]
            rows.append(f"{text} {split} {number},{label}")
        (folder / f"{split}.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    return folder


def same(one: Prediction, other: Prediction) -> bool:
    ranked = [each.details["classes"] for each in (one, other)]
    return one.label == other.label and all(
        (a["label"] == b["label"] or abs(a["score"] - b["score"]) < NEAR)
        and a["score"] == pytest.approx(b["score"], abs=10 * NEAR)
        for a, b in zip(*ranked, strict=True)
    )


@pytest.mark.slow
def test_a_job_ends_in_a_package_that_takes_new_classes(
    run: Callable, tiny_base: Callable[[str], Path], intents: Path, tmp_path: Path
) -> None:
    task = ("--task", "prototype-classification", "--out-of-scope-label", SCOPE)
    job = ("--model", tiny_base("bert"), "--data", intents, *task, "--out", "build")
    found = run("compress", "--profile", "x86-generic", *job, *QUICK, "--min-speedup", "0.01")
    assert found.returncode in (0, 3, 4), found.stderr
    verdict = json.loads((tmp_path / "build" / "verdict.json").read_text(encoding="utf-8"))
    targets = {target["target"] for target in verdict["target_verdicts"]}
    assert {"max_drop.in_scope_accuracy", "max_drop.out_of_scope_recall"} <= targets

    payload = open_payload(tmp_path / "build" / "package.eptf")
    head = payload.manifest.head
    assert (head.kind, head.labels, set(head.outputs)) == ("prototype", KNOWN, {"logits", "vector"})
    assert head.options["scale"] != 20 and head.options["threshold"] is not None  # both were chosen on validation
    config = json.loads(payload.read("config.json"))
    assert config["id2label"] == {str(number): label for number, label in enumerate(KNOWN)}
    accuracy = next(each for each in payload.evidence() if each.kind == "accuracy" and each.payload == payload.digest)
    assert accuracy.metrics["in_scope_accuracy"] > 90
    assert verify(payload.path).golden
    said = run("inspect", payload.path)
    assert said.returncode == 0, said.stderr
    page = run("report", "build", "--out", "page.html")
    assert page.returncode == 0, page.stderr
    assert "Confusion" in (tmp_path / "page.html").read_text(encoding="utf-8")

    file = tmp_path / "weather.txt"
    file.write_text("\n\n".join(NEW[1]) + "\n", encoding="utf-8")
    before, after = (
        json.loads(run("predict", payload.path, "is it cold today", *more, "--json").stdout)
        for more in ((), ("--add-class", f"{NEW[0]}={file}"))
    )
    assert before["label"] != NEW[0] == after["label"]
    python = Runner(payload)
    python.add_class(*NEW)
    assert python.answer("is it cold today").label == NEW[0] and python.task.head.spec.labels == (*KNOWN, NEW[0])
    assert all(python.answer(text).label == topic for topic in KNOWN for text in TOPICS[topic])
    explained = run("predict", payload.path, "weather", "--add-class", f"{NEW[0]}={file}", "--explain")
    assert explained.returncode == 0, explained.stderr

    if find_library() is None:
        pytest.skip("the C++ runner is not built: make runner")
    texts = [line.rpartition(",")[0] for line in (intents / "test.csv").read_text(encoding="utf-8").splitlines()[1:]]
    texts += [*NEW[1], "is it cold today"]
    plain = Runner(payload)
    with NativeRunner(payload.path, 1, load_library()) as native:
        assert native.selftest().golden
        assert all(same(plain.answer(text), native.answer(text)) for text in texts)
        native.add_class(*NEW)
        assert native.heads[0].labels == (*KNOWN, NEW[0])
        assert all(same(python.answer(text), native.answer(text)) for text in texts)
        assert native.selftest().golden
    tool = load_library().path.parent / "edge-ptf-runner"

    def asked(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [str(tool), "predict", str(payload.path), "is it cold today", *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    row = json.loads(asked("--json", "--add-class", f"{NEW[0]}={file}", "--add-class", f"other={file}").stdout)
    assert [each["label"] for each in row["heads"][0]["answers"]] == [NEW[0]]
    assert {each["label"] for each in row["heads"][0]["scores"]} == {*KNOWN, NEW[0], "other"}
    for given, said_first in (
        (f"light={file}", "there is a class 'light' already"),
        ("light", "not NAME=FILE"),
        (f"x={tmp_path / 'nothing'}", "cannot be read"),
        (f" ={file}", "the name of the new class is empty"),
    ):
        refused, theirs = asked("--add-class", given), run("predict", payload.path, "x", "--add-class", given)
        assert (refused.returncode, theirs.returncode) == (2, 2), given
        assert said_first in refused.stderr and said_first in theirs.stderr, (refused.stderr, theirs.stderr)
    teacher = run("predict", next((tmp_path / "build" / "stages").glob("finetune*")), "x", "--add-class", f"y={file}")
    assert teacher.returncode == 2 and "is a checkpoint" in teacher.stderr


def test_both_runners_refuse_the_same_classes(make_payload: Callable) -> None:
    payload = make_payload("bert", "prototype-classification", "dynamic")
    texts = payload.manifest.head.labels
    plain = make_payload("bert", "text-classification", "dynamic")
    refused = (
        ("a", ["x"], "there is a class 'a' already"),
        ("", ["x"], "the name of the new class is empty"),
        ("a\tb", ["x"], "has a control character"),
        ("new", [], "has no texts"),
    )
    python = Runner(payload)
    with pytest.raises(BadInputError, match="its task is text-classification"):
        Runner(plain).add_class("new", ["x"])
    with pytest.raises(BadInputError, match="are one text"):
        python.add_class("new", "x")
    for name, given, said in refused:
        with pytest.raises(BadInputError, match=re.escape(said)):
            python.add_class(name, given)
    assert python.task.head.spec.labels == texts
    if find_library() is None:
        pytest.skip("the C++ runner is not built: make runner")
    with NativeRunner(plain.path, 1, load_library()) as native, pytest.raises(PackageError, match="takes no new class"):
        native.add_class("new", ["x"])
    with NativeRunner(payload.path, 1, load_library()) as native:
        for name, given, said in (*refused, ("a\ud800", ["x"], "no Unicode text")):
            with pytest.raises(PackageError, match=re.escape(said)):
                native.add_class(name, given)
        for name, given in (("new", "x"), ("a\0", ["x"]), ("new", ["\0"])):
            with pytest.raises(BadInputError, match="without zero characters"):
                native.add_class(name, given)
        assert native.heads[0].labels == texts


def test_classes_are_added_while_other_threads_answer(make_payload: Callable) -> None:
    if find_library() is None:
        pytest.skip("the C++ runner is not built: make runner")
    payload = make_payload("bert", "prototype-classification", "dynamic")
    names, faults = [f"class {number}" for number in range(40)], list[str]()
    with NativeRunner(payload.path, 1, load_library()) as native:
        done = threading.Event()

        def ask() -> None:
            while not done.is_set():
                found = native.answer("turn on the lights")
                if found.label not in {*payload.manifest.head.labels, *names}:
                    faults.append(found.label)

        threads = [threading.Thread(target=ask) for _ in range(2)]
        for thread in threads:
            thread.start()
        for name in names:
            native.add_class(name, [name, "please"])
        done.set()
        for thread in threads:
            thread.join()
        assert native.heads[0].labels == (*payload.manifest.head.labels, *names)
    assert not faults
