"""Fine-tuning and distillation, both on `transformers.Trainer`."""

from __future__ import annotations

from edge_ptf.training.distillation import DistillConfig, EnsembleConfig, distill
from edge_ptf.training.finetuning import FinetuneConfig, finetune
from edge_ptf.training.placement import placement
from edge_ptf.training.trainer import TrainingStopped, Watch

__all__ = [
    "DistillConfig",
    "EnsembleConfig",
    "FinetuneConfig",
    "TrainingStopped",
    "Watch",
    "distill",
    "finetune",
    "placement",
]
