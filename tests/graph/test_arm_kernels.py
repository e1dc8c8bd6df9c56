"""ONNX Runtime for ARM runs the linear ops of our packages in INT8 kernels, and answers as on this machine.

The aarch64 build of ONNX Runtime loads the graph on emulated processors, and writes what it made of it. The processors
have no dot product (Cortex-A53), the dot product (Cortex-A76), and INT8 matrix products too (max).
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from edge_ptf import profiles, tasks
from edge_ptf.bench.devices import built_runner
from edge_ptf.bench.devices.qemu import EMULATOR, PROGRAM
from edge_ptf.data.dataset import LabelledData
from edge_ptf.engines.onnxruntime.kernels import LinearOpKernels, linear_op_kernels
from edge_ptf.graph import Graph, QuantizeConfig, quantize
from edge_ptf.package import AssembleConfig, Payload, assemble
from edge_ptf.package.golden import GoldenCase, golden_cases
from edge_ptf.recipe import resolve_recipe

WRITER = built_runner.BUILD / "runner-aarch64" / "tests" / "optimized_graph"
TESTED = ("arm64-generic", "jetson")
"""Profiles whose INT8 forms are those of all ARM profiles."""
SHARE = 0.95


def form(name: str) -> QuantizeConfig:
    """The quantization of a profile."""
    return resolve_recipe(profiles.load(name), tasks.get("text-classification")).quantize


@pytest.fixture(scope="module")
def package(
    exported: Callable[..., Graph], tiny_data: Callable[..., LabelledData], tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], Payload]:
    """A package of a trained tiny model, by the name of the profile; each is made once."""
    made: dict[str, Payload] = {}

    def build(name: str) -> Payload:
        if name not in made:
            folder, data = tmp_path_factory.mktemp("packages"), tiny_data()
            config = form(name).replace(calibration_texts=16)
            graph = quantize(exported(), data, config, folder / "int8")
            made[name] = assemble(graph, data, AssembleConfig(), folder, profile=profiles.load(name))
        return made[name]

    return build


def golden(package: Payload) -> list[GoldenCase]:
    return golden_cases(package.read(package.manifest.golden.file))


def on_arm(package: Payload, processor: str, folder: Path) -> tuple[LinearOpKernels, list[np.ndarray]]:
    """What ONNX Runtime makes of the package's graph on an emulated processor, and its logits for the golden texts."""
    model, ids = folder / "model.onnx", folder / "ids.txt"
    model.write_bytes(package.read("model.onnx"))
    lines = [" ".join(map(str, case.input_ids)) for case in golden(package)]
    ids.write_text("\n".join(lines) + "\n", encoding="utf-8")
    done = subprocess.run(
        [EMULATOR, "-cpu", processor, WRITER, model, folder / "optimized.onnx", ids],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    answers = [np.array(line.split(), np.float32) for line in done.stdout.splitlines()]
    return linear_op_kernels(folder / "optimized.onnx"), answers


@pytest.mark.slow
@pytest.mark.parametrize("processor", ["cortex-a53", "cortex-a76", "max"])
@pytest.mark.parametrize("name", TESTED)
def test_linear_ops_of_a_package_run_in_int8_kernels_on_arm(
    package: Callable[[str], Payload], name: str, processor: str, tmp_path: Path
) -> None:
    if not WRITER.exists():
        pytest.skip("the tests of the runner are not built for aarch64 (`make runner-aarch64`)")
    if shutil.which(PROGRAM) is None or not EMULATOR.exists():
        pytest.skip(f"{PROGRAM} is not installed")
    payload = package(name)
    found, answers = on_arm(payload, processor, tmp_path)
    assert found.count >= 14
    assert found.share >= SHARE, found.others
    cases = golden(payload)
    assert len(answers) == len(cases) == payload.manifest.golden.count
    for answer, case in zip(answers, cases, strict=True):
        here = case.tensor("logits")
        assert here is not None
        share = payload.manifest.golden.tolerance if case.tolerance is None else case.tolerance
        assert np.abs(answer - here.ravel()).max() <= share * np.abs(here).max()


@pytest.mark.parametrize("name", [name for name in profiles.names() if profiles.load(name).match.arch == "aarch64"])
def test_the_form_of_every_arm_profile_is_tested(name: str) -> None:
    assert form(name) in [form(tested) for tested in TESTED]
