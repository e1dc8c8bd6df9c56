"""The output for people from a sensitivity record."""

from __future__ import annotations

import pytest
from rich.console import Console

from edge_ptf.graph import QuantizeConfig, Sensitivity, SensitivityConfig
from edge_ptf.graph.sensitivity import Answers, LinearOpSensitivity
from edge_ptf.report.sensitivity import conclusion, hint, sensitivity_table


@pytest.fixture
def record() -> Sensitivity:
    good, bad = Answers(metric=95.9, distance=2.0), Answers(metric=95.0, distance=9.0)
    return Sensitivity(
        graph="0" * 64,
        data="1" * 64,
        processor="a processor",
        quantization=QuantizeConfig(),
        limits=SensitivityConfig(),
        metric="in_scope_accuracy",
        texts=1000,
        fp32_metric=96.0,
        int8=bad,
        tables=Answers(metric=96.0, distance=0.1),
        linear_ops=tuple(
            LinearOpSensitivity(name=name, only_fp32=good, only_int8=bad, added_ms=0.02)
            for name in ("layer.1.feed_forward.output", "classifier", "pooler.dense")
        ),
        culprits=("layer.1.feed_forward.output", "classifier"),
        mended=Answers(metric=95.6, distance=3.0),
        within_limits=True,
        fp32_ms=1.2,
        int8_ms=0.4,
        mended_ms=0.44,
    )


def test_culprits_are_told_with_what_they_return_and_cost(record: Sensitivity) -> None:
    said = conclusion(record)
    assert "these 2 linear ops in FP32 (layer.1.feed_forward.output, classifier)" in said
    assert "regains 0.6 points of in-scope accuracy" in said
    assert "from 9.0 to 3.0 %" in said
    assert "0.04 ms per call (estimate)" in said
    assert hint(record) == "--set quantize.keep_fp32=layer.1.feed_forward.output,classifier"
    alone = record.replace(culprits=("classifier",))
    assert conclusion(alone).startswith("Keeping classifier in FP32 regains")


def test_nothing_to_keep_is_told_with_the_limits(record: Sensitivity) -> None:
    fine = record.replace(culprits=(), int8=Answers(metric=95.8, distance=2.0), mended=Answers(metric=95.8, distance=2))
    said = conclusion(fine)
    assert said == (
        "INT8 loses 0.2 points of in-scope accuracy and moves logits by 2.0 % of their deviation, within the limits "
        "(0.5 points, 5 %): no linear op needs FP32."
    )
    assert hint(fine) == ""


def test_limits_beyond_reach_point_at_the_tables(record: Sensitivity) -> None:
    beyond = record.replace(culprits=(), within_limits=False, tables=Answers(metric=95.0, distance=8.0))
    assert "the model still loses 1.0 points of in-scope accuracy" in conclusion(beyond)
    assert hint(beyond) == "--set quantize.embeddings=fp16"
    assert hint(beyond.replace(quantization=QuantizeConfig(embeddings="int4"))) == "--set quantize.embeddings=int8"
    assert hint(beyond.replace(quantization=QuantizeConfig(embeddings="fp32"))) == ""


def test_the_table_names_every_product_and_ends_with_the_advice(record: Sensitivity) -> None:
    console = Console(width=130)
    with console.capture() as shown:
        console.print(sensitivity_table(record))
    text = shown.get()
    for item in record.linear_ops:
        assert item.name in text
    for words in ("as proposed", "all in INT8", "0.440 ms", "estimates", hint(record)):
        assert words in text
    assert text.index("as proposed") < text.index(hint(record))
