"""Fine-tuning and distillation, both on `transformers.Trainer`."""

from __future__ import annotations

from edge_ptf.training.distillation import DistillConfig, distill
from edge_ptf.training.finetuning import FinetuneConfig, finetune
from edge_ptf.training.placement import placement

__all__ = ["DistillConfig", "FinetuneConfig", "distill", "finetune", "placement"]
