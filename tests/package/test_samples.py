"""The samples of a sealed package lie beside it; the size that is judged bounds the file that ships."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from edge_ptf.digests import bytes_digest, file_digest
from edge_ptf.errors import PackageError, VerificationError
from edge_ptf.machine import this_machine
from edge_ptf.package import MissingSamplesError, Payload, open_payload, seal, unpack, verify
from edge_ptf.package.archive import Archive
from edge_ptf.package.evidence import (
    AccuracyEvidence,
    Evidence,
    LatencyEvidence,
    Launch,
    MemoryEvidence,
    PredictionRow,
    RuntimeInfo,
    Status,
    TargetVerdict,
    Verdict,
)
from edge_ptf.package.payload import SEALING_BYTES
from edge_ptf.package.sealing import with_samples_inside, without_samples_inside

MakePayload = Callable[..., Payload]
SIDE = "voice.samples.zip"


@pytest.fixture
def sized(verdict_for: Callable[[Payload], Verdict]) -> Callable[[Payload], Verdict]:
    """A verdict that judged the size of a payload."""

    def make(payload: Payload) -> Verdict:
        target = TargetVerdict(
            target="package_mb", title="", unit="MB", limit=1e3, value=payload.shipped_bytes / 1e6, status=Status.PASS
        )
        return verdict_for(payload).replace(target_verdicts=(target,))

    return make


def measured(payload: Payload, calls: int = 4000) -> list[Evidence]:
    """Evidence with many samples that deflate badly."""
    runtime, machine = RuntimeInfo(version="1.23", threads=1), this_machine()
    times = tuple(1 + (number * 7919 % 10007) / 10007 for number in range(calls))
    launch = Launch(
        load_ms=1, first_ms=1, warmup_calls=40, end_to_end_ms=times, engine_ms=times, tokens=tuple(range(calls))
    )
    known = {"payload": payload.digest, "machine": machine, "runtime": runtime}
    rows = tuple(PredictionRow(row=n, reference="a", label="abc"[n % 3], score=times[n]) for n in range(calls))
    return [
        AccuracyEvidence(**known, data="d", exact=True, metrics={"accuracy": 50.0}, rows=rows),
        LatencyEvidence(**known, data="d", launches=(launch,) * 5),
        MemoryEvidence(**known, peak_memory_mb=(1.0, 2.0)),
    ]


def test_samples_lie_beside_the_package_which_holds_their_digest(
    make_payload: MakePayload, sized: Callable[[Payload], Verdict], tmp_path: Path
) -> None:
    payload = make_payload()
    evidence = measured(payload)
    sealed = seal(payload, evidence, sized(payload), tmp_path / "voice.eptf")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["voice.eptf", SIDE]
    assert sealed.evidence() == evidence
    said = json.loads(Archive(sealed.path).read("evidence/samples.json"))
    assert said["sha256"] == file_digest(tmp_path / SIDE)
    assert said["size"] == (tmp_path / SIDE).stat().st_size
    assert said["records"]["evidence/accuracy.json"]["metrics"] == {"accuracy": 50.0}
    assert said["records"]["evidence/memory.json"]["peak_memory_mb"] == [1.0, 2.0]
    assert not any(name in record for record in said["records"].values() for name in ("rows", "launches"))
    assert verify(sealed.path).missing_samples is None


def test_equal_inputs_give_equal_bytes_under_every_name(
    make_payload: MakePayload, sized: Callable[[Payload], Verdict], tmp_path: Path
) -> None:
    payload = make_payload()
    one, two = (seal(payload, measured(payload), sized(payload), tmp_path / name) for name in ("a.eptf", "b.eptf"))
    assert one.path.read_bytes() == two.path.read_bytes()
    assert (tmp_path / "a.samples.zip").read_bytes() == (tmp_path / "b.samples.zip").read_bytes()
    again = seal(one, one.evidence(), sized(payload), one.path)  # onto itself
    assert again.path.read_bytes() == two.path.read_bytes()
    assert again.evidence() == two.evidence()


def test_the_size_that_is_judged_bounds_the_file(
    make_payload: MakePayload, sized: Callable[[Payload], Verdict], tmp_path: Path
) -> None:
    payload = make_payload()
    evidence = measured(payload)
    assert payload.shipped_bytes == payload.size_bytes + SEALING_BYTES
    beside = seal(payload, evidence, sized(payload), tmp_path / "beside.eptf")
    assert payload.size_bytes < beside.path.stat().st_size <= payload.shipped_bytes
    with pytest.raises(PackageError, match=r"more than the [\d,]+ that were judged"):
        seal(payload, evidence, sized(payload), tmp_path / "inside.eptf", with_samples=True)
    assert not (tmp_path / "inside.eptf").exists()
    ships = with_samples_inside(payload, evidence)
    inside = seal(ships, evidence, sized(ships), tmp_path / "inside.eptf", with_samples=True)
    assert not (tmp_path / "inside.samples.zip").exists()
    assert inside.evidence() == evidence
    assert beside.shipped_bytes + 100_000 < inside.path.stat().st_size <= ships.shipped_bytes
    assert inside.shipped_bytes == ships.shipped_bytes  # what `gate` judges about the sealed file
    assert without_samples_inside(inside).shipped_bytes == payload.shipped_bytes


def test_more_records_than_the_size_allows_are_refused(
    make_payload: MakePayload, sized: Callable[[Payload], Verdict], tmp_path: Path
) -> None:
    payload = make_payload()
    (record,) = measured(payload, 1)[2:]
    flags = (" ".join(bytes_digest(f"{number}".encode()) for number in range(1000)),)
    many = [record.replace(flags=flags)]
    with pytest.raises(PackageError, match=r"more than the [\d,]+ that were judged"):
        seal(payload, many, sized(payload), tmp_path / "voice.eptf")
    assert list(tmp_path.iterdir()) == []


def test_missing_samples_are_said_in_one_line_and_the_package_stays_whole(
    make_payload: MakePayload, sized: Callable[[Payload], Verdict], tmp_path: Path
) -> None:
    payload = make_payload()
    sealed = seal(payload, measured(payload), sized(payload), tmp_path / "voice.eptf")
    (tmp_path / SIDE).unlink()
    with pytest.raises(MissingSamplesError, match=r"voice\.samples\.zip is missing") as caught:
        sealed.evidence()
    assert "\n" not in str(caught.value)
    assert verify(sealed.path).missing_samples == tmp_path / SIDE
    assert open_payload(sealed.path).verdict() == sized(payload)


def test_samples_of_another_sealing_are_refused(
    make_payload: MakePayload, sized: Callable[[Payload], Verdict], tmp_path: Path
) -> None:
    payload = make_payload()
    sealed = seal(payload, measured(payload), sized(payload), tmp_path / "voice.eptf")
    content = (tmp_path / SIDE).read_bytes()
    seal(payload, measured(payload, 3), sized(payload), tmp_path / "other.eptf")
    for wrong in ((tmp_path / "other.samples.zip").read_bytes(), content[:-1] + b"x", b""):
        (tmp_path / SIDE).write_bytes(wrong)
        with pytest.raises(VerificationError, match="not the samples that") as caught:
            sealed.evidence()
        assert "\n" not in str(caught.value)
        with pytest.raises(VerificationError):
            verify(sealed.path)
        with pytest.raises(VerificationError):
            unpack(sealed, tmp_path / "unpacked")


def test_an_unpacked_package_takes_its_samples_along(
    make_payload: MakePayload, sized: Callable[[Payload], Verdict], tmp_path: Path
) -> None:
    payload = make_payload()
    sealed = seal(payload, measured(payload), sized(payload), tmp_path / "voice.eptf")
    opened = open_payload(unpack(sealed, tmp_path / "folder"))
    assert opened.evidence() == sealed.evidence()
    (tmp_path / SIDE).unlink()
    assert opened.evidence() == measured(payload)
    alone = open_payload(unpack(sealed, tmp_path / "alone"))
    with pytest.raises(MissingSamplesError):
        alone.evidence()


def test_a_damaged_entry_is_a_package_error(
    make_payload: MakePayload, rewritten: Callable[..., Path], tmp_path: Path
) -> None:
    for content in (b"[]", b"{", b'{"size": 1, "sha256": "x", "records": {}}'):
        with pytest.raises(PackageError, match="damaged evidence"):
            open_payload(rewritten(make_payload(), {"evidence/samples.json": content})).evidence()
