"""Fine-tuning and distillation, both on `transformers.Trainer`."""

from __future__ import annotations

from edge_ptf.training.device import Precision, device_and_precision
from edge_ptf.training.distillation import DistillConfig, EnsembleConfig, KeptAnswers, distill
from edge_ptf.training.finetuning import FinetuneConfig, finetune
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
    "device_and_precision",
    "distill",
    "finetune",
]
