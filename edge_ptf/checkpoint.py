"""A checkpoint: a Hugging Face directory plus `edge_ptf.json`, which says what `transformers` cannot.

That is the task, the longest sequence, where the checkpoint comes from, and the shape of each layer where pruning made
layers differ. A checkpoint whose layers are all alike loads with plain `transformers`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from edge_ptf.architecture import LayerShape
from edge_ptf.config import StrictModel
from edge_ptf.tasks.base import TaskSpec

INFO_FILE = "edge_ptf.json"


class LineageStep(StrictModel):
    """One stage that made this checkpoint or graph: what a reader needs to repeat it. No times, no paths."""

    stage: str
    config: dict[str, Any] = Field(default_factory=dict)
    notes: dict[str, Any] = Field(default_factory=dict, description="Figures of the stage, such as validation metrics.")


class CheckpointInfo(StrictModel):
    """Content of `edge_ptf.json`."""

    schema_version: Literal[1] = 1
    task: TaskSpec
    max_length: int = Field(gt=2, description="Longest sequence in tokens, special tokens included.")
    base_model: str = Field(description="Hub id or directory name of the pretrained model.")
    head_size: int = Field(gt=0, description="Width of one attention head.")
    layers: tuple[LayerShape, ...] = Field(description="Shape of each encoder layer, first layer first.")
    lineage: tuple[LineageStep, ...] = ()


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A checkpoint on disk with its info and its digest (sha256 over all files)."""

    path: Path
    info: CheckpointInfo
    digest: str
