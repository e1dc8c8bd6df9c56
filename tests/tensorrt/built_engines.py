"""`edge-ptf build-engine` with the real TensorRT-RTX and without a GPU. `make tensorrt` runs it.

No engine is run: that needs a GPU.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from edge_ptf.cli.main import main
from edge_ptf.engines.tensorrt.builder import build_engine
from edge_ptf.engines.tensorrt.library import RTX, installed
from edge_ptf.errors import EnvironmentFault
from edge_ptf.graph import Graph
from edge_ptf.package import AssembleConfig, assemble
from tests import conftest
from tests.tensorrt.ours import FORMS, exported, quantized


def test_the_library_is_found() -> None:
    found = installed()
    assert (found.name, found.target) == (RTX, "rtx")
    assert {75, 86, 89} <= set(found.capabilities)


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> Graph:
    """An FP32 graph."""
    return exported("bert", "text-classification", tmp_path_factory.mktemp("exported") / "bert")


@pytest.mark.parametrize("form", ["INT8 for TensorRT", "jetson"])
def test_a_package_of_each_form_becomes_engines(tmp_path: Path, full: Graph, form: str) -> None:
    data = conftest.labelled()
    graph = quantized(full, "text-classification", FORMS[form], tmp_path / "graph")
    payload = assemble(graph, data, AssembleConfig(), tmp_path / "payload")
    words = ["build-engine", str(payload.path), "--out", str(tmp_path / "engines"), "--compute-capability", "86,120"]
    said = CliRunner().invoke(main, words, standalone_mode=False)
    assert said.exception is None, said.output
    assert "Golden vectors: not run: no GPU" in said.output
    for name in ("main.sm86.engine", "main.sm120.engine"):
        assert (tmp_path / "engines" / name).stat().st_size > 10_000


def test_several_ranges_of_lengths_are_accepted(full: Graph) -> None:
    content = full.model.read_bytes()
    one, three = (build_engine(content, installed(), 86, lengths)[0] for lengths in ((64,), (8, 16, 64)))
    assert len(three) > len(one)


def test_an_engine_for_the_gpu_that_is_here_needs_one(full: Graph) -> None:
    with pytest.raises(EnvironmentFault, match=r"built no engine \(.*Cuda"):
        build_engine(full.model.read_bytes(), installed(), 86, (64,), local=True)


def test_the_fake_has_only_names_that_the_library_has(fake_names: Callable[[], dict[str, set[str]]]) -> None:
    module = installed().module
    for owner, names in fake_names().items():
        assert not [name for name in names if not hasattr(getattr(module, owner), name)]


@pytest.fixture
def fake_names() -> Callable[[], dict[str, set[str]]]:
    """What the fake offers, by the class of the real library."""
    from tests.tensorrt.fake import Config, Profile

    def names() -> dict[str, set[str]]:
        return {
            "IBuilderConfig": {name for name in vars(Config) if not name.startswith("_")},
            "IOptimizationProfile": {name for name in vars(Profile) if not name.startswith("_")},
            "Builder": {
                "create_network",
                "create_builder_config",
                "create_optimization_profile",
                "build_serialized_network",
            },
        }

    return names
