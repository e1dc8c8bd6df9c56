"""Fine-tune a pretrained model on labelled text: the full-precision teacher."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import Field, field_validator

from edge_ptf import models
from edge_ptf.data.dataset import LabelledData
from edge_ptf.errors import BadInputError
from edge_ptf.examples import Example, Prediction
from edge_ptf.graph.exporting import check_exportable
from edge_ptf.heads import Head, Pooling, PositiveWeights
from edge_ptf.heads.base import Loss
from edge_ptf.heads.outputs import in_fp32
from edge_ptf.models.checkpoint import (
    Checkpoint,
    CheckpointInfo,
    fresh_info,
    load_base_model,
    load_tokenizer,
    model_inputs,
    save_checkpoint,
)
from edge_ptf.models.lineage import FinetuneFacts
from edge_ptf.models.sentence_models import with_vectors
from edge_ptf.models.usable import check_rows
from edge_ptf.progress import SILENT, Progress
from edge_ptf.tasks.base import Task
from edge_ptf.training.adapters import Adapter, Method, trained_parameters
from edge_ptf.training.batching import Item
from edge_ptf.training.sampling import sampled, scheduled, weighted
from edge_ptf.training.trainer import SHARE, STATE, OptimizationConfig, Setup, Watch, freeze, predictor, train
from edge_ptf.training.vocabulary import CompactVocabulary, add_tokens


class FinetuneConfig(OptimizationConfig):
    """How the teacher is trained."""

    max_length: int = Field(128, ge=8, description="Longest text in tokens; what is longer is cut.")
    label_smoothing: float = Field(0.0, ge=0, lt=1, description="Share of each target spread over all labels.")
    positive_weights: PositiveWeights = Field(
        "none",
        description="multi-label: weight of the texts that have a label. balanced: they count as much as all others "
        "together; root: the square root of that; none: all texts count alike.",
    )
    stride: int | None = Field(
        None,
        ge=0,
        description="question-answering: tokens that two neighbouring windows of a long context share; without it 128.",
    )
    pooling: Pooling | None = Field(
        None,
        description="Tasks with vectors: mean of all tokens, or the first one; without it as the model says, or mean.",
        exclude_if=lambda pooling: pooling is None,
    )
    matryoshka: tuple[int, ...] = Field(
        (),
        description="sentence-embedding: sizes of shorter vectors to train too, such as 64.",
        exclude_if=lambda sizes: not sizes,
    )
    task_weights: str | None = Field(
        None,
        description="Several tasks: what the loss of each is multiplied by, in distillation too, such as "
        "intent=1,slots=0.5; without it 1.",
        exclude_if=lambda weights: weights is None,
    )
    task_schedule: str | None = Field(
        None,
        description="Several tasks: when the loss of each counts, as shares of the training, such as "
        "intent=0-0.5,slots=0.25; without it always.",
        exclude_if=lambda schedule: schedule is None,
    )
    sampling_temperature: float = Field(
        1.0,
        ge=1,
        le=100,
        description="Several tasks with texts of their own: 1 sees every text once in an epoch; larger values see the "
        "texts of a task with few texts more often.",
        exclude_if=lambda temperature: temperature == 1,
    )
    method: Method = Field(
        "full",
        description="What is trained: all weights, or a small part: lora, dora, ia3 or bitfit, merged at the end.",
        exclude_if=lambda method: method == "full",
    )
    rank: int = Field(
        8, ge=1, description="LoRA and DoRA: rank of the two matrices.", exclude_if=lambda rank: rank == 8
    )
    alpha: int = Field(
        16,
        ge=1,
        description="LoRA and DoRA: their product is multiplied by alpha / rank.",
        exclude_if=lambda alpha: alpha == 16,
    )
    adapter_dropout: float = Field(
        0.0,
        ge=0,
        lt=1,
        description="LoRA and DoRA: dropout before the two matrices.",
        exclude_if=lambda dropout: dropout == 0,
    )
    freeze_embeddings: bool = Field(False, description="Leave the embeddings as they are.")
    freeze_layers: int = Field(0, ge=0, description="Leave the first layers as they are.")

    @field_validator("task_weights", "task_schedule", mode="before")
    @classmethod
    def _as_text(cls, given: object) -> object:
        return ",".join(f"{name}={weight}" for name, weight in given.items()) if isinstance(given, Mapping) else given


def finetune(
    base: Path,
    base_name: str,
    data: LabelledData,
    task: Task,
    config: FinetuneConfig,
    out: Path,
    progress: Progress = SILENT,
    watch: Watch | None = None,
) -> Checkpoint:
    """Trains on `train`; of the epochs within noise of the best on `validation`, by the task's first metric, the
    last is kept.

    Args:
        base: directory of the pretrained model, as `resolve_base` gives it.
        base_name: what the lineage calls it.
        watch: may stop a training that is not worth its time.

    Raises:
        BadInputError: options that do not fit the model.
        CheckpointError: the model or its tokenizer cannot become a package.
        TrainingStopped: `watch` stopped it.
    """
    task = task.fitted(data.train)
    if config.stride is not None and task.head.stride is not None:
        task = type(task)(task.head.spec.with_options(stride=config.stride))
    task = weighted(task, config.task_weights)
    tokenizer, model, info = open_trainable(base, base_name, task, config)
    task = type(task)(info.head)
    inputs = model_inputs(model, tokenizer)
    freeze(model, embeddings=config.freeze_embeddings, layers=config.freeze_layers)
    training = labelled_items(tokenizer, task, data.train, info.max_length)
    training = sampled(training, task.head, config.sampling_temperature, config.seed)
    validation = labelled_items(tokenizer, task, data.validation, info.max_length)
    pad = int(tokenizer.pad_token_id)
    small = CompactVocabulary((item.encoding for item in [*training, *validation]), model.config.vocab_size, pad)
    training, validation = renumbered(training, small), renumbered(validation, small)
    size = sum(value.numel() for value in model.parameters())
    full = small.shrink(model)
    adapter = Adapter(model, config.method, config.rank, config.alpha, config.adapter_dropout)
    added = tokenizer.convert_tokens_to_ids(list(task.head.added_tokens))
    adapter.train_rows([int(number) for number in small.numbers[added]])
    trained = None if config.method == "full" else trained_parameters(model)

    schedule, targets = scheduled(task, config.task_schedule), [item.target for item in training]
    losses: dict[Head, Loss] = {}

    def loss(outputs: Any, batch: dict[str, Any]) -> Any:
        head = schedule.at(batch[SHARE]) if schedule else task.head
        if head not in losses:
            losses[head] = head.weighted_loss(targets, config.positive_weights)
        return losses[head](in_fp32(outputs.logits), batch["targets"], config.label_smoothing)

    predict = predictor(model, task, validation, data.validation, inputs, pad)
    setup = Setup(
        model,
        task.head,
        training,
        inputs,
        pad,
        loss,
        lambda: first_metric(task, data.validation, predict()),
        task.steering,
        len(data.validation),
        watch=watch,
    )
    facts = FinetuneFacts(
        **train(setup, config, out, "Fine-tune", progress).model_dump(),
        trained_parameters=trained,
        parameters=None if trained is None else size,
    )
    adapter.merge(out, base_name)
    small.restore(model, full)
    found = save_checkpoint(model, tokenizer, info.made_by(facts, config), out)
    shutil.rmtree(out / STATE)
    return found


def open_trainable(base: Path, base_name: str, task: Task, config: FinetuneConfig) -> tuple[Any, Any, CheckpointInfo]:
    """The tokenizer, the model with a new head, and what is known of it. All that can be checked before is checked.

    Raises:
        BadInputError: options that do not fit the model.
        CheckpointError: the model or its tokenizer cannot become a package.
    """
    from transformers import set_seed

    if config.positive_weights != "none" and not any(part.weighs_labels for part in task.head.parts):
        raise BadInputError(
            f"finetune.positive_weights is {config.positive_weights}, but {task.name} has no weights of labels",
            hint="Leave it out",
        )
    if config.stride is not None and task.head.stride is None:
        raise BadInputError(
            f"finetune.stride is {config.stride}, but {task.name} reads no context in windows", hint="Leave it out"
        )
    task = with_vectors(base, task, config.pooling, config.matryoshka)
    weighted(task, config.task_weights)
    scheduled(task, config.task_schedule)
    if config.sampling_temperature != 1 and not task.kinds:
        raise BadInputError(
            f"finetune.sampling_temperature is {config.sampling_temperature:g}, but {task.name} is one task",
            hint="Leave it out",
        )
    if config.method != "full" and (config.freeze_embeddings or config.freeze_layers):
        raise BadInputError(
            f"finetune.method is {config.method}, which freezes the encoder, but finetune.freeze_embeddings or "
            "finetune.freeze_layers is set too",
            hint="Leave out one of the two",
        )
    set_seed(config.seed)
    tokenizer = load_tokenizer(base)
    model = load_base_model(base, task, dropout=config.dropout)
    add_tokens(tokenizer, model, task.head.added_tokens)
    check_rows(base, tokenizer, model)
    count = len(models.shapes(model))
    if config.freeze_layers and not models.is_known(model):
        raise BadInputError(
            f"freeze_layers: the layers of the model family '{model.config.model_type}' are not known",
            hint=f"Leave it out, or take a model of one of these: {', '.join(models.FAMILIES)}",
        )
    if config.freeze_layers > count:
        raise BadInputError(f"freeze_layers is {config.freeze_layers}, but the model has {count} layers")
    info = fresh_info(model, task, base_name, config.max_length)
    if not models.is_known(model):
        check_exportable(base, model, model_inputs(model, tokenizer), task.head, info.max_length)
    return tokenizer, model, info


def labelled_items(tokenizer: Any, task: Task, examples: Sequence[Example], max_length: int) -> list[Item]:
    """Examples with their targets, tokenized once; `row` counts the items. Each window is an item of its own."""
    items: list[Item] = []
    for number, (example, encoding) in enumerate(
        zip(examples, task.encode(tokenizer, examples, max_length), strict=True)
    ):
        for part in encoding.parts():
            items.append(Item(part, task.head.target(example, part), len(items), number))
    return items


def renumbered(items: Sequence[Item], vocabulary: CompactVocabulary) -> list[Item]:
    """The items with token ids in the small numbering."""
    return [replace(item, encoding=vocabulary.renumbered(item.encoding)) for item in items]


def first_metric(task: Task, examples: Sequence[Example], predictions: Sequence[Prediction]) -> float:
    """The score of the metric that steers selection, in its unit."""
    metric = task.steering
    references = [example.label for example in examples]
    return metric.score(metric.per_example(references, metric.answers(predictions)))
