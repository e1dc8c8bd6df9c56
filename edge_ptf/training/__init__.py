"""Fine-tuning and distillation, both on `transformers.Trainer`."""

from __future__ import annotations

from edge_ptf.training.distillation import DistillConfig, EnsembleConfig, KeptAnswers, distill
from edge_ptf.training.finetuning import FinetuneConfig, finetune
from edge_ptf.training.placement import Precision, placement
from edge_ptf.training.teacher_outputs import TeacherOutputs
from edge_ptf.training.trainer import TrainingStopped, Watch

__all__ = [
    "DistillConfig",
    "EnsembleConfig",
    "FinetuneConfig",
    "KeptAnswers",
    "Precision",
    "TeacherOutputs",
    "TrainingStopped",
    "Watch",
    "distill",
    "finetune",
    "placement",
]
