from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from onnx import numpy_helper
from pydantic import ValidationError

from edge_ptf import tasks
from edge_ptf.compression import PruneConfig, prune
from edge_ptf.data.dataset import LabelledData
from edge_ptf.engines.onnxruntime import GraphSession
from edge_ptf.errors import BadInputError
from edge_ptf.graph import ExportConfig, Graph, QuantizeConfig, export, open_graph, quantize, rewrite
from edge_ptf.graph.exporting import spread
from edge_ptf.models.checkpoint import Checkpoint, load_tokenizer

FAMILIES = ("bert", "distilbert", "roberta", "xlm-roberta", "electra")
TEXT, TOKEN = "text-classification", "token-classification"
MIXED = PruneConfig(
    num_heads=(1, 0, 3),
    intermediate_size=(0, 0.5, 0.99),
    importance="magnitude",
    vocabulary=False,
    skip_unsupported=True,
)
FLAVOURS = {
    "dynamic": {},
    "dynamic, 7 bits": {"reduce_range": True},
    "dynamic, one scale": {"per_channel": False},
    "dynamic, uint8 weights": {"weight": "uint8"},
    "static": {"mode": "static"},
    "static, percentile": {"mode": "static", "calibration": "percentile", "percentile": 99.0},
    "static, entropy": {"mode": "static", "calibration": "entropy"},
    "static, signed": {"mode": "static", "activation": "int8"},
    "static, symmetric": {"mode": "static", "activation": "int8", "symmetric_activation": True},
    "static, 7 bits": {"mode": "static", "reduce_range": True},
    "static, one scale": {"mode": "static", "per_channel": False},
    "static, inputs alone": {"mode": "static", "outputs": False},
    "none": {"mode": "none"},
}

torch.set_num_threads(1)


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def quantization(
    exported: Callable[..., Graph], tiny_data: Callable[..., LabelledData], tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], Graph]:
    """The whole BERT graph in one of `FLAVOURS`. Its table is compressed although it is small."""
    made: dict[str, Graph] = {}

    def build(name: str) -> Graph:
        if name not in made:
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(rewrite, "LEAST_TABLE", 137 * 32)
                config = QuantizeConfig.model_validate(FLAVOURS[name])
                out = tmp_path_factory.mktemp("int8") / "graph"
                made[name] = quantize(exported(), tiny_data(), config, out)
        return made[name]

    return build


def nodes(graph: Graph, *kinds: str) -> list[Any]:
    return [node for node in onnx.load(graph.model).graph.node if node.op_type in kinds]


def arrays(graph: Graph) -> dict[str, np.ndarray]:
    return {item.name: numpy_helper.to_array(item) for item in onnx.load(graph.model).graph.initializer}


def fed_by(graph: Graph) -> dict[str, Any]:
    """The node that makes each tensor."""
    return {name: node for node in onnx.load(graph.model).graph.node for name in node.output}


def weights(graph: Graph) -> list[tuple[np.ndarray, np.ndarray]]:
    """(INT8 matrix, its scales) of every linear op."""
    stored, maker, found = arrays(graph), fed_by(graph), []
    if graph.info.scheme.mode == "dynamic":
        for node in nodes(graph, "MatMulInteger"):
            name = node.input[1].removesuffix("_quantized")
            found.append((stored[f"{name}_quantized"], stored[f"{name}_scale"]))
        for node in nodes(graph, "QAttention"):
            found.append((stored[node.input[1]], stored[node.input[4]]))
    else:
        for node in nodes(graph, "MatMul", "Gemm"):
            source = maker.get(node.input[1])
            if source is not None and source.op_type == "DequantizeLinear" and source.input[0] in stored:
                matrix = stored[source.input[0]]
                turned = any(item.name == "transB" and item.i for item in node.attribute)
                found.append((matrix.T if turned else matrix, stored[source.input[1]]))
    return found


@pytest.mark.parametrize(("name", "whole"), [("static", True), ("static, inputs alone", False)])
def test_results_of_products_become_int8_where_asked(
    quantization: Callable[[str], Graph], name: str, whole: bool
) -> None:
    graph = quantization(name)
    made = {node.output[0] for node in nodes(graph, "MatMul", "Gemm")}
    quantized = [node for node in nodes(graph, "QuantizeLinear") if node.input[0] in made]
    assert bool(quantized) is whole
    assert len(weights(graph)) == len(weights(quantization("static")))


def test_results_in_fp32_bring_the_answers_nearer(quantization: Callable[[str], Graph]) -> None:
    distances = [
        quantization(name).info.lineage[-1].facts["mean_logit_difference"]
        for name in ("static", "static, inputs alone")
    ]
    assert distances[1] < distances[0]


def zero_points(graph: Graph) -> list[np.ndarray]:
    """Scales of the activations."""
    stored = arrays(graph)
    return [stored[node.input[2]] for node in nodes(graph, "QuantizeLinear")]


@pytest.mark.parametrize("mode", ["dynamic", "static"])
@pytest.mark.parametrize("task", [TEXT, TOKEN])
@pytest.mark.parametrize("family", (*FAMILIES, "albert"))
def test_every_family_and_task_becomes_int8_and_answers_nearly_the_same(
    exported: Callable[..., Graph],
    tiny_data: Callable[..., LabelledData],
    tmp_path: Path,
    family: str,
    task: str,
    mode: str,
) -> None:
    full, data = exported(family, task, MIXED), tiny_data(task)
    small = quantize(full, data, QuantizeConfig(mode=mode), tmp_path / "out")
    assert small.info.scheme.precision == "int8"
    onnx.checker.check_model(onnx.load(small.model))
    before, after = GraphSession(full.model), GraphSession(small.model)
    kind = tasks.create(full.info.head)
    for encoding in kind.encode(load_tokenizer(full.path), data.test, 32):
        expected, found = before.logits(encoding), after.logits(encoding)
        assert found.shape == expected.shape
        assert np.abs(expected - found).max() < 0.15 * max(np.abs(expected).max(), 1)


@pytest.mark.parametrize("family", FAMILIES)
def test_dynamic_graphs_have_the_fused_form_that_is_quick(
    exported: Callable[..., Graph], tiny_data: Callable[..., LabelledData], tmp_path: Path, family: str
) -> None:
    full = exported(family, pruning=MIXED)
    small = quantize(full, tiny_data(), QuantizeConfig(), tmp_path / "out")
    kinds, layers = small.info.nodes, full.info.layers
    assert kinds["QAttention"] == sum(layer.num_heads > 0 for layer in layers)
    assert {item.i for node in nodes(small, "QAttention") for item in node.attribute if item.name == "num_heads"} == {
        1,
        3,
    }
    assert kinds["Sum"] == 2 * len(layers) + 1  # two residuals per layer, and the embeddings
    products = {"bert": 2, "distilbert": 2, "roberta": 2, "xlm-roberta": 2, "electra": 3}[family]  # head and pooler
    halves = sum(layer.num_heads > 0 for layer in layers) + 2 * sum(layer.intermediate_size > 0 for layer in layers)
    assert kinds["MatMulInteger"] == halves + products
    assert not {"MatMul", "Gemm", "Softmax", "Erf", "SkipLayerNormalization"} & set(kinds)
    made = fed_by(small)
    for node in nodes(small, "LayerNormalization"):
        assert made[node.input[0]].op_type in ("Sum", "MatMulInteger", "Cast", "Add", "Mul")
        assert made[node.input[0]].op_type != "Add"


def test_narrow_hidden_states_keep_the_fused_form(
    tiny_teacher: Callable[..., Checkpoint], tiny_data: Callable[..., LabelledData], tmp_path: Path
) -> None:
    config = PruneConfig(num_heads=(3,), hidden_size=20, importance="magnitude", refit="none")
    student = prune(tiny_teacher("bert"), tiny_data(), config, tmp_path / "student")
    graph = export(student, tiny_data(), ExportConfig(), tmp_path / "graph")
    for mode in ("dynamic", "static"):
        small = quantize(graph, tiny_data(), QuantizeConfig(mode=mode), tmp_path / mode)
        assert small.info.lineage[-1].facts["mean_logit_difference"] < 0.05
        if mode == "dynamic":
            assert small.info.nodes["QAttention"] == 3
            assert small.info.nodes["MatMulInteger"] == 3 + 2 * 3 + 2  # attention's output, feed-forward; head, pooler


def test_dynamic_attention_without_any_heads(
    tiny_teacher: Callable[..., Checkpoint], tiny_data: Callable[..., LabelledData], tmp_path: Path
) -> None:
    config = PruneConfig(num_heads=(0,), intermediate_size=(32,), importance="magnitude", refit="none")
    student = prune(tiny_teacher("bert"), tiny_data(), config, tmp_path / "student")
    graph = export(student, tiny_data(), ExportConfig(), tmp_path / "graph")
    assert graph.info.inputs == ("input_ids", "token_type_ids")
    for mode in ("dynamic", "static"):
        small = quantize(graph, tiny_data(), QuantizeConfig(mode=mode), tmp_path / mode)
        assert "QAttention" not in small.info.nodes
        assert small.info.lineage[-1].facts["mean_logit_difference"] < 0.05


@pytest.mark.parametrize("name", FLAVOURS)
def test_every_flavour_runs_and_says_what_it_is(quantization: Callable[[str], Graph], name: str) -> None:
    graph = quantization(name)
    wanted = QuantizeConfig.model_validate(FLAVOURS[name])
    assert graph.info.scheme == wanted.scheme()
    assert [step.stage for step in graph.info.lineage] == ["finetune", "export", "quantize"]
    assert graph.info.lineage[-1].config == wanted.model_dump(mode="json")
    assert graph.info.lineage[-1].facts["same_answer_percent"] >= 80
    assert graph.info.lineage[-1].facts["mean_logit_difference"] < 0.2
    assert open_graph(graph.path) == graph
    assert set(contents(graph.path)) == {"config.json", "graph.json", "model.onnx", "tokenizer.json"} | {
        name for name in contents(graph.path) if name in ("tokenizer_config.json", "special_tokens_map.json")
    }


@pytest.mark.parametrize("name", [name for name in FLAVOURS if name != "none"])
def test_every_weight_is_a_matrix_of_bytes_with_the_scales_asked_for(
    quantization: Callable[[str], Graph], name: str
) -> None:
    config, found = QuantizeConfig.model_validate(FLAVOURS[name]), weights(quantization(name))
    dynamic = config.mode == "dynamic"
    # if attention is fused, Q, K and V are one matrix
    assert len(found) == (3 * (1 + 3) if dynamic else 3 * (3 + 3)) + 2
    for matrix, scales in found:
        assert matrix.dtype == np.dtype(config.weight)
        assert scales.size == (matrix.shape[1] if config.per_channel else 1)
        assert (scales > 0).all()
        if config.weight == "int8":
            widest = 64 if config.reduce_range else 127
            assert np.abs(matrix.astype(int)).max() <= widest
            reached = np.abs(matrix.astype(int)).max(axis=0 if config.per_channel else None)
            assert (reached >= widest - 1).all()


@pytest.mark.parametrize("name", ["dynamic", "dynamic, 7 bits", "static", "static, 7 bits", "static, one scale"])
def test_weights_are_rounded_and_nothing_else(
    quantization: Callable[[str], Graph], exported: Callable[..., Graph], name: str
) -> None:
    """Each INT8 matrix times its scales equals one of the FP32 matrices, up to half a step."""
    originals = [value for value in arrays(exported()).values() if value.ndim == 2]
    originals += [value.T for value in originals]

    def near(part: np.ndarray, step: float) -> bool:
        return any(np.abs(part - whole).max() <= step for whole in originals if whole.shape == part.shape)

    for matrix, scales in weights(quantization(name)):
        back, step = matrix.astype(np.float32) * scales, float(scales.max()) * 0.501
        joined = back.shape == (32, 3 * 32)  # query, key and value of fused attention
        assert all(near(part, step) for part in (np.split(back, 3, axis=1) if joined else [back]))


@pytest.mark.parametrize("name", [name for name in FLAVOURS if name.startswith("static")])
def test_static_activations_are_of_the_type_asked_for(quantization: Callable[[str], Graph], name: str) -> None:
    config, found = QuantizeConfig.model_validate(FLAVOURS[name]), zero_points(quantization(name))
    assert len(found) > 10
    assert {value.dtype for value in found} == {np.dtype(config.activation)}
    assert all(value.size == 1 for value in found)
    if config.symmetric_activation:
        assert {int(value) for value in found} == {0}
    else:
        assert len({int(value) for value in found}) > 3


def test_only_products_with_a_weight_are_static_int8(
    quantization: Callable[[str], Graph], exported: Callable[..., Graph]
) -> None:
    """Matmuls of two activations, LayerNorm, softmax and residual sums stay FP32."""
    full, small = exported(), quantization("static")
    weighted = set(rewrite.weighted_linear_ops(onnx.load(full.model)))
    made = fed_by(small)
    for node in onnx.load(small.model).graph.node:
        sources = [made[name].op_type for name in node.input if name in made]
        if node.op_type in ("MatMul", "Gemm"):
            assert (sources[:2] == ["DequantizeLinear"] * 2) == (node.name in weighted)
    for kind in ("Softmax", "LayerNormalization", "Erf", "MatMul", "Gemm", "Tanh"):
        assert small.info.nodes[kind] == full.info.nodes[kind]


def test_percentile_ranges_are_narrower(quantization: Callable[[str], Graph]) -> None:
    scales = []
    for name in ("static", "static, percentile"):
        stored = arrays(quantization(name))
        scales.append(np.array([float(stored[node.input[1]]) for node in nodes(quantization(name), "QuantizeLinear")]))
    assert scales[0].shape == scales[1].shape
    assert (scales[1] <= scales[0] * 1.05).all()
    assert (scales[1] < scales[0] * 0.9).any()


@pytest.mark.parametrize("name", ["dynamic", "static"])
def test_embeddings_are_rows_of_int8_within_half_a_step(
    quantization: Callable[[str], Graph], exported: Callable[..., Graph], name: str
) -> None:
    graph = quantization(name)
    assert graph.info.lineage[-1].facts["embedding_tables"] == 1
    stored, before = arrays(graph), arrays(exported())
    (table,) = [key for key, value in before.items() if value.shape == (137, 32)]
    assert stored[table].dtype == np.int8
    scales = stored[f"{table}_scales"]
    assert scales.shape == (137, 1)
    assert (np.abs(stored[table] * scales - before[table]) <= scales / 2 * 1.0001).all()
    positions = [value for key, value in stored.items() if value.shape in ((130, 32), (1, 32, 32))]
    assert [value.dtype for value in positions] == [np.float32]


@pytest.mark.parametrize(("form", "limit"), [("fp16", 0.002), ("fp32", 0.0)])
def test_embeddings_can_stay_wider(
    exported: Callable[..., Graph],
    tiny_data: Callable[..., LabelledData],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    form: str,
    limit: float,
) -> None:
    monkeypatch.setattr(rewrite, "LEAST_TABLE", 137 * 32)
    full = exported()
    small = quantize(full, tiny_data(), QuantizeConfig(embeddings=form), tmp_path / "out")
    ((name, before),) = [(key, value) for key, value in arrays(full).items() if value.shape == (137, 32)]
    after = arrays(small)[name]
    assert after.dtype == {"fp16": np.float16, "fp32": np.float32}[form]
    assert np.abs(after - before).max() <= limit
    assert small.info.lineage[-1].facts["embedding_tables"] == (form == "fp16")


def test_small_tables_are_left_alone(
    exported: Callable[..., Graph], tiny_data: Callable[..., LabelledData], tmp_path: Path
) -> None:
    small = quantize(exported(pruning=MIXED), tiny_data(), QuantizeConfig(), tmp_path / "out")
    assert small.info.lineage[-1].facts["embedding_tables"] == 0


def test_no_quantization_leaves_the_graph_as_it_is(
    quantization: Callable[[str], Graph],
    exported: Callable[..., Graph],
    tiny_data: Callable[..., LabelledData],
    tmp_path: Path,
) -> None:
    graph = quantization("none")
    assert graph.model.read_bytes() == exported().model.read_bytes()
    facts = graph.info.lineage[-1].facts
    assert facts == {
        "mean_logit_difference": 0.0,
        "same_answer_percent": 100.0,
        "texts": len(tiny_data().validation),
        "embedding_tables": 0,
    }
    assert quantize(graph, tiny_data(), QuantizeConfig(), tmp_path / "later").info.scheme.precision == "int8"


def test_an_int8_graph_is_not_quantized_again(
    quantization: Callable[[str], Graph], tiny_data: Callable[..., LabelledData], tmp_path: Path
) -> None:
    for name in ("dynamic", "static"):
        with pytest.raises(BadInputError, match="already INT8"):
            quantize(quantization(name), tiny_data(), QuantizeConfig(mode="none"), tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", ["dynamic", "static", "static, percentile", "none"])
def test_the_same_graph_gives_the_same_bytes(
    quantization: Callable[[str], Graph],
    exported: Callable[..., Graph],
    tiny_data: Callable[..., LabelledData],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
) -> None:
    monkeypatch.setattr(rewrite, "LEAST_TABLE", 137 * 32)
    moved = open_graph(Path(shutil.copytree(exported().path, tmp_path / "moved")))
    again = quantize(moved, tiny_data(), QuantizeConfig.model_validate(FLAVOURS[name]), tmp_path / "again")
    assert contents(again.path) == contents(quantization(name).path)
    for file, content in contents(again.path).items():
        assert b"/tmp" not in content, file


def test_agreement_is_that_of_the_two_graphs(
    exported: Callable[..., Graph], tiny_data: Callable[..., LabelledData], tmp_path: Path
) -> None:
    full, data = exported("bert", TOKEN, MIXED), tiny_data(TOKEN)
    small = quantize(full, data, QuantizeConfig(calibration_texts=8), tmp_path / "out")
    facts = small.info.lineage[-1].facts
    before, after = GraphSession(full.model), GraphSession(small.model)
    encodings = tasks.create(full.info.head).encode(load_tokenizer(full.path), spread(data.validation, 8), 32)
    pairs = [(before.logits(encoding), after.logits(encoding)) for encoding in encodings]
    same = np.concatenate([left.argmax(-1) == right.argmax(-1) for left, right in pairs])
    assert facts["texts"] == len(pairs) == 8
    assert facts["same_answer_percent"] == round(100 * float(same.mean()), 2)
    assert facts["mean_logit_difference"] == pytest.approx(
        np.mean([np.abs(left - right).mean() for left, right in pairs]), abs=5e-5
    )


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"activation": "int8"}, "uint8 only"),
        ({"mode": "static", "activation": "int8", "weight": "uint8"}, "int8 activations need int8 weights"),
        ({"symmetric_activation": True}, "symmetric"),
        ({"mode": "static", "symmetric_activation": True}, "symmetric"),
        ({"percentile": 50}, "percentile"),
        ({"calibration_texts": 7}, "calibration_texts"),
        ({"mode": "int4"}, "mode"),
    ],
)
def test_flavours_that_no_engine_executes_are_refused(values: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        QuantizeConfig.model_validate(values)


def test_the_scheme_says_which_machines_execute_it_exactly() -> None:
    assert QuantizeConfig().scheme().isa == ("avx512_vnni", "avx_vnni", "amx_int8")
    assert QuantizeConfig(reduce_range=True).scheme().isa == ()
    assert QuantizeConfig(weight="uint8").scheme().isa == ()
    assert QuantizeConfig(mode="static", activation="int8").scheme().isa == ("avx512_vnni", "avx_vnni", "amx_int8")
    none = QuantizeConfig(mode="none", reduce_range=True).scheme()
    assert (none.precision, none.mode, none.weight, none.isa) == ("fp32", "none", "none", ())
