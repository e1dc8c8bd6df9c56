"""The rules of TensorRT. `make tensorrt` compares the same graphs with the parser and builder of TensorRT-RTX."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from edge_ptf.engines.tensorrt import TARGETS, verify_graph
from edge_ptf.errors import BadInputError
from tests.tensorrt import others
from tests.tensorrt.accepted import ACCEPTED, FP8
from tests.tensorrt.broken import BROKEN, NOT_OF_RTX
from tests.tensorrt.graphs import H, int8_weight, linear, model, node, quantized, scalar, single
from tests.tensorrt.type_matrix import graphs


def rules(made: Any, version: str = "rtx", capability: int = 86) -> list[str]:
    """The rules that refuse a graph."""
    return [found.rule for found in verify_graph(made.SerializeToString(), version, capability) if found.refused]


@pytest.mark.parametrize("name", ACCEPTED)
def test_accepted(name: str) -> None:
    assert rules(ACCEPTED[name]()) == []


@pytest.mark.parametrize("name", BROKEN)
def test_broken(name: str) -> None:
    rule, make = BROKEN[name]
    found = [item for item in verify_graph(make().SerializeToString(), "rtx", 86) if item.refused]
    assert rule in [item.rule for item in found]
    for item in found:
        assert item.where and item.advice
        assert "\n" not in str(item)


def test_twenty_kinds_of_broken_graphs_are_named() -> None:
    assert len({rule for rule, _ in BROKEN.values()}) >= 20


@pytest.mark.parametrize("version", TARGETS)
def test_a_plain_fp32_graph_is_accepted_by_every_version(version: str) -> None:
    assert rules(ACCEPTED["LayerNormalization"](), version) == []
    assert rules(ACCEPTED["Q/DQ of an FP32 weight"](), version) == []


@pytest.mark.parametrize(
    ("version", "make", "rule"),
    [
        ("8.6", linear, "int8-weight"),
        ("8.6", ACCEPTED["Q/DQ without zero points"], "zero-point"),
        ("8.6", ACCEPTED["Q/DQ in FP16"], "scale-type"),
        ("8.6", ACCEPTED["Gelu"], "operator"),
        ("8.6", NOT_OF_RTX["BF16 on TensorRT 8.6"][1], "bfloat16"),
        ("10.x", ACCEPTED["RMSNormalization"], "operator"),
        ("10.x", lambda: linear(quantized(np.uint8)), "uint8"),
        ("11.x", lambda: linear(quantized(np.uint8)), "uint8"),
    ],
)
def test_rules_of_a_version(version: str, make: Callable[[], Any], rule: str) -> None:
    assert rule in rules(make(), version)


def test_several_scales_without_an_axis_are_read_differently_by_tensorrt_10() -> None:
    nodes, constants = int8_weight()
    del nodes[0].attribute[:]
    made = model([*nodes, node("MatMul", "x wd", "y")], constants)
    assert rules(made, "rtx") == [] == rules(made, "11.x")
    assert rules(made, "10.x") == ["axis"] == rules(made, "8.6")[:1]


def test_nonzero_is_of_the_full_library_only() -> None:
    assert rules(BROKEN["NonZero"][1](), "rtx") == ["operator"]
    assert rules(BROKEN["NonZero"][1](), "10.x") == []


def test_fp8_needs_a_gpu_of_compute_capability_8_9() -> None:
    assert rules(FP8, "rtx", 87) == ["fp8", "fp8"]
    assert rules(FP8, "rtx", 89) == []


def test_what_is_accepted_and_may_answer_differently_is_named_too() -> None:
    unsigned = verify_graph(linear(quantized(np.uint8)).SerializeToString(), "rtx")
    assert [(item.rule, item.refused) for item in unsigned] == [("uint8", False)]
    channels = verify_graph(linear(quantized(scale=np.full(16, 0.05, np.float32), axis=2)).SerializeToString(), "rtx")
    assert [(item.rule, item.refused) for item in channels] == [("activation-channels", False)]
    newer = verify_graph(single("Relu", opset=21).SerializeToString(), "10.x")
    assert [(item.rule, item.refused) for item in newer] == [("opset", False)]


def test_graphs_of_other_tools() -> None:
    found = others.graphs()
    assert {name: {*rules(made)} for name, made in found.items()} == others.RULES
    newer = {name for name, made in found.items() if not rules(made, capability=89)}
    assert newer == {name for name, broken in others.RULES.items() if broken <= {others.FP8}}


def test_a_finding_says_where_what_and_what_to_do() -> None:
    (found,) = verify_graph(linear(quantized(np.int8, 3)).SerializeToString(), "rtx")[:1]
    assert str(found) == "xq: its zero point is not 0. Quantize with --activation int8 --symmetric-activation"


def test_a_file_that_is_no_graph_is_named() -> None:
    assert [item.rule for item in verify_graph(b"\xff\xff\xff")] == ["no-onnx"]


def test_an_unknown_version_lists_the_known_ones() -> None:
    with pytest.raises(BadInputError, match=r"8\.6"):
        verify_graph(b"", "12")


def test_types_are_named_for_every_operator_of_the_table() -> None:
    found = {name: rules(made) for name, made in graphs()}
    assert len(found) > 700
    assert {"type", "dangling-int8"} >= {rule for refused in found.values() for rule in refused}
    assert found["MatMul of FP16"] == []
    assert found["MatMul of INT64"] == ["type"]


def test_an_fp16_scale_of_an_fp16_tensor_is_accepted() -> None:
    made = model(quantized(out="y")[0], quantized(scale=scalar(0.05, np.float16))[1], inputs=H, opset=19)
    assert rules(made) == [] == rules(made, "10.x")
