"""An ONNX graph on disk with everything needed to run and package it."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from edge_ptf.config import StageConfig, StrictModel, parse
from edge_ptf.digests import tree_digest
from edge_ptf.errors import CheckpointError, ConfigError
from edge_ptf.heads import HeadSpec
from edge_ptf.models import LayerShape
from edge_ptf.models.lineage import ExportFacts, GraphFacts, LineageStep, QuantizeFacts
from edge_ptf.quantization import GraphScheme

INFO_FILE = "graph.json"
MODEL_FILE = "model.onnx"
FORMAT = "onnx"
"""Of the graph, by which an engine is found."""
NOT_COMPANIONS = (INFO_FILE, MODEL_FILE, "edge_ptf.json", "model.safetensors")


class Scheme(GraphScheme):
    """The INT8 quantization of a graph, or FP32, or FP16."""

    precision: Literal["fp32", "fp16", "int8"] = "fp32"
    mode: Literal["none", "dynamic", "static"] = "none"
    activation: Literal["none", "uint8", "int8"] = "none"  # type: ignore[assignment]  # a graph may have no INT8
    weight: Literal["none", "uint8", "int8"] = "none"  # type: ignore[assignment]
    per_channel: bool = False
    isa: tuple[str, ...] = Field((), description="The machine needs one of these to execute the scheme exactly.")

    def __str__(self) -> str:
        if self.precision != "int8":
            return self.precision.upper()
        rest = "" if self.non_int8_dtype == "fp32" else f", the rest {self.non_int8_dtype.upper()}"
        return f"INT8 {self.mode}, {self.activation} × {self.weight}{rest}"


class GraphInfo(StrictModel):
    """Content of `graph.json`, beside `model.onnx` and the tokenizer's files."""

    schema_version: Literal[2] = 2
    head: HeadSpec
    max_length: int
    base_model: str
    layers: tuple[LayerShape, ...]
    opset: int
    inputs: tuple[str, ...]
    scheme: Scheme = Scheme()
    nodes: dict[str, int] = Field(default_factory=dict, description="Operator counts, fused operators included.")
    parity_max_difference: float = Field(description="Largest logit difference to PyTorch (FP32) on real texts.")
    facts: GraphFacts | None = Field(None, description="Results of the stage that made this graph.")
    lineage: tuple[LineageStep, ...] = ()

    def made_by(self, facts: ExportFacts | QuantizeFacts, config: StageConfig) -> GraphInfo:
        """The info after one more stage: its facts, and its step at the end of the lineage."""
        return self.replace(facts=facts, lineage=(*self.lineage, facts.step(config)))


@dataclass(frozen=True, slots=True)
class Graph:
    """A directory with `model.onnx`, `graph.json`, `config.json` and the Hugging Face tokenizer files."""

    path: Path
    info: GraphInfo
    digest: str

    @property
    def model(self) -> Path:
        """The ONNX file."""
        return self.path / MODEL_FILE


def save_graph(model: Any, info: GraphInfo, companions: Path, out: Path) -> Graph:
    """Writes a graph directory.

    Args:
        model: the `onnx.ModelProto`.
        info: without node counts, which are taken from the model.
        companions: the directory whose configuration and tokenizer files go along.
    """
    out.mkdir(parents=True, exist_ok=True)
    (out / MODEL_FILE).write_bytes(model.SerializeToString(deterministic=True))
    counts = dict(sorted(Counter(node.op_type for node in model.graph.node).items()))
    text = json.dumps(info.replace(nodes=counts).model_dump(mode="json"), indent=2, ensure_ascii=False)
    (out / INFO_FILE).write_text(text + "\n", encoding="utf-8")
    for file in sorted(companions.iterdir()):
        if file.is_file() and file.name not in NOT_COMPANIONS and not file.name.startswith("."):
            shutil.copyfile(file, out / file.name)
    return open_graph(out)


def save_info(graph: Graph, info: GraphInfo) -> Graph:
    """Writes another info into a graph directory; the counts of nodes stay."""
    text = json.dumps(info.replace(nodes=graph.info.nodes).model_dump(mode="json"), indent=2, ensure_ascii=False)
    (graph.path / INFO_FILE).write_text(text + "\n", encoding="utf-8")
    return open_graph(graph.path)


def open_graph(path: Path) -> Graph:
    """Reads a graph directory without loading the model.

    Raises:
        CheckpointError: it is none, or damaged.
    """
    for name in (INFO_FILE, MODEL_FILE, "tokenizer.json"):
        if not (path / name).is_file():
            raise CheckpointError(
                f"{path}: no {name}, so this is no graph directory",
                hint="Give a directory that export or quantize wrote",
            )
    try:
        info = parse(GraphInfo, json.loads((path / INFO_FILE).read_text(encoding="utf-8")), where=INFO_FILE)
    except (ValueError, ConfigError) as error:
        raise CheckpointError(f"{path / INFO_FILE}: damaged ({error})") from None
    return Graph(path, info, tree_digest(path))
