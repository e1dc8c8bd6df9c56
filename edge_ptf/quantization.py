"""The fields of an INT8 quantization and their rules, declared once for profiles, options and graphs."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from edge_ptf.config import StrictModel


class Int8Scheme(StrictModel):
    """How linear ops are executed in INT8: what a processor must support."""

    mode: Literal["dynamic", "static", "none"] = Field(
        "dynamic", description="When activation ranges are found: at each call, or by calibration; none makes no INT8."
    )
    activation: Literal["uint8", "int8"] = Field("uint8", description="Activations; dynamic mode knows uint8 only.")
    weight: Literal["int8", "uint8"] = Field("int8", description="Weights.")
    per_channel: bool = Field(True, description="One scale for each output of a weight matrix.")
    reduce_range: bool = Field(False, description="Weights of 7 bits, for processors whose 16-bit sums saturate.")
    symmetric_activation: bool = Field(False, description="Zero point 0 for activations (static mode, int8).")

    @model_validator(mode="after")
    def _known_pair(self) -> Int8Scheme:
        if self.mode == "dynamic" and self.activation != "uint8":
            raise ValueError("dynamic mode quantizes activations to uint8 only; use mode static for int8")
        if self.activation == "int8" and self.weight == "uint8":
            raise ValueError("int8 activations need int8 weights: no processor here executes the other pair quickly")
        if self.symmetric_activation and (self.mode == "dynamic" or self.activation == "uint8"):
            raise ValueError("symmetric_activation needs static mode and int8 activations: uint8 has its middle at 128")
        return self


class GraphScheme(Int8Scheme):
    """The quantization of a whole graph: its linear ops, and the precision of everything else."""

    non_int8_dtype: Literal["fp32", "fp16"] = Field(
        "fp32", description="Precision of what is not INT8; fp16 is for TensorRT and GPUs, CPUs take longer with it."
    )

    @model_validator(mode="after")
    def _known_non_int8_dtype(self) -> GraphScheme:
        if self.non_int8_dtype == "fp16" and self.mode == "dynamic":
            raise ValueError(
                "non_int8_dtype fp16 needs static mode, or none: ONNX Runtime's dynamic INT8 operators take FP32 only"
            )
        return self
