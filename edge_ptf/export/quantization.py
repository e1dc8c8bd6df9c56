"""A graph in INT8: dynamic (activation ranges found at each call) or static (Q/DQ, ranges from calibration)."""

from __future__ import annotations

import contextlib
import io
import logging
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import Field, model_validator

from edge_ptf import tasks
from edge_ptf.checkpoint import LineageStep, load_tokenizer
from edge_ptf.config import StageConfig
from edge_ptf.data.dataset import LabelledData
from edge_ptf.errors import BadInputError
from edge_ptf.export import lean, rewrite
from edge_ptf.export.execute import GraphSession
from edge_ptf.export.exporting import spread
from edge_ptf.export.graph import MODEL_FILE, Graph, Scheme, save_graph
from edge_ptf.progress import SILENT, Progress
from edge_ptf.tasks.base import Encoding

VNNI = ("avx512_vnni", "avx_vnni", "amx_int8")


class QuantizeConfig(StageConfig):
    """The INT8 flavour."""

    mode: Literal["dynamic", "static", "none"] = Field(
        "dynamic", description="When activation ranges are found: at each call, or by calibration; none keeps FP32."
    )
    activation: Literal["uint8", "int8"] = Field("uint8", description="Activations; dynamic mode knows uint8 only.")
    weight: Literal["int8", "uint8"] = Field("int8", description="Weights.")
    per_channel: bool = Field(True, description="One scale for each output of a weight matrix.")
    reduce_range: bool = Field(False, description="Weights of 7 bits, for processors whose 16-bit sums saturate.")
    symmetric_activation: bool = Field(False, description="Zero point 0 for activations (static mode, int8).")
    calibration: Literal["minmax", "percentile"] = Field("minmax", description="How static ranges are chosen.")
    percentile: float = Field(99.99, gt=90, le=100, description="Share of values inside a percentile range.")
    calibration_texts: int = Field(256, ge=8, description="Validation texts that static mode looks at.")
    embeddings: Literal["int8", "fp16", "fp32"] = Field(
        "int8", description="How the embedding table is stored; INT8 has a scale for each row."
    )

    @model_validator(mode="after")
    def _known_pair(self) -> QuantizeConfig:
        if self.mode == "dynamic" and self.activation != "uint8":
            raise ValueError("dynamic mode quantizes activations to uint8 only; use --mode static for int8")
        if self.activation == "int8" and self.weight == "uint8":
            raise ValueError("int8 activations need int8 weights: no processor here executes the other pair quickly")
        if self.symmetric_activation and (self.mode == "dynamic" or self.activation == "uint8"):
            raise ValueError("symmetric_activation needs static mode and int8 activations: uint8 has its middle at 128")
        return self

    def scheme(self) -> Scheme:
        """What the package says about it."""
        if self.mode == "none":
            return Scheme()
        exact_anywhere = self.reduce_range or self.weight == "uint8"
        return Scheme(
            precision="int8",
            mode=self.mode,
            activation=self.activation,
            weight=self.weight,
            per_channel=self.per_channel,
            reduce_range=self.reduce_range,
            symmetric_activation=self.symmetric_activation,
            isa=() if exact_anywhere else VNNI,
        )


def quantize(graph: Graph, data: LabelledData, config: QuantizeConfig, out: Path, progress: Progress = SILENT) -> Graph:
    """Writes the INT8 form of an FP32 graph. Static ranges come from `validation`; labels are not looked at.

    Weighted products become INT8; LayerNorm, softmax, GELU and residual sums stay FP32, where INT8 costs accuracy
    (Bondarenko et al. 2021, "Understanding and Overcoming the Challenges of Efficient Transformer Quantization").

    Raises:
        BadInputError: the graph is INT8 already.
    """
    if graph.info.scheme.precision != "fp32":
        raise BadInputError(f"{graph.path}: the graph is INT8 already", hint="Give the directory that export wrote")
    progress.start("Quantize", 3)
    task, tokenizer = tasks.create(graph.info.task), load_tokenizer(graph.path)
    encodings = task.encode(tokenizer, spread(data.validation, config.calibration_texts), graph.info.max_length)
    model, tables = integer_form(graph.model, config, graph.info.max_length, encodings)
    progress.advance()
    step = LineageStep(stage="quantize", config=config.model_dump(mode="json"))
    info = graph.info.replace(scheme=config.scheme(), lineage=(*graph.info.lineage, step))
    quantized = save_graph(model, info, graph.path, out)
    progress.advance()
    notes = {**_agreement(graph, quantized, encodings), "embedding_tables": tables}
    step = step.replace(notes=notes)
    progress.advance()
    progress.finish()
    return save_graph(model, info.replace(lineage=(*graph.info.lineage, step)), graph.path, out)


def integer_form(full: Path, config: QuantizeConfig, max_length: int, encodings: Sequence[Encoding]) -> tuple[Any, int]:
    """The INT8 form of an FP32 ONNX file as `onnx.ModelProto`, and how many embedding tables were made smaller.

    Args:
        encodings: the texts static mode calibrates with.
    """
    with tempfile.TemporaryDirectory() as folder, _quiet():
        if config.mode == "none":
            return _read(full), 0
        if config.mode == "dynamic":
            model = _dynamic(full, config, max_length, Path(folder))
        else:
            model = _static(full, config, encodings, Path(folder))
    return model, rewrite.compress_embeddings(model, config.embeddings)


def _dynamic(full: Path, config: QuantizeConfig, max_length: int, folder: Path) -> Any:
    """Fused first: ONNX Runtime has an INT8 form of fused attention, but fuses no attention that is INT8 already."""
    import onnx
    from onnxruntime.quantization import QuantType, quantize_dynamic

    fused = rewrite.fuse(full)
    lean.select_early(fused)
    lean.slice_positions(fused, max_length)
    onnx.save(fused, folder / "fused.onnx")
    quantize_dynamic(
        folder / "fused.onnx",
        folder / "int8.onnx",
        op_types_to_quantize=["MatMul", "Attention"],
        per_channel=config.per_channel,
        reduce_range=config.reduce_range,
        weight_type=QuantType.QInt8 if config.weight == "int8" else QuantType.QUInt8,
        extra_options={"DefaultTensorType": onnx.TensorProto.FLOAT, "MatMulConstBOnly": True},
    )
    model = _read(folder / "int8.onnx")
    rewrite.keep_residuals_apart(model)
    return model


def _static(full: Path, config: QuantizeConfig, encodings: Sequence[Encoding], folder: Path) -> Any:
    import onnx
    from onnxruntime.quantization import CalibrationMethod, QuantFormat, QuantType, quantize_static

    lean_model = _read(full)
    lean.select_early(lean_model)
    onnx.save(lean_model, folder / "lean.onnx")
    method = {"minmax": CalibrationMethod.MinMax, "percentile": CalibrationMethod.Percentile}[config.calibration]
    types = {"uint8": QuantType.QUInt8, "int8": QuantType.QInt8}
    quantize_static(
        folder / "lean.onnx",
        folder / "int8.onnx",
        _Feeds(full, encodings),
        quant_format=QuantFormat.QDQ,
        op_types_to_quantize=["MatMul", "Gemm"],
        nodes_to_quantize=rewrite.weighted_products(lean_model),
        per_channel=config.per_channel,
        reduce_range=config.reduce_range,
        activation_type=types[config.activation],
        weight_type=types[config.weight],
        calibrate_method=method,
        extra_options={
            "ActivationSymmetric": config.symmetric_activation,
            "WeightSymmetric": True,
            "CalibPercentile": config.percentile,
            "CalibStridedMinMax": 1,
            "QuantizeBias": False,
        },
    )
    return _read(folder / "int8.onnx")


class _Feeds:
    """The calibration texts one after the other, in the form ONNX Runtime's calibration asks for.

    It asks for one text a time (stride 1): texts differ in length, and memory stays flat.
    """

    def __init__(self, model: Path, encodings: Sequence[Encoding]) -> None:
        session = GraphSession(model)
        self.feeds = [session.feeds(encoding) for encoding in encodings]
        self.waiting = iter(self.feeds)

    def __len__(self) -> int:
        return len(self.feeds)

    def set_range(self, start_index: int, end_index: int) -> None:
        """The texts that come next."""
        self.waiting = iter(self.feeds[start_index:end_index])

    def get_next(self) -> Any:
        """The next text's inputs, or None."""
        return next(self.waiting, None)


def _agreement(before: Graph, after: Graph, encodings: Sequence[Encoding]) -> dict[str, Any]:
    """How far the INT8 graph is from the FP32 graph on the texts at hand: no labels, a first look only."""
    full, small = GraphSession(before.path / MODEL_FILE), GraphSession(after.path / MODEL_FILE)
    same = total = 0
    differences = []
    for encoding in encodings:
        expected, found = full.logits(encoding), small.logits(encoding)
        differences.append(float(np.abs(expected - found).mean()))
        same += int((expected.argmax(-1) == found.argmax(-1)).sum())
        total += int(np.prod(expected.shape[:-1]))
    return {
        "mean_logit_difference": round(float(np.mean(differences)), 4),
        "same_answer_percent": round(100 * same / total, 2),
        "texts": len(encodings),
    }


def _read(path: Path) -> Any:
    import onnx

    return onnx.load(path)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keeps the quantizer's notices away: it logs advice on graphs that are prepared already, and prints."""
    level = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            yield
    finally:
        logging.disable(level)
