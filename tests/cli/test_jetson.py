"""`edge-ptf doctor --jetson`, with fakes of TensorRT and of its program. On a board it runs the same code."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from edge_ptf.cli import jetson, project
from edge_ptf.cli.main import main
from edge_ptf.engines.tensorrt.library import FULL, Library
from tests.tensorrt import fake, fake_trtexec

VARIANTS = ("fp32", "int8")
"""Two of the forms: the fake starts a program for each golden text of a form."""


@pytest.fixture
def small(tiny_base: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """A small model, and few calls."""
    monkeypatch.setattr(jetson.report, "__defaults__", (str(tiny_base("bert")),))
    monkeypatch.setattr(jetson, "COMMANDS", {"nvpmodel": ["no-such-program"], "packages": ["sh", "-c", "echo 6.2"]})


def test_the_report_of_a_board(small: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = fake_trtexec.install(tmp_path / "bin", monkeypatch)
    module = fake.install(monkeypatch, FULL, "10.3.0", fake.ORIN, runs=True)
    monkeypatch.setattr(jetson, "installed", lambda: Library(FULL, "10.3.0", module))
    monkeypatch.setattr(jetson, "VARIANTS", {name: jetson.VARIANTS[name] for name in VARIANTS})
    said = CliRunner().invoke(main, ["doctor", "--jetson", str(tmp_path / "out")], standalone_mode=False)
    assert said.exception is None, said.output
    report = json.loads((tmp_path / "out" / jetson.FILE).read_text(encoding="utf-8"))
    steps = report["steps"]
    assert {name for name, step in steps.items() if "error" in step} == {"nvpmodel"}
    assert steps["packages"]["output"] == "6.2\n"
    assert report["machine"]["arch"]
    assert report["environment_after"].keys() == report["environment"].keys()
    for name in VARIANTS:
        assert steps[f"{name}: CPU"]["difference"] < 0.01
        engine = steps[f"{name}: engine"]
        assert engine["library"] == "tensorrt 10.3.0"
        assert [file["golden"] for file in engine["files"]] == [steps[f"{name}: CPU"]["golden"]]
        calls = steps[f"{name}: GPU"]["calls"]
        assert [call["median_ms"] for call in calls] == [pytest.approx(1.25)] * len(calls)
        assert [call["tokens"] for call in calls] == sorted(call["tokens"] for call in calls)
    sizes = [steps[f"{name}: package"]["bytes"] for name in VARIANTS]
    assert sizes[0] > max(sizes[1:])
    assert f"{len(steps) - 1} of {len(steps)} steps worked" in said.output
    assert fake_trtexec.calls(program)


def test_every_form_becomes_a_package(small: None, tmp_path: Path) -> None:
    """Without TensorRT, as on a PC."""
    steps = jetson.report(tmp_path, lambda line: None)["steps"]
    assert list(jetson.VARIANTS) == ["fp32", "fp16", "int8-ffn", "int8"]
    for name in jetson.VARIANTS:
        assert "error" not in steps[f"{name}: package"]
        assert steps[f"{name}: CPU"]["difference"] < 0.01
    assert "no TensorRT is installed" in steps["int8: engine"]["error"] or "engine" in steps["int8: engine"]["summary"]


def test_steps_go_on_after_one_that_failed(small: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> dict[str, object]:
        raise MemoryError("no memory")

    monkeypatch.setattr(jetson, "_package", broken)
    monkeypatch.setattr(jetson, "VARIANTS", {"fp32": {}, "int8": {}})
    monkeypatch.setattr(jetson, "_export", lambda model, out: {})
    said = CliRunner().invoke(main, ["doctor", "--jetson", str(tmp_path)], standalone_mode=False)
    steps = json.loads((tmp_path / jetson.FILE).read_text(encoding="utf-8"))["steps"]
    assert steps["int8: package"]["error"] == "MemoryError: no memory"
    assert "int8: GPU" in steps
    assert said.return_value == 5


def test_without_the_option_nothing_is_built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(project, "_report_jetson", lambda out: 1 / 0)
    assert CliRunner().invoke(main, ["doctor"], standalone_mode=False).return_value in (0, 5)
