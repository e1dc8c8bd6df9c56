"""Graphs are checked before ONNX Runtime sees them."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from edge_ptf.engines.onnxruntime import GraphSession
from edge_ptf.engines.onnxruntime.model_check import check_model
from edge_ptf.engines.onnxruntime.operators import ALLOWED, BROADCAST, MICROSOFT, OTHERS, SAME_SIZE, SIZED
from edge_ptf.errors import PackageError
from tests.engines.hostile_graphs import HOSTILE, OUTSIDE, content, integers, model, op

ROOT = Path(__file__).resolve().parents[2]
FAMILIES = ("bert", "distilbert", "roberta", "xlm-roberta", "electra")


@pytest.mark.parametrize("name", HOSTILE)
def test_a_graph_that_a_package_must_not_have_is_refused_in_one_line(name: str, tmp_path: Path) -> None:
    with pytest.raises(PackageError, match=HOSTILE[name][1]) as caught:
        GraphSession(content(name))
    assert "\n" not in str(caught.value)


def test_weights_in_the_working_directory_are_not_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """ONNX Runtime would look for them there, since a model in memory has no folder."""
    (tmp_path / "weights.bin").write_bytes(np.ones(3, np.float32).tobytes())
    monkeypatch.chdir(tmp_path)
    for name in OUTSIDE:
        with pytest.raises(PackageError, match=HOSTILE[name][1]):
            GraphSession(content(name))


@pytest.mark.parametrize("name", ["a shape of many sizes", "an operator of many inputs"])
def test_long_lists_are_refused_in_a_time_that_grows_with_the_file(name: str) -> None:
    """A product of so many sizes has millions of digits, and takes minutes."""
    made = content(name)
    begun = time.process_time()
    with pytest.raises(PackageError):
        check_model(made)
    assert time.process_time() - begun < 5


@pytest.mark.parametrize("mode", ["fp32", "dynamic", "static"])
@pytest.mark.parametrize("family", FAMILIES)
def test_our_own_graphs_pass(make_graph: Callable[..., Any], family: str, mode: str) -> None:
    found = make_graph(family, mode=mode).model.read_bytes()
    check_model(found)
    operators = {(node.domain, node.op_type) for node in onnx.load_model_from_string(found).graph.node}
    assert all(name in ALLOWED[domain] for domain, name in operators)


def test_sizes_that_depend_on_the_text_pass() -> None:
    nodes = [
        op("Shape", ["input_ids"], ["s"]),
        op("ConstantOfShape", ["s"], ["ones"]),
        op("Mul", ["ones", "many"], ["t"]),
        op("Expand", ["row", "s"], ["big"]),
    ]
    check_model(model(nodes, {"many": integers(1000), "row": integers(7)}).SerializeToString())


def test_small_constant_sizes_pass() -> None:
    nodes = [
        op("Concat", ["n", "n"], ["m"], axis=0),
        op("ConstantOfShape", ["m"], ["a"]),
        op("Range", ["zero", "ten", "minus"], ["r"]),
        op("Tile", ["a", "two"], ["b"]),
        op("Cast", ["b"], ["big"], to=1),
    ]
    constants = {"n": integers(100), "zero": np.array(0), "ten": np.array(-10), "minus": np.array(-3)}
    GraphSession(model(nodes, constants | {"two": integers(2, 2)}).SerializeToString())


def test_python_and_the_runner_have_the_same_operators() -> None:
    source = (ROOT / "cpp_runner/src/engines/onnx_operators.h").read_text()
    lists = [frozenset(re.findall(r'"(\w+)"', part)) for part in source.split("inline constexpr")[1:]]
    assert lists == [SAME_SIZE, BROADCAST, SIZED, OTHERS, MICROSOFT]


def test_the_format_document_names_every_operator() -> None:
    text = (ROOT / "docs/package.md").read_text()
    section = text[text.index("### 3.1 Operators") :]
    rows = re.findall(r"^  \| `([\w.]+)` \| (.*) \|$", section, re.MULTILINE)
    found = {domain: frozenset(re.findall(r"\w+", names)) for domain, names in rows}
    assert found == {name: operators for name, operators in ALLOWED.items() if name}
