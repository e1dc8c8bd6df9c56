"""Payloads: opened without trust, sealed without change, unpacked to a model directory."""

from __future__ import annotations

import json
import math
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edge_ptf.digests import bytes_digest
from edge_ptf.errors import EdgePtfError, PackageError, VerificationError
from edge_ptf.machine import Machine
from edge_ptf.package import Payload, archive, container, open_payload, seal, unpack, verify
from edge_ptf.package.archive import ALIGNMENT, Archive
from edge_ptf.package.evidence import LatencyEvidence, Launch, MemoryEvidence, RuntimeInfo, Verdict, with_earlier
from edge_ptf.package.manifest import MANIFEST
from edge_ptf.package.payload import write_payload

MACHINE = Machine(arch="x86_64", cpu="test", isa=(), cores=1, memory_mb=1, os="Linux 6")
MakePayload = Callable[..., Payload]
Rewritten = Callable[..., Path]
VerdictFor = Callable[[Payload], Verdict]


def memory(payload: str, *peaks: float) -> MemoryEvidence:
    return MemoryEvidence(
        payload=payload, machine=MACHINE, runtime=RuntimeInfo(version="1", threads=1), peak_memory_mb=peaks
    )


# Files


def test_every_file_is_named_with_size_and_digest(make_payload: MakePayload) -> None:
    payload = make_payload()
    assert set(Archive(payload.path).sizes) == {MANIFEST, *(entry.path for entry in payload.manifest.files)}
    for entry in payload.manifest.files:
        content = payload.read(entry.path)
        assert (len(content), bytes_digest(content)) == (entry.size, entry.sha256)
    assert payload.digest == bytes_digest(Archive(payload.path).read(MANIFEST))
    assert payload.size_bytes == payload.path.stat().st_size
    with pytest.raises(PackageError, match="names no file"):
        payload.read(MANIFEST)


def test_the_model_lies_at_a_page(make_payload: MakePayload) -> None:
    payload = make_payload()
    start = payload.path.read_bytes().index(payload.model())
    assert start % ALIGNMENT == 0


@pytest.mark.parametrize("name", ["model.onnx", "tokenizer.json", "golden.jsonl", "labels.txt"])
def test_a_changed_file_is_not_read(make_payload: MakePayload, rewritten: Rewritten, name: str) -> None:
    payload = make_payload()
    content = bytearray(payload.read(name))
    content[len(content) // 2] ^= 1
    changed = open_payload(rewritten(payload, {name: bytes(content)}))
    with pytest.raises(VerificationError, match="sha256"):
        changed.read(name)
    with pytest.raises(VerificationError, match="bytes, not"):
        open_payload(rewritten(payload, {name: bytes(content) + b"x"}))
    with pytest.raises(PackageError, match="is missing"):
        open_payload(rewritten(payload, {name: None}))


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_damage_is_refused_or_does_not_matter(make_payload: MakePayload, tmp_path: Path, data: st.DataObject) -> None:
    payload = make_payload()
    content = bytearray(payload.path.read_bytes())
    tail = content.rindex(b"PK\x01\x02", 0, len(content) - 1000)
    region = data.draw(st.sampled_from([(0, 3000), (0, len(content)), (tail, len(content))]))
    content[data.draw(st.integers(region[0], region[1] - 1))] ^= 1 << data.draw(st.integers(0, 7))
    path = tmp_path / "damaged.eptf"
    path.write_bytes(content)
    try:
        opened = open_payload(path)
        found = {entry.path: opened.read(entry.path) for entry in opened.manifest.files}
        opened.evidence()
        opened.verdict()
    except (PackageError, VerificationError):
        return
    assert opened.digest == payload.digest
    assert found == {entry.path: payload.read(entry.path) for entry in payload.manifest.files}


@pytest.mark.parametrize("twentieth", range(20))
def test_a_truncated_package_is_refused(make_payload: MakePayload, tmp_path: Path, twentieth: int) -> None:
    content = make_payload().path.read_bytes()
    path = tmp_path / "cut.eptf"
    path.write_bytes(content[: len(content) * twentieth // 20])
    with pytest.raises(PackageError):
        open_payload(path)


def test_what_is_no_package_is_said_in_one_line(tmp_path: Path) -> None:
    archive.write(tmp_path / "zip.eptf", [("model.onnx", b"x", True)])
    (tmp_path / "folder").mkdir()
    for name in ("zip.eptf", "folder", "nothing.eptf"):
        with pytest.raises(PackageError) as caught:
            open_payload(tmp_path / name)
        assert "\n" not in str(caught.value)


def test_a_package_of_many_files_is_listed_once(
    make_payload: MakePayload, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    payload = make_payload()
    files = {entry.path: payload.read(entry.path) for entry in payload.manifest.files}
    many = write_payload(payload.manifest, files | {f"f/{n}.txt": b"x" for n in range(300)}, tmp_path / "many.eptf")
    listed, plain = [], container.list_entries
    monkeypatch.setattr(container, "list_entries", lambda *args: listed.append(args) or plain(*args))
    opened = open_payload(many.path)
    for entry in opened.manifest.files:
        opened.check(entry.path)
    assert len(listed) == 1


def test_a_large_file_is_verified_without_the_whole_of_it_in_memory(make_payload: MakePayload, tmp_path: Path) -> None:
    payload = make_payload()
    files = {entry.path: payload.read(entry.path) for entry in payload.manifest.files}
    large = write_payload(payload.manifest, files | {"large.bin": bytes(48 << 20)}, tmp_path / "large.eptf").path
    verify(large)  # what is imported and read once is not counted below
    tracemalloc.start()
    try:
        verify(large)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 24 << 20


def test_what_a_device_maps_must_be_stored_whatever_its_name(make_payload: MakePayload, tmp_path: Path) -> None:
    payload = make_payload()
    files = {entry.path: payload.read(entry.path) for entry in payload.manifest.files}
    graph = payload.manifest.graph.model_copy(update={"file": "model.txt"})
    manifest = payload.manifest.model_copy(update={"graphs": (graph,)})
    with pytest.raises(PackageError, match=r"'model\.txt' is deflated"):
        write_payload(manifest, files | {"model.txt": files["model.onnx"]}, tmp_path / "renamed.eptf")


# Sealing


def test_sealing_adds_and_changes_nothing(make_payload: MakePayload, verdict_for: VerdictFor, tmp_path: Path) -> None:
    payload = make_payload()
    evidence = [memory(payload.digest, 1.0), memory("teacher", 2.0), memory(payload.digest, 3.0)]
    sealed = seal(payload, evidence, verdict_for(payload), tmp_path / "deep" / "sealed.eptf")
    assert (sealed.digest, sealed.size_bytes) == (payload.digest, payload.size_bytes)
    assert sealed.path.stat().st_size > sealed.size_bytes
    assert sealed.verdict() == verdict_for(payload)
    assert [item for item in sealed.evidence() if item.payload == payload.digest] == [evidence[0], evidence[2]]
    assert [item for item in sealed.evidence() if item.payload != payload.digest] == [evidence[1]]
    for entry in payload.manifest.files:
        assert sealed.read(entry.path) == payload.read(entry.path)
    added = set(Archive(sealed.path).sizes) - set(Archive(payload.path).sizes)
    assert added == {"evidence/samples.json", "verdict.json"}
    inside = seal(payload, evidence, verdict_for(payload), tmp_path / "inside.eptf", with_samples=True)
    assert set(Archive(inside.path).sizes) - set(Archive(payload.path).sizes) == {
        *("evidence/memory.json", "evidence/memory-2.json", "evidence/baseline-memory.json"),
        "verdict.json",
    }
    assert payload.verdict() is None
    assert payload.evidence() == []


def test_evidence_comes_back_in_the_order_it_was_sealed_in(
    make_payload: MakePayload, verdict_for: VerdictFor, tmp_path: Path
) -> None:
    payload = make_payload()
    evidence = [memory(payload.digest, float(number)) for number in range(1, 13)]
    sealed = seal(payload, evidence, verdict_for(payload), tmp_path / "sealed.eptf")
    assert sealed.evidence() == evidence


def test_a_new_record_stands_for_an_earlier_one_from_the_same_machine() -> None:
    first, again, other = memory("p", 1.0), memory("p", 2.0), memory("teacher", 3.0)
    elsewhere = first.replace(machine=first.machine.replace(cpu="another"))
    assert with_earlier([again], [first, other, elsewhere]) == [again, other, elsewhere]
    launch = Launch(load_ms=1, first_ms=1, warmup_calls=1, end_to_end_ms=(1.0,), engine_ms=(1.0,), tokens=(3,))
    known = {"payload": "p", "data": "d", "machine": first.machine, "runtime": first.runtime, "launches": (launch,)}
    alone, beside = LatencyEvidence(**known), LatencyEvidence(**known, baseline="teacher")
    assert with_earlier([alone], [beside]) == [alone, beside]  # or else the speed-up would be lost
    assert with_earlier([beside], [alone]) == [beside]


def test_a_record_that_cannot_count_does_not_stand_for_one_that_does() -> None:
    good = memory("p", 1.0)
    crowded, wide = good.replace(flags=("crowded",)), good.replace(runtime=good.runtime.replace(threads=4))
    assert with_earlier([crowded], [good]) == [crowded, good]
    assert with_earlier([wide], [good]) == [wide, good]
    assert with_earlier([good], [crowded]) == [good]
    launch = Launch(load_ms=1, first_ms=1, warmup_calls=1, end_to_end_ms=(1.0,), engine_ms=(1.0,), tokens=(3,))
    burst = LatencyEvidence(payload="p", data="d", machine=good.machine, runtime=good.runtime, launches=(launch,))
    paced = burst.replace(mode="paced", rate=10.0)
    assert with_earlier([paced], [burst]) == [paced, burst]


def test_the_payloads_part_of_a_sealed_file_is_the_payload_byte_for_byte(
    make_payload: MakePayload, verdict_for: VerdictFor, tmp_path: Path
) -> None:
    payload = make_payload()
    sealed = seal(payload, [memory(payload.digest, 1.0)], verdict_for(payload), tmp_path / "sealed.eptf")
    before, after = payload.path.read_bytes(), sealed.path.read_bytes()
    entries = before[: before.index(b"PK\x01\x02")]
    assert after.startswith(entries)


def test_sealing_again_replaces_what_was_sealed(
    make_payload: MakePayload, verdict_for: VerdictFor, tmp_path: Path
) -> None:
    payload = make_payload()
    first = seal(payload, [memory(payload.digest, 1.0)], verdict_for(payload), tmp_path / "one.eptf")
    same = seal(first, [memory(payload.digest, 1.0)], verdict_for(payload), tmp_path / "two.eptf")
    assert same.path.read_bytes() == first.path.read_bytes()
    other = seal(first, [], verdict_for(payload).replace(profile="jetson"), tmp_path / "three.eptf")
    assert other.evidence() == []
    verdict = other.verdict()
    assert verdict is not None
    assert verdict.profile == "jetson"
    assert seal(first, [], verdict_for(payload), first.path).digest == payload.digest  # onto itself


def test_a_verdict_about_another_payload_is_refused(
    make_payload: MakePayload, rewritten: Rewritten, verdict_for: VerdictFor, tmp_path: Path
) -> None:
    payload = make_payload()
    wrong = verdict_for(payload).replace(payload="other")
    with pytest.raises(PackageError, match="another payload"):
        seal(payload, [], wrong, tmp_path / "wrong.eptf")
    assert not (tmp_path / "wrong.eptf").exists()
    forged = open_payload(rewritten(payload, {"verdict.json": wrong.model_dump_json().encode()}))
    with pytest.raises(VerificationError, match="another payload"):
        forged.verdict()


def test_a_payload_that_changed_since_is_not_sealed(
    make_payload: MakePayload, verdict_for: VerdictFor, tmp_path: Path
) -> None:
    payload = make_payload()
    folder = unpack(payload, tmp_path / "folder")
    opened = open_payload(folder)
    (folder / "labels.txt").write_bytes(b"x\ny\nz\n")
    with pytest.raises(VerificationError, match=r"labels\.txt"):
        seal(opened, [], verdict_for(payload), tmp_path / "sealed.eptf")
    (folder / MANIFEST).write_bytes((folder / MANIFEST).read_bytes() + b" ")
    with pytest.raises(VerificationError, match="changed since"):
        seal(opened, [], verdict_for(payload), tmp_path / "sealed.eptf")
    assert not (tmp_path / "sealed.eptf").exists()


@pytest.mark.parametrize(("name", "content"), [("verdict.json", b"{}"), ("evidence/memory.json", b'{"kind":"luck"}')])
def test_damaged_evidence_is_a_package_error(
    make_payload: MakePayload, rewritten: Rewritten, name: str, content: bytes
) -> None:
    opened = open_payload(rewritten(make_payload(), {name: content}))
    with pytest.raises(EdgePtfError, match="damaged"):
        opened.verdict()
        opened.evidence()


# Unpacking


def test_an_unpacked_package_is_a_package(make_payload: MakePayload, verdict_for: VerdictFor, tmp_path: Path) -> None:
    payload = make_payload()
    sealed = seal(payload, [memory(payload.digest, 1.0)], verdict_for(payload), tmp_path / "sealed.eptf")
    opened = open_payload(unpack(sealed, tmp_path / "folder"))
    assert opened.digest == payload.digest
    assert opened.manifest == payload.manifest
    assert opened.verdict() == verdict_for(payload)
    assert len(opened.evidence()) == 1
    assert opened.size_bytes == sum(entry.size for entry in payload.manifest.files) + len(
        (tmp_path / "folder" / MANIFEST).read_bytes()
    )
    again = seal(opened, opened.evidence(), verdict_for(payload), tmp_path / "again.eptf")
    assert again.path.read_bytes() == sealed.path.read_bytes()


@pytest.mark.parametrize("family", ["bert", "distilbert", "roberta", "xlm-roberta", "electra"])
def test_an_unpacked_package_needs_none_of_our_code(make_payload: MakePayload, family: str, tmp_path: Path) -> None:
    import numpy as np
    import onnxruntime
    from transformers import AutoConfig, AutoTokenizer

    payload = make_payload(family)
    folder = unpack(payload, tmp_path)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    config = AutoConfig.from_pretrained(folder)
    session = onnxruntime.InferenceSession(folder / "model.onnx", providers=["CPUExecutionProvider"])
    wanted = {item.name for item in session.get_inputs()}
    cases = [json.loads(line) for line in (folder / "golden.jsonl").read_text(encoding="utf-8").splitlines()]
    for case in cases:
        found = tokenizer(case["text"], truncation=True, max_length=payload.manifest.tokenizer.max_length)
        assert found["input_ids"] == case["input_ids"]
        feeds = {name: np.asarray([values]) for name, values in found.items() if name in wanted}
        (logits,) = session.run(None, feeds)
        expected = case["outputs"]["logits"]
        assert np.abs(logits[0] - expected).max() <= 0.05 * np.abs(expected).max()
        assert config.id2label[int(logits[0].argmax())] == case["answers"]["main"]
    assert all(math.isfinite(value) for case in cases for value in case["outputs"]["logits"])


def test_what_nobody_names_is_ignored(make_payload: MakePayload, rewritten: Rewritten, tmp_path: Path) -> None:
    payload = make_payload()
    opened = open_payload(rewritten(payload, {"run-me.sh": b"#!/bin/sh\n"}))
    assert (opened.digest, opened.size_bytes) == (payload.digest, payload.size_bytes)
    assert not (unpack(opened, tmp_path / "folder") / "run-me.sh").exists()


def test_a_damaged_file_is_not_unpacked(make_payload: MakePayload, rewritten: Rewritten, tmp_path: Path) -> None:
    payload = make_payload()
    labels = payload.read("labels.txt").replace(b"a", b"z")
    with pytest.raises(VerificationError):
        unpack(open_payload(rewritten(payload, {"labels.txt": labels})), tmp_path / "folder")
