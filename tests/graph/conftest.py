"""The FP32 graphs that the tests of this directory rewrite and quantize."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from edge_ptf.compression import PruneConfig, prune
from edge_ptf.data.dataset import LabelledData
from edge_ptf.graph import ExportConfig, Graph, export
from edge_ptf.models.checkpoint import Checkpoint


@pytest.fixture(scope="session")
def exported(
    tiny_teacher: Callable[..., Checkpoint],
    tiny_data: Callable[..., LabelledData],
    tmp_path_factory: pytest.TempPathFactory,
) -> Callable[..., Graph]:
    """The graph of a trained tiny model, whole or pruned: `exported(family, task, pruning)`. Each form is made once."""
    made: dict[Any, Graph] = {}

    def build(family: str = "bert", task: str = "text-classification", pruning: PruneConfig | None = None) -> Graph:
        key = (family, task, pruning)
        if key not in made:
            folder, model = tmp_path_factory.mktemp("graphs"), tiny_teacher(family, task)
            if pruning is not None:
                model = prune(model, tiny_data(task), pruning, folder / "student")
            made[key] = export(model, tiny_data(task), ExportConfig(), folder / "graph")
        return made[key]

    return build
