"""Payloads: opened, read, sealed, unpacked, verified."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import jsonschema
import pytest

from edge_ptf import tasks
from edge_ptf.checkpoint import load_tokenizer
from edge_ptf.digests import canonical_json
from edge_ptf.errors import PackageError, VerificationError
from edge_ptf.export.execute import GraphSession
from edge_ptf.package import Payload, archive, open_payload, seal, unpack, verify
from edge_ptf.package.archive import Archive
from edge_ptf.package.evidence import Verdict
from edge_ptf.package.manifest import MANIFEST, json_schema
from edge_ptf.runtime import Runner

SCHEMA = Path(__file__).resolve().parents[2] / "docs" / "package.schema.json"
TEXT = "turn on the lights"


def verdict_for(payload: Payload) -> Verdict:
    return Verdict(payload=payload.digest, profile="x86-generic", confidence=0.95, status=None, judgements=())


def rewritten(payload: Payload, out: Path, **changes: bytes) -> Path:
    """The package with some entries replaced behind the manifest's back."""
    reader = Archive(payload.path)
    names = {name.replace(".", "_").replace("/", "_"): name for name in reader.sizes}
    contents = {name: reader.read(name) for name in reader.sizes}
    contents |= {names[key]: value for key, value in changes.items()}
    archive.write(out, [(name, content, False) for name, content in contents.items()])
    return out


def test_manifest_fits_the_published_schema(make_payload: Callable[..., Payload]) -> None:
    published = json.loads(SCHEMA.read_text(encoding="utf-8"))
    assert published == json.loads(json.dumps(json_schema())), "run: python -m edge_ptf.package.manifest"
    document = json.loads(Archive(make_payload().path).read(MANIFEST))
    jsonschema.validate(document, published)


def test_every_file_is_named_with_size_and_digest(make_payload: Callable[..., Payload]) -> None:
    payload = make_payload()
    assert set(Archive(payload.path).sizes) == {MANIFEST, *(entry.path for entry in payload.manifest.files)}
    for entry in payload.manifest.files:
        assert len(payload.read(entry.path)) == entry.size
    assert verify(payload.path).golden == payload.manifest.golden.count > 20


@pytest.mark.parametrize("name", ["model_onnx", "tokenizer_json", "golden_jsonl", "labels_txt"])
def test_a_changed_file_is_found(make_payload: Callable[..., Payload], tmp_path: Path, name: str) -> None:
    payload = make_payload()
    original = next(entry.path for entry in payload.manifest.files if entry.path.replace(".", "_") == name)
    content = bytearray(payload.read(original))
    content[len(content) // 2] ^= 1
    with pytest.raises(VerificationError, match="sha256"):
        verify(rewritten(payload, tmp_path / "changed.eptf", **{name: bytes(content)}))


def test_a_model_that_answers_otherwise_is_found(make_payload: Callable[..., Payload], tmp_path: Path) -> None:
    """Every checksum right, and yet not the model that the golden vectors came from."""
    from edge_ptf.package.payload import write_payload

    payload, other = make_payload(), make_payload(mode="static")
    files = {entry.path: payload.read(entry.path) for entry in payload.manifest.files}
    lines = [json.loads(line) for line in files["golden.jsonl"].decode().splitlines()]
    lines[3]["logits"][0][0] += 1.0
    files["golden.jsonl"] = "".join(f"{json.dumps(line)}\n" for line in lines).encode()
    forged = write_payload(payload.manifest, files, tmp_path / "forged.eptf")
    assert forged.digest not in (payload.digest, other.digest)
    with pytest.raises(VerificationError, match="golden text 4"):
        verify(forged.path)


def test_missing_file_unknown_field_and_other_version(make_payload: Callable[..., Payload], tmp_path: Path) -> None:
    payload = make_payload()
    reader = Archive(payload.path)
    contents = {name: reader.read(name) for name in reader.sizes}
    document = json.loads(contents[MANIFEST])

    def with_manifest(name: str, **changes: object) -> Path:
        entries = {**contents, MANIFEST: canonical_json({**document, **changes})}
        archive.write(tmp_path / name, [(key, value, False) for key, value in entries.items()])
        return tmp_path / name

    assert open_payload(with_manifest("later.eptf", version="1.7", brand_new={"a": 1})).manifest.task.labels
    with pytest.raises(PackageError, match=r"format 2\.0"):
        open_payload(with_manifest("next.eptf", version="2.0"))
    with pytest.raises(PackageError, match="heads"):
        open_payload(with_manifest("empty.eptf", heads=[]))
    del contents["labels.txt"]
    archive.write(tmp_path / "less.eptf", [(key, value, False) for key, value in contents.items()])
    with pytest.raises(PackageError, match=r"labels\.txt"):
        open_payload(tmp_path / "less.eptf")


def test_sealing_adds_and_changes_nothing(make_payload: Callable[..., Payload], tmp_path: Path) -> None:
    payload = make_payload()
    sealed = seal(payload, [], verdict_for(payload), tmp_path / "sealed.eptf")
    assert (sealed.digest, sealed.size_bytes) == (payload.digest, payload.size_bytes)
    assert sealed.verdict() == verdict_for(payload)
    for entry in payload.manifest.files:
        assert sealed.read(entry.path) == payload.read(entry.path)
    again = seal(sealed, [], verdict_for(payload), tmp_path / "again.eptf")
    assert again.path.read_bytes() == sealed.path.read_bytes()
    with pytest.raises(PackageError, match="another payload"):
        seal(payload, [], verdict_for(payload).replace(payload="other"), tmp_path / "wrong.eptf")


def test_an_unpacked_package_is_a_package_and_a_model_directory(
    make_payload: Callable[..., Payload], tmp_path: Path
) -> None:
    payload = make_payload()
    folder = unpack(payload, tmp_path / "folder")
    opened = open_payload(folder)
    assert opened.digest == payload.digest
    assert verify(folder).files == len(payload.manifest.files)
    ids = load_tokenizer(folder)(TEXT)["input_ids"]
    assert ids == Runner(payload).encode(TEXT).input_ids
    session = GraphSession(folder / "model.onnx")
    assert session.logits(Runner(opened).encode(TEXT)).shape == (3,)


@pytest.mark.parametrize("family", ["bert", "distilbert", "roberta", "xlm-roberta", "electra"])
def test_a_runner_answers_as_the_task_decodes(make_payload: Callable[..., Payload], family: str) -> None:
    runner = Runner(make_payload(family))
    encoding = runner.encode(TEXT)
    expected = tasks.create(runner.payload.manifest.task).decode(runner.logits(encoding), encoding, TEXT)
    assert runner.answer(TEXT) == expected


def test_pairs_and_tags_run_too(make_payload: Callable[..., Payload]) -> None:
    paired = Runner(make_payload(paired=True))
    assert paired.answer(TEXT, "play some music").label in "abc"
    assert "text_pair" in json.loads(paired.payload.read("golden.jsonl").decode().splitlines()[0])
    tagger = Runner(make_payload(kind="token-classification"))
    assert len(tagger.answer(TEXT).label) == 4
    assert tagger.answer("").label == ()


def test_papers_name_model_data_and_tools(make_payload: Callable[..., Payload]) -> None:
    payload = make_payload()
    sbom = json.loads(payload.read("sbom.cdx.json"))
    assert (sbom["bomFormat"], sbom["specVersion"]) == ("CycloneDX", "1.6")
    assert {part["type"] for part in sbom["components"]} == {"machine-learning-model", "data", "library"}
    assert "tiny" in payload.read("README.md").decode()
    assert "Licence of the base model: not stated" in payload.read("LICENCES.txt").decode()
