"""Models in the layout of sentence-transformers: how they pool, and the vectors of a model."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from edge_ptf.errors import BadInputError
from edge_ptf.heads import EmbeddingHead, Pooling
from edge_ptf.models import loading
from edge_ptf.models.base_models import MODULES
from edge_ptf.tasks.base import Task
from edge_ptf.untrusted import check_name, read_object

POOLING_FILE = "config.json"
WAYS: dict[str, Pooling] = {"pooling_mode_mean_tokens": "mean", "pooling_mode_cls_token": "first"}
"""Fields of the configuration of the pooling that edge-ptf can do."""


def with_vectors(base: Path, task: Task, pooling: Pooling | None, matryoshka: Sequence[int]) -> Task:
    """The task with vectors as wide as the hidden states of a pretrained model; other tasks stay as they are.

    Args:
        base: the directory of the encoder.
        pooling: None: as the model says, or mean.
        matryoshka: sizes of shorter vectors to train.

    Raises:
        BadInputError: an option that the task does not have, or a size that does not fit the model.
    """
    head = task.head
    if not isinstance(head, EmbeddingHead):
        for name, given in (("pooling", pooling), ("matryoshka", tuple(matryoshka) or None)):
            if given is not None:
                raise BadInputError(
                    f"finetune.{name} is {given}, but {task.name} answers with no vector", hint="Leave it out"
                )
        return task
    width = int(loading.auto_config(base).hidden_size)
    for size in matryoshka:
        if not 0 < size < width:
            raise BadInputError(
                f"finetune.matryoshka: a shorter vector of {size} numbers, and the model has {width}",
                hint=f"Give sizes from 1 to {width - 1}",
            )
    return type(task)(head.sized(width, pooling or pooling_of(base) or "mean", matryoshka))


def pooling_of(base: Path) -> Pooling | None:
    """How a sentence-transformers model pools; None: the directory says nothing about it.

    Args:
        base: the directory of the encoder: that of the model, or one in it.

    Raises:
        BadInputError: it pools in a way that edge-ptf does not know, or its files are damaged.
    """
    folder, parts = _parts(base)
    for part in parts:
        if _kind(part) == "Pooling":
            file = check_name(folder, part.get("path"), folder / MODULES) / POOLING_FILE
            config = read_object(file)
            ways = sorted(name for name, value in config.items() if name.startswith("pooling_mode_") and value is True)
            if len(ways) == 1 and ways[0] in WAYS:
                return WAYS[ways[0]]
            raise BadInputError(
                f"{file}: pools by {', '.join(ways) or 'nothing'}, and edge-ptf knows {' and '.join(WAYS)}",
                hint="Set finetune.pooling to mean or first",
            )
    return None


def _parts(base: Path) -> tuple[Path, list[dict[str, Any]]]:
    """The folder with the list of parts, and the parts; none if there is no list that can be read."""
    for folder in (base, base.parent):
        file = folder / MODULES
        if not file.is_file():
            continue
        try:
            parts = json.loads(file.read_text(encoding="utf-8"))
            known = [part for part in parts if isinstance(part, dict)]
        except (OSError, ValueError, TypeError, RecursionError):
            return folder, []
        own = any((folder / str(part.get("path", ""))).resolve() == base.resolve() for part in known)
        return (folder, known) if own else (folder, [])
    return base, []


def _kind(part: dict[str, Any]) -> str:
    return str(part.get("type", "")).rpartition(".")[2]
