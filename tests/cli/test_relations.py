"""Relation extraction from a table to an answer, in Python and in the C++ runner."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from edge_ptf.package import open_payload
from edge_ptf.runtime import Runner
from edge_ptf.runtime.native import NativeRunner, find_library, load_library
from tests.cli.test_multi_label import QUICK

WORDS = ("light", "music", "jazz", "timer", "kitchen", "bedroom", "alarm", "lights")
VERBS = {"turn": "moves", "play": "plays", "set": "sets"}


def rows(count: int, split: str = "test") -> list[tuple[str, str]]:
    """Marked texts; the verb and the order of the entities decide the relation."""
    found = []
    for number in range(count):
        verb = list(VERBS)[number % 3]
        a, b = WORDS[number % 8], WORDS[(number * 3 + 1) % 8]
        if number % 2:
            found.append((f"{verb} the <e1>{a}</e1> in the <e2>{b}</e2> {split} {number}", f"{VERBS[verb]}(e1,e2)"))
        else:
            found.append((f"{verb} <e2>{b}</e2> by <e1>{a}</e1> {split} {number}", f"{VERBS[verb]}(e2,e1)"))
    return found


@pytest.fixture(scope="module")
def relations(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with train, validation and test as JSON Lines; test has offsets in place of markers."""
    folder = tmp_path_factory.mktemp("relations")
    for split, count in {"train": 180, "validation": 60}.items():
        lines = [json.dumps({"text": text, "label": label}) for text, label in rows(count, split)]
        (folder / f"{split}.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    lines = []
    for marked, label in rows(60):
        plain, spans = marked, {}
        for marker, end, name in (("<e1>", "</e1>", "entity1"), ("<e2>", "</e2>", "entity2")):
            entity = marked[marked.index(marker) + 4 : marked.index(end)]
            plain = plain.replace(f"{marker}{entity}{end}", entity)
            spans[name] = entity
        first = "entity1" if marked.index("<e1>") < marked.index("<e2>") else "entity2"
        last = {"entity1": "entity2", "entity2": "entity1"}[first]
        places = {first: plain.index(spans[first]), last: plain.rindex(spans[last])}
        row = {name: [begin, begin + len(spans[name])] for name, begin in places.items()}
        lines.append(json.dumps({"text": plain, "label": label, **row}))
    (folder / "test.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder


@pytest.mark.slow
def test_a_job_ends_in_a_package_that_both_runners_answer_alike(
    run: Callable, tiny_base: Callable[[str], Path], relations: Path, tmp_path: Path
) -> None:
    job = ("--model", tiny_base("bert"), "--data", relations, "--task", "relation-extraction", "--out", "build")
    found = run("compress", "--profile", "x86-generic", *job, *QUICK, "--min-speedup", "0.01")
    assert found.returncode in (0, 3, 4), found.stderr
    verdict = json.loads((tmp_path / "build" / "verdict.json").read_text(encoding="utf-8"))
    assert "max_drop.macro_f1" in {target["target"] for target in verdict["target_verdicts"]}
    payload = open_payload(tmp_path / "build" / "package.eptf")
    assert payload.manifest.head.kind == "relation"
    assert payload.manifest.tokenizer.tables, payload.manifest.tokenizer.unsupported
    accuracy = next(each for each in payload.evidence() if each.kind == "accuracy" and each.payload == payload.digest)
    assert set(accuracy.metrics) == {"macro_f1", "accuracy", "ece"}

    said = run("predict", payload.path, "play the <e1>music</e1> in the <e2>kitchen</e2>", "--json")
    assert said.returncode == 0, said.stderr
    assert json.loads(said.stdout)["label"] in payload.manifest.head.labels
    bare = run("predict", payload.path, "play the music")
    assert bare.returncode == 2
    assert "no marker <e1>" in bare.stderr and "<e1>Anna</e1> lives in <e2>Rome</e2>" in bare.stderr

    if find_library() is None:
        pytest.skip("the C++ runner is not built: make runner")
    python = Runner(payload)
    with NativeRunner(payload.path, 1, load_library()) as native:
        assert native.selftest().golden
        far = "<e1>play</e1> " + "on " * 300 + "<e2>music</e2>"
        for text in [*(text for text, _ in rows(60)), far, "<e1>日本語</e1> <e2>é🙂</e2> <e1>x</e1>"]:
            wanted, got = python.answer(text), native.answer(text)
            assert got.label == wanted.label
            assert got.score == pytest.approx(wanted.score, abs=1e-6)
            assert [item["label"] for item in got.details["classes"]] == [
                item["label"] for item in wanted.details["classes"]
            ]


def test_all_wrong_rows_are_named(run: Callable, tiny_base: Callable[[str], Path], tmp_path: Path) -> None:
    lines = [
        {"text": "a b", "label": "x", "entity1": "0:1", "entity2": "2:9"},
        {"text": "a b", "label": "x", "entity1": "0:2", "entity2": "1:3"},
        {"text": "<e1>a</e1> <e2>b</e2>", "label": "y"},
    ]
    (tmp_path / "data.jsonl").write_text("\n".join(map(json.dumps, lines)) + "\n", encoding="utf-8")
    job = ("--model", tiny_base("bert"), "--data", "data.jsonl", "--task", "relation-extraction", "--out", "build")
    found = run("compress", "--profile", "x86-generic", *job)
    assert found.returncode == 2
    assert "data.jsonl:1" in found.stderr and "outside the text of 3 characters" in found.stderr
    assert "data.jsonl:2" in found.stderr and "overlap" in found.stderr
