"""What verify finds, with every checksum right: a package that answers otherwise than it was made."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import numpy_helper
from onnx.external_data_helper import set_external_data

from edge_ptf.errors import PackageError, VerificationError
from edge_ptf.machine import Machine
from edge_ptf.package import Payload, open_payload, seal, unpack, verification, verify
from edge_ptf.package.evidence import Verdict
from edge_ptf.package.payload import write_payload
from edge_ptf.package.tokenizers.layout import tokenizer_tables

AVX2 = Machine(arch="x86_64", cpu="test", isa=("avx2",), cores=2, memory_mb=8000, os="Linux 6")
MakePayload = Callable[..., Payload]


@pytest.fixture
def forged(tmp_path: Path) -> Callable[..., Path]:
    """A package with other files whose checksums are all right: `forged(payload, {"labels.txt": b"…"}, golden=…)`."""

    def write(payload: Payload, changes: dict[str, bytes], **parts: Any) -> Path:
        files = {entry.path: payload.read(entry.path) for entry in payload.manifest.files} | changes
        return write_payload(payload.manifest.model_copy(update=parts), files, tmp_path / "forged.eptf").path

    return write


def golden(payload: Payload) -> list[dict[str, Any]]:
    return [json.loads(line) for line in payload.read("golden.jsonl").decode().split("\n")[:-1]]


def written(lines: list[dict[str, Any]]) -> bytes:
    return "".join(f"{json.dumps(line)}\n" for line in lines).encode()


def with_bias(payload: Payload, change: Callable[[np.ndarray], np.ndarray]) -> bytes:
    """The model with another bias of the classifier."""
    model = onnx.load_model_from_string(payload.model())
    for tensor in model.graph.initializer:
        if list(tensor.dims) == [3]:
            tensor.CopyFrom(numpy_helper.from_array(change(numpy_helper.to_array(tensor)), tensor.name))
            return model.SerializeToString()
    raise LookupError("no bias of 3 classes")


@pytest.mark.parametrize("mode", ["fp32", "dynamic", "static"])
def test_a_sound_package_passes_in_every_form(
    make_payload: MakePayload, verdict_for: Callable[[Payload], Verdict], mode: str, tmp_path: Path
) -> None:
    payload = make_payload(mode=mode)
    for path in (
        payload.path,
        seal(payload, [], verdict_for(payload), tmp_path / "sealed.eptf").path,
        unpack(payload, tmp_path / "folder"),
    ):
        report = verify(path, threads=2)
        assert report.payload.digest == payload.digest
        assert report.files == len(payload.manifest.files)
        assert report.golden == payload.manifest.golden.count > 20
        assert report.largest_difference <= payload.manifest.golden.tolerance or not report.exact


@pytest.mark.parametrize(("kind", "paired"), [("token-classification", False), ("text-classification", True)])
def test_tags_and_pairs_are_verified_too(make_payload: MakePayload, kind: str, paired: bool) -> None:
    payload = make_payload(kind=kind, paired=paired)
    assert verify(payload.path).golden == len(golden(payload))
    assert all(("text_pair" in line) == paired for line in golden(payload))


@pytest.mark.parametrize("by", [0.5, -3.0, np.nan, np.inf])
def test_a_changed_weight_is_found(make_payload: MakePayload, forged: Callable[..., Path], by: float) -> None:
    payload = make_payload(mode="fp32")
    model = with_bias(payload, lambda bias: bias + np.float32([0, by, 0]))
    with pytest.raises(VerificationError, match="golden text 1: the output 'logits' is off"):
        verify(forged(payload, {"model.onnx": model}))


def test_a_rounding_difference_is_no_fault(make_payload: MakePayload, forged: Callable[..., Path]) -> None:
    payload = make_payload(mode="fp32")
    report = verify(forged(payload, {"model.onnx": with_bias(payload, lambda bias: bias + np.float32(1e-6))}))
    assert 0 < report.largest_difference < payload.manifest.golden.tolerance


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda line: line["outputs"]["logits"].__setitem__(0, 1e3), "golden text 4: the output 'logits' is off"),
        (lambda line: line["input_ids"].insert(1, 7), "other tokens"),
        (lambda line: line["token_type_ids"].__setitem__(0, 1), "other tokens"),
        (lambda line: line.pop("token_type_ids"), "other tokens"),
        (lambda line: line.__setitem__("text", "another text"), "other tokens"),
        (lambda line: line["outputs"].__setitem__("logits", [line["outputs"]["logits"]]), "another shape"),
        (lambda line: line["outputs"]["logits"].append(0.0), "another shape"),
        (lambda line: line["outputs"].__setitem__("other", line["outputs"].pop("logits")), "no output 'logits'"),
    ],
)
def test_a_changed_golden_line_is_found(
    make_payload: MakePayload, forged: Callable[..., Path], change: Callable[[dict[str, Any]], Any], message: str
) -> None:
    payload = make_payload(mode="fp32")
    lines = golden(payload)
    change(lines[3])
    with pytest.raises(VerificationError, match=message):
        verify(forged(payload, {"golden.jsonl": written(lines)}))


@pytest.mark.parametrize(("tolerance", "holds"), [(None, False), (0.05, False), (0.3, True)])
def test_a_golden_text_may_have_a_tolerance_of_its_own(
    make_payload: MakePayload, forged: Callable[..., Path], tolerance: float | None, holds: bool
) -> None:
    payload = make_payload(mode="dynamic")
    lines = golden(payload)
    largest = max(abs(value) for value in lines[3]["outputs"]["logits"])
    lines[3]["outputs"]["logits"][0] += 0.15 * largest
    lines[3]["tolerance"] = tolerance
    path = forged(payload, {"golden.jsonl": written(lines)})
    if holds:
        assert 0.05 < verify(path).largest_difference < 0.3
    else:
        with pytest.raises(VerificationError, match=r"golden text 4: the output 'logits' is off .* \(allowed: 5 %\)"):
            verify(path)


def test_labels_are_counted_against_the_logits(make_payload: MakePayload, forged: Callable[..., Path]) -> None:
    """The manifest leaves the size of the label axis open, and names one label too few."""
    payload = make_payload(mode="fp32")
    graph, head = payload.manifest.graph, payload.manifest.heads[0]
    output = graph.outputs[0].model_copy(update={"shape": ("batch", "label")})
    parts = {
        "graphs": (graph.model_copy(update={"outputs": (output,)}),),
        "heads": (head.model_copy(update={"labels": head.labels[:-1]}),),
    }
    with pytest.raises(VerificationError, match="'main' has 2 labels; its output 'logits' has 3"):
        verify(forged(payload, {}, **parts))


def test_golden_lines_may_not_go_missing(make_payload: MakePayload, forged: Callable[..., Path]) -> None:
    payload = make_payload(mode="fp32")
    with pytest.raises(VerificationError, match="golden vectors, not"):
        verify(forged(payload, {"golden.jsonl": written(golden(payload)[1:])}))


@pytest.mark.parametrize(
    "line",
    [
        *(b"", b"{", b"[]", b'{"text": "a"}', b"\xff"),
        b'{"text": "a", "input_ids": ["x"], "outputs": {"logits": [1]}}',
        b'{"text": "a", "input_ids": [1], "outputs": {"logits": [NaN, 1, 1]}}',
        b'{"text": "a", "input_ids": [1], "outputs": {"logits": "many"}}',
        b'{"text": "a", "input_ids": [1], "outputs": {"logits": []}}',
        b'{"text": "a", "input_ids": [1], "outputs": {"logits": [[1, 1], [1]]}}',
        b'{"text": "a", "input_ids": [1], "outputs": {}}',
        b'{"text": "\\ud800", "input_ids": [1], "outputs": {"logits": [1, 1, 1]}}',
    ],
)
def test_a_golden_line_that_is_none_is_a_package_error(
    make_payload: MakePayload, forged: Callable[..., Path], line: bytes
) -> None:
    payload = make_payload(mode="fp32")
    lines = payload.read("golden.jsonl").split(b"\n")
    lines[1] = line
    with pytest.raises(PackageError, match="line 2"):
        verify(forged(payload, {"golden.jsonl": b"\n".join(lines)}))


def test_a_tokenizer_that_cuts_otherwise_is_found(make_payload: MakePayload, forged: Callable[..., Path]) -> None:
    payload = make_payload(mode="fp32")
    document = json.loads(payload.read("tokenizer.json"))
    document["normalizer"]["lowercase"] = False
    with pytest.raises(VerificationError, match="golden text 2 is cut into other tokens"):
        verify(forged(payload, {"tokenizer.json": json.dumps(document).encode()}))
    with pytest.raises(PackageError, match="the tokenizer cannot be read"):
        verify(forged(payload, {"tokenizer.json": b"{}"}))


def test_weights_outside_the_package_are_refused(
    make_payload: MakePayload, forged: Callable[..., Path], tmp_path: Path
) -> None:
    payload = make_payload(mode="fp32")
    model = onnx.load_model_from_string(payload.model())
    tensor = model.graph.initializer[0]
    (tmp_path / "weights.bin").write_bytes(tensor.raw_data)
    set_external_data(tensor, "weights.bin")
    tensor.ClearField("raw_data")
    with pytest.raises(PackageError, match="outside the package"):
        verify(forged(payload, {"model.onnx": model.SerializeToString()}))


def test_the_graph_must_be_the_one_the_manifest_describes(
    make_payload: MakePayload, forged: Callable[..., Path]
) -> None:
    payload = make_payload(mode="fp32")
    graph = payload.manifest.graph.model_copy(update={"inputs": payload.manifest.graph.inputs[:1]})
    with pytest.raises(VerificationError, match="inputs and outputs"):
        verify(forged(payload, {}, graphs=(graph,)))
    for damaged in (b"\x0a\xff nothing", b""):
        with pytest.raises(PackageError, match=r"'model\.onnx': the file is no ONNX model"):
            verify(forged(payload, {"model.onnx": damaged}))


def test_a_tokenizer_larger_than_the_model_is_found(make_payload: MakePayload, forged: Callable[..., Path]) -> None:
    """Ids that the graph has no embedding for: the engine's own error must not get through."""
    payload = make_payload(mode="fp32")
    document = json.loads(payload.read("tokenizer.json"))
    document["model"]["vocab"]["turn"] = 100_000
    lines = golden(payload)
    old = json.loads(payload.read("tokenizer.json"))["model"]["vocab"]["turn"]
    for line in lines:
        line["input_ids"] = [100_000 if item == old else item for item in line["input_ids"]]
    files = {"tokenizer.json": json.dumps(document).encode(), "golden.jsonl": written(lines)}
    with pytest.raises(VerificationError, match="golden text 1: the model does not take it"):
        verify(forged(payload, files))


def test_missing_files_and_false_verdicts_are_found(
    make_payload: MakePayload, rewritten: Callable[..., Path], verdict_for: Callable[[Payload], Verdict]
) -> None:
    payload = make_payload()
    for name in ("model.onnx", "golden.jsonl", "README.md"):
        with pytest.raises(PackageError, match="is missing"):
            verify(rewritten(payload, {name: None}))
    false = verdict_for(payload).replace(payload="0" * 64).model_dump_json().encode()
    with pytest.raises(VerificationError, match="another payload"):
        verify(rewritten(payload, {"verdict.json": false}))


def test_logits_are_not_compared_where_int8_is_not_exact(
    make_payload: MakePayload, forged: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    payload, plain = make_payload(mode="dynamic"), make_payload(mode="fp32")
    lines = golden(payload)
    lines[0]["outputs"]["logits"][0] += 100
    path = forged(payload, {"golden.jsonl": written(lines)})
    monkeypatch.setattr(verification, "this_machine", lambda: AVX2)
    report = verify(path)
    assert not report.exact
    assert report.golden == len(lines)
    assert verification.exact_here(plain.manifest)
    lines[0]["input_ids"].insert(1, 5)
    with pytest.raises(VerificationError, match="other tokens"):
        verify(forged(payload, {"golden.jsonl": written(lines)}))


def test_a_reduced_range_is_exact_everywhere(make_payload: MakePayload, monkeypatch: pytest.MonkeyPatch) -> None:
    manifest = make_payload(mode="dynamic").manifest
    monkeypatch.setattr(verification, "this_machine", lambda: AVX2)
    graph = manifest.graph.model_copy(update={"scheme": manifest.graph.scheme.replace(reduce_range=True, isa=())})
    assert verification.exact_here(manifest.model_copy(update={"graphs": (graph,)}))
    assert open_payload(make_payload(mode="dynamic").path).manifest.requires.isa_any


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda tables: b"", "no header"),
        (lambda tables: tables[:-8], "version 1"),
        (lambda tables: b"x" + tables[1:], "no header"),
        (lambda tables: tables[:28] + b"\1" + tables[29:], "no section block_index"),
        (lambda tables: tables[:200] + bytes(len(tables) - 200), "damaged|other tokens"),
    ],
)
def test_tables_that_are_none_are_found(
    make_payload: MakePayload, forged: Callable[..., Path], change: Callable[[bytes], bytes], message: str
) -> None:
    payload = make_payload(mode="fp32")
    with pytest.raises((PackageError, VerificationError), match=rf"'tokenizer\.bin' .*({message})"):
        verify(forged(payload, {"tokenizer.bin": change(payload.read("tokenizer.bin"))}))


def test_tables_of_another_tokenizer_are_found(make_payload: MakePayload, forged: Callable[..., Path]) -> None:
    payload = make_payload(mode="fp32")
    document = json.loads(payload.read("tokenizer.json"))
    document["normalizer"]["lowercase"] = False
    other = tokenizer_tables(json.dumps(document).encode())
    with pytest.raises(VerificationError, match=r"'tokenizer\.bin' gives other tokens for golden text 2"):
        verify(forged(payload, {"tokenizer.bin": other}))


def test_labels_are_counted_in_the_graph_before_it_runs(make_payload: MakePayload, forged: Callable[..., Path]) -> None:
    payload = make_payload(mode="fp32")
    graph, head = payload.manifest.graph, payload.manifest.heads[0]
    output = graph.outputs[0].model_copy(update={"shape": ("batch", "label")})
    parts = {
        "graphs": (graph.model_copy(update={"outputs": (output,)}),),
        "heads": (head.model_copy(update={"labels": (*head.labels, "one more")}),),
    }
    with pytest.raises(VerificationError, match=r"'model\.onnx': 'main' has 4 labels; its output 'logits' has 3"):
        verify(forged(payload, {}, **parts))


WRONG_ANSWERS = [
    ({"main": "not a label"}, "an answer of 'main' is no label of that head"),
    ({"main": ["a"]}, "an answer of 'main' is no label of that head"),
    ({"main": None}, "an answer of 'main' is no label of that head"),
    ({"other": "a"}, "an answer of 'other', which is no head"),
]


@pytest.mark.parametrize(("answers", "message"), WRONG_ANSWERS)
def test_answers_of_golden_vectors_are_labels(
    make_payload: MakePayload, forged: Callable[..., Path], answers: dict[str, Any], message: str
) -> None:
    payload = make_payload(mode="fp32")
    lines = golden(payload)
    lines[3]["answers"] = answers
    with pytest.raises(VerificationError, match=f"golden text 4.*{message}"):
        verify(forged(payload, {"golden.jsonl": written(lines)}))
