"""The rules of an INT8 quantization hold wherever one is said: in a profile, in options and in a graph."""

from __future__ import annotations

import re
from typing import Any

import pytest
from pydantic import ValidationError

from edge_ptf.graph import QuantizeConfig
from edge_ptf.graph.artifact import Scheme
from edge_ptf.profiles import QuantizationScheme
from edge_ptf.quantization import GraphScheme, Int8Scheme

FP16 = {"mode": "dynamic", "activation": "uint8", "weight": "int8", "non_int8_dtype": "fp16"}


@pytest.mark.parametrize("kind", [Int8Scheme, QuantizationScheme, QuantizeConfig, Scheme])
@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"mode": "dynamic", "activation": "int8", "weight": "int8"}, "dynamic mode quantizes activations to uint8"),
        ({"mode": "static", "activation": "int8", "weight": "uint8"}, "int8 activations need int8 weights"),
        ({"mode": "static", "activation": "uint8", "symmetric_activation": True}, "symmetric_activation needs"),
    ],
)
def test_a_pair_that_no_processor_executes_is_refused(
    kind: type[Int8Scheme], values: dict[str, Any], said: str
) -> None:
    with pytest.raises(ValidationError, match=said):
        kind.model_validate(values)


@pytest.mark.parametrize("kind", [GraphScheme, QuantizeConfig, Scheme])
def test_dynamic_int8_with_fp16_around_it_is_refused(kind: type[GraphScheme]) -> None:
    with pytest.raises(ValidationError, match=re.escape("non_int8_dtype fp16 needs static mode")):
        kind.model_validate(FP16)


def test_a_profile_says_the_options_of_the_stage() -> None:
    scheme = QuantizationScheme(mode="static", activation="int8", symmetric_activation=True)
    options = QuantizeConfig.model_validate(scheme.options())
    assert {name: getattr(options, name) for name in Int8Scheme.model_fields} == scheme.options()
    assert QuantizationScheme(precision="fp32").options() == {"mode": "none"}


def test_a_graph_records_the_options_of_the_stage() -> None:
    options = QuantizeConfig(mode="static", activation="int8", per_channel=False, non_int8_dtype="fp16")
    recorded = options.scheme()
    assert recorded.precision == "int8"
    assert all(getattr(recorded, name) == getattr(options, name) for name in GraphScheme.model_fields)
    assert QuantizeConfig(mode="none", non_int8_dtype="fp16").scheme() == Scheme(
        precision="fp16", non_int8_dtype="fp16"
    )
