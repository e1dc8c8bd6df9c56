"""`edge-ptf build-engine` around the build itself, with a fake of TensorRT."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from click.testing import CliRunner

import edge_ptf
from edge_ptf.cli.main import main
from edge_ptf.engines.tensorrt import library
from edge_ptf.engines.tensorrt.builder import profile_lengths
from edge_ptf.engines.tensorrt.library import FULL, RTX, Gpu, Library, installed
from edge_ptf.errors import BadInputError, EnvironmentFault, PackageError
from edge_ptf.package import Payload
from edge_ptf.package.engine_files import build_engines
from tests.tensorrt.fake import ORIN, Fake, install

Use = Callable[..., Fake]


@pytest.fixture
def use(monkeypatch: pytest.MonkeyPatch) -> Use:
    """Installs a fake TensorRT and a GPU."""

    return partial(install, monkeypatch)


@pytest.fixture
def payload(make_payload: Callable[..., Payload]) -> Payload:
    found: Payload = make_payload(mode="fp32")
    return found


def test_an_engine_for_each_compute_capability_without_a_gpu(use: Use, payload: Payload, tmp_path: Path) -> None:
    fake = use()
    built = build_engines(payload, tmp_path, (86, 89))
    assert [file.path.name for file in built.files] == ["main.sm86.engine", "main.sm89.engine"]
    assert [item["capability"] for item in fake.built] == [86, 89]
    assert fake.built[0]["cleared"] == 7  # TF32
    longest = payload.manifest.tokenizer.max_length
    assert set(fake.built[0]["profiles"][0].values()) == {((1, 1), (1, 16), (1, longest))}
    about = json.loads((tmp_path / "main.sm86.json").read_text())
    assert (about["payload"], about["library"], about["compute_capability"]) == (payload.digest, RTX, 86)
    assert not (tmp_path / "timing.cache").exists()


def test_the_gpu_of_the_machine_is_built_for_with_a_timing_cache(use: Use, payload: Payload, tmp_path: Path) -> None:
    fake = use(FULL, "10.3.0", ORIN)
    (tmp_path / "timing.cache").write_bytes(b"before ")
    built = build_engines(payload, tmp_path)
    assert [file.capability for file in built.files] == [87]
    assert json.loads((tmp_path / "main.sm87.json").read_text())["gpu"] == "Orin"
    assert (tmp_path / "timing.cache").read_bytes() == b"before timed "
    ranges = [shapes["input_ids"] for shapes in fake.built[0]["profiles"]]
    longest = payload.manifest.tokenizer.max_length
    assert [(least[1], most[1]) for least, _, most in ranges][:2] == [(1, 8), (9, 16)]
    assert ranges[-1][2] == (1, longest)


def test_rtx_builds_for_the_gpu_that_is_here_as_such(use: Use, payload: Payload, tmp_path: Path) -> None:
    fake = use(gpu=Gpu("RTX 4090", 89))
    build_engines(payload, tmp_path)
    assert fake.built[0]["capability"] == fake.ComputeCapability.CURRENT


def test_an_engine_is_built_again_only_if_something_differs(use: Use, payload: Payload, tmp_path: Path) -> None:
    use()
    assert [build_engines(payload, tmp_path, (86,)).files[0].reused for _ in range(2)] == [False, True]
    assert not build_engines(payload, tmp_path, (86,), lengths=(4,)).files[0].reused
    use(version="1.8.0")
    assert not build_engines(payload, tmp_path, (86,), lengths=(4,)).files[0].reused
    file = tmp_path / "main.sm86.engine"
    file.write_bytes(b"damaged")
    assert not build_engines(payload, tmp_path, (86,), lengths=(4,)).files[0].reused
    assert file.read_bytes() == b"engine of 86"


def test_another_payload_or_gpu_is_built_again(
    use: Use, payload: Payload, make_payload: Callable[..., Payload], tmp_path: Path
) -> None:
    use(FULL, "10.3.0", ORIN)
    build_engines(payload, tmp_path)
    use(FULL, "10.3.0", Gpu("Orin Nano", 87))
    assert not build_engines(payload, tmp_path).files[0].reused
    assert not build_engines(make_payload("distilbert", mode="fp32"), tmp_path).files[0].reused


def test_a_graph_that_breaks_rules_is_refused_with_all_of_them(
    use: Use, make_payload: Callable[..., Payload], tmp_path: Path
) -> None:
    fake = use()
    with pytest.raises(PackageError, match="does not accept the graph") as caught:
        build_engines(make_payload(mode="dynamic"), tmp_path, (86,))
    assert len(caught.value.problems) > 3
    assert not fake.built


def test_what_the_builder_says_is_shown(use: Use, payload: Payload, tmp_path: Path) -> None:
    use(refuses="out of\nmemory")
    with pytest.raises(EnvironmentFault, match=r"built no engine \(out of memory\)"):
        build_engines(payload, tmp_path, (86,))
    use(FULL, "10.3.0", ORIN, here=False)
    with pytest.raises(EnvironmentFault, match=r"tensorrt 10\.3\.0 cannot work here \(CUDA driver"):
        build_engines(payload, tmp_path)
    assert not list(tmp_path.glob("*.json"))


def test_a_compute_capability_that_is_not_known_is_refused(use: Use, payload: Payload, tmp_path: Path) -> None:
    use()
    with pytest.raises(BadInputError, match="compute capability 87") as caught:
        build_engines(payload, tmp_path, (86, 87))
    assert caught.value.hint == "Known: 86, 89"
    use(FULL, "10.3.0", ORIN)
    with pytest.raises(BadInputError, match="without its GPU"):
        build_engines(payload, tmp_path, (86,))


def test_without_a_gpu_the_message_says_what_to_name(use: Use, payload: Payload, tmp_path: Path) -> None:
    use()
    with pytest.raises(EnvironmentFault, match="no GPU") as caught:
        build_engines(payload, tmp_path)
    assert "--compute-capability 86,89" in caught.value.hint


def test_without_tensorrt_the_message_names_the_wheels(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(library, "MODULES", {"tensorrt_that_nobody_has": FULL})
    with pytest.raises(EnvironmentFault, match="no TensorRT is installed") as caught:
        installed()
    assert "pip install tensorrt-rtx-cu12-libs tensorrt-rtx-cu12-bindings" in caught.value.hint


def test_an_old_tensorrt_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(library, "MODULES", {"old_tensorrt": FULL})
    monkeypatch.setitem(sys.modules, "old_tensorrt", Fake("8.6.1"))
    with pytest.raises(EnvironmentFault, match=r"TensorRT 8\.6\.1"):
        installed()


def test_the_rules_are_those_of_the_library() -> None:
    assert Library(RTX, "1.7.1", Fake()).target == "rtx"
    assert Library(FULL, "11.4.0", Fake()).target == "11.x"
    assert Library(FULL, "10.3.0", Fake()).capabilities == ()
    assert Library(RTX, "1.7.1", Fake()).capabilities == (86, 89)


def test_profiles_end_with_the_longest_text() -> None:
    full, rtx = (Library(name, "10.3", Fake()) for name in (FULL, RTX))
    assert profile_lengths(full, 128) == (8, 16, 32, 64, 128)
    assert profile_lengths(full, 24) == (8, 16, 24)
    assert profile_lengths(rtx, 24) == (24,)
    assert profile_lengths(rtx, 64, (32, 8, 512)) == (8, 32, 64)


def test_the_command_says_what_was_built_and_what_was_not_run(use: Use, payload: Payload, tmp_path: Path) -> None:
    use()
    words = ["build-engine", str(payload.path), "--out", str(tmp_path / "engines"), "--compute-capability", "86,89"]
    said = CliRunner().invoke(main, words, standalone_mode=False)
    assert said.exception is None, said.output
    assert "main.sm89.engine: built with tensorrt-rtx 1.7.1 for compute capability 8.9" in said.output
    assert "Golden vectors: not run: no GPU" in said.output
    assert "up to date" in CliRunner().invoke(main, words, standalone_mode=False).output


def test_the_function_prints_as_at_most_five_lines(use: Use, payload: Payload, tmp_path: Path) -> None:
    use()
    one = edge_ptf.build_engine(payload.path, out=tmp_path / "one", compute_capability=86)
    assert str(one).splitlines()[0].startswith(f"{tmp_path / 'one' / 'main.sm86.engine'}: built with tensorrt-rtx")
    assert str(one).splitlines()[1:] == ["Golden vectors: not run: no GPU"]
    many = one.engines.files * 5
    assert str(replace(one, engines=replace(one.engines, files=many))).splitlines() == [
        f"{tmp_path / 'one'}: 5 engines",
        "Golden vectors: not run: no GPU",
    ]


@pytest.mark.parametrize("value", ["8.6", "a", "", "86,,89", "0"])
def test_a_list_that_is_none_is_refused(value: str, payload: Payload, tmp_path: Path) -> None:
    words = ["build-engine", str(payload.path), "--out", str(tmp_path), "--compute-capability", value]
    said = CliRunner().invoke(main, words)
    assert said.exit_code == 2
    assert "whole numbers" in said.output


def test_edge_ptf_needs_no_tensorrt() -> None:
    assert not [name for name in sys.modules if name.startswith("tensorrt")]
