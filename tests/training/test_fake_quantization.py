from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from onnx import TensorProto
from onnxruntime.quantization.quant_utils import quantize_data

from edge_ptf import tasks
from edge_ptf.compression import PruneConfig, prune
from edge_ptf.data.dataset import LabelledData
from edge_ptf.engines.onnxruntime import GraphSession, logit_distance
from edge_ptf.errors import BadInputError
from edge_ptf.examples import Encoding
from edge_ptf.graph import ExportConfig, QuantizeConfig, export, quantize, rewrite
from edge_ptf.models.checkpoint import Checkpoint, load_model, load_tokenizer, model_inputs
from edge_ptf.training.batching import Item, pad_inputs
from edge_ptf.training.fake_quantization import Grid, checked, fake_quantized, in_blocks, in_rows, round_weights

TEXT, TOKEN = "text-classification", "token-classification"
FAMILIES = ("bert", "distilbert", "roberta", "xlm-roberta", "electra")
UNEVEN = PruneConfig(
    num_heads=(1, 0, 3),
    intermediate_size=(0, 0.5, 0.99),
    importance="magnitude",
    vocabulary=False,
    skip_unsupported=True,
)
HEADLESS_END = UNEVEN.replace(num_heads=(2, 1, 0))
NARROW_TABLES = 131 * 32
"""From which size on tables are compressed here: a tiny model's subwords, and not its positions."""

torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def compressed_tables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rewrite, "LEAST_TABLE", NARROW_TABLES)


class Student:
    """A model, its texts, and what its graphs answer to them."""

    def __init__(self, checkpoint: Checkpoint, data: LabelledData, folder: Any) -> None:
        self.model = load_model(checkpoint).eval()
        self.tokenizer = load_tokenizer(checkpoint.path)
        self.inputs = model_inputs(self.model, self.tokenizer)
        task = tasks.create(checkpoint.info.head)
        self.one_token = checkpoint.info.head.task == TEXT
        self.encodings = task.encode(self.tokenizer, data.validation, 32)
        self.data, self.folder = data, folder
        self.graph = export(checkpoint, data, ExportConfig(), folder / "fp32")

    def batch(self, encodings: list[Encoding]) -> dict[str, torch.Tensor]:
        items = [Item(each, np.asarray(0), 0) for each in encodings]
        return pad_inputs(items, self.inputs, int(self.tokenizer.pad_token_id))

    def logits(self, encodings: list[Encoding]) -> list[np.ndarray]:
        """Of one padded batch, without the padding."""
        with torch.no_grad():
            found = self.model(**self.batch(encodings)).logits.numpy()
        return [
            own if own.ndim == 1 else own[: len(each.input_ids)] for own, each in zip(found, encodings, strict=True)
        ]

    def rounded(self, quantization: QuantizeConfig) -> Any:
        return fake_quantized(self.model, checked(self.model, quantization), one_token=self.one_token)

    def of_graph(self, quantization: QuantizeConfig) -> list[np.ndarray]:
        graph = quantize(self.graph, self.data, quantization, self.folder / "int8")
        session = GraphSession(graph.model)
        return [session.logits(each) for each in self.encodings]


@pytest.fixture(scope="module")
def student(
    tiny_teacher: Callable[..., Checkpoint],
    tiny_data: Callable[..., LabelledData],
    tmp_path_factory: pytest.TempPathFactory,
) -> Callable[..., Student]:
    made: dict[Any, Student] = {}

    def build(family: str = "bert", task: str = TEXT, config: PruneConfig = UNEVEN) -> Student:
        key = (family, task, config.model_dump_json())
        if key not in made:
            folder = tmp_path_factory.mktemp("student")
            small = prune(tiny_teacher(family, task), tiny_data(task), config, folder / "small")
            made[key] = Student(small, tiny_data(task), folder)
        return made[key]

    return build


def clear(values: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """Which values are not in the middle between two numbers of the grid, where either is right."""
    return np.abs(np.abs(values / scale) % 1 - 0.5) > 1e-3


# Rounding


def dynamic_quantize_linear(values: np.ndarray) -> np.ndarray:
    """ONNX's DynamicQuantizeLinear, and back (onnx.ai/onnx/operators/onnx__DynamicQuantizeLinear.html)."""
    low, high = min(np.float32(0), values.min()), max(np.float32(0), values.max())
    scale = np.float32((high - low) / np.float32(255))
    scale = scale if scale > 1e-30 else np.float32(1)
    zero = np.clip(np.rint(-low / scale), 0, 255)
    return ((np.clip(np.rint(values / scale) + zero, 0, 255) - zero) * scale).astype(np.float32)


numbers = st.floats(-100, 100, width=32, allow_subnormal=False)


@given(hnp.arrays(np.float32, st.tuples(st.integers(1, 4), st.integers(1, 5), st.integers(1, 6)), elements=numbers))
def test_each_row_is_rounded_as_onnx_rounds_it_alone(values: np.ndarray) -> None:
    rows = torch.from_numpy(values)
    found = Grid(0, 255, symmetric=False).round(rows, rows.amin((1, 2)), rows.amax((1, 2))).numpy()
    for row, own in zip(values, found, strict=True):
        scale = np.float32(max(row.max(), 0) - min(row.min(), 0)) / 255
        expected = dynamic_quantize_linear(row)
        if scale < 1e-30:
            assert np.array_equal(own, np.zeros_like(own))
            continue
        settled = clear(row, scale)
        assert np.allclose(own[settled], expected[settled], atol=1e-3 * scale)
        assert np.abs(own - row).max() <= 1.01 * scale  # zero itself has moved by half a step at most


@pytest.mark.parametrize("per_channel", [True, False])
@pytest.mark.parametrize(
    ("options", "kind"),
    [
        ({}, TensorProto.INT8),
        ({"reduce_range": True}, TensorProto.INT8),
        ({"weight": "uint8"}, TensorProto.UINT8),
        ({"weight": "uint8", "reduce_range": True}, TensorProto.UINT8),
        ({"weight": "uint8", "mode": "static"}, TensorProto.UINT8),
        ({"weight": "uint8", "mode": "static", "reduce_range": True}, TensorProto.UINT8),
    ],
)
def test_weights_are_rounded_as_onnx_runtimes_quantizer_rounds_them(
    options: dict[str, Any], kind: int, per_channel: bool
) -> None:
    quantization = QuantizeConfig.model_validate({**options, "per_channel": per_channel})
    weight = np.random.default_rng(0).normal(size=(7, 12)).astype(np.float32)
    weight[3] = np.abs(weight[3]) + 1
    weight[4] = 0
    found = round_weights(torch.from_numpy(weight), quantization).numpy()
    symmetric = quantization.weight == "int8" or quantization.mode == "static"
    for own, row in zip(found, weight, strict=True) if per_channel else [(found, weight)]:
        zero, scale, whole = quantize_data(row.ravel(), kind, symmetric, reduce_range=quantization.reduce_range)
        expected, settled = (whole.astype(np.float32) - np.float32(zero)) * scale, clear(row.ravel(), scale)
        assert settled.mean() > 0.8
        assert np.allclose(own.ravel()[settled], expected[settled], atol=1e-5)


@given(hnp.arrays(np.float32, st.tuples(st.integers(1, 5), st.sampled_from([2, 32, 48])), elements=numbers))
def test_rows_in_int4_are_those_that_the_package_stores(values: np.ndarray) -> None:
    packed, scales = rewrite.in_blocks(values)
    whole = np.stack([packed & 15, packed >> 4], -1).reshape(values.shape).astype(np.float32) - 8
    step = np.repeat(scales, rewrite.BLOCK, axis=1)[:, : values.shape[1]]
    found = in_blocks(torch.from_numpy(values)).numpy()
    padded = ((0, 0), (0, -values.shape[1] % rewrite.BLOCK))

    def errors(rounded: np.ndarray) -> np.ndarray:
        return np.pad((rounded - values) ** 2, padded).reshape(len(values), -1, rewrite.BLOCK).sum(-1)

    assert np.allclose(errors(found), errors(whole * step), rtol=1e-3, atol=1e-5)  # of equally good scales either


def test_rows_in_int8_have_a_scale_each() -> None:
    rows = np.random.default_rng(0).normal(size=(4, 16)).astype(np.float32) * [[1], [10], [100], [0]]
    scale = np.maximum(np.abs(rows).max(1, keepdims=True) / 127, 1e-12)
    found = in_rows(torch.from_numpy(rows.astype(np.float32))).numpy()
    assert np.allclose(found, np.rint(rows / scale) * scale, rtol=1e-5, atol=1e-6)


# The model beside its graph

AGREE = [
    *((family, task, UNEVEN, {}) for family in FAMILIES for task in (TEXT, TOKEN)),
    ("bert", TEXT, HEADLESS_END, {}),
    ("distilbert", TEXT, HEADLESS_END, {}),
    ("bert", TEXT, UNEVEN, {"reduce_range": True}),
    ("bert", TEXT, UNEVEN, {"weight": "uint8"}),
    ("bert", TEXT, UNEVEN, {"embeddings": "int4"}),
    ("bert", TEXT, UNEVEN, {"embeddings": "fp32"}),
    ("bert", TEXT, UNEVEN, {"keep_fp32": ("layer.0.attention.qkv", "classifier")}),
]


@pytest.mark.parametrize(("family", "task", "config", "options"), AGREE)
def test_a_padded_batch_is_answered_as_the_dynamic_graph_answers_each_text(
    student: Callable[..., Student], family: str, task: str, config: PruneConfig, options: dict[str, Any]
) -> None:
    small, quantization = student(family, task, config), QuantizeConfig.model_validate(options)
    full, expected = small.logits(small.encodings), small.of_graph(quantization)
    with small.rounded(quantization):
        found = small.logits(small.encodings)
    lost = logit_distance(full, expected)
    assert lost > 1e-5
    assert logit_distance(found, expected) < 0.05 * lost


@pytest.mark.parametrize(("family", "options"), [("bert", {"per_channel": False}), ("albert", {})])
def test_where_details_are_left_out_it_is_still_much_nearer_than_full_precision(
    student: Callable[..., Student], family: str, options: dict[str, Any]
) -> None:
    small, quantization = student(family), QuantizeConfig.model_validate(options)
    full, expected = small.logits(small.encodings), small.of_graph(quantization)
    with small.rounded(quantization):
        found = small.logits(small.encodings)
    assert logit_distance(found, expected) < 0.4 * logit_distance(full, expected)


@pytest.mark.parametrize(
    "options",
    [
        *({}, {"outputs": False}, {"weight": "uint8"}, {"activation": "int8"}),
        {"activation": "int8", "symmetric_activation": True},
    ],
)
def test_static_roundings_are_about_as_large_as_the_graphs(
    student: Callable[..., Student], options: dict[str, Any]
) -> None:
    small = student("bert", TOKEN)
    quantization = QuantizeConfig.model_validate({"mode": "static", **options})
    full, expected = small.logits(small.encodings), small.of_graph(quantization)
    with small.rounded(quantization):
        found = small.logits(small.encodings)
    assert 0.5 < logit_distance(full, found) / logit_distance(full, expected) < 1.5


@pytest.mark.parametrize("task", [TEXT, TOKEN])
def test_neither_padding_nor_neighbours_change_a_texts_answer(student: Callable[..., Student], task: str) -> None:
    small = student("bert", task)
    assert len({len(each.input_ids) for each in small.encodings}) > 1
    with small.rounded(QuantizeConfig()):
        together = small.logits(small.encodings)
        alone = [small.logits([each])[0] for each in small.encodings]
        unmasked = [
            small.model(input_ids=torch.tensor([each.input_ids])).logits[0].detach().numpy() for each in small.encodings
        ]
    assert logit_distance(together, alone) < 1e-5
    assert logit_distance(together, unmasked) < 1e-5


# Learning


@pytest.mark.parametrize("options", [{}, {"embeddings": "int4"}, {"mode": "static"}])
def test_every_parameter_gets_about_the_gradient_it_would_get_without(
    student: Callable[..., Student], options: dict[str, Any]
) -> None:
    small = student()

    def gradients() -> dict[str, torch.Tensor]:
        small.model.zero_grad()
        small.model(**small.batch(small.encodings)).logits.square().mean().backward()
        found = {name: value.grad for name, value in small.model.named_parameters() if value.grad is not None}
        return {name: value.clone() for name, value in found.items()}

    plain = gradients()
    with small.rounded(QuantizeConfig.model_validate(options)):
        rounded = gradients()
    small.model.zero_grad()
    assert plain.keys() == rounded.keys()
    joined = [torch.cat([each[name].flatten() for name in plain]) for each in (plain, rounded)]
    assert float(torch.cosine_similarity(*joined, dim=0)) > 0.95
    weights = [name for name, value in plain.items() if float(value.norm()) > 1e-6]
    assert len(weights) > 20
    for name in weights:
        assert float(rounded[name].norm()) > 0.3 * float(plain[name].norm()), name


def test_it_runs_in_bfloat16(student: Callable[..., Student]) -> None:
    small = student()
    full = small.logits(small.encodings)
    with small.rounded(QuantizeConfig()), torch.autocast("cpu", dtype=torch.bfloat16), torch.no_grad():
        found = small.model(**small.batch(small.encodings)).logits.float().numpy()
    assert logit_distance(full, list(found)) < 0.1 * float(np.abs(full).mean())


class Broken(Exception):
    """Stands for whatever ends a training early."""


@pytest.mark.parametrize("fails", [False, True])
@pytest.mark.parametrize("options", [{}, {"mode": "static"}])
def test_nothing_of_it_is_left_on_the_model(
    student: Callable[..., Student], options: dict[str, Any], fails: bool
) -> None:
    small = student()

    def state() -> Any:
        return [(name, type(each), sorted(vars(each))) for name, each in small.model.named_modules()]

    before, values, answers = state(), small.model.state_dict(), small.logits(small.encodings)
    values = {name: value.clone() for name, value in values.items()}
    try:
        with small.rounded(QuantizeConfig.model_validate(options)):
            assert list(small.model.state_dict()) == list(values)
            small.logits(small.encodings)
            if fails:
                raise Broken
    except Broken:
        pass
    assert state() == before
    assert not small.model._forward_pre_hooks
    assert all(torch.equal(value, values[name]) for name, value in small.model.state_dict().items())
    assert logit_distance(small.logits(small.encodings), answers) == 0


def test_what_will_not_be_int8_cannot_be_taught_for(student: Callable[..., Student]) -> None:
    model = student().model
    for quantization in (None, QuantizeConfig(mode="none")):
        with pytest.raises(BadInputError, match=r"quantize\.mode is none"):
            checked(model, quantization)
    with pytest.raises(BadInputError, match=r"no linear op 'layer\.0\.feed_forward\.inputs'") as caught:
        checked(model, QuantizeConfig(keep_fp32=("layer.0.feed_forward.inputs",)))
    assert "feed_forward" in caught.value.hint
