"""Teach a smaller student to answer, and to represent text, as its teacher does."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from edge_ptf import models, tasks
from edge_ptf.config import StageConfig
from edge_ptf.data.augmentation import near_words, spliced, split_words, substituted
from edge_ptf.data.dataset import LabelledData
from edge_ptf.errors import BadInputError
from edge_ptf.examples import Example
from edge_ptf.graph.quantization_scheme import QuantizeConfig
from edge_ptf.models.checkpoint import (
    Checkpoint,
    load_model,
    load_tokenizer,
    model_inputs,
    save_checkpoint,
)
from edge_ptf.models.lineage import DistillFacts
from edge_ptf.progress import SILENT, Progress
from edge_ptf.tasks.base import Task
from edge_ptf.training.activation_capture import ActivationCapture
from edge_ptf.training.batching import Item
from edge_ptf.training.distillation_loss import DistillationLoss
from edge_ptf.training.fake_quantization import checked, fake_quantized
from edge_ptf.training.finetuning import first_metric, labelled_items, renumbered
from edge_ptf.training.teacher_outputs import TeacherOutputs, compute
from edge_ptf.training.trainer import STATE, OptimizationConfig, Setup, Watch, predictor, train
from edge_ptf.training.vocabulary import CompactVocabulary


class DistillConfig(OptimizationConfig):
    """How the student is taught."""

    epochs: int = Field(8, ge=1, description="Times the training texts are seen.")
    learning_rate: float = Field(5e-4, gt=0, description="Largest step size.")
    dropout: float | None = Field(0.0, ge=0, lt=1, description="Replaces the model's own dropout.")
    logit_loss: Literal["kl", "mse"] = Field(
        "mse", description="Match distributions (kl, at a temperature) or the logits themselves (mse)."
    )
    temperature: float = Field(2.0, gt=0, description="Temperature of the kl loss.")
    logit_weight: float = Field(1.0, ge=0, description="Weight of the teacher's answers in the loss.")
    label_weight: float = Field(0.0, ge=0, description="Weight of the true labels in the loss.")
    hidden_weight: float = Field(1.0, ge=0, description="Weight of the teacher's hidden states in the loss.")
    layer_map: Literal["origin", "nearest"] = Field(
        "origin",
        description="Hold a layer against the teacher's layer it was cut from, or in each batch against the nearest.",
    )
    relation_weight: float = Field(0.0, ge=0, description="Weight of the last layer's query, key and value relations.")
    spliced_texts: float = Field(
        2.0, ge=0, description="Unlabelled spliced texts for the teacher to label, as a multiple of the training texts."
    )
    substituted_texts: float = Field(
        0.0, ge=0, description="Texts with some words replaced by near ones, as a multiple of the training texts."
    )
    split_words: float = Field(
        0.5, ge=0, le=1, description="Share of spliced texts with words that the student's smaller vocabulary splits."
    )
    quantization_aware: bool = Field(
        False,
        description="Teach with INT8's rounding in the forward pass, in the quantization of quantize; takes longer.",
    )


KeptAnswers = Callable[[Checkpoint, Sequence[Item], Callable[[Path], TeacherOutputs]], TeacherOutputs]
"""What a teacher says to some texts: from an earlier student, or worked out in a folder by what is given."""


class EnsembleConfig(StageConfig):
    """Several teachers."""

    teachers: int = Field(
        1, ge=1, le=9, description="Teachers whose answers are averaged: the first, and others with other seeds."
    )


def distill(
    teacher: Checkpoint,
    student: Checkpoint,
    data: LabelledData,
    config: DistillConfig,
    out: Path,
    progress: Progress = SILENT,
    watch: Watch | None = None,
    extra_teachers: Sequence[Checkpoint] = (),
    quantization: QuantizeConfig | None = None,
    kept: KeptAnswers | None = None,
) -> Checkpoint:
    """Trains `student` on the teacher's logits and hidden states over `train`, texts made from it, and `unlabelled`.

    Each student layer is held against the teacher layer it was cut from (or, where that is not known, against layers
    spread evenly), or in each batch against the nearest that keep the order (after Xia et al. 2022, "CoFi", section
    2.2, where it is the teacher's layers that choose). Of the epochs whose first gated metric on `validation` is within
    noise of the best, the last one is kept.

    Args:
        watch: may stop a training that is not worth its time.
        extra_teachers: further teachers, whose logits are averaged with the first one's. What fine-tunings of one model
            agree in is what the data says, where they differ is chance, and a student need not learn it.
        quantization: the INT8 that quantization-aware distillation teaches for. Then validation scores are those of the
            rounded student too; what is kept are its FP32 weights.
        kept: where the extra teachers' logits may be found, and stay for other students; without it they are worked out
            for this one.

    Raises:
        BadInputError: teachers and student do not belong together, or there is no such quantization.
        TrainingStopped: `watch` stopped it.
    """
    _check_student(teacher, student)
    _check_alike(teacher, extra_teachers)
    from transformers import set_seed

    set_seed(config.seed)
    task, info = tasks.create(student.info.head), student.info
    taught, teaching = load_model(student), load_model(teacher)
    widths = [models.hidden_size(model) for model in (taught, teaching)]
    axes = matched_axes(teacher, student, widths[1])
    if config.hidden_weight and widths[0] != len(axes):
        raise BadInputError(
            f"hidden states of {widths[0]} and {widths[1]} numbers cannot be compared",
            hint="Set hidden_weight to 0; relation_weight compares models of any width",
        )
    rounded = checked(taught, quantization) if config.quantization_aware else None
    if config.dropout is not None:
        _set_dropout(taught, config.dropout)
    tokenizer, teacher_tokenizer = load_tokenizer(student.path), load_tokenizer(teacher.path)
    inputs, pad = model_inputs(taught, tokenizer), int(tokenizer.pad_token_id)

    words_to_split = split_words(teacher_tokenizer, tokenizer) if config.split_words else []
    extra = spliced(
        data.train, int(config.spliced_texts * len(data.train)), config.seed, words_to_split, config.split_words
    )
    near = _near_words(teaching, teacher_tokenizer, data.train) if config.substituted_texts else {}
    extra += substituted(data.train, int(config.substituted_texts * len(data.train)), config.seed, near)
    extra += data.unlabelled
    asked, items, alike = _tokenized_by_both(
        (teacher, teacher_tokenizer), (student, tokenizer), task, data.train, extra
    )
    layers = _compared_layers(teacher, student, config)
    relates = config.relation_weight > 0
    capture = ActivationCapture(models.projections(taught) if relates else ())

    def ask(model: Any, folder: Path, states: Sequence[int] = (), *, projections: bool = False) -> TeacherOutputs:
        fed, padding = model_inputs(model, teacher_tokenizer), int(teacher_tokenizer.pad_token_id)
        return compute(
            model,
            task.head,
            asked,
            states,
            fed,
            padding,
            folder,
            progress,
            config.precision,
            projections=projections,
        )

    def help_out(number: int, extra_teacher: Checkpoint) -> TeacherOutputs:
        if kept:
            return kept(extra_teacher, asked, lambda folder: ask(load_model(extra_teacher), folder))
        return ask(load_model(extra_teacher), out / STATE / f"extra_teacher-{number}")

    outputs = ask(teaching, out / STATE / "teacher", layers, projections=relates)
    del teaching
    if extra_teachers:
        others = [help_out(number, each) for number, each in enumerate(extra_teachers)]
        outputs = outputs.joined(others, out / STATE / "mean", task.head)

    validation = labelled_items(tokenizer, task, data.validation, info.max_length)
    small = CompactVocabulary((item.encoding for item in [*items, *validation]), taught.config.vocab_size, pad)
    items, validation = renumbered(items, small), renumbered(validation, small)
    full = small.shrink(taught)
    distillation_loss = DistillationLoss(config, task.head, outputs, (items, asked), alike, axes, capture)
    predict = predictor(taught, task, validation, data.validation, inputs, pad)
    setup = Setup(
        taught,
        task.head,
        items,
        inputs,
        pad,
        distillation_loss.loss,
        lambda: first_metric(task, data.validation, predict()),
        task.steering,
        len(data.validation),
        hidden_states=bool(layers),
        watch=watch,
    )
    rounding = fake_quantized(taught, rounded, one_token=task.head.reads_first_token) if rounded else nullcontext()
    with rounding, capture:
        trained = train(setup, config, out, "Distill", progress)
    small.restore(taught, full)
    facts = DistillFacts(
        **trained.model_dump(),
        teachers=1 + len(extra_teachers) if extra_teachers else None,
        further_texts=len(extra),
        split_words=len(words_to_split),
        quantization=rounded.model_dump(mode="json") if rounded else None,
        matched_layers=layers,
        texts_tokenized_differently=alike.count(False),
    )
    info = info.replace(origin=student.origin).made_by(facts, config)
    found = save_checkpoint(taught, tokenizer, info, out)
    shutil.rmtree(out / STATE)
    return found


def _near_words(teacher: Any, tokenizer: Any, examples: Sequence[Example]) -> dict[str, tuple[str, ...]]:
    """Near words of all that occur in the texts, by the teacher's embeddings."""
    embeddings = teacher.get_input_embeddings().weight.detach().float().numpy()
    return near_words(tokenizer, embeddings, (word for example in examples for word in example.text.split()))


def _check_student(teacher: Checkpoint, student: Checkpoint) -> None:
    if teacher.info.head.labels != student.info.head.labels:
        raise BadInputError(
            f"{student.path} has other labels than {teacher.path}", hint="Prune the student from that teacher"
        )
    scopes = [tasks.create(each.info.head).out_of_scope_label for each in (student, teacher)]
    if scopes[0] != scopes[1]:
        raise BadInputError(
            f"{student.path} has the out-of-scope label {scopes[0] or 'none'}, {teacher.path} {scopes[1] or 'none'}",
            hint="Give the same --out-of-scope-label to every stage",
        )


def _check_alike(teacher: Checkpoint, extra_teachers: Sequence[Checkpoint]) -> None:
    for extra_teacher in extra_teachers:
        if extra_teacher.info.head.labels != teacher.info.head.labels:
            raise BadInputError(
                f"{extra_teacher.path} has other labels than {teacher.path}",
                hint="Fine-tune all teachers on the same data",
            )
        if tasks.create(extra_teacher.info.head).head.untuned != tasks.create(teacher.info.head).head.untuned:
            raise BadInputError(
                f"{extra_teacher.path} has other settings of its head than {teacher.path}, so logits have no mean",
                hint="Fine-tune all teachers on the same data, with the same options",
            )
        ours, theirs = (load_tokenizer(each.path).backend_tokenizer.to_str() for each in (teacher, extra_teacher))
        if ours != theirs or extra_teacher.info.max_length != teacher.info.max_length:
            raise BadInputError(
                f"{extra_teacher.path} cuts texts differently from {teacher.path}",
                hint="Fine-tune all teachers from the same model, with the same max_length",
            )


def matched_layers(teacher: Checkpoint, student: Checkpoint) -> tuple[int, ...]:
    """For each student layer the index of the teacher's hidden state it is held against (0 is the embedding)."""
    found = student.origin.layers_in(teacher.origin)
    if found is not None:
        return tuple(layer + 1 for layer in found)
    count = len(student.info.layers)
    return tuple(round((index + 1) * len(teacher.info.layers) / count) for index in range(count))


def _compared_layers(teacher: Checkpoint, student: Checkpoint, config: DistillConfig) -> tuple[int, ...]:
    """The teacher's hidden states that are kept for comparison: one for each student layer, or all to choose from."""
    if not config.hidden_weight:
        return ()
    if config.layer_map == "nearest":
        return tuple(range(1, len(teacher.info.layers) + 1))
    return matched_layers(teacher, student)


def matched_axes(teacher: Checkpoint, student: Checkpoint, width: int) -> tuple[int, ...]:
    """For each number of the student's hidden states the place of the teacher's it was cut from.

    Args:
        width: of the teacher's hidden states.
    """
    found = student.origin.hidden_in(teacher.origin, width)
    return tuple(range(width)) if found is None else found


def _tokenized_by_both(
    teacher: tuple[Checkpoint, Any],
    student: tuple[Checkpoint, Any],
    task: Task,
    examples: Sequence[Example],
    extra: Sequence[Example],
) -> tuple[list[Item], list[Item], list[bool]]:
    """Training texts with their targets, then further texts with none: as the teacher and as the student cuts them, and
    whether both do it alike.

    Args:
        teacher, student: with its tokenizer.
    """
    longest = min(each.info.max_length for each, _ in (teacher, student))
    asked = _items(teacher[1], task, examples, extra, longest)
    items = _items(student[1], task, examples, extra, student[0].info.max_length)
    if len(asked) != len(items):
        asked, items = _common(asked, items)
    return asked, items, _alike(asked, items, (teacher[1], student[1]), longest)


def _items(
    tokenizer: Any, task: Task, examples: Sequence[Example], extra: Sequence[Example], max_length: int
) -> list[Item]:
    """Training texts with their targets, then mixed texts with none."""
    items = labelled_items(tokenizer, task, examples, max_length)
    for number, encoding in enumerate(task.encode(tokenizer, extra, max_length), len(examples)):
        for part in encoding.parts():
            items.append(Item(part, task.head.no_target(part), len(items), number))
    return items


def _common(asked: Sequence[Item], items: Sequence[Item]) -> tuple[list[Item], list[Item]]:
    """The windows that a text has for both, where two tokenizers make a different number of windows of it."""
    places = [
        {(item.text, number): item for item, number in zip(given, _numbers(given), strict=True)}
        for given in (asked, items)
    ]
    both = [place for place in places[0] if place in places[1]]
    theirs, own = ([replace(given[place], row=row) for row, place in enumerate(both)] for given in places)
    return theirs, own


def _numbers(items: Sequence[Item]) -> list[int]:
    """Of each item its number among the windows of its text."""
    found: list[int] = []
    for before, item in zip((None, *items), items, strict=False):
        found.append(found[-1] + 1 if before is not None and before.text == item.text else 0)
    return found


def _alike(asked: Sequence[Item], items: Sequence[Item], tokenizers: Sequence[Any], longest: int) -> list[bool]:
    """Whether teacher and student cut each text into as many tokens, so that states can be held against each other.

    Of a text that both cut off at `longest` tokens their number says nothing: there the subwords must be the same.
    """

    def subwords(tokenizer: Any, ids: Sequence[int]) -> list[str]:
        return list(tokenizer.convert_ids_to_tokens(list(ids)))

    found = []
    for each in zip(asked, items, strict=True):
        theirs, own = (item.encoding.input_ids for item in each)
        if each[0].encoding.places != each[1].encoding.places:
            found.append(False)
            continue
        names = (subwords(tokenizer, ids) for tokenizer, ids in zip(tokenizers, (theirs, own), strict=True))
        found.append(len(theirs) == len(own) and (len(own) < longest or next(names) == next(names)))
    return found


def _set_dropout(model: Any, share: float) -> None:
    from torch import nn

    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.p = share
        for name in ("dropout_prob", "attention_dropout"):
            if isinstance(getattr(module, name, None), float):
                setattr(module, name, share)
