"""Predicts how long a whole run takes on this machine, from the measured time of one training step."""

from __future__ import annotations

from math import ceil

from edge_ptf.compression.pruning import wanted_shapes
from edge_ptf.data.dataset import LabelledData
from edge_ptf.data_check import Duration
from edge_ptf.errors import BadInputError
from edge_ptf.models import LayerShape
from edge_ptf.recipe import Recipe
from edge_ptf.search.heuristic import LONGER, TEACHERS
from edge_ptf.training.step_time import StepTime

FORWARD = 1 / 3
"""The work of an answer as a share of a training step: the backward pass takes twice the work of the forward pass."""
ONE_BY_ONE = 2.0
"""How many times the work of a text is if it is answered alone and not in a batch."""
ASSUMED_SHARE = 0.5
"""Work of a student as a share of its teacher's, if the targets decide its size."""
FIXED_S = 45.0
"""Seconds of the stages that do not depend on the number of texts: export, quantize, assemble, and starting."""


def predict_duration(step: StepTime, data: LabelledData, recipe: Recipe) -> Duration:
    """The duration of `compress` with this recipe, and at most, if the search makes all its trials.

    Training dominates. A fine-tuning has epochs × texts ÷ batch size steps. A distillation has as many for the texts
    and the texts made from them, each with the student's share of the teacher's work, after the teacher has answered
    each of them once. Validation and test are answered besides, and the package is measured.
    """
    finetune = _finetune_steps(len(data.train), data, recipe)
    teachers, epochs, trials = recipe.ensemble.teachers, recipe.distill.epochs, recipe.search.heuristic_trials
    share = student_share(step, recipe)
    answers = 2 * _alone(len(data.test), recipe)
    distill = _distill_steps(len(data.train), data, recipe, teachers, epochs, share)
    steps = {"finetune": teachers * finetune, "distill": distill, "evaluate": answers}
    most = teachers * finetune + distill
    count = recipe.cross_validation.folds or 0
    folds = 0.0
    if count:
        kept = len(data.train) * (count - 1) / count
        taught = _distill_steps(kept, data, recipe, teachers, epochs, share)
        folds = count * (teachers * _finetune_steps(kept, data, recipe) + taught)
        steps["folds"] = folds
    if (seeds := recipe.repetition.seeds) > 1:
        count = seeds - 1
        folds = count * (teachers * finetune + distill + answers)
        steps["further seeds"] = folds
    if recipe.search.automatic:
        several = max(TEACHERS, teachers)
        if trials > 1:
            most += (several - teachers) * finetune + _distill_steps(
                len(data.train), data, recipe, several, epochs, share
            )
        most += max(trials - 2, 0) * _distill_steps(len(data.train), data, recipe, several, LONGER * epochs, share)
        answers += (trials + 1) * _alone(len(data.validation), recipe)
    tried = trials if recipe.search.automatic else 1
    fixed = (1 + count) * FIXED_S + _bench_seconds(recipe)
    return Duration(
        step_seconds=step.seconds,
        steps={name: round(count, 1) for name, count in steps.items()},
        minutes=(step.seconds * sum(steps.values()) + fixed) / 60,
        most_minutes=(step.seconds * (most + answers + folds) + fixed * (trials if recipe.search.automatic else 1))
        / 60,
        trials=tried,
    )


def student_share(step: StepTime, recipe: Recipe) -> float:
    """The work of a student as a share of its teacher's; `ASSUMED_SHARE` if nothing sets its size."""
    config = recipe.prune
    if recipe.search.automatic:
        return ASSUMED_SHARE
    if config.speedup is not None:
        return 1 / config.speedup
    try:
        kept = wanted_shapes(config, step.layers).values()
    except BadInputError:  # a size that does not fit the model is said by the stage itself
        return ASSUMED_SHARE
    width = 1.0
    if config.hidden_size is not None:
        width = config.hidden_size if config.hidden_size < 1 else config.hidden_size / step.hidden_size
    return width * sum(_work(shape, step) for shape in kept) / sum(_work(shape, step) for shape in step.layers)


def _work(shape: LayerShape, step: StepTime) -> float:
    """The weights of a layer for each number of the hidden state: query, key, value, output, and two of neurons."""
    return 4 * shape.num_heads * step.head_size + 2 * shape.intermediate_size


def _finetune_steps(rows: float, data: LabelledData, recipe: Recipe) -> float:
    config = recipe.finetune
    scored = FORWARD * len(data.validation) / config.batch_size
    return config.epochs * (ceil(rows / config.batch_size) + scored)


def _distill_steps(rows: float, data: LabelledData, recipe: Recipe, teachers: int, epochs: int, share: float) -> float:
    """In steps of the teacher, for `rows` training texts."""
    config, size = recipe.distill, recipe.finetune.batch_size
    texts = rows * (1 + config.spliced_texts + config.substituted_texts) + len(data.unlabelled)
    scored = FORWARD * len(data.validation) / size
    return teachers * FORWARD * texts / size + epochs * share * (texts / size + scored)


def _alone(texts: int, recipe: Recipe) -> float:
    """Answers to texts one by one, in steps of the teacher."""
    return ONE_BY_ONE * FORWARD * texts / recipe.finetune.batch_size


def _bench_seconds(recipe: Recipe) -> float:
    """Each launch measures package and teacher for the time of the protocol."""
    return (recipe.bench.launches + recipe.bench.memory_launches) * (recipe.bench.pace.seconds + 1)
