"""Models in the layout of sentence-transformers: how they pool, and options that do not fit."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edge_ptf import tasks
from edge_ptf.errors import BadInputError
from edge_ptf.models.sentence_models import pooling_of, with_vectors

TASK = tasks.create(tasks.get("sentence-embedding").spec_for(("scores",)))
PREFIX = "sentence_transformers.models."


def sentence_model(base: Path, out: Path, pooling: dict[str, Any], *more: str, inner: str = "") -> Path:
    """A copy of a model with the files of sentence-transformers; returns the folder of its encoder."""
    shutil.copytree(base, out / inner)
    (out / "1_Pooling").mkdir()
    (out / "1_Pooling" / "config.json").write_text(json.dumps(pooling))
    parts = [(inner, "Transformer"), ("1_Pooling", "Pooling"), *((f"{2 + at}_x", kind) for at, kind in enumerate(more))]
    rows = [{"idx": at, "name": str(at), "path": path, "type": PREFIX + kind} for at, (path, kind) in enumerate(parts)]
    (out / "modules.json").write_text(json.dumps(rows))
    return out / inner


@pytest.mark.parametrize("inner", ["", "0_Transformer"])
def test_the_pooling_of_the_model_is_kept(tiny_base: Callable[[str], Path], tmp_path: Path, inner: str) -> None:
    ways = {"pooling_mode_mean_tokens": False, "pooling_mode_cls_token": True}
    base = sentence_model(tiny_base("bert"), tmp_path / "model", ways, "Normalize", inner=inner)
    assert pooling_of(base) == "first"
    head = with_vectors(base, TASK, None, (8, 16, 8)).head
    assert (head.options.pooling, head.options.matryoshka, len(head.spec.labels)) == ("first", (8, 16), 32)
    assert with_vectors(base, TASK, "mean", ()).head.options.pooling == "mean"
    assert with_vectors(tiny_base("bert"), TASK, None, ()).head.options.pooling == "mean"  # it says nothing


def test_a_model_that_pools_otherwise_needs_the_option(tiny_base: Callable[[str], Path], tmp_path: Path) -> None:
    base = sentence_model(tiny_base("bert"), tmp_path / "model", {"pooling_mode_max_tokens": True}, "Dense")
    with pytest.raises(BadInputError, match="pools by pooling_mode_max_tokens, and edge-ptf knows"):
        with_vectors(base, TASK, None, ())
    assert with_vectors(base, TASK, "mean", ()).head.options.pooling == "mean"
    (tmp_path / "model" / "1_Pooling" / "config.json").write_text("[")
    with pytest.raises(BadInputError, match="not readable JSON"):
        pooling_of(base)


def test_the_files_of_another_folder_are_not_read(tiny_base: Callable[[str], Path], tmp_path: Path) -> None:
    base = sentence_model(tiny_base("bert"), tmp_path / "model", {"pooling_mode_cls_token": True})
    file = tmp_path / "model" / "modules.json"
    file.write_text(file.read_text().replace("1_Pooling", "../other"))
    with pytest.raises(BadInputError, match="not in its folder"):
        pooling_of(base)
    (tmp_path / "model" / "modules.json").write_text("{")
    assert pooling_of(base) is None


@pytest.mark.parametrize("size", [0, -1, 32, 100])
def test_a_shorter_vector_is_shorter(tiny_base: Callable[[str], Path], size: int) -> None:
    with pytest.raises(BadInputError, match=f"a shorter vector of {size} numbers, and the model has 32"):
        with_vectors(tiny_base("bert"), TASK, None, (size,))


def test_other_tasks_have_no_vectors(tiny_base: Callable[[str], Path]) -> None:
    other = tasks.create(tasks.get("text-classification").spec_for(("a", "b")))
    assert with_vectors(tiny_base("bert"), other, None, ()) is other
    for given in ({"pooling": "mean", "matryoshka": ()}, {"pooling": None, "matryoshka": (8,)}):
        with pytest.raises(BadInputError, match="but text-classification answers with no vector"):
            with_vectors(tiny_base("bert"), other, **given)
