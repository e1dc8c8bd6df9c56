"""Question answering from SQuAD files to an answer, in Python and in the C++ runner."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from edge_ptf import tasks
from edge_ptf.errors import BadInputError
from edge_ptf.package import open_payload
from edge_ptf.runtime import Runner
from edge_ptf.runtime.native import NativeRunner, find_library, load_library
from edge_ptf.training.finetuning import FinetuneConfig, open_trainable
from tests.cli.test_multi_label import QUICK

THINGS = ("light", "music", "jazz", "timer", "alarm", "lights", "café", "日本")
ROOMS = ("kitchen", "bedroom", "home", "garden")
SHORT = (
    *("--set", "finetune.stride=10", "--set", "assemble.max_answer_tokens=7"),
    *("--set", "finetune.max_length=48", "--set", "finetune.batch_size=16", "--set", "distill.batch_size=16"),
)


def article(split: str, count: int) -> dict:
    """Paragraphs of 20 to 200 words: a thing in each room but one, in any order, and a question for each room."""
    draw = random.Random(split)
    paragraphs = []
    for number in range(count // 4):
        rooms, places, parts = draw.sample(ROOMS, 3), {}, []
        for room in rooms:
            parts.append("please play some " * draw.randint(0, 12))
            begin = sum(map(len, parts)) + len("turn on the ")
            thing = draw.choice(THINGS)
            parts.append(f"turn on the {thing} in the {room} . ")
            places[room] = {"text": thing, "answer_start": begin}
        qas = [
            {
                "id": f"{split}-{number}-{room}",
                "question": f"what is in the {room} ? {split}",
                "answers": [places[room]] if room in places else [],
                "is_impossible": room not in places,
            }
            for room in ROOMS
        ]
        paragraphs.append({"context": "".join(parts), "qas": qas})
    return {"title": split, "paragraphs": paragraphs}


@pytest.fixture(scope="module")
def questions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with train, dev and test in the form of SQuAD 2.0."""
    folder = tmp_path_factory.mktemp("questions")
    for split, count in {"train": 160, "dev": 60, "test": 60}.items():
        content = {"version": "v2.0", "data": [article(split, count)]}
        (folder / f"{split}.json").write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")
    return folder


@pytest.mark.slow
def test_a_job_ends_in_a_package_that_both_runners_answer_alike(
    run: Callable, tiny_base: Callable[[str], Path], questions: Path, tmp_path: Path
) -> None:
    job = ("--model", tiny_base("bert"), "--data", questions, "--task", "question-answering", "--out", "build")
    found = run("compress", "--profile", "x86-generic", *job, *QUICK, *SHORT, "--min-speedup", "0.01")
    assert found.returncode in (0, 3, 4), found.stderr
    verdict = json.loads((tmp_path / "build" / "verdict.json").read_text(encoding="utf-8"))
    assert "max_drop.f1" in {target["target"] for target in verdict["target_verdicts"]}
    payload = open_payload(tmp_path / "build" / "package.eptf")
    assert (payload.manifest.head.kind, payload.manifest.head.options["has_no_answer"]) == ("span", True)
    options = payload.manifest.head.options
    assert (options["stride"], options["max_answer_tokens"]) == (10, 7)
    assert payload.manifest.tokenizer.tables, payload.manifest.tokenizer.unsupported
    accuracy = next(each for each in payload.evidence() if each.kind == "accuracy" and each.payload == payload.digest)
    assert set(accuracy.metrics) == {"f1", "exact_match"}

    context = "please play some jazz . " * 30 + "turn on the light in the kitchen ."
    said = run("predict", payload.path, "what is in the kitchen ?", "--pair", context, "--json")
    assert said.returncode == 0, said.stderr
    answer = json.loads(said.stdout)["answer"]
    assert answer is None or context[answer["start"] : answer["end"]] == answer["text"]
    bare = run("predict", payload.path, "what is in the kitchen ?")
    assert bare.returncode == 2 and "pairs of texts" in bare.stderr

    if find_library() is None:
        pytest.skip("the C++ runner is not built: make runner")
    python = Runner(payload)
    asked = [
        (question["question"], paragraph["context"])
        for paragraph in article("test", 60)["paragraphs"]
        for question in paragraph["qas"]
    ]
    asked += [
        ("what ? " * 90, context),
        ("日本 é", "🙂 日本 " * 90),
        ("a", "\x00\x00"),
        ("x", "jazz \x00light é " * 40),
    ]
    windows, answered = set(), set()
    with NativeRunner(payload.path, 1, load_library()) as native:
        assert native.selftest().golden
        for text, pair in asked:
            encoding = python.encode(text, pair)
            assert native.encode(text, pair) == (encoding.input_ids, encoding.token_type_ids)
            wanted, got = python.answer(text, pair), native.answer(text, pair)
            assert (got.label, got.details) == (wanted.label, wanted.details)
            assert got.score == pytest.approx(wanted.score, abs=1e-6)
            windows.add(len(encoding.windows))
            answered.add(bool(wanted.label))
    assert max(windows) > 4 and 0 in windows
    assert answered == {True, False}


@pytest.mark.slow
def test_all_wrong_questions_are_named(run: Callable, tiny_base: Callable[[str], Path], tmp_path: Path) -> None:
    content = {"data": [article("train", 8)]}
    first, second, *_ = content["data"][0]["paragraphs"][0]["qas"]
    first["answers"], first["is_impossible"] = [{"text": "Mars", "answer_start": 3}], False
    second["answers"], second["is_impossible"] = [{"text": "turn", "answer_start": 9999}], False
    (tmp_path / "data.json").write_text(json.dumps(content), encoding="utf-8")
    job = ("--model", tiny_base("bert"), "--data", "data.json", "--task", "question-answering", "--out", "build")
    found = run("compress", "--profile", "x86-generic", *job)
    assert found.returncode == 2
    assert f"data.json: question {first['id']}: the answer is 'Mars'" in found.stderr
    assert f"data.json: question {second['id']}: answer_start 9999" in found.stderr


def test_only_windows_share_tokens(tiny_base: Callable[[str], Path]) -> None:
    task = tasks.create(tasks.get("text-classification").spec_for(("a", "b")))
    with pytest.raises(BadInputError, match=r"finetune.stride is 3, but text-classification reads no context"):
        open_trainable(tiny_base("bert"), "tiny", task, FinetuneConfig(stride=3))
