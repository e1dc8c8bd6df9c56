"""Engines run by `trtexec`, with a fake of it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from edge_ptf.engines.tensorrt import trtexec
from edge_ptf.engines.tensorrt.library import FULL
from edge_ptf.engines.tensorrt.trtexec import Timing, TrtexecSession
from edge_ptf.errors import EnvironmentFault, VerificationError
from edge_ptf.package import Payload
from edge_ptf.package.engine_files import build_engines, engine_session
from tests.tensorrt import fake, fake_trtexec

LENGTHS = (8, 16, 128)


@pytest.fixture
def payload(make_payload: Callable[..., Payload]) -> Payload:
    found: Payload = make_payload(mode="fp32")
    return found


def session_of(payload: Payload, program: Path, folder: Path, version: str = "10.3.0") -> TrtexecSession:
    graph = payload.manifest.graph
    engine = folder / "main.sm87.engine"
    engine.write_bytes(payload.read(graph.file))
    return engine_session(graph, engine, program, version, LENGTHS)


def feeds(session: TrtexecSession, length: int) -> dict[str, np.ndarray]:
    ids = np.arange(5, 5 + length, dtype=np.int64)[None]
    return {name: ids if name == "input_ids" else np.ones_like(ids) for name in session.inputs}


def test_the_values_are_those_of_the_engine(payload: Payload, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = fake_trtexec.install(tmp_path / "bin", monkeypatch)
    session = session_of(payload, program, tmp_path)
    given = feeds(session, 9)
    given["token_type_ids"] = np.zeros_like(given["input_ids"])
    found, wanted = session.run(given), payload.session(payload.manifest.graph).run(given)
    assert found.keys() == wanted.keys()
    for name, values in wanted.items():
        assert found[name].shape == values.shape
        np.testing.assert_allclose(found[name], values, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("length", "profile"), [(1, "0"), (8, "0"), (9, "1"), (16, "1"), (17, "2")])
def test_the_profile_is_that_of_the_length(
    length: int, profile: str, payload: Payload, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = fake_trtexec.install(tmp_path / "bin", monkeypatch)
    session = session_of(payload, program, tmp_path)
    session.run(feeds(session, length))
    call = fake_trtexec.calls(program)[0]
    assert (call["useProfile"], call["loadEngine"]) == (profile, str(tmp_path / "main.sm87.engine"))
    assert call["shapes"].split(",")[0] == f"input_ids:1x{length}"


def test_a_text_longer_than_all_profiles_is_refused(payload: Payload, tmp_path: Path) -> None:
    session = session_of(payload, tmp_path / "trtexec", tmp_path)
    with pytest.raises(EnvironmentFault, match="129 tokens is longer than 128"):
        session.run(feeds(session, 129))


def test_the_time_is_that_of_the_gpu_with_the_copies(
    payload: Payload, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = fake_trtexec.install(tmp_path / "bin", monkeypatch)
    session = session_of(payload, program, tmp_path)
    timing = session.time(feeds(session, 5), 2)
    assert timing == Timing(pytest.approx(1.25), pytest.approx(1.5))
    newer = session_of(payload, program, tmp_path, "11.4.0")
    newer.time(feeds(newer, 5), 2)
    first, second = fake_trtexec.calls(program)
    assert (first["duration"], first["percentile"]) == ("2", "95")
    assert "useCudaGraph" in first
    assert ["includeDataTransfers" in call for call in (first, second)] == [False, True]


@pytest.mark.parametrize(
    ("behaviour", "message", "hint"),
    [
        ({"fails": "[I] start\n[E] Error Code 1: bad plan\n&&&& FAILED"}, "failed with .*exit code 1", "bad plan"),
        ({"writes": "[{"}, "wrote no outputs", ""),
        ({"writes": "[]"}, "wrote no outputs", ""),
        ({"writes": '[{"name": "logits", "dimensions": "1x4", "values": [1]}]'}, "wrote no outputs", ""),
    ],
)
def test_a_failure_is_one_line(
    behaviour: dict[str, str],
    message: str,
    hint: str,
    payload: Payload,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    session = session_of(payload, fake_trtexec.install(tmp_path / "bin", monkeypatch, **behaviour), tmp_path)
    with pytest.raises(EnvironmentFault, match=message) as caught:
        session.run(feeds(session, 5))
    assert hint in (caught.value.hint or "")


def test_values_that_are_no_numbers_are_read(payload: Payload, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = '[ { "name" : "logits"\n , "dimensions" : "1x3"\n , "values" : [ nan, -inf, -nan ]\n } ]'
    session = session_of(payload, fake_trtexec.install(tmp_path / "bin", monkeypatch, writes=text), tmp_path)
    assert str(session.run(feeds(session, 5))["logits"].tolist()) == "[[nan, -inf, nan]]"


def test_a_summary_without_times_is_refused(payload: Payload, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    session = session_of(payload, fake_trtexec.install(tmp_path / "bin", monkeypatch, prints="[W] nothing"), tmp_path)
    with pytest.raises(EnvironmentFault, match="no time of the GPU"):
        session.time(feeds(session, 5), 1)


def test_a_program_that_hangs_or_cannot_start_is_said(
    payload: Payload, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "trtexec"
    program.write_text("#!/bin/sh\nexec sleep 60\n", encoding="utf-8")
    session = session_of(payload, program, tmp_path)
    with pytest.raises(EnvironmentFault, match="cannot be started"):
        session.run(feeds(session, 5))
    program.chmod(0o755)
    monkeypatch.setattr(trtexec, "SECONDS", 0.2)
    with pytest.raises(EnvironmentFault, match="did not end within"):
        session.run(feeds(session, 5))


def test_it_is_found_in_the_search_path_or_where_jetpack_has_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))
    monkeypatch.setattr(trtexec, "FOLDERS", (tmp_path / "usr/src/tensorrt/bin",))
    assert trtexec.find() is None
    jetpack = fake_trtexec.install(tmp_path / "usr/src/tensorrt/bin", monkeypatch)
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))
    assert trtexec.find() == jetpack
    other = fake_trtexec.install(tmp_path / "bin", monkeypatch)
    assert trtexec.find() == other


def test_a_built_engine_answers_the_golden_texts(
    payload: Payload, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = fake_trtexec.install(tmp_path / "bin", monkeypatch)
    fake.install(monkeypatch, FULL, "10.3.0", fake.ORIN, runs=True)
    built = build_engines(payload, tmp_path / "engines")
    count = payload.manifest.golden.count
    assert [file.golden for file in built.files] == [count]
    assert len(fake_trtexec.calls(program)) == count
    assert built.lines()[-1] == f"Golden vectors: {count} of each engine answered, all within the tolerance"


def test_an_engine_that_is_silently_wrong_is_deleted(
    payload: Payload, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_trtexec.install(tmp_path / "bin", monkeypatch, factor="1.01")
    fake.install(monkeypatch, FULL, "10.3.0", fake.ORIN, runs=True)
    with pytest.raises(VerificationError, match=r"golden text 1: .* is off by 1 %.*10\.3\.0 is deleted"):
        build_engines(payload, tmp_path / "engines")
    assert [file.name for file in (tmp_path / "engines").iterdir()] == ["timing.cache"]


def test_without_the_program_the_golden_texts_are_not_run(
    payload: Payload, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trtexec, "find", lambda: None)
    fake.install(monkeypatch, FULL, "10.3.0", fake.ORIN)
    assert build_engines(payload, tmp_path).lines()[-1].startswith("Golden vectors: not run: no trtexec")
    assert json.loads((tmp_path / "main.sm87.json").read_text())["gpu"] == "Orin"
