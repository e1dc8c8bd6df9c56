"""The runner refuses the graphs that Python refuses, before ONNX Runtime sees them."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edge_ptf.engines.onnxruntime.model_check import check_model
from edge_ptf.errors import EdgePtfError, PackageError
from edge_ptf.package import Payload
from edge_ptf.package.payload import write_payload
from edge_ptf.runtime.native import Library, NativeRunner
from tests.engines.hostile_graphs import HOSTILE, OUTSIDE, content

Forged = Callable[[bytes], Path]


@pytest.fixture(scope="module")
def forged(make_payload: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory) -> Forged:
    """A package with another graph, and a right checksum."""
    payload: Payload = make_payload(mode="fp32")
    files = {entry.path: payload.read(entry.path) for entry in payload.manifest.files}
    path = tmp_path_factory.mktemp("forged") / "package.eptf"
    return lambda model: write_payload(payload.manifest, files | {"model.onnx": model}, path).path


@pytest.mark.parametrize("name", HOSTILE)
def test_a_graph_that_a_package_must_not_have_is_refused(library: Library, forged: Forged, name: str) -> None:
    with pytest.raises(PackageError, match=HOSTILE[name][1]) as caught:
        NativeRunner(forged(content(name)), 1, library)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["an endless loop", "functions that call each other"])
def test_info_refuses_an_endless_graph_too(tool: Callable[..., Any], forged: Forged, name: str) -> None:
    found = tool("info", forged(content(name)))
    assert found.returncode == 2
    assert re.search(HOSTILE[name][1], found.stderr)


@pytest.mark.parametrize("name", OUTSIDE)
def test_weights_in_the_working_directory_are_not_loaded(
    library: Library, forged: Forged, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """ONNX Runtime would look for them there, since the runner gives it bytes and no folder."""
    path = forged(content(name))
    (tmp_path / "weights.bin").write_bytes(np.ones(3, np.float32).tobytes())
    monkeypatch.chdir(tmp_path)
    with pytest.raises(PackageError, match=HOSTILE[name][1]):
        NativeRunner(path, 1, library)


def reason(work: Callable[[], object]) -> str:
    """Why something is refused; empty if it is not."""
    try:
        work()
    except EdgePtfError as error:
        return str(error)
    return ""


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_python_and_the_runner_agree_about_a_damaged_graph(
    library: Library, forged: Forged, make_payload: Callable[..., Any], data: st.DataObject
) -> None:
    payload: Payload = make_payload(mode="fp32")
    model = bytearray(payload.model())
    for _ in range(data.draw(st.integers(1, 2))):
        model[data.draw(st.integers(0, 4000) | st.integers(0, len(model) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    path = forged(bytes(model))
    python = reason(lambda: check_model(bytes(model)))
    runner = reason(lambda: NativeRunner(path, 1, library).close()).removeprefix(f"{path}: ")
    if python:
        assert re.split("['\"]", runner)[0] == re.split("['\"]", python)[0]
    else:  # what is left is found by ONNX Runtime, or by the comparison with the manifest
        assert not runner or "ONNX Runtime" in runner or "manifest" in runner or "no output" in runner
