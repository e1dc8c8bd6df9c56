"""Engines are found by name, by graph format, and by what a package requires."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from edge_ptf import engines, profiles
from edge_ptf.data.dataset import LabelledData
from edge_ptf.digests import canonical_json
from edge_ptf.engines import Engine, Session, TensorInfo, engine_for
from edge_ptf.engines.base import Inputs, Outputs
from edge_ptf.errors import BadInputError, EdgePtfError, EnvironmentFault, ExitCode, PackageError
from edge_ptf.examples import Encoding
from edge_ptf.graph.artifact import FORMAT, Graph
from edge_ptf.package import AssembleConfig, Payload, assemble, open_payload, verify
from edge_ptf.package.archive import Archive
from edge_ptf.package.manifest import MANIFEST
from edge_ptf.runtime import Runner

ENCODING = Encoding([2, 60, 61, 3], [0, 0, 0, 0])


class OtherSession(Session):
    """Answers zeros."""

    inputs, outputs = ("input_ids",), ("logits",)

    def run(self, feeds: Inputs) -> Outputs:
        return {"logits": np.zeros((1, 3), np.float32)}

    def tensors(self) -> tuple[tuple[TensorInfo, ...], tuple[TensorInfo, ...]]:
        return (TensorInfo("input_ids", "int64", ("batch", "length")),), (TensorInfo("logits", "float32", (1, 3)),)


class Other(Engine):
    """A second engine, of the same format or of one of its own."""

    name, formats, least_version = "other", ("onnx", "other-graph"), "2.0"

    def version(self) -> str:
        return "2.4.0.dev7"

    def session(self, model: Path | bytes, threads: int = 1, outputs: Sequence[str] = ()) -> Session:
        return OtherSession()

    def check(self, model: bytes, inputs: Sequence[str], outputs: Sequence[str]) -> list[str]:
        return ["is not what the other engine takes"]


@pytest.fixture
def other(monkeypatch: pytest.MonkeyPatch) -> Other:
    engine = Other()
    monkeypatch.setitem(engines.ENGINES, engine.name, engine)
    return engine


@pytest.fixture
def requiring(tmp_path: Path) -> Callable[[Payload, dict[str, str]], Payload]:
    """The package with other requirements, unpacked."""

    def make(payload: Payload, required: dict[str, str]) -> Payload:
        reader, folder = Archive(payload.path), tmp_path / "package"
        for name in reader.sizes:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(reader.read(name))
        document = json.loads(reader.read(MANIFEST))
        document["requires"]["engines"] = required
        (folder / MANIFEST).write_bytes(canonical_json(document))
        return open_payload(folder)

    return make


def test_every_registered_engine_says_what_it_is() -> None:
    for package, engine in engines.ENGINES.items():
        assert engine.name == package
        assert engine.formats
        assert engine_for(engine.formats[0], {engine.name: engine.least_version}, "x") in engines.ENGINES.values()


def test_an_unknown_name_is_refused_with_the_closest() -> None:
    with pytest.raises(BadInputError, match=r"unknown engine 'onnx-runtime'. Did you mean onnxruntime\?"):
        engines.get("onnx-runtime")
    with pytest.raises(BadInputError, match=r"unknown graph format 'onxx'. Did you mean onnx\?"):
        engines.running("onxx")


def test_the_first_engine_of_a_format_is_preferred(other: Other) -> None:
    assert engines.running("onnx") == (engines.get("onnxruntime"), other)
    assert engines.running("other-graph") == (other,)
    assert engines.formats() == ("onnx", "other-graph")


@pytest.mark.parametrize(
    ("required", "found"),
    [
        ({"onnxruntime": "1.0"}, "onnxruntime"),
        ({"onnxruntime": "1.0", "other": "2.0"}, "onnxruntime"),
        ({"onnxruntime": "99", "other": "2.4"}, "other"),
        ({"other": "2.4.0.0"}, "other"),
        ({"later": "1.0", "other": "2"}, "other"),
    ],
)
def test_a_package_runs_on_the_first_engine_that_it_names(other: Other, required: dict[str, str], found: str) -> None:
    assert engine_for("onnx", required, "package").name == found


@pytest.mark.parametrize(
    ("required", "error", "said"),
    [
        ({"onnxruntime": "99.1"}, EnvironmentFault, "package: the package requires onnxruntime 99.1 or newer"),
        ({"other": "2.4.1"}, EnvironmentFault, "requires other 2.4.1 or newer; 2.4.0.dev7 is installed"),
        ({"onnxruntine": "1.0"}, EnvironmentFault, r"runs on the engines 'onnxruntine'.*Did you mean onnxruntime\?"),
        ({}, EnvironmentFault, "edge-ptf has none of them"),
        ({"onnxruntime": "new"}, PackageError, "package: requires.engines: 'new' is not a version such as 1.23"),
        ({"onnxruntime": "1."}, PackageError, "not a version"),
    ],
)
def test_a_package_that_no_engine_runs_is_refused_with_one_line(
    other: Other, required: dict[str, str], error: type[EdgePtfError], said: str
) -> None:
    with pytest.raises(error, match=said) as caught:
        engine_for("onnx", required, "package")
    assert "\n" not in str(caught.value)


def test_runner_and_verification_take_the_engine_that_the_package_requires(
    make_payload: Callable[..., Payload], requiring: Callable[..., Payload], other: Other
) -> None:
    payload = requiring(make_payload(mode="fp32"), {"other": "2.0"})
    assert Runner(payload).logits(ENCODING).tolist() == [0, 0, 0]
    with pytest.raises(EdgePtfError, match=r"'model\.onnx' is not what the other engine takes"):
        verify(payload.path)


@pytest.mark.parametrize(
    ("named", "required"),
    [
        (("onnxruntime",), {"onnxruntime"}),
        (("tensorrt", "onnxruntime"), {"onnxruntime"}),
        (("other", "onnxruntime"), {"onnxruntime", "other"}),
        (None, {"onnxruntime", "other"}),
    ],
)
@pytest.mark.usefixtures("other")
def test_a_package_runs_on_the_engines_of_its_profile(
    make_graph: Callable[..., Graph],
    tiny_labelled: Callable[..., LabelledData],
    tmp_path: Path,
    named: tuple[str, ...] | None,
    required: set[str],
) -> None:
    profile = profiles.load("x86-vnni").replace(engines=named) if named else None
    payload = assemble(make_graph(mode="fp32"), tiny_labelled(), AssembleConfig(), tmp_path, profile=profile)
    assert {*payload.manifest.requires.engines} == required


def test_a_package_for_another_engine_is_opened_and_not_run(
    make_payload: Callable[..., Payload], requiring: Callable[..., Payload]
) -> None:
    payload = requiring(make_payload(mode="fp32"), {"native": "1.0"})
    with pytest.raises(EnvironmentFault, match="runs on the engines 'native'") as caught:
        Runner(payload)
    assert caught.value.exit_code == ExitCode.ENVIRONMENT
    assert caught.value.message.startswith(str(payload.path))


def test_a_session_gives_named_tensors_with_a_batch_axis(make_graph: Callable[..., Graph]) -> None:
    graph = make_graph(mode="fp32")
    session = engines.running(FORMAT)[0].session(graph.model)
    inputs, outputs = session.tensors()
    assert session.inputs == tuple(item.name for item in inputs) == graph.info.inputs
    assert session.outputs == tuple(item.name for item in outputs) == ("logits",)
    assert {item.dtype for item in inputs} == {"int64"}
    assert (outputs[0].dtype, outputs[0].shape) == ("float32", ("batch", 3))
    found = session.run(session.feeds(ENCODING))
    assert found["logits"].shape == (1, 3)
    assert found["logits"].dtype == np.float32
    np.testing.assert_array_equal(session.output(ENCODING, "logits"), found["logits"][0])
