"""Pruning without training: accuracy at a speed-up of the same precision, and predicted beside measured latency.

    edge-ptf finetune … --out teacher/
    python benchmarks/pruning.py teacher/ --data ../shared/data/clinc150 --task text-classification \\
        --out-of-scope-label oos

For each speed-up the fine-tuned checkpoint is pruned by `edge-ptf`'s own stages (costs, prune, export, quantize,
assemble), nothing is trained. Accuracy is that of the INT8 payload on the test split, beside the unpruned model in INT8;
speed is measured by `edge-ptf`'s interleaved comparison of both payloads. The ablation repeats one speed-up without
what distinguishes the method, in FP32 on validation. Structures drawn at random, pruned ones among them, are timed in turns and compared with
what the cost table predicts. Run it on a quiet machine.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

import edge_ptf
from edge_ptf import data as data_room
from edge_ptf import profiles, stages, tasks
from edge_ptf.architecture import LayerShape
from edge_ptf.checkpoint import Checkpoint, load_model, load_tokenizer, model_inputs, open_checkpoint
from edge_ptf.compression import CostConfig, CostTable, PruneConfig
from edge_ptf.compression.costs import _Bench, time_graphs
from edge_ptf.data.dataset import DataConfig, LabelledData
from edge_ptf.export.exporting import spread
from edge_ptf.measure import BenchConfig, EvaluateConfig, statistics as own_statistics
from edge_ptf.package import AssembleConfig, Payload
from edge_ptf.recipe import Recipe, resolve_recipe
from edge_ptf.stages import Place
from edge_ptf.training.finetuning import first_metric, labelled_items
from edge_ptf.training.trainer import predictor

RESULTS = Path(__file__).parent / "results" / "pruning.json"
