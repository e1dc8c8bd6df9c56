"""Questions about long contexts: the C++ runner makes the windows of Python, and gives its answers."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from edge_ptf.errors import PackageError, VerificationError
from edge_ptf.package import Payload, verify
from edge_ptf.package.golden import TEXTS
from edge_ptf.package.payload import open_payload, write_payload
from edge_ptf.package.tokenizers.proof import random_texts
from edge_ptf.runtime import Runner
from edge_ptf.runtime.native import Library, NativeRunner, verify_native


@pytest.fixture(scope="module", params=[False, True], ids=["answers", "no-answers"])
def payload(request: pytest.FixtureRequest, make_payload: Callable[..., Any], tmp_path_factory: Any) -> Payload:
    """A tiny package for questions, with a threshold in the middle of its scores if a question can have no answer."""
    found = make_payload("bert", "question-answering", "dynamic")
    if not request.param:
        return found
    head = found.manifest.heads[0]
    head = head.model_copy(update={"options": {**head.options, "has_no_answer": True}})
    path = tmp_path_factory.mktemp("questions") / "package.eptf"
    return changed(found, path, {"heads": (head,)})


def changed(found: Payload, path: Path, update: dict[str, Any], **files: bytes) -> Payload:
    contents = {item.path: found.read(item.path) for item in found.manifest.files} | files
    if "golden.jsonl" not in files and "heads" in update:  # other options give other answers
        lines = [json.loads(line) for line in contents["golden.jsonl"].splitlines()]
        contents["golden.jsonl"] = "".join(f"{json.dumps({**line, 'answers': {}})}\n" for line in lines).encode()
    return write_payload(found.manifest.model_copy(update=update), contents, path)


def pairs() -> list[tuple[str, str]]:
    texts = [*TEXTS, *random_texts(60, 5), "", "   ", "turn\x1con"]
    found = [(text, other) for text, other in zip(texts, [*texts[7:], *texts[:7]], strict=True)]
    return [*found, *((first, " ".join((second, *TEXTS, second))) for first, second in found[:40])]


def test_ids_and_answers_are_those_of_python(library: Library, payload: Payload) -> None:
    python, windows, answered = Runner(payload), 0, set()
    with NativeRunner(payload.path, 1, library) as runner:
        for text, pair in pairs():
            encoding = python.encode(text, pair)
            assert runner.encode(text, pair) == (encoding.input_ids, encoding.token_type_ids)
            wanted, found = python.answer(text, pair), runner.answer(text, pair)
            assert (found.label, found.details) == (wanted.label, wanted.details)
            assert found.score == pytest.approx(wanted.score, abs=1e-9)
            assert runner.logits.shape == (len(encoding.input_ids), 2)
            windows, answered = max(windows, len(encoding.windows)), answered | {bool(wanted.label)}
    assert windows > 3
    assert answered == ({True, False} if payload.manifest.head.options["has_no_answer"] else answered | {True})


def test_golden_vectors_hold_windows_and_are_answered(library: Library, payload: Payload, tmp_path: Path) -> None:
    lines = [json.loads(line) for line in payload.read("golden.jsonl").splitlines()]
    assert any(len(line.get("windows", [])) > 2 for line in lines)
    verify(payload.path)
    assert verify_native(payload.path, library).golden == len(lines)
    entry = payload.manifest.tokenizer.model_copy(update={"tables": None, "kind": None, "unsupported": "test"})
    files = {item.path: payload.read(item.path) for item in payload.manifest.files if item.path != "tokenizer.bin"}
    bare = write_payload(payload.manifest.model_copy(update={"tokenizer": entry}), files, tmp_path / "bare.eptf")
    report = verify_native(bare.path, library)
    assert (report.golden, report.tokenized) == (len(lines), False)


@pytest.mark.parametrize("windows", [[3], [0, 64], [10**12], [-1]])
def test_windows_that_do_not_fit_are_refused(
    library: Library, make_payload: Callable[..., Any], tmp_path: Path, windows: list[int]
) -> None:
    payload = make_payload("bert", "question-answering", "dynamic")
    lines = [json.loads(line) for line in payload.read("golden.jsonl").splitlines()]
    lines[0]["windows"] = windows
    content = "".join(f"{json.dumps(line)}\n" for line in lines).encode()
    files = {item.path: payload.read(item.path) for item in payload.manifest.files if item.path != "tokenizer.bin"}
    entry = payload.manifest.tokenizer.model_copy(update={"tables": None, "kind": None, "unsupported": "test"})
    manifest = payload.manifest.model_copy(update={"tokenizer": entry})
    broken = write_payload(manifest, {**files, "golden.jsonl": content}, tmp_path / "broken.eptf")
    with pytest.raises((PackageError, VerificationError)):
        verify_native(broken.path, library)
    with pytest.raises((PackageError, VerificationError)):
        verify(broken.path)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"stride": -1}, "stride"),
        ({"max_answer_tokens": 0}, "max_answer_tokens"),
        ({"null_threshold": "x"}, "null_threshold"),
    ],
)
def test_options_that_make_no_sense_are_refused(
    library: Library, make_payload: Callable[..., Any], tmp_path: Path, options: dict[str, Any], message: str
) -> None:
    found = make_payload("bert", "question-answering", "dynamic")
    head = found.manifest.heads[0]
    head = head.model_copy(update={"options": {**head.options, **options}})
    contents = {item.path: found.read(item.path) for item in found.manifest.files}
    path = tmp_path / "package.eptf"
    with suppress(PackageError):  # the file is written before it is read again
        write_payload(found.manifest.model_copy(update={"heads": (head,)}), contents, path)
    with pytest.raises(PackageError, match=message):
        NativeRunner(path, 1, library)
    with pytest.raises(PackageError, match=message):
        open_payload(path).manifest  # noqa: B018


def test_single_texts_are_refused(library: Library, make_payload: Callable[..., Any]) -> None:
    payload = make_payload("bert", "question-answering", "dynamic")
    with NativeRunner(payload.path, 1, library) as runner, pytest.raises(PackageError, match="pairs of texts"):
        runner.answer("what")


def test_the_tool_prints_the_answer_and_its_place(tool: Callable[..., Any], payload: Payload) -> None:
    text, context = "turn on the lights", "play some jazz music please " * 20
    wanted = Runner(payload).answer(text, context)
    found = tool("predict", payload.path, text, "--pair", context)
    assert found.stdout.split("\t")[0] == (wanted.label[0] if wanted.label else "–")
    said = tool("predict", payload.path, text, "--pair", context, "--json").stdout
    (answers,) = (head["answers"] for head in json.loads(said)["heads"])
    if wanted.label:
        place = wanted.details["answer"]
        assert [(item["label"], item["start"], item["end"]) for item in answers] == [
            (place["text"], place["start"], place["end"])
        ]
    else:
        assert answers == []
