"""A folder in which every example of the Python API finds its files."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import edge_ptf
from tests.cli.conftest import csv_data  # noqa: F401 - a fixture

QUICK = """\
finetune: {epochs: 1, precision: fp32}
distill: {epochs: 1, spliced_texts: 0.2, precision: fp32}
prune: {vocabulary_size: null, intermediate_size: [32]}
latency_table: {texts: 2, rounds: 3}
sensitivity: {timed_texts: 4}
bench: {launches: 5, calls: 100, seconds: 0, memory_launches: 2}
search: {epochs: 1}
"""


class Bundle:
    """The folder of the examples, and the example's text with the tiny model and the tiny data."""

    def __init__(self, folder: Path, model: Path, data: Path) -> None:
        self.folder, self.model, self.data = folder, model, data

    def substituted(self, text: str) -> str:
        """The text with the tiny model and data instead of those that examples name."""
        return text.replace('"minilm-l6"', f'"{self.model}"').replace('"demo"', f'"{self.data}"')


@pytest.fixture(scope="session")
def made_bundle(
    tmp_path_factory: pytest.TempPathFactory,
    tiny_base: Callable[[str], Path],
    csv_data: Path,  # noqa: F811
) -> Bundle:
    """Makes what the examples read, each with the function of its stage."""
    found = Bundle(tmp_path_factory.mktemp("bundle"), tiny_base("bert"), csv_data)
    (found.folder / "edge-ptf.yaml").write_text(QUICK, encoding="utf-8")
    before = Path.cwd()
    os.chdir(found.folder)
    try:
        data = edge_ptf.load_data(csv_data, task="text-classification")
        teacher = edge_ptf.finetune(model=found.model, data=data, task="text-classification", out="work/teacher")
        shutil.copytree("work/teacher", "work/checkpoint")
        edge_ptf.prune(teacher, data=data, num_layers=2, out="work/student")
        graph = edge_ptf.export("work/teacher", data=str(csv_data), out=Path("work/graph"))
        baseline = edge_ptf.assemble(graph, data=data, out="work/baseline")
        shutil.copyfile(baseline.artifact.path, "work/baseline.eptf")
        int8 = edge_ptf.quantize(graph=graph.artifact, data=csv_data, profile="x86-generic", out="work/int8")
        package = edge_ptf.assemble(int8, data=data, baseline=baseline, out="work/package")
        shutil.copyfile(package.artifact.path, "work/package.eptf")
        edge_ptf.evaluate(package, data=data, out="work/accuracy")
    finally:
        os.chdir(before)
    return found


@pytest.fixture
def bundle(made_bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bundle]:
    """The folder of the examples as the working directory."""
    monkeypatch.chdir(made_bundle.folder)
    yield made_bundle
