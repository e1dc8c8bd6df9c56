"""The input of a report, from a package or a run directory."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from edge_ptf.errors import BadInputError, PackageError
from edge_ptf.package import seal
from edge_ptf.report.figures import figures, points
from edge_ptf.report.study import open_study, read_study

from .conftest import accuracy_of, latency_of, verdict_of


@pytest.fixture
def sealed(make_payload: Callable[..., Any], tmp_path: Path) -> Path:
    payload = make_payload()
    spec = payload.manifest.head
    evidence = [
        accuracy_of(payload.digest, spec, [("a", "b"), ("b", "b")], exact=False),
        accuracy_of(payload.digest, spec, [("a", "a"), ("b", "b")]),
        accuracy_of("b" * 64, spec, [("a", "a")]),
        accuracy_of("b" * 64, spec, [("a", "a"), ("b", "c")]),
        latency_of(payload.digest, launches=5, calls=20),
    ]
    seal(payload, evidence, verdict_of(payload.digest), tmp_path / "package.eptf")
    return tmp_path / "package.eptf"


def test_a_sealed_package_is_a_study(sealed: Path) -> None:
    study = open_study(sealed)
    assert study.verdict is not None
    assert study.accuracy is not None
    assert study.accuracy.exact, "evidence that counts goes before evidence that does not"
    assert study.baseline is not None
    assert len(study.baseline.rows) == 2, "the teacher's answers are those on the same test split"
    assert len(study.latencies) == 1
    assert study.baseline_bytes is None


def test_speed_up_is_read_from_what_was_measured_beside_a_teacher(
    make_payload: Callable[..., Any], tmp_path: Path
) -> None:
    payload = make_payload()
    spec, rows = payload.manifest.head, [("a", "a"), ("b", "b")]
    beside = latency_of(payload.digest, launches=5, calls=20)
    unlike = [each.replace(baseline_engine_ms=()) for each in beside.launches]
    alone = beside.replace(baseline=None, launches=unlike)
    teachers = [accuracy_of(who, spec, rows) for who in ("c" * 64, beside.baseline)]
    evidence = [accuracy_of(payload.digest, spec, rows), *teachers, alone, beside]
    seal(payload, evidence, verdict_of(payload.digest), tmp_path / "package.eptf")
    study = open_study(tmp_path / "package.eptf")
    assert study.latencies == (alone, beside)
    assert study.compared == beside
    assert study.baseline == teachers[1]
    names = [figure.name for figure in figures(study)]
    assert "speed-up" in names
    assert [point.kind for point in points(study)][-1] == "package"


def test_a_run_directory_adds_its_record_and_the_teachers_size(sealed: Path, make_payload: Callable[..., Any]) -> None:
    folder = sealed.parent
    (folder / "run.json").write_text(json.dumps({"package": "../package.eptf", "model": "x"}), encoding="utf-8")
    (folder / "package-baseline.eptf").write_bytes(make_payload().path.read_bytes())
    study = open_study(folder)
    assert study.record["model"] == "x"
    assert study.payload.path == sealed, "a record does not lead out of its directory"
    assert study.baseline_bytes == make_payload().size_bytes


def test_what_is_no_study_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match="neither a package nor a finished run"):
        open_study(tmp_path)
    (tmp_path / "run.json").write_text("{", encoding="utf-8")
    with pytest.raises(PackageError, match="damaged"):
        open_study(tmp_path)


def test_other_data_is_refused(sealed: Path, tiny_labelled: Callable[..., Any]) -> None:
    study = open_study(sealed)
    with pytest.raises(BadInputError, match="the package was not evaluated on this data"):
        study.with_examples(tiny_labelled(), "mine")
    assert study.accuracy is not None
    data = tiny_labelled()
    data = replace(data, test=data.test[:2], fingerprint=study.accuracy.data)
    assert study.with_examples(data, "mine").examples == data.test


def test_a_package_without_evidence_is_a_study_too(make_payload: Callable[..., Any]) -> None:
    study = read_study(make_payload())
    assert study.verdict is None
    assert study.accuracy is None


def test_answers_to_test_go_before_answers_to_validation_and_are_not_paired_with_them(
    make_payload: Callable[..., Any], tmp_path: Path
) -> None:
    payload = make_payload()
    spec, rows = payload.manifest.head, [("a", "a"), ("b", "b")]
    tested, teacher = (accuracy_of(who, spec, rows) for who in (payload.digest, "c" * 64))
    tried = [record.replace(split="validation") for record in (tested, teacher)]
    seal(payload, [*tried, tested], verdict_of(payload.digest), tmp_path / "package.eptf")
    study = open_study(tmp_path / "package.eptf")
    assert study.accuracy == tested
    assert study.baseline is None
