"""An ONNX graph on disk with everything needed to run and package it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import Field

from edge_ptf.architecture import LayerShape
from edge_ptf.checkpoint import LineageStep
from edge_ptf.config import StrictModel
from edge_ptf.tasks.base import TaskSpec

INFO_FILE = "graph.json"
MODEL_FILE = "model.onnx"


class Scheme(StrictModel):
    """The INT8 flavour of a graph, or FP32."""

    precision: Literal["fp32", "int8"] = "fp32"
    mode: Literal["none", "dynamic", "static"] = "none"
    activation: Literal["none", "uint8", "int8"] = "none"
    weight: Literal["none", "uint8", "int8"] = "none"
    per_channel: bool = False
    reduce_range: bool = False
    symmetric_activation: bool = False
    isa: tuple[str, ...] = Field((), description="The machine needs one of these to execute the scheme exactly.")


class GraphInfo(StrictModel):
    """Content of `graph.json`, beside `model.onnx` and the tokenizer's files."""

    schema_version: Literal[1] = 1
    task: TaskSpec
    max_length: int
    base_model: str
    layers: tuple[LayerShape, ...]
    opset: int
    inputs: tuple[str, ...]
    output: str = "logits"
    scheme: Scheme = Scheme()
    nodes: dict[str, int] = Field(default_factory=dict, description="Operator counts, fused operators included.")
    parity_max_difference: float = Field(description="Largest logit difference to PyTorch (FP32) on real texts.")
    lineage: tuple[LineageStep, ...] = ()


@dataclass(frozen=True, slots=True)
class Graph:
    """A directory with `model.onnx`, `graph.json`, `config.json` and the Hugging Face tokenizer files."""

    path: Path
    info: GraphInfo
    digest: str
