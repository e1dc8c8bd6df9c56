"""Where INT8 is compared with FP32, and what is refused."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from edge_ptf import profiles, student_pipeline, tasks
from edge_ptf.cache import Place
from edge_ptf.errors import RefusedError
from edge_ptf.graph import SpeedCheck
from edge_ptf.machine import this_machine
from edge_ptf.progress import SILENT
from edge_ptf.recipe import resolve_recipe
from edge_ptf.student_pipeline import int8_graph


@pytest.fixture
def stages(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the stages that run; INT8 takes twice as long as FP32."""
    ran: list[str] = []

    def stage(name: str, artifact: Any) -> Any:
        def run(*_: Any) -> SimpleNamespace:
            ran.append(name)
            return SimpleNamespace(artifact=artifact)

        return run

    slow = SpeedCheck(ratio=0.5, low=0.4, high=0.6, int8_linear_ops=10, linear_ops=26)
    made = {"export": "full", "quantize": "int8", "speed_check": slow}
    monkeypatch.setattr(
        student_pipeline, "stages", SimpleNamespace(**{name: stage(name, each) for name, each in made.items()})
    )
    return ran


def graph(profile: str, machine: dict[str, Any], monkeypatch: pytest.MonkeyPatch, folder: Path, **check: Any) -> Any:
    here = this_machine().replace(device_model="", os="Linux", **machine)
    monkeypatch.setattr(student_pipeline, "this_machine", lambda: here)
    made = profiles.load(profile)
    recipe = resolve_recipe(made, tasks.get("text-classification"))
    recipe = recipe.replace(speed_check=recipe.speed_check.replace(**check))
    return int8_graph(None, None, recipe, made, Place(folder, SILENT), lambda *_: None)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("profile", "machine"),
    [
        ("x86-vnni", {"arch": "x86_64", "isa": ("avx2", "avx512_vnni")}),
        ("x86-vnni", {"arch": "x86_64", "isa": ("avx2",)}),
        ("raspberry-pi-5", {"arch": "aarch64", "isa": ("neon",)}),
        ("jetson", {"arch": "aarch64", "isa": ("neon", "asimddp")}),
    ],
    ids=["its own processor", "an older x86 processor", "another board", "an ARM server"],
)
def test_slower_int8_is_refused_on_every_machine_with_the_architecture_of_the_profile(
    stages: list[str], profile: str, machine: dict[str, Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with pytest.raises(RefusedError, match=r"INT8 is slower than FP32 on this machine: 0\.50 times as fast"):
        graph(profile, machine, monkeypatch, tmp_path)
    assert stages == ["export", "quantize", "speed_check"]
    assert graph(profile, machine, monkeypatch, tmp_path, allow_slower=True) == "int8"


@pytest.mark.parametrize(
    ("profile", "arch"), [("jetson", "x86_64"), ("raspberry-pi-5", "x86_64"), ("x86-vnni", "aarch64")]
)
def test_kernels_of_another_architecture_say_nothing(
    stages: list[str], profile: str, arch: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The form for TensorRT and ARM is slow on x86. Its package is made here, and measured on the board."""
    assert graph(profile, {"arch": arch, "isa": ()}, monkeypatch, tmp_path) == "int8"
    assert stages == ["export", "quantize"]
