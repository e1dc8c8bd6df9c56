"""Finds labels that are likely wrong, by cross-validation over train and test."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_ptf import stages
from edge_ptf.cache import Outcome, Place
from edge_ptf.data.dataset import LabelledData
from edge_ptf.data.folds import folds, pooled
from edge_ptf.data.label_quality import LabelErrors, label_quality
from edge_ptf.errors import BadInputError
from edge_ptf.examples import Encoding, Example, Logits
from edge_ptf.heads.probabilities import softmax
from edge_ptf.models.base_models import Base
from edge_ptf.models.checkpoint import Checkpoint
from edge_ptf.progress import Progress
from edge_ptf.runtime.checkpoint import CheckpointRunner
from edge_ptf.tasks.base import Task
from edge_ptf.training import FinetuneConfig


def find_label_errors(
    base: Base,
    task: Task,
    data: LabelledData,
    config: FinetuneConfig,
    count: int,
    place: Place,
    progress: Progress,
    on_stage: Callable[[Outcome[Any], str], None] = lambda *_: None,
) -> LabelErrors:
    """Fine-tunes a model in each fold, and compares its answers with the labels of the texts that it has not seen.

    A text whose label is no class of the model, such as an out-of-scope label that is not trained, is left out.

    Args:
        count: number of folds, from 2.
        place: keeps the model of each fold, so an interrupted run resumes.
        on_stage: called with each fold's model.

    Raises:
        BadInputError: the task does not choose one class for a text.
        DataError: there are fewer different texts than folds.
    """
    if task.head.scored([], [], []) is None:
        raise BadInputError(
            f"label-errors: {task.name} does not choose one class for a text",
            hint="It is for text-classification, sentence-pair-classification and relation-extraction",
        )
    data = pooled(data, type(task))
    examples, rows, labels = list[Example](), list[NDArray[np.float64]](), list[NDArray[np.int64]]()
    for fold in folds(data, type(task), count):
        outcome = stages.finetune(place, base, fold.data, config, task)
        on_stage(outcome, f"fold {fold.number}/{count}")
        known = [example for example in fold.data.test if example.label in task.head.label_ids]
        title = f"Answer the texts of fold {fold.number}/{count}"
        found, ids = _probabilities(outcome.artifact, task, known, progress, title)
        examples += known
        rows.append(found)
        labels.append(ids)
    return label_quality(examples, np.concatenate(rows), np.concatenate(labels), task.head.spec.labels, count)


def _probabilities(
    checkpoint: Checkpoint, task: Task, examples: Sequence[Example], progress: Progress, title: str
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """The probabilities [examples, classes] that a checkpoint gives, and the class ids [examples] of the labels."""
    runner = CheckpointRunner(checkpoint)
    encodings, logits = list[Encoding](), list[Logits]()
    progress.start(title, len(examples))
    try:
        for example in examples:
            encodings.append(runner.encode(example.text, example.text_pair))
            logits.append(runner.logits(encodings[-1]))
            progress.advance()
    finally:
        progress.finish()
    found = task.head.scored(logits, encodings, [example.label for example in examples])
    assert found is not None  # find_label_errors has asked
    return softmax(found[0]), found[1]
