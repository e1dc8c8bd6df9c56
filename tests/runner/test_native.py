"""The C++ runner gives the answers that Python gives, and says what is wrong as Python does."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from edge_ptf.errors import BadInputError, EnvironmentFault, PackageError, VerificationError
from edge_ptf.package import open_payload, unpack, verify
from edge_ptf.package.archive import Archive
from edge_ptf.package.golden import TEXTS
from edge_ptf.package.payload import write_payload
from edge_ptf.package.tokenizers.proof import random_texts
from edge_ptf.runtime import Runner, native
from edge_ptf.runtime.native import Library, NativeRunner, verify_native

FORMS = [
    ("text-classification", "dynamic", False, None),
    ("text-classification", "fp32", False, "none"),
    ("text-classification", "dynamic", True, None),
    ("token-classification", "dynamic", False, None),
    ("token-classification", "fp32", False, None),
    ("regression", "dynamic", False, None),
    ("regression", "fp32", True, None),
]
WHITE_SPACE = ("turn\x1con the\x85lights", "\u00a0 turn\u2003on\u3000", "turn\x0b\x0con", "turn\u200bon", "", "   ")


@pytest.mark.parametrize(("task", "mode", "paired", "scope"), FORMS)
def test_answers_are_those_of_python(
    library: Library,
    make_payload: Callable[..., Any],
    same_answer: Callable[[Any, Any], None],
    task: str,
    mode: str,
    paired: bool,
    scope: str | None,
) -> None:
    payload = make_payload("bert", task, mode, paired=paired, scope=scope)
    python = Runner(payload)
    with NativeRunner(payload.path, 1, library) as runner:
        for text in (*TEXTS, *WHITE_SPACE, *random_texts(150, 2)):
            pair = text[::-1] if paired else None
            same_answer(runner.answer(text, pair), python.answer(text, pair))
            encoding = python.encode(text, pair)
            assert runner.encode(text, pair) == (encoding.input_ids, encoding.token_type_ids)
        np.testing.assert_allclose(
            (runner.answer("turn on", "the" if paired else None), runner.logits)[1],
            python.logits(python.encode("turn on", "the" if paired else None)),
            rtol=1e-5,
        )


@pytest.mark.parametrize("scope", ["none", "b"])
def test_a_threshold_turns_answers_into_out_of_scope(
    library: Library,
    make_payload: Callable[..., Any],
    changed: Callable[..., Path],
    same_answer: Callable[..., None],
    scope: str,
) -> None:
    """With a label that no class is trained for, and with one of the classes."""
    from edge_ptf.package import open_payload
    from edge_ptf.package.manifest import MANIFEST

    payload = make_payload("bert", scope="none")
    document = json.loads(payload.manifest.model_dump_json())
    texts = (*TEXTS, *random_texts(100, 5))
    plain = Runner(payload)
    document["heads"][0]["options"]["out_of_scope_label"] = scope
    document["heads"][0]["options"]["threshold"] = float(np.median([plain.answer(text).score for text in texts]))
    path = changed(payload, {MANIFEST: json.dumps(document).encode()})
    decided, python, labels = set[bool](), Runner(open_payload(path)), set[Any]()
    with NativeRunner(path, 1, library) as runner:
        for text in texts:
            same_answer(runner.answer(text), python.answer(text))
            found = runner.answer(text)
            first = found.details["classes"][0]
            assert (first["label"], first["score"]) == (found.label, found.score)
            labels.add(found.label)
            decided.add(found.details.get("by_threshold", False))
    assert scope in labels
    assert decided == {True, False}
    assert len(labels) > 1


def test_an_unpacked_package_answers(library: Library, make_payload: Callable[..., Any], tmp_path: Path) -> None:
    payload = make_payload()
    with NativeRunner(unpack(payload, tmp_path / "folder"), 1, library) as runner:
        assert runner.answer("turn on the lights").label == Runner(payload).answer("turn on the lights").label


def test_a_golden_text_may_have_a_tolerance_of_its_own(
    library: Library, make_payload: Callable[..., Any], tmp_path: Path
) -> None:
    payload = make_payload(mode="dynamic")
    files = {entry.path: payload.read(entry.path) for entry in payload.manifest.files}
    lines = [json.loads(line) for line in files["golden.jsonl"].splitlines()]
    logits = lines[3]["outputs"]["logits"]
    logits[0] += 0.15 * max(abs(value) for value in logits)
    for tolerance in (None, 0.3):
        lines[3]["tolerance"] = tolerance
        files["golden.jsonl"] = "".join(f"{json.dumps(line)}\n" for line in lines).encode()
        path = write_payload(payload.manifest, files, tmp_path / f"{tolerance}.eptf").path
        if tolerance is None:
            with pytest.raises(VerificationError, match="golden text 4: the output 'logits' is off"):
                verify_native(path, library)
        else:
            assert 0.05 < verify_native(path, library).largest_difference < tolerance


@pytest.mark.parametrize("task", ["text-classification", "token-classification"])
def test_a_logit_that_is_no_number_fails(
    library: Library, make_payload: Callable[..., Any], tmp_path: Path, task: str
) -> None:
    """The first of several, so that later ones which are right do not hide it."""
    payload = make_payload(kind=task, mode="fp32")
    files = {entry.path: payload.read(entry.path) for entry in payload.manifest.files}
    model = onnx.load_model_from_string(files["model.onnx"])
    width = len(payload.manifest.heads[0].labels)
    changed = 0
    for item in model.graph.initializer:
        values = numpy_helper.to_array(item).copy()
        if values.shape == (width,):
            values[0] = np.nan
            item.CopyFrom(numpy_helper.from_array(values, item.name))
            changed += 1
    assert changed == 1
    files["model.onnx"] = model.SerializeToString()
    path = write_payload(payload.manifest, files, tmp_path / "nan.eptf").path
    with pytest.raises(VerificationError, match=r"golden text 1: the output 'logits' is off by -?nan"):
        verify_native(path, library)
    with pytest.raises(VerificationError):
        verify(path)


def test_a_verdict_about_another_payload_fails(
    library: Library, make_payload: Callable[..., Any], changed: Callable[..., Path], verdict_for: Callable[..., Any]
) -> None:
    payload = make_payload()
    verdict = verdict_for(payload).model_dump(mode="json")
    right, wrong, broken = (
        {"verdict.json": content.encode()}
        for content in (json.dumps(verdict), json.dumps({**verdict, "payload": "0" * 64}), "{")
    )
    assert verify_native(changed(payload, right), library).golden
    with pytest.raises(VerificationError, match="verdict inside is about another payload"):
        verify_native(changed(payload, wrong), library)
    with pytest.raises(PackageError, match=r"verdict\.json is damaged"):
        verify_native(changed(payload, broken), library)


def test_what_the_schema_lets_out_has_its_default(
    library: Library, tool: Callable[..., Any], make_payload: Callable[..., Any], changed: Callable[..., Path]
) -> None:
    payload = make_payload(mode="fp32")
    document = json.loads(Archive(payload.path).read("manifest.json"))
    document["engine"] = {}
    document["graphs"][0]["scheme"] = {}
    del document["tokenizer"]["truncation"], document["golden"]["file"]
    path = changed(payload, {"manifest.json": json.dumps(document).encode()})
    with NativeRunner(path, 1, library) as runner, NativeRunner(payload.path, 1, library) as whole:
        assert runner.answer("turn on the lights") == whole.answer("turn on the lights")
    shown = tool("info", path)
    assert shown.returncode == 0
    assert "fp32, none" in shown.stdout
    document["heads"][0]["outputs"]["logits"]["tensor"] = "pooled"
    path = changed(payload, {"manifest.json": json.dumps(document).encode()})
    for opened in (lambda: NativeRunner(path, 1, library), lambda: open_payload(path)):
        with pytest.raises(PackageError, match="the graph 'main' has no output 'pooled'"):
            opened()


def test_a_library_that_is_not_the_runner_is_said_to_be_none() -> None:
    import ctypes.util

    other = ctypes.util.find_library("z")
    if other is None:
        pytest.skip("needs a shared library that is not the runner")
    with pytest.raises(EnvironmentFault, match="not the runner of this edge-ptf"):
        Library(other)


def test_golden_vectors_and_checksums(library: Library, make_payload: Callable[..., Any]) -> None:
    report = verify_native(make_payload().path, library)
    assert report.files == len(make_payload().manifest.files)
    assert report.golden == make_payload().manifest.golden.count
    assert report.largest_difference < 1e-3
    assert report.tokenized


def test_a_package_for_token_ids_only(library: Library, make_payload: Callable[..., Any]) -> None:
    payload = make_payload("roberta")
    python = Runner(payload)
    with NativeRunner(payload.path, 1, library) as runner:
        assert not runner.selftest().tokenized
        with pytest.raises(PackageError, match="token ids only: its tokenizer has a model BPE"):
            runner.answer("turn on the lights")
        encoding = python.encode("turn on the lights")
        found = runner.answer_ids(encoding.input_ids)
        with pytest.raises(BadInputError, match="2 token types for 1 token ids"):
            runner.answer_ids([1], [0, 0])
        assert found is not None
        assert found.label == python.answer("turn on the lights").label


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"labels.txt": None}, PackageError, "'labels.txt' is missing"),
        ({"labels.txt": b"different\n"}, VerificationError, "bytes, not"),
        ({"model.onnx": "flip"}, VerificationError, "not what the manifest says"),
        ({"tokenizer.bin": "flip"}, VerificationError, "not what the manifest says"),
        ({"manifest.json": b"{"}, PackageError, "manifest.json is damaged"),
        ({"manifest.json": None}, PackageError, "no manifest.json"),
    ],
)
def test_a_changed_package_is_refused(
    library: Library,
    make_payload: Callable[..., Any],
    changed: Callable[..., Path],
    changes: dict[str, Any],
    error: type[Exception],
    message: str,
) -> None:
    payload = make_payload()
    for name, content in changes.items():
        if content == "flip":
            body = bytearray(payload.read(name))
            body[len(body) // 2] ^= 1
            changes = {name: bytes(body)}
    with pytest.raises(error, match=message):
        verify_native(changed(payload, changes), library)


@pytest.mark.parametrize(
    ("place", "value", "message"),
    [
        (("version",), "1.2", r"package format 1\.2; this runner reads 2\.x\. Make the package again"),
        (("version",), "3.0", r"package format 3\.0; this runner reads 2\.x\. Use a newer runner"),
        (("version",), "two", "version is not a version"),
        (("format",), "zip", "format is not edge-ptf-package"),
        (("heads",), [], "no graph, or no head"),
        (("heads", 0, "graph"), "other", "there is no graph 'other'"),
        (
            ("heads", 0, "kind"),
            "sequence",
            r"no head of the kind 'sequence' \(it has: embedding, multi-label, prototype, relation, regression, span, "
            r"text, token, triple\)",
        ),
        (("heads", 0, "labels"), ["a", "b"], "has 2 labels; its output 'logits' has 3"),
        (("heads", 0, "outputs", "logits", "axes"), ["batch", "hidden"], "is not batch, token, label or number"),
        (("heads", 0, "outputs", "logits", "axes"), ["label", "batch"], "begins with batch"),
        (("heads", 0, "outputs", "logits", "axes"), ["batch", "token"], "other axes than the kind 'text' needs"),
        (("heads", 0, "outputs", "logits", "dtype"), "float16", "dtype is not float32"),
        (("heads", 0, "outputs"), {}, "has no output 'logits'"),
        (("heads", 0, "options"), {"threshold": "high"}, "options.threshold is not a number"),
        (("tokenizer", "kind"), "bpe", r"no tokenizer of the kind 'bpe' \(it has: wordpiece\)"),
        (("tokenizer", "kind"), None, "tokenizer.kind is not a text"),
        (("graphs", 0, "format"), "native", "no engine of this runner runs the graph format 'native'"),
        (("requires", "engines"), {"onnxruntime": "99.1"}, "requires onnxruntime 99.1 or newer; this runner has"),
        (("requires", "engines"), {"onnxruntime": "new"}, "'new' is not a version"),
        (("requires", "engines"), {"native": "1.0"}, "runs on the engines 'native'; this runner has onnxruntime"),
        (("tokenizer", "max_length"), -1, "max_length is not a whole number"),
        (("tokenizer", "max_length"), 2, "leaves no room"),
        (("tokenizer", "truncation"), "longest", "is not longest_first, only_first or only_second"),
        (("tokenizer", "truncation_side"), "Left", "is not right or left"),
        (("tokenizer", "tables"), "none.bin", "'none.bin' is not among them"),
        (("graphs", 0, "inputs", 0, "name"), "pixels", "input 'pixels'"),
        (("engine", "threads"), 0, "engine.threads is not a whole number"),
        (("files", 0, "sha256"), "xyz", "64 hex digits"),
    ],
)
def test_a_manifest_that_makes_no_sense_is_refused(
    library: Library,
    make_payload: Callable[..., Any],
    changed: Callable[..., Path],
    place: tuple[Any, ...],
    value: Any,
    message: str,
) -> None:
    payload = make_payload()
    document = json.loads(payload.manifest.model_dump_json())
    inner = document
    for step in place[:-1]:
        inner = inner[step]
    inner[place[-1]] = value
    path = changed(payload, {"manifest.json": json.dumps(document).encode()})
    with pytest.raises((PackageError, VerificationError, EnvironmentFault), match=message):
        NativeRunner(path, 1, library)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"deviation": 0}, "the deviation of 'main' is not above 0"),
        ({"deviation": -1.5}, "the deviation of 'main' is not above 0"),
        ({"mean": "3"}, "options.mean is not a number"),
    ],
)
def test_a_number_without_a_scale_is_refused(
    library: Library,
    make_payload: Callable[..., Any],
    changed: Callable[..., Path],
    options: dict[str, Any],
    message: str,
) -> None:
    payload = make_payload(kind="regression")
    document = json.loads(payload.manifest.model_dump_json())
    document["heads"][0]["options"] |= options
    with pytest.raises(PackageError, match=message):
        NativeRunner(changed(payload, {"manifest.json": json.dumps(document).encode()}), 1, library)


def test_a_number_near_the_mean_has_a_golden_tolerance_in_deviations(
    library: Library, make_payload: Callable[..., Any], tmp_path: Path
) -> None:
    payload = make_payload(kind="regression", mode="fp32")
    files = {entry.path: payload.read(entry.path) for entry in payload.manifest.files}
    lines = [json.loads(line) for line in files["golden.jsonl"].splitlines()]
    for line in lines:
        (logit,) = line["outputs"]["logits"]
        own = line.get("tolerance", payload.manifest.golden.tolerance)
        assert own * max(abs(logit), 1e-6) == pytest.approx(1e-3 * max(abs(logit), 1), rel=0.2)
        line["outputs"]["logits"] = [logit + 0.0005]  # within a thousandth of a deviation
    files["golden.jsonl"] = "".join(f"{json.dumps(line)}\n" for line in lines).encode()
    assert verify_native(write_payload(payload.manifest, files, tmp_path / "near.eptf").path, library).golden
    lines[3]["outputs"]["logits"][0] += 0.1
    files["golden.jsonl"] = "".join(f"{json.dumps(line)}\n" for line in lines).encode()
    with pytest.raises(VerificationError, match="golden text 4: the output 'logits' is off"):
        verify_native(write_payload(payload.manifest, files, tmp_path / "far.eptf").path, library)


@pytest.mark.parametrize("answer", ["3", None, True, ["value"], "value"])
def test_the_golden_answer_of_a_number_is_a_number(
    library: Library, make_payload: Callable[..., Any], tmp_path: Path, answer: Any
) -> None:
    payload = make_payload(kind="regression", mode="fp32")
    files = {entry.path: payload.read(entry.path) for entry in payload.manifest.files}
    lines = [json.loads(line) for line in files["golden.jsonl"].splitlines()]
    assert all(isinstance(line["answers"]["main"], float) for line in lines)
    lines[3]["answers"]["main"] = answer
    files["golden.jsonl"] = "".join(f"{json.dumps(line)}\n" for line in lines).encode()
    path = write_payload(payload.manifest, files, tmp_path / "other.eptf").path
    for check in (lambda: verify_native(path, library), lambda: verify(path)):
        with pytest.raises(VerificationError, match="golden text 4: an answer of 'main' is no number"):
            check()


def test_fields_of_a_later_minor_version_are_ignored(
    library: Library, make_payload: Callable[..., Any], changed: Callable[..., Path]
) -> None:
    payload = make_payload()
    document = json.loads(payload.manifest.model_dump_json())
    document["version"] = "2.99"
    document["later"] = {"a": [1]}
    document["heads"][0]["later"] = document["tokenizer"]["later"] = True
    path = changed(payload, {"manifest.json": json.dumps(document).encode()})
    with NativeRunner(path, 1, library) as runner:
        assert runner.answer("turn on").label


def test_the_package_says_how_the_engine_is_set_up(
    library: Library, make_payload: Callable[..., Any], changed: Callable[..., Path]
) -> None:
    payload = make_payload()
    document = json.loads(payload.manifest.model_dump_json())
    document["engine"] = {"threads": 2, "spinning": True, "arena": False, "affinity": "1"}
    path = changed(payload, {"manifest.json": json.dumps(document).encode()})
    for given, used in ((0, 2), (1, 1)):
        with NativeRunner(path, given, library) as runner:
            assert library.runner_threads(runner._runner) == used
            assert runner.answer("turn on the lights").label == Runner(payload).answer("turn on the lights").label


def test_runners_of_many_threads(library: Library, make_payload: Callable[..., Any]) -> None:
    payload = make_payload()
    python = Runner(payload)
    texts = list(random_texts(40, 8))
    wanted, wrong = [python.answer(text).label for text in texts], []

    def work() -> None:
        with NativeRunner(payload.path, 1, library) as runner:
            wrong.extend(text for text, label in zip(texts, wanted, strict=True) if runner.answer(text).label != label)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_no_library_is_an_environment_fault(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(native, "BUILT", tmp_path)
    monkeypatch.delenv(native.LIBRARY_VARIABLE, raising=False)
    monkeypatch.setattr("ctypes.util.find_library", lambda name: None)
    native.load_library.cache_clear()
    with pytest.raises(EnvironmentFault, match="not built"):
        native.load_library()
    monkeypatch.setenv(native.LIBRARY_VARIABLE, str(tmp_path / "none.so"))
    with pytest.raises(BadInputError, match="does not exist"):
        native.find_library()
    broken = tmp_path / "broken.so"
    broken.write_bytes(b"no library")
    with pytest.raises(EnvironmentFault, match="cannot be loaded"):
        native.load_library(str(broken))
    native.load_library.cache_clear()
