"""Entities and relations from a table to an answer, in Python and in the C++ runner."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edge_ptf.package import open_payload
from edge_ptf.runtime import Runner
from edge_ptf.runtime.native import NativeRunner, find_library, load_library
from tests.cli.test_multi_label import QUICK

THINGS = {"lights": "is_in", "alarm": "is_in", "timer": "moves_to", "music": None}
PLACES = ("kitchen", "bedroom")
VERBS = ("turn", "play", "set")


def rows(count: int, split: str = "test") -> list[dict[str, Any]]:
    """Sentences about a thing and a place, in either order; the thing decides the relation."""
    found = []
    for number in range(count):
        thing, place = list(THINGS)[number // 2 % 4], PLACES[number // 3 % 2]
        words = [VERBS[number % 3], "the", thing, "in", "the", place, split, str(number)]
        tags = ["O", "O", "B-thing", "O", "O", "B-place", "O", "O"]
        if number % 2:
            words[2], words[5], tags[2], tags[5] = words[5], words[2], tags[5], tags[2]
        relation = THINGS[thing]
        ends = (0, 1) if number % 2 == 0 else (1, 0)
        found.append({"tokens": words, "tags": tags, "relations": [[ends[0], relation, ends[1]]] if relation else []})
    return found


@pytest.fixture(scope="module")
def facts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with train, validation and test as JSON Lines."""
    folder = tmp_path_factory.mktemp("facts")
    for split, count in {"train": 120, "validation": 48, "test": 48}.items():
        lines = "".join(f"{json.dumps(row)}\n" for row in rows(count, split))
        (folder / f"{split}.jsonl").write_text(lines, encoding="utf-8")
    return folder


@pytest.mark.slow
def test_a_job_ends_in_a_package_that_both_runners_answer_alike(
    run: Callable, tiny_base: Callable[[str], Path], facts: Path, tmp_path: Path
) -> None:
    job = ("--model", tiny_base("bert"), "--data", facts, "--task", "entities-and-relations", "--out", "build")
    found = run("compress", "--profile", "x86-generic", *job, *QUICK, "--min-speedup", "0.01")
    assert found.returncode in (0, 3, 4), found.stderr
    verdict = json.loads((tmp_path / "build" / "verdict.json").read_text(encoding="utf-8"))
    assert "max_drop.triple_f1" in {target["target"] for target in verdict["target_verdicts"]}
    payload = open_payload(tmp_path / "build" / "package.eptf")
    head = payload.manifest.head
    assert (head.kind, head.options["relations"], head.options["links"]) == ("triple", ["is_in", "moves_to"], 16)
    assert payload.manifest.tokenizer.tables, payload.manifest.tokenizer.unsupported
    evidence = [each for each in payload.evidence() if each.kind == "accuracy"]
    teacher = next(each for each in evidence if each.payload != payload.digest)
    assert teacher.metrics["triple_f1"] > 90, teacher.metrics  # a rule that the teacher can learn
    accuracy = next(each for each in evidence if each.payload == payload.digest)
    assert set(accuracy.metrics) == {"triple_f1", "triple_precision", "triple_recall", "entity_f1", "word_accuracy"}
    assert {row["name"] for row in accuracy.class_report} >= {"thing", "place", "is_in (relation)"}

    text = "turn the lights in the kitchen"
    said = run("predict", payload.path, text, "--json")
    assert said.returncode == 0, said.stderr
    shown = json.loads(said.stdout)
    python = Runner(payload)
    wanted = python.answer(text)
    assert shown["label"] == list(wanted.label)
    assert shown["triples"] == wanted.details["triples"]
    assert python.task.describe(wanted.label, text) in run("predict", payload.path, text).stdout

    if find_library() is None:
        pytest.skip("the C++ runner is not built: make runner")
    triples = 0
    with NativeRunner(payload.path, 1, load_library()) as native:
        assert native.selftest().golden
        far = "turn the lights " + "on " * 300 + "in the kitchen"
        for each in [*(" ".join(row["tokens"]) for row in rows(48)), far, "", "日本語 é🙂 lights \x0c kitchen"]:
            wanted, got = python.answer(each), native.answer(each)
            assert got.label == wanted.label
            assert got.score == pytest.approx(wanted.score, abs=1e-6)
            for kind in ("entities", "triples"):
                assert without_scores(got.details[kind]) == without_scores(wanted.details[kind])
            own = [triple["score"] for triple in got.details["triples"]]
            assert own == pytest.approx([triple["score"] for triple in wanted.details["triples"]], abs=1e-6)
            triples += len(own)
    assert triples

    tool = find_library().parent / "edge-ptf-runner"
    answered = [
        word for word in (" ".join(row["tokens"]) for row in rows(48)) if python.answer(word).details["triples"]
    ]
    told = json.loads(subprocess.check_output([tool, "predict", payload.path, answered[0], "--json"]))["heads"][0]
    first, relation = python.answer(answered[0]).details["triples"][0], told["relations"][0]
    assert relation["label"] == first["relation"]
    assert told["answers"][relation["subject"]]["text"] == first["subject"]["text"]
    assert told["answers"][relation["object"]]["text"] == first["object"]["text"]
    line = subprocess.check_output([tool, "predict", payload.path, answered[0]], text=True)
    assert f"; {first['subject']['text']} {first['relation']} {first['object']['text']}" in line


def without_scores(value: Any) -> Any:
    """Details of an answer without scores, which differ by rounding."""
    if isinstance(value, dict):
        return {name: without_scores(held) for name, held in value.items() if name != "score"}
    return [without_scores(held) for held in value] if isinstance(value, list) else value


def test_all_wrong_rows_are_named(run: Callable, tiny_base: Callable[[str], Path], tmp_path: Path) -> None:
    tokens, tags = ["a", "b"], ["B-x", "B-x"]
    lines = [
        {"tokens": tokens, "tags": tags, "relations": [[0, "r", 2], [1, "r", 1]]},
        {"tokens": tokens, "tags": tags, "relations": [[0, "r", 1], [0, "r", 1]]},
        {"tokens": tokens, "tags": tags, "relations": [[0, "r", 1]]},
    ]
    (tmp_path / "data.jsonl").write_text("\n".join(map(json.dumps, lines)) + "\n", encoding="utf-8")
    job = ("--model", tiny_base("bert"), "--data", "data.jsonl", "--task", "entities-and-relations", "--out", "build")
    found = run("compress", "--profile", "x86-generic", *job)
    assert found.returncode == 2
    assert "data.jsonl:1: relation 1: there is no entity 2" in found.stderr
    assert "relation 2: 'r' is from entity 1 to itself" in found.stderr
    assert "data.jsonl:2" in found.stderr and "is there twice" in found.stderr
