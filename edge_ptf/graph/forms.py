"""Makes INT8 forms of one FP32 graph with ONNX Runtime's quantizer. Some linear ops may stay in FP32."""

from __future__ import annotations

import contextlib
import io
import logging
import tempfile
from collections.abc import Collection, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from edge_ptf.engines.onnxruntime import GraphSession, logit_distance
from edge_ptf.examples import Encoding
from edge_ptf.graph import calibration, fp16, linear_ops, optimizations, rewrite, smoothing, tensorrt
from edge_ptf.graph.quantization_scheme import QuantizeConfig
from edge_ptf.graph.ranges import Ranges, transferred


class Quantizer:
    """Makes several forms of one graph with one quantization. It computes fusions and ranges only once."""

    def __init__(
        self,
        full: Path,
        max_length: int,
        config: QuantizeConfig,
        encodings: Sequence[Encoding],
        given: Ranges | None = None,
    ) -> None:
        """Args:
        full: the FP32 graph's ONNX file.
        max_length: maximum number of tokens of a text.
        encodings: the texts for the ranges, both of static mode and of smoothing.
        given: static ranges from another toolkit. They are used directly; with `best` calibration they are one
            candidate.
        """
        self.full = full
        self.max_length = max_length
        self.config = config
        self.encodings = encodings
        self.given = given
        self.facts: dict[str, Any] = {}  # results for the lineage

    def shipped(self, keep_fp32: Collection[str] = ()) -> Any:
        """The form of the final package: `form` with smaller embedding tables and, if configured, FP16 for the rest."""
        model, config = self.form(keep_fp32), self.config
        if config.non_int8_dtype == "fp32":
            tables = rewrite.compress_embeddings(model, config.embeddings) if config.mode != "none" else 0
        else:  # FP16 applies to the tables and all the rest
            whole = config.mode == "none" or config.embeddings == "fp16"
            tables = 0 if whole else rewrite.compress_embeddings(model, config.embeddings)
            model, kept = fp16.to_fp16(model, self.large)
            self.facts |= {"kept_fp32_by_range": list(kept)}
        self.facts |= {"embedding_tables": tables}
        return model

    def form(self, keep_fp32: Collection[str] = ()) -> Any:
        """A new `onnx.ModelProto` with the named linear ops in FP32 and all others in INT8.

        Raises:
            BadInputError: the graph has no linear op of that name.
        """
        if self.config.mode == "none":
            return _read(self.full) if self.config.tensorrt == "none" else _copy(self.source)
        kept = linear_ops.nodes_of(self.source, keep_fp32)
        with _quiet():
            return self._dynamic(kept) if self.config.mode == "dynamic" else self._static(kept, self.ranges)

    @cached_property
    def source(self) -> Any:
        """The FP32 graph that is quantized.

        For dynamic mode it is fused first. ONNX Runtime has an INT8 form of fused attention, but it cannot fuse
        attention that is already INT8.
        """
        dynamic = self.config.mode == "dynamic"
        model = rewrite.fuse(self.full) if dynamic else _read(self.full)
        optimizations.select_early(model)
        if self.config.tensorrt != "none":
            tensorrt.scale_queries(model)
        elif self._keeps_results:
            rewrite.split_gemms(model)
        if dynamic:
            optimizations.slice_positions(model, self.max_length)
        if self.config.smooth is not None:
            self.facts |= {"smoothed_inputs": smoothing.smooth(model, self.encodings, self.config.smooth)}
        return model

    @property
    def _keeps_results(self) -> bool:
        """Whether results of INT8 linear ops stay in floating point, so that their biases are not quantized."""
        return self.config.mode == "static" and not self.config.outputs

    @cached_property
    def large(self) -> frozenset[str]:
        """The activations that are too large for FP16."""
        plain = self.config.mode == "none" and self.config.tensorrt == "none"
        source = _read(self.full) if plain else self.source
        return fp16.large_tensors(source, self.encodings)

    @cached_property
    def ranges(self) -> Any:
        """The ranges of static mode. Several methods are compared with the `keep_fp32` of the quantization."""
        import onnx

        with tempfile.TemporaryDirectory() as folder, _quiet():
            onnx.save(self.source, Path(folder) / "fp32.onnx")
            best = self.config.calibration == "best"
            asked = "minmax" if self.given and not best else self.config.calibration
            ways = calibration.ways(asked, self.config.percentile)
            found = {str(way): calibration.calibrate(Path(folder) / "fp32.onnx", self.encodings, way) for way in ways}
        if self.given:
            theirs = transferred(self.source, found["minmax"], self.given)
            found = {**(found if best else {}), self.given.source: theirs}
            self.facts |= {"calibration": self.given.source}
        if len(found) == 1:
            return next(iter(found.values()))
        distances = {name: self._distance(ranges) for name, ranges in found.items()}
        nearest = min(distances, key=lambda name: distances[name])
        self.facts |= {"calibration": nearest, "calibration_logit_difference": distances}
        return found[nearest]

    def _distance(self, ranges: Any) -> float:
        """The distance between the answers of FP32 and of the static form with these ranges."""
        model = self._static(linear_ops.nodes_of(self.source, self.config.keep_fp32), ranges)
        full, small = GraphSession(self.full), GraphSession(model.SerializeToString())
        logits = [session.all_logits(self.encodings) for session in (full, small)]
        return round(logit_distance(*logits), 5)

    def _dynamic(self, kept: Sequence[str]) -> Any:
        import onnx
        from onnxruntime.quantization import QuantType, quantize_dynamic

        with tempfile.TemporaryDirectory() as folder:
            source, result = Path(folder) / "fp32.onnx", Path(folder) / "int8.onnx"
            onnx.save(self.source, source)
            quantize_dynamic(
                source,
                result,
                op_types_to_quantize=["MatMul", "Attention"],
                nodes_to_exclude=[
                    *kept,
                    *(f"{name}_MatMul" for name in kept),
                ],  # the quantizer first converts a Gemm to these
                per_channel=self.config.per_channel,
                reduce_range=self.config.reduce_range,
                weight_type=QuantType.QInt8 if self.config.weight == "int8" else QuantType.QUInt8,
                extra_options={"DefaultTensorType": onnx.TensorProto.FLOAT, "MatMulConstBOnly": True},
            )
            model = _read(result)
        rewrite.keep_residuals_apart(model)
        return model

    def _static(self, kept: Sequence[str], ranges: Any) -> Any:
        if self.config.tensorrt in ("int8-ffn", "int8"):
            return tensorrt.place(self.source, ranges, kept, self.config.tensorrt, self.config.per_channel)
        import onnx
        from onnxruntime.quantization import QDQQuantizer, QuantType
        from onnxruntime.quantization.quant_utils import load_model_with_shape_infer

        nodes = [name for name in rewrite.weighted_linear_ops(self.source) if name not in kept]
        if not nodes:  # an empty list would mean all nodes
            return _copy(self.source)
        with tempfile.TemporaryDirectory() as folder:
            onnx.save(self.source, Path(folder) / "fp32.onnx")
            source = load_model_with_shape_infer(Path(folder) / "fp32.onnx")
        types = {"uint8": QuantType.QUInt8, "int8": QuantType.QInt8}
        quantizer = QDQQuantizer(
            source,
            self.config.per_channel,
            self.config.reduce_range,
            types[self.config.weight],
            types[self.config.activation],
            ranges,
            nodes,
            [],
            ["MatMul", "Gemm"],
            {
                "ActivationSymmetric": self.config.symmetric_activation,
                "WeightSymmetric": True,
                "QuantizeBias": False,
                "OpTypesToExcludeOutputQuantization": [] if self.config.outputs else ["MatMul", "Gemm"],
            },
        )
        quantizer.quantize_model()
        quantizer.model.topological_sort()
        if self._keeps_results:
            rewrite.keep_biases_apart(quantizer.model.model)
        return quantizer.model.model


def _read(path: Path) -> Any:
    import onnx

    return onnx.load(path)


def _copy(model: Any) -> Any:
    import onnx

    copied = onnx.ModelProto()
    copied.CopyFrom(model)
    return copied


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Hides the quantizer's messages: it prints, and logs advice that does not apply to these graphs."""
    level = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            yield
    finally:
        logging.disable(level)
