"""The INT8 quantization: which products become INT8, in which form, and how their ranges are found."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from edge_ptf.config import StageConfig
from edge_ptf.graph.artifact import Scheme
from edge_ptf.quantization import GraphScheme

VNNI = ("avx512_vnni", "avx_vnni", "amx_int8")


class QuantizeConfig(GraphScheme, StageConfig):
    """The INT8 quantization."""

    outputs: bool = Field(
        True, description="Static mode: results of linear ops become INT8 too; without, answers come nearer to FP32."
    )
    calibration: Literal["minmax", "percentile", "entropy", "best"] = Field(
        "minmax", description="How static ranges are chosen; best tries all and keeps what answers nearest to FP32."
    )
    percentile: float = Field(99.99, gt=90, le=100, description="Share of values inside a percentile range.")
    calibration_texts: int = Field(256, ge=8, description="Validation texts that static mode looks at.")
    embeddings: Literal["int4", "int8", "fp16", "fp32"] = Field(
        "int8", description="How the embedding table is stored; INT8 has a scale for each row, INT4 for 32 numbers."
    )
    smooth: float | None = Field(
        None, ge=0, le=1, description="SmoothQuant: how much of the inputs' range moves to the weights, e.g. 0.5."
    )
    tensorrt: Literal["none", "fp16", "int8-ffn", "int8"] = Field(
        "none",
        description="The form for TensorRT: FP16, INT8 in feed-forward layers, or INT8 in attention and residuals too.",
    )
    keep_fp32: tuple[str, ...] = Field((), description="Linear ops that stay FP32; edge-ptf sensitivity names them.")

    @field_validator("keep_fp32", mode="before")
    @classmethod
    def _listed(cls, value: Any) -> Any:
        """'classifier,layer.1.feed_forward.output' from the command line is a list too; the order does not matter."""
        names = value.replace(" ", "").split(",") if isinstance(value, str) else value
        return sorted({*names} - {""}) if all(isinstance(name, str) for name in names or ()) else value

    @model_validator(mode="after")
    def _known_embeddings(self) -> QuantizeConfig:
        if self.non_int8_dtype == "fp16" and self.mode == "static" and self.embeddings not in ("int8", "fp16"):
            raise ValueError(
                f"non_int8_dtype fp16 has no {self.embeddings} embeddings: FP32 would become FP16, and INT4 is an "
                "operator of ONNX Runtime alone; use --embeddings fp16 or int8"
            )
        return self

    @model_validator(mode="after")
    def _known_tensorrt(self) -> QuantizeConfig:
        if self.tensorrt == "none":
            return self
        if self.non_int8_dtype != "fp16" or (self.tensorrt == "fp16") != (self.mode == "none"):
            mode = "none" if self.tensorrt == "fp16" else "static"
            raise ValueError(f"tensorrt {self.tensorrt} needs --mode {mode} --non-int8-dtype fp16")
        if self.tensorrt != "fp16" and not (self.symmetric_activation and self.embeddings == "fp16"):
            raise ValueError(
                f"tensorrt {self.tensorrt} needs --activation int8 --symmetric-activation --embeddings fp16: TensorRT "
                "has no other INT8 and reads no INT8 tables"
            )
        return self

    def for_any_graph(self) -> QuantizeConfig:
        """Without what is chosen for one graph and says next to nothing about time: product names, ways to ranges."""
        return self.replace(keep_fp32=(), calibration="minmax")

    def scheme(self) -> Scheme:
        """What the package says about it."""
        if self.mode == "none":
            return Scheme(precision=self.non_int8_dtype, non_int8_dtype=self.non_int8_dtype)
        exact_anywhere = self.reduce_range or self.weight == "uint8"
        shared = self.model_dump(include=set(GraphScheme.model_fields))
        return Scheme(precision="int8", isa=() if exact_anywhere else VNNI, **shared)
