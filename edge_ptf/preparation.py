"""What comes before the first stage: the job is checked and its data are read. Nothing is trained or written."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from pathlib import Path

from edge_ptf import tasks
from edge_ptf.data import load as load_data
from edge_ptf.data.dataset import DataReport, LabelledData
from edge_ptf.data.folds import can_be_judged_in_folds, folds, pooled, rare_classes
from edge_ptf.errors import BadInputError, CheckpointError
from edge_ptf.heads import HeadSpec
from edge_ptf.machine import this_machine
from edge_ptf.metrics import Direction, gated
from edge_ptf.models import FAMILIES
from edge_ptf.models.base_models import Base, open_base
from edge_ptf.models.checkpoint import Checkpoint, open_checkpoint
from edge_ptf.models.sentence_models import with_vectors
from edge_ptf.package import deciding
from edge_ptf.profiles import Profile, Targets, mismatches
from edge_ptf.progress import Progress
from edge_ptf.provable import Provable, provable, unprovable
from edge_ptf.recipe import Recipe
from edge_ptf.tasks.base import Task
from edge_ptf.tasks.sentence_embedding import SAID, SentenceEmbedding

SHOWN_CLASSES = 8
SHOWN_LABELS = 5
"""Labels in a message."""


@dataclass(frozen=True, slots=True)
class Job:
    """What `compress` is asked to do."""

    profile: Profile
    model: str
    data: str
    task: type[Task]
    out: Path
    recipe: Recipe
    name: str = "package"
    limited: frozenset[str] = frozenset()
    """Accuracy targets that the user himself set, such as `max_drop.accuracy`."""
    redact: bool = False
    """The report's page holds no text of the data."""
    skip_finetune: bool = False
    """The model is fine-tuned already: it is the teacher as it is."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """A job whose model, data and targets were checked."""

    base: Base
    prunable: bool
    data: LabelledData
    task: Task
    provable: tuple[Provable, ...]
    """What the test split can prove about each gated metric with a limit."""
    teacher: Checkpoint | None = None
    """The model itself, if it is not to be fine-tuned."""


def prepare(
    job: Job,
    progress: Progress,
    on_data: Callable[[DataReport], None] = lambda _: None,
    on_warning: Callable[[str], None] = lambda _: None,
    *,
    searching: bool = False,
) -> Prepared:
    """Checks the model's directory, reads the data, and computes what its test split can prove.

    Args:
        on_data: called with what reading found.
        on_warning: called after it with each target that the test split cannot prove, and if the speed of INT8 cannot
            be checked on this machine.
        searching: a model that cannot be pruned is refused, whatever the recipe allows.

    Raises:
        CheckpointError: the model cannot be used.
        DataError: the data cannot be used.
        BadInputError: a limit on a metric by which the task is not judged, or a decoding that its labels do not permit.
    """
    recipe, teacher = job.recipe, None
    base = open_base(job.model)
    prunable = _check_family(base.path, recipe.prune.skip_unsupported, searching)
    if job.skip_finetune:
        teacher = _finished_teacher(job, base)
    data = for_judging(load_data(job.data, job.task, recipe.data, progress), job.task, recipe)
    on_data(data.report)
    task = tasks.create(job.task.spec_for(data.labels, recipe.data.out_of_scope_label))
    task = with_vectors(base.path, task, recipe.finetune.pooling, recipe.finetune.matryoshka)
    if teacher:
        check_labels(data, teacher.info.head)
        task = tasks.create(teacher.info.head)
    deciding(task, recipe.assemble)  # refuses a decoding that the labels do not permit, before the training
    check_targets(task, job.limited, recipe.targets)
    references = [example.label for example in data.test]
    targets = recipe.targets
    found = provable(task, references, targets.max_drop, job.profile.confidence, targets.min_score)
    for each in unprovable(found):
        on_warning(each.sentence)
    if unchecked := unchecked_speed(job):
        on_warning(unchecked)
    return Prepared(base, prunable, data, task, found, teacher)


def unchecked_speed(job: Job) -> str:
    """That nobody will know whether INT8 is faster than FP32 on the device; empty: it is measured here, or no INT8."""
    wrong = mismatches(job.profile, this_machine())
    if job.recipe.quantize.mode == "none" or not wrong:
        return ""
    return (
        f"whether INT8 is faster than FP32 on {job.profile.title} cannot be checked here ({wrong[0]}); "
        "edge-ptf bench on the device measures it"
    )


def _finished_teacher(job: Job, base: Base) -> Checkpoint:
    """The model as the teacher; see `Job.skip_finetune`."""
    if job.recipe.ensemble.teachers > 1:
        raise BadInputError(
            f"ensemble.teachers is {job.recipe.ensemble.teachers}, and with --skip-finetune there is one teacher",
            hint="Leave out one of the two",
        )
    if job.recipe.cross_validation.folds:
        raise BadInputError(
            "--folds fine-tunes a teacher in each fold, and with --skip-finetune none is fine-tuned",
            hint="Leave out one of the two",
        )
    if job.recipe.repetition.seeds > 1:
        raise BadInputError(
            "--seeds fine-tunes a teacher with each seed, and with --skip-finetune none is fine-tuned",
            hint="Leave out one of the two",
        )
    scope = job.recipe.data.out_of_scope_label
    teacher = open_checkpoint(base.path, job.task.name, scope, base.name)
    made_with = tasks.create(teacher.info.head).out_of_scope_label
    if (teacher.info.head.task, made_with) != (job.task.name, scope):
        raise BadInputError(
            f"{job.model}: fine-tuned for {teacher.info.head.task} with the out-of-scope label {made_with or 'none'}, "
            f"not for {job.task.name} with {scope or 'none'}",
            hint="Give that task and that label, or leave out --skip-finetune",
        )
    return teacher


def check_labels(data: LabelledData, head: HeadSpec, option: str = "--data") -> None:
    """Compares the labels of data and model, in any order. The model may lack a tag that no word has.

    Args:
        option: what named the data, for the message.

    Raises:
        BadInputError: it says which labels only one of them has.
    """
    task = tasks.create(head)
    if isinstance(task, SentenceEmbedding):
        form = str(head.options.get("form"))
        if data.labels != (form,):
            raise BadInputError(
                f"{option} has {SAID[data.labels[0]]} in a row, and the model learned from {SAID.get(form, 'others')}",
                hint="Give data of that form",
            )
        return
    used = {name for example in data.train for name in task.label_names(example)} - {task.out_of_scope_label}
    known = set(task.head.label_ids)
    theirs, ours = sorted(used - known), sorted(known - {*data.labels, task.out_of_scope_label})
    parts = [f"only in {place}: {_listed(names)}" for place, names in ((option, theirs), ("the model", ours)) if names]
    if parts:
        raise BadInputError(
            f"{option} has other labels than the model ({'; '.join(parts)})",
            hint="Give the data the model was fine-tuned on, or data with the same labels",
        )


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:SHOWN_LABELS]) + (f" and {len(names) - SHOWN_LABELS} more" if names[SHOWN_LABELS:] else "")


def check_model(job: Job, found: Prepared) -> None:
    """Loads tokenizer and model as the fine-tuning does, and tokenizes the texts. It takes seconds.

    A teacher that is fine-tuned already was loaded by `prepare`.

    Raises:
        BadInputError: options that do not fit the model.
        CheckpointError: the model or its tokenizer cannot become a package.
    """
    from edge_ptf.training.finetuning import open_trainable

    if found.teacher:
        return
    tokenizer, _, info = open_trainable(found.base.path, found.base.name, found.task, job.recipe.finetune)
    found.task.encode(tokenizer, found.data.validation, info.max_length)


def for_judging(data: LabelledData, kind: type[Task], recipe: Recipe) -> LabelledData:
    """The data as the recipe judges by them: with train and test pooled where it asks for folds.

    Raises:
        DataError: the data have too few texts for so many folds.
        BadInputError: the answers of two folds cannot be compared.
    """
    count = recipe.cross_validation.folds
    if count is None:
        return data
    if not can_be_judged_in_folds(kind, data.labels):
        raise BadInputError(
            "--folds: texts are searched by their vectors, and vectors of the models of two folds cannot be compared",
            hint="Leave out --folds, or give pairs with scores",
        )
    data = pooled(data, kind)
    folds(data, kind, count)
    if rare := rare_classes(data, kind, count):
        shown = f"{', '.join(rare[:SHOWN_CLASSES])}{' …' if len(rare) > SHOWN_CLASSES else ''}"
        note = f"Classes with fewer texts than folds, which some fold cannot learn: {shown}."
        data = replace(data, report=data.report.replace(notes=(*data.report.notes, note)))
    return data


def _check_family(base: Path, allowed: bool, searching: bool) -> bool:
    """Whether the model can be pruned; one that cannot is refused before it is trained, unless that is allowed and
    there is nothing to search."""
    family = json.loads((base / "config.json").read_text(encoding="utf-8")).get("model_type", "")
    if family not in FAMILIES and (searching or not allowed):
        leave = "compress it with" if searching else "or give"
        raise CheckpointError(
            f"the model family '{family}' cannot be pruned (supported: {', '.join(FAMILIES)})",
            hint=f"Take a model of one of these, {leave} --set prune.skip_unsupported=true: it stays whole",
        )
    return family in FAMILIES


def check_targets(task: Task, limited: Collection[str], targets: Targets) -> None:
    """A limit that the user set himself must be one that this task is judged by with these labels.

    Args:
        limited: accuracy targets that the user set, such as `max_drop.accuracy`.

    Raises:
        BadInputError: it is not, or a score is outside the range of its metric; in percent that is 1 to 100.
    """
    metrics = {metric.name: metric for metric in task.metrics}
    dropping = [metric.name for metric in gated(task.metrics)]
    for target in sorted(limited):
        kind, _, name = target.partition(".")
        allowed = dropping if kind == "max_drop" else list(metrics)
        if name not in allowed:
            scope = task.out_of_scope_label
            how = f" with the out-of-scope label '{scope}'" if scope else ""
            near = "".join(f"Did you mean {close}? " for close in get_close_matches(name, allowed, n=1))
            raise BadInputError(
                f"{kind}: the task {task.name}{how} is not judged by '{name}'",
                hint=f"{near}It is by {' and '.join(allowed)}",
            )
    for name, metric in metrics.items():
        score = targets.min_score.get(name)
        least, most = sorted(metric.limits)
        if score is not None and not least <= score <= most:
            raise BadInputError(
                f"min_score: {name}={score:g} is no score of this metric", hint=f"It is from {least:g} to {most:g}"
            )
        usual = metric.score_unit == "%" and metric.direction is Direction.HIGHER
        if score is not None and usual and not 1 <= score <= 100:
            shown = f", such as {100 * score:g} for {score:g}" if 0 < score < 1 else ""
            raise BadInputError(
                f"min_score: {name}={score:g} is not a score in percent", hint=f"It is from 1 to 100{shown}"
            )
