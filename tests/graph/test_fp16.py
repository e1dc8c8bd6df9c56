from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from pydantic import ValidationError

from edge_ptf import tasks
from edge_ptf.data.dataset import LabelledData
from edge_ptf.engines.onnxruntime import GraphSession, logit_distance
from edge_ptf.errors import BadInputError
from edge_ptf.examples import Encoding
from edge_ptf.graph import ExportConfig, Graph, QuantizeConfig, export, fp16, quantize
from edge_ptf.graph.fp16 import large_tensors, to_fp16
from edge_ptf.models.base_models import MINILM_PACKAGE, resolve_base
from edge_ptf.models.checkpoint import Checkpoint, fresh_info, load_base_model, load_tokenizer, save_checkpoint
from edge_ptf.package import AssembleConfig, assemble
from edge_ptf.package.golden import TOLERANCE
from edge_ptf.package.verification import verify

FAMILIES = ("bert", "distilbert", "roberta", "xlm-roberta", "electra", "albert")
TENSORRT = {"mode": "static", "activation": "int8", "symmetric_activation": True, "embeddings": "fp16"}


def quantization(mode: str, **options: Any) -> QuantizeConfig:
    chosen = TENSORRT if mode == "static" else {"mode": mode}
    return QuantizeConfig.model_validate({**chosen, "non_int8_dtype": "fp16", "calibration_texts": 16, **options})


def answers(graph: Graph, data: LabelledData) -> list[np.ndarray]:
    session = GraphSession(graph.model)
    encodings = tasks.create(graph.info.head).encode(load_tokenizer(graph.path), data.validation, 32)
    return [session.logits(encoding) for encoding in encodings]


def typed(model: Any) -> dict[str, int]:
    """The type of every tensor, inferred strictly from the inputs."""
    inferred = onnx.shape_inference.infer_shapes(model, check_type=True, strict_mode=True).graph
    found = {item.name: item.type.tensor_type.elem_type for item in (*inferred.value_info, *inferred.output)}
    return found | {item.name: item.data_type for item in inferred.initializer}


@pytest.mark.parametrize("family", FAMILIES)
def test_a_graph_without_int8_answers_in_fp16_as_in_fp32(
    exported: Callable[..., Graph], tiny_data: Callable[..., LabelledData], tmp_path: Path, family: str
) -> None:
    full, data = exported(family), tiny_data()
    small = quantize(full, data, quantization("none"), tmp_path / "half")
    for expected, found in zip(answers(full, data), answers(small, data), strict=True):
        assert np.abs(expected - found).max() <= TOLERANCE["fp16"] / 4 * np.abs(expected).max()
    assert (small.info.scheme.precision, small.info.scheme.non_int8_dtype) == ("fp16", "fp16")
    assert str(small.info.scheme) == "FP16"
    kinds = {item.data_type for item in onnx.load(small.model).graph.initializer}
    assert TensorProto.FLOAT16 in kinds and TensorProto.FLOAT not in kinds
    assert small.info.lineage[-1].facts["kept_fp32_by_range"] == []


@pytest.mark.parametrize("embeddings", ["fp16", "int8"])
@pytest.mark.parametrize("kind", ["text-classification", "token-classification"])
def test_what_is_not_int8_is_fp16_and_the_answers_stay_as_near_to_fp32(
    exported: Callable[..., Graph],
    tiny_data: Callable[..., LabelledData],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    kind: str,
    embeddings: str,
) -> None:
    monkeypatch.setattr("edge_ptf.graph.rewrite.LEAST_TABLE", 64)
    full, data = exported(task=kind), tiny_data(kind)
    config = quantization("static", embeddings=embeddings)
    before = quantize(full, data, config.replace(non_int8_dtype="fp32"), tmp_path / "static")
    after = quantize(full, data, config, tmp_path / "half")
    wanted = answers(full, data)
    assert logit_distance(wanted, answers(after, data)) <= 1.5 * logit_distance(wanted, answers(before, data)) + 0.01
    model = onnx.load(after.model)
    onnx.checker.check_model(model, full_check=True)
    assert after.info.opset == fp16.opset(model) == fp16.OPSET and before.info.opset == 17
    assert (after.info.scheme.precision, after.info.scheme.non_int8_dtype) == ("int8", "fp16")
    assert str(after.info.scheme) == "INT8 static, int8 × int8, the rest FP16"
    kinds = typed(model)
    assert kinds["logits"] == TensorProto.FLOAT
    assert [name for name, found in kinds.items() if found == TensorProto.FLOAT] == ["logits"]
    pairs = [node for node in model.graph.node if node.op_type in fp16.QDQ]
    assert pairs and all(kinds[node.input[1]] == TensorProto.FLOAT16 for node in pairs)
    assert all(kinds[node.input[2]] == TensorProto.INT8 for node in pairs if len(node.input) > 2)
    assert not [node for node in model.graph.node if node.domain not in ("", "ai.onnx")]  # TensorRT knows ONNX's alone
    stored = {item.name: numpy_helper.to_array(item) for item in model.graph.initializer}
    assert all(not stored[node.input[2]].any() for node in pairs if len(node.input) > 2)


def test_the_weights_are_rounded_once(
    make_graph: Callable[..., Graph], tiny_labelled: Callable[..., LabelledData], tmp_path: Path
) -> None:
    """INT8 values come from the FP32 weights. Only their scales become FP16."""
    full, data, config = make_graph(mode="fp32"), tiny_labelled(), quantization("static")
    found = []
    for non_int8_dtype in ("fp32", "fp16"):
        model = onnx.load(
            quantize(full, data, config.replace(non_int8_dtype=non_int8_dtype), tmp_path / non_int8_dtype).model
        )
        found.append({item.name: numpy_helper.to_array(item) for item in model.graph.initializer})
    whole = [name for name, values in found[0].items() if values.dtype == np.int8 and values.ndim == 2]
    assert whole and all(np.array_equal(found[0][name], found[1][name]) for name in whole)


def test_padding_is_masked_in_fp16_too(
    exported: Callable[..., Graph], tiny_data: Callable[..., LabelledData], tmp_path: Path
) -> None:
    """The mask of an FP32 graph is −3.4e38, which is infinite in FP16."""
    small = quantize(exported(), tiny_data(), quantization("none"), tmp_path / "half")
    session = GraphSession(small.model)
    ids, mask = np.array([[2, 9, 7, 11, 3, 0, 0, 0]]), np.array([[1, 1, 1, 1, 1, 0, 0, 0]])
    whole = {"input_ids": ids, "attention_mask": mask, "token_type_ids": 0 * ids}
    short = {name: values[:, :5] for name, values in whole.items()}
    padded, alone = (session.run(feeds)["logits"] for feeds in (whole, short))
    assert np.isfinite(padded).all()
    assert np.abs(padded - alone).max() < TOLERANCE["fp16"] * np.abs(alone).max()


def graph_of(*nodes: Any, **constants: Any) -> Any:
    """ids → their FP32 values `x` → nodes → y."""
    stored = [numpy_helper.from_array(np.asarray(values, np.float32), name) for name, values in constants.items()]
    ids = helper.make_tensor_value_info("input_ids", TensorProto.INT64, [1, "length"])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, "length"])
    first = helper.make_node("Cast", ["input_ids"], ["x"], "cast", to=TensorProto.FLOAT)
    made = helper.make_graph([first, *nodes], "made", [ids], [y], stored)
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", 19)], ir_version=9)


TEXT = Encoding([100, 200, 300], [0, 0, 0])


def run(model: Any) -> np.ndarray:
    session = GraphSession(model.SerializeToString())
    return session.output(TEXT, "y")


def test_activations_beyond_the_range_of_fp16_stay_fp32_from_node_to_node() -> None:
    model = graph_of(
        helper.make_node("Mul", ["x", "big"], ["a"], "grow"),
        helper.make_node("Mul", ["a", "x"], ["b"], "square"),
        helper.make_node("Div", ["b", "all"], ["c"], "shrink"),
        helper.make_node("Add", ["c", "x"], ["y"], "end"),
        big=[500.0],
        all=[1e4],
    )
    large = large_tensors(model, [TEXT])
    assert large == {"a", "b"}
    halved, kept = to_fp16(model, large)
    assert kept == ("grow", "square", "shrink")
    onnx.checker.check_model(halved, full_check=True)
    assert np.allclose(run(halved), run(model), rtol=1e-3)
    kinds = typed(halved)
    assert sum(kind == TensorProto.FLOAT for kind in kinds.values()) >= 3  # two large tensors and the answer


def test_the_last_node_may_stay_fp32() -> None:
    model = graph_of(helper.make_node("Mul", ["x", "big"], ["y"], "grow"), big=[1e3])
    halved, kept = to_fp16(model, large_tensors(model, [TEXT]))
    assert kept == ("grow",)
    assert np.allclose(run(halved), [1e5, 2e5, 3e5])


def test_constants_beyond_the_range_of_fp16_stay_unless_they_stand_for_infinity() -> None:
    many = graph_of(helper.make_node("Add", ["x", "many"], ["y"], "add"), many=[30_000.0])
    halved, kept = to_fp16(many)
    assert kept == ("add",)
    assert np.allclose(run(halved), [30_100, 30_200, 30_300])
    masked = graph_of(helper.make_node("Add", ["x", "mask"], ["y"], "add"), mask=[np.finfo(np.float32).min])
    halved, kept = to_fp16(masked)
    assert kept == ()
    assert run(halved).max() < -9_000


def test_scales_that_fp16_cannot_tell_apart_stay_fp32() -> None:
    def pairs(scale: float) -> Any:
        quantized = helper.make_node("QuantizeLinear", ["small", "scale"], ["q"], "q")
        turned = helper.make_node("DequantizeLinear", ["q", "scale"], ["d"], "d")
        ends = (helper.make_node("Mul", ["x", "tiny"], ["small"], "s"), helper.make_node("Mul", ["d", "x"], ["y"], "e"))
        return graph_of(ends[0], quantized, turned, ends[1], scale=np.float32(scale), tiny=[10 * scale / 300])

    for scale, expected in ((2.0**-10, ()), (1.3e-7, ("q", "d"))):
        halved, kept = to_fp16(pairs(scale))
        assert kept == expected
        kinds = typed(halved)
        assert kinds["scale"] == (TensorProto.FLOAT if expected else TensorProto.FLOAT16)


@pytest.mark.parametrize(
    ("options", "shown"),
    [
        ({"mode": "dynamic"}, "dynamic INT8 operators take FP32 only"),
        ({"mode": "static", "embeddings": "int4"}, "no int4 embeddings"),
        ({"mode": "static", "embeddings": "fp32"}, "no fp32 embeddings"),
    ],
)
def test_combinations_that_no_engine_runs_are_refused(options: dict[str, str], shown: str) -> None:
    with pytest.raises(ValidationError, match=shown):
        QuantizeConfig.model_validate({**options, "non_int8_dtype": "fp16"})


def test_an_fp16_graph_is_not_quantized_again(
    make_graph: Callable[..., Graph], tiny_labelled: Callable[..., LabelledData], tmp_path: Path
) -> None:
    small = quantize(make_graph(mode="fp32"), tiny_labelled(), quantization("none"), tmp_path / "half")
    with pytest.raises(BadInputError, match="the graph is already FP16"):
        quantize(small, tiny_labelled(), QuantizeConfig(), tmp_path / "again")


@pytest.mark.parametrize("mode", ["none", "static"])
def test_a_package_in_fp16_verifies(
    make_graph: Callable[..., Graph], tiny_labelled: Callable[..., LabelledData], tmp_path: Path, mode: str
) -> None:
    data = tiny_labelled()
    graph = quantize(make_graph(mode="fp32"), data, quantization(mode), tmp_path / "half")
    payload = assemble(graph, data, AssembleConfig(name="half"), tmp_path / "package")
    assert payload.manifest.graph.scheme == graph.info.scheme
    assert payload.manifest.golden.tolerance == TOLERANCE["fp16" if mode == "none" else "int8"]
    assert [item.dtype for item in payload.manifest.graph.outputs] == ["float32"]
    assert verify(payload.path).golden == payload.manifest.golden.count
    assert "FP16" in payload.read("README.md").decode()


@pytest.fixture(scope="module")
def minilm(tiny_labelled: Callable[..., LabelledData], tmp_path_factory: pytest.TempPathFactory) -> Graph:
    """MiniLM-L6 with a head of random weights."""
    pytest.importorskip(MINILM_PACKAGE)
    import torch

    base, data, folder = resolve_base("minilm-l6"), tiny_labelled(), tmp_path_factory.mktemp("minilm")
    task = tasks.create(tasks.get("text-classification").spec_for(data.labels))
    torch.manual_seed(0)
    model = load_base_model(base, task).eval()
    info = fresh_info(model, task, "minilm-l6", 64)
    checkpoint: Checkpoint = save_checkpoint(model, load_tokenizer(base), info, folder / "checkpoint")
    return export(checkpoint, data, ExportConfig(), folder / "graph")


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["none", "static"])
def test_minilm_answers_in_fp16_as_before(
    minilm: Graph, tiny_labelled: Callable[..., LabelledData], tmp_path: Path, mode: str
) -> None:
    data = tiny_labelled()
    wanted = answers(minilm, data)
    found = answers(quantize(minilm, data, quantization(mode), tmp_path / "half"), data)
    if mode == "none":
        largest = max(np.abs(row).max() for row in wanted)
        assert max(np.abs(a - b).max() for a, b in zip(wanted, found, strict=True)) < TOLERANCE["fp16"] / 4 * largest
    else:
        before = quantize(minilm, data, quantization(mode, non_int8_dtype="fp32"), tmp_path / "static")
        assert logit_distance(wanted, found) < 1.5 * logit_distance(wanted, answers(before, data))
