"""edge-ptf-runner on the command line: its output and exit codes."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edge_ptf.runtime import Runner

Tool = Callable[..., Any]


def test_help_and_version(tool: Tool) -> None:
    assert tool("--help").returncode == 0
    assert "predict PACKAGE" in tool("--help").stdout
    assert tool("--version").stdout.startswith("edge-ptf-runner ")
    assert tool().returncode == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("sing",), "no such command: sing"),
        (("predict",), "no package given"),
        (("predict", "{package}", "a", "--colour"), "no such option: --colour"),
        (("predict", "{package}", "a", "--threads"), "--threads needs a value"),
        (("predict", "{package}", "a", "--threads", "none"), "--threads none: not a number from 0 to 64\n"),
        (("predict", "{package}", "a", "--threads", "1.5"), "not a whole number"),
        (("predict", "{package}", "a", "--spinning", "maybe"), "allowed are package, on, off"),
        (("predict", "{package}", "a", "--provider", "gpu"), "(allowed: cpu, cuda, tensorrt, nv-tensorrt-rtx)"),
        (("verify", "{package}", "--cache-folder", "x"), "builds nothing that cache_folder could keep"),
        (("verify", "{package}", "--cuda-graphs", "maybe"), "allowed are on, off"),
        (("predict", "{package}", "a", "b", "--pair", "c"), "exactly one TEXT"),
        (("predict", "{package}", "a", "--pair", "c"), "answers single texts"),
        (("predict", "nothing.eptf", "a"), "nothing.eptf: cannot be opened"),
        (("info", "{text}"), "not a package"),
        (("bench", "{package}"), "--texts FILE is needed"),
        (("bench", "{package}", "--texts", "none.txt"), "cannot be read"),
        (("bench", "{package}", "--texts", "{text}", "--rate", "5"), "--mode paced"),
        (("bench", "{package}", "--texts", "{text}", "--mode", "paced", "--rate", "0"), "number from 0.01 to 1000\n"),
        (("bench", "{package}", "--texts", "{text}", "--baseline", "{package}", "--memory"), "remove --memory"),
        (("bench", "{package}", "--texts", "{text}", "--baseline", "none.eptf"), "none.eptf: cannot be opened"),
        (("bench", "{package}", "--texts", "{text}", "--seed", "4294967296"), "--seed"),
    ],
)
def test_wrong_usage_is_one_line_and_exit_code_2(
    tool: Tool, make_payload: Callable[..., Any], tmp_path: Path, arguments: tuple[str, ...], message: str
) -> None:
    text = tmp_path / "texts.txt"
    text.write_text("turn on\n" * 20, encoding="utf-8")
    known = {"{package}": str(make_payload().path), "{text}": str(text)}
    found = tool(*(known.get(word, word) for word in arguments))
    assert found.returncode == 2
    assert message in found.stderr
    assert found.stderr.count("\n") == 1
    assert found.stdout == ""


def test_predict_answers_arguments_and_lines(tool: Tool, make_payload: Callable[..., Any]) -> None:
    payload = make_payload()
    texts = ["turn on the lights", "play some jazz music please", "", "naïve 中"]
    wanted = [Runner(payload).answer(text) for text in texts]
    lines = [f"{answer.label}\t{answer.score:.3f}\t{text}" for answer, text in zip(wanted, texts, strict=True)]
    assert tool("predict", payload.path, *texts).stdout.splitlines() == lines
    assert tool("predict", payload.path, text="\r\n".join(texts) + "\n").stdout.splitlines() == lines
    rows = [json.loads(line) for line in tool("predict", payload.path, *texts, "--json").stdout.splitlines()]
    heads = [row["heads"][0] for row in rows]
    assert [head["answers"][0]["label"] for head in heads] == [answer.label for answer in wanted]
    assert [head["score"] for head in heads] == pytest.approx([answer.score for answer in wanted])
    for head, answer in zip(heads, wanted, strict=True):
        classes = answer.details["classes"]
        assert head["scores"] == [{**item, "score": pytest.approx(item["score"], abs=1e-9)} for item in classes]
        assert head["scores"][0] == head["answers"][0]
        assert "words" not in head


def test_predict_takes_json_lines_and_pairs(tool: Tool, make_payload: Callable[..., Any]) -> None:
    payload = make_payload(paired=True)
    rows = [{"text": "turn on", "text_pair": "the lights"}, {"text": "play", "text_pair": "music\tnow"}]
    found = tool("predict", payload.path, "--jsonl", text="".join(json.dumps(row) + "\n" for row in rows))
    for line, row in zip(found.stdout.splitlines(), rows, strict=True):
        wanted = Runner(payload).answer(row["text"], row["text_pair"])
        assert json.loads(line)["heads"][0]["answers"][0]["label"] == wanted.label
    bad = tool("predict", payload.path, "--jsonl", text='{"text": "a", "text_pair": "b"}\n[1]\n')
    assert bad.returncode == 2
    assert "line 2: not a JSON object" in bad.stderr
    assert len(bad.stdout.splitlines()) == 1  # earlier answers are not lost


def test_predict_shows_entities_with_their_places(tool: Tool, make_payload: Callable[..., Any]) -> None:
    payload = make_payload("bert", "token-classification")
    text = "é turn on the lights 中 please"
    wanted = Runner(payload).answer(text)
    found = json.loads(tool("predict", payload.path, text, "--json").stdout)
    head = found["heads"][0]
    assert [item["label"] for item in head["words"]] == list(wanted.label)
    assert "scores" not in head
    for left, right in zip(head["answers"], wanted.details["entities"], strict=True):
        named = {"label" if name == "type" else name: value for name, value in right.items()}
        assert left == {**named, "score": pytest.approx(right["score"], abs=1e-9)}


def test_info_selftest_and_verify(tool: Tool, make_payload: Callable[..., Any]) -> None:
    payload = make_payload()
    assert payload.digest in tool("info", payload.path).stdout
    document = json.loads(tool("info", payload.path, "--json").stdout)
    assert document["payload"] == payload.digest
    assert document["manifest"]["name"] == "tiny"
    assert "golden vectors answered" in tool("selftest", payload.path).stdout
    assert f"{len(payload.manifest.files)} files" in tool("verify", payload.path).stdout


def test_verify_fails_with_exit_code_3(
    tool: Tool, make_payload: Callable[..., Any], changed: Callable[..., Path]
) -> None:
    payload = make_payload()
    lines = payload.read("golden.jsonl").replace(b'"logits": [', b'"logits": [9')
    size = len(payload.read("golden.jsonl"))
    path = changed(payload, {"golden.jsonl": lines[:size]})
    found = tool("verify", path)
    assert found.returncode == 3
    assert "golden.jsonl" in found.stderr


def test_bench_keeps_every_sample(tool: Tool, make_payload: Callable[..., Any], tmp_path: Path) -> None:
    payload, texts, record = make_payload(), tmp_path / "texts.txt", tmp_path / "record.json"
    texts.write_text('turn on the lights\nplay\n{"text": "set a timer"}\n', encoding="utf-8")
    for mode in (("burst",), ("paced", "--rate", "500"), ("sustained",)):
        arguments = ("--texts", texts, "--seconds", "0.05", "--calls", "40", "--out", record, "--memory")
        found = tool("bench", payload.path, "--mode", *mode, *arguments)
        assert found.returncode == 0, found.stderr
        assert "p99 not estimable" in found.stdout or "p99" in found.stdout
        content = json.loads(record.read_text(encoding="utf-8"))
        count = len(content["end_to_end_ms"])
        assert count >= 40
        assert {len(content[name]) for name in ("tokenize_ms", "engine_ms", "decode_ms", "tokens")} == {count}
        assert content["mode"] == mode[0]
        assert content["payload"] == payload.digest
        assert content["load_ms"] > 0
        assert content["peak_memory_mb"] > 1
        assert content["machine"]["emulated"] is False
        parts = zip(content["tokenize_ms"], content["engine_ms"], content["decode_ms"], strict=True)
        assert all(sum(part) <= whole + 1e-9 for part, whole in zip(parts, content["end_to_end_ms"], strict=True))


def test_bench_shows_a_baseline_and_the_speed_up(tool: Tool, make_payload: Callable[..., Any], tmp_path: Path) -> None:
    texts = tmp_path / "texts.txt"
    texts.write_text("turn on the lights\nplay\n", encoding="utf-8")
    package, teacher = make_payload(), make_payload(mode="fp32")
    arguments = ("--texts", texts, "--seconds", "0", "--calls", "15", "--baseline", teacher.path)
    shown = tool("bench", package.path, *arguments).stdout
    assert "baseline: tiny" in shown
    assert "speed-up" in shown
    record = json.loads(tool("bench", package.path, *arguments, "--json").stdout)
    assert record["payload"] == package.digest
    assert record["baseline"]["payload"] == teacher.digest
    assert len(record["engine_ms"]) == len(record["baseline"]["engine_ms"]) == 20
    assert record["tokens"] == record["baseline"]["tokens"]
    for moment in (record["before"], record["after"]):
        assert moment["ticks_per_second"] > 0
        assert moment["process_ms"] > 0


def test_bench_that_cannot_write_says_so(tool: Tool, make_payload: Callable[..., Any], tmp_path: Path) -> None:
    texts = tmp_path / "texts.txt"
    texts.write_text("turn on\n", encoding="utf-8")
    arguments = ("--texts", texts, "--seconds", "0", "--calls", "1", "--out", tmp_path / "none" / "record.json")
    found = tool("bench", make_payload().path, *arguments)
    assert found.returncode == 5
    assert "cannot be written" in found.stderr


HOSTILE = "\x1b]0;owned\x07\x1b[2J\x9b31m\x7f\u202egpj\u2028 x"
RAW = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\u2028\u2029\ufffe]")


def test_control_characters_reach_the_terminal_as_text(
    tool: Tool, make_payload: Callable[..., Any], with_names: Callable[..., Path]
) -> None:
    path = with_names(make_payload(), f"name {HOSTILE}", f"label {HOSTILE}")
    for arguments, code in (
        (("info", path), 0),
        (("predict", path, HOSTILE), 0),
        (("predict", f"none{HOSTILE}.eptf", "a"), 2),
        ((HOSTILE,), 2),
        (("predict", path, "a", f"--{HOSTILE}"), 2),
    ):
        found = tool(*arguments)
        assert found.returncode == code, found.stderr
        said = found.stdout + found.stderr
        assert not RAW.search(said), (arguments, said)
        assert r"\x1b]0;owned\x07\x1b[2J\x9b31m\x7f\u202egpj\u2028 x" in said


def test_json_of_hostile_names_reads_back_the_same(
    tool: Tool, make_payload: Callable[..., Any], with_names: Callable[..., Path]
) -> None:
    path = with_names(make_payload(), f"name {HOSTILE}", f"label {HOSTILE}")
    for arguments in (("info", path, "--json"), ("predict", path, HOSTILE, "--json")):
        said = tool(*arguments).stdout
        assert not RAW.search(said)
        document = json.loads(said)
        assert HOSTILE in (document["text"] if "text" in document else document["manifest"]["name"])


@pytest.fixture
def with_names(changed: Callable[..., Path]) -> Callable[..., Path]:
    """A package with this name, and this label in place of the first."""

    def build(payload: Any, name: str, label: str) -> Path:
        document = json.loads(payload.manifest.model_dump_json())
        document["name"] = name
        head = document["heads"][0]
        head["labels"] = [label if number == 0 else f"{label} {number}" for number in range(len(head["labels"]))]
        return changed(payload, {"manifest.json": json.dumps(document).encode()})

    return build
