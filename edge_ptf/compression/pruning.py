"""Prunes a fine-tuned checkpoint to a student: fewer layers, heads, feed-forward neurons and subwords."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Sequence
from math import ceil
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import Field, field_validator, model_validator

from edge_ptf import models, tasks
from edge_ptf.compression import vocabulary
from edge_ptf.compression.importance import (
    LayerImportance,
    fisher,
    fisher_hidden,
    magnitude,
    magnitude_hidden,
    strongest,
)
from edge_ptf.compression.latency_table import LatencyTable
from edge_ptf.compression.reconstruction import reconstruct
from edge_ptf.compression.structure import best_structure
from edge_ptf.config import StageConfig
from edge_ptf.data.dataset import LabelledData
from edge_ptf.errors import BadInputError
from edge_ptf.examples import Example
from edge_ptf.heads import Head
from edge_ptf.models import LayerShape
from edge_ptf.models.checkpoint import (
    Checkpoint,
    load_model,
    load_tokenizer,
    model_inputs,
    save_checkpoint,
)
from edge_ptf.models.lineage import PruneFacts
from edge_ptf.progress import SILENT, Progress, say
from edge_ptf.training.batching import Item
from edge_ptf.training.finetuning import labelled_items

SIZES = ("num_layers", "keep_layers", "num_heads", "intermediate_size", "hidden_size")
"""The options that set the size directly. `speedup` computes the size instead."""
NEURONS_STEP = 32
"""Shares of feed-forward neurons and of the hidden size are rounded to a multiple of this, as kernels use blocks."""


class PruneConfig(StageConfig):
    """The student's size: counts, or shares below 1 of the teacher's size. An unset option prunes nothing."""

    speedup: float | None = Field(
        None, gt=1, description="Find the layers and widths that give this speed-up at the same precision."
    )
    num_layers: float | None = Field(
        None,
        gt=0,
        description="Number or share of layers to keep, spread evenly; the last layer always stays.",
        examples=[2],
    )
    keep_layers: tuple[int, ...] | None = Field(None, description="Keep exactly these layers, from 0, such as 1,3,5.")
    num_heads: tuple[float, ...] | None = Field(
        None, description="Number or share of attention heads to keep: one for all layers, or one for each kept layer."
    )
    intermediate_size: tuple[float, ...] | None = Field(
        None,
        description="Number or share of feed-forward neurons to keep: one for all layers, or one for each kept layer.",
    )
    hidden_size: float | None = Field(
        None, gt=0, description="Number or share of hidden dimensions to keep; distill the student afterwards."
    )
    importance: Literal["fisher", "magnitude"] = Field(
        "fisher", description="How to rate heads, neurons and hidden dimensions: Fisher information or magnitude."
    )
    samples: int = Field(512, ge=1, description="Number of validation texts for the Fisher information.")
    rearrange: bool = Field(True, description="Choose parts by their joint effect, not each part alone.")
    refit: Literal["weights", "scales", "none"] = Field(
        "weights", description="Refit to the unpruned model: all output weights, or one factor for each part."
    )
    refit_tokens: int = Field(32_768, ge=1, description="Maximum number of tokens of training texts for the refit.")
    vocabulary: bool = Field(True, description="Remove subwords that the training texts do not use.")
    vocabulary_min_count: int = Field(1, ge=1, description="Minimum uses in train and validation to keep a subword.")
    vocabulary_size: int | None = Field(
        None, ge=1, description="Add the language's frequent subwords until the vocabulary has this size."
    )
    skip_unsupported: bool = Field(
        False, description="Keep a model as it is if its family cannot be pruned, instead of an error."
    )

    @field_validator("keep_layers", "num_heads", "intermediate_size", mode="before")
    @classmethod
    def _listed(cls, value: Any) -> Any:
        """Converts a single number, or '1,3,5' from the command line, to a list."""
        if isinstance(value, str):
            return [part for part in value.replace(" ", "").split(",") if part]
        return [value] if isinstance(value, int | float) else value

    @model_validator(mode="after")
    def _one_way(self) -> PruneConfig:
        sizes = [name for name in SIZES if getattr(self, name) is not None]
        if self.speedup is not None and sizes:
            raise ValueError(f"speedup computes the widths itself; remove {', '.join(sizes)}")
        return self


def prune(
    checkpoint: Checkpoint,
    data: LabelledData,
    config: PruneConfig,
    out: Path,
    progress: Progress = SILENT,
    latencies: LatencyTable | None = None,
) -> Checkpoint:
    """Writes a smaller model that can be used directly or trained with `distill`.

    Args:
        latencies: the latency of each width on the device. Required for a speed-up.

    Raises:
        BadInputError: the requested size does not fit the model, or no structure is fast enough.
        CheckpointError: the model's family cannot be pruned.
    """
    model, tokenizer = load_model(checkpoint), load_tokenizer(checkpoint.path)
    info = checkpoint.info
    if config.skip_unsupported and not models.is_known(model):
        facts = PruneFacts(skipped=f"family {model.config.model_type}")
        return save_checkpoint(model, tokenizer, info.made_by(facts, config), out)
    models.family_of(model)
    kept, structure = _prune_structure(model, tokenizer, checkpoint, data, config, latencies, progress)
    hidden = None
    if config.hidden_size is not None:
        hidden = _prune_hidden_size(model, tokenizer, checkpoint, data, config, progress)
    vocabulary_facts: dict[str, Any] = {}
    if config.vocabulary:
        tokenizer, vocabulary_facts = _prune_vocabulary(model, tokenizer, data, config, progress)
    info = info.replace(
        layers=models.shapes(model),
        hidden_size=info.hidden_size if hidden is None else models.hidden_size(model),
        origin=checkpoint.origin.pruned(kept, hidden),
    )
    facts = PruneFacts(kept_layers=kept, **structure, kept_hidden=hidden, **vocabulary_facts)
    return save_checkpoint(model, tokenizer, info.made_by(facts, config), out)


def spread_layers(count: int, kept: int) -> list[int]:
    """Selects `kept` of `count` layers, spread evenly and with the last one: 3 of 6 are 1, 3, 5."""
    return [round((index + 1) * count / kept) - 1 for index in range(kept)]


def wanted_shapes(config: PruneConfig, shapes: Sequence[LayerShape]) -> dict[int, LayerShape]:
    """The layers that stay, by their index, with their shapes, if the configuration sets the size directly.

    Raises:
        BadInputError: the size does not fit the model.
    """
    kept = _kept_layers(config, len(shapes))
    heads = _widths("num_heads", config.num_heads, [shapes[layer].num_heads for layer in kept], step=1)
    neurons = _widths(
        "intermediate_size",
        config.intermediate_size,
        [shapes[layer].intermediate_size for layer in kept],
        step=NEURONS_STEP,
    )
    return {
        layer: LayerShape(num_heads=h, intermediate_size=u) for layer, h, u in zip(kept, heads, neurons, strict=True)
    }


def _prune_structure(
    model: Any,
    tokenizer: Any,
    checkpoint: Checkpoint,
    data: LabelledData,
    config: PruneConfig,
    latencies: LatencyTable | None,
    progress: Progress,
) -> tuple[list[int], dict[str, Any]]:
    """Cuts layers, heads and neurons; gives the layers that stay, and facts."""
    before = models.shapes(model)
    scores: list[LayerImportance] = []
    facts: dict[str, Any] = {}
    if config.speedup is not None:
        if latencies is None:
            raise BadInputError("a speed-up needs a latency table", hint="Create a table with: edge-ptf latency-table")
        _check_latency_table(latencies, before)
        scores = _scores(model, tokenizer, checkpoint, data, config, progress)
        budget = latencies.unpruned_predicted_ms / config.speedup
        found = best_structure(scores, latencies, budget, NEURONS_STEP)
        kept, wanted = list(found.kept), list(found.layers)
        facts = {
            "latency_table": latencies.source,
            "predicted_ms": round(found.ms, 4),
            "predicted_unpruned_ms": round(latencies.unpruned_predicted_ms, 4),
        }
    else:
        sizes = wanted_shapes(config, before)
        kept, wanted = list(sizes), list(sizes.values())
        if wanted != [before[layer] for layer in kept]:
            scores = _scores(model, tokenizer, checkpoint, data, config, progress)
    changed = bool(scores) or len(kept) < len(before)
    unpruned = copy.deepcopy(model) if config.refit != "none" and changed else None
    models.keep_layers(model, kept)
    for part, layer, shape in zip(models.parts(model), kept, wanted, strict=True):
        if scores:
            models.slice_layer(part, *_strongest(scores[layer], shape, config.rearrange))
    if unpruned is not None and config.refit != "none":
        items, first_token = _refit_items(tokenizer, checkpoint, data, config)
        facts["refit_error_left"] = reconstruct(
            model,
            unpruned,
            kept,
            config.refit,
            items,
            model_inputs(model, tokenizer),
            int(tokenizer.pad_token_id),
            first_token,
            progress,
        )
    return kept, {"shapes": wanted, **facts}


def _check_latency_table(latencies: LatencyTable, shapes: Sequence[LayerShape]) -> None:
    """Checks the model's size: a table has no values for more layers, heads or neurons than it was measured for."""
    widest = LayerShape(
        num_heads=max(s.num_heads for s in latencies.unpruned),
        intermediate_size=max(s.intermediate_size for s in latencies.unpruned),
    )
    if len(shapes) > len(latencies.unpruned) or any(
        s.num_heads > widest.num_heads or s.intermediate_size > widest.intermediate_size for s in shapes
    ):
        raise BadInputError(
            f"the latency table is for a model with {len(latencies.unpruned)} layers of at most "
            f"{widest.num_heads} heads and {widest.intermediate_size} neurons; this model is larger",
            hint="Create a table for this model with: edge-ptf latency-table",
        )


def _prune_hidden_size(
    model: Any, tokenizer: Any, checkpoint: Checkpoint, data: LabelledData, config: PruneConfig, progress: Progress
) -> list[int] | None:
    """Cuts the hidden states; gives the numbers that stay, None where all do."""
    there = models.hidden_size(model)
    count = _count("hidden_size", config.hidden_size or there, there, step=NEURONS_STEP, least=1)
    if count == there:
        return None
    if config.importance == "magnitude":
        scores = magnitude_hidden(model)
    else:
        scores = fisher_hidden(model, *_scored(model, tokenizer, checkpoint, data, config), progress)
    kept = strongest(scores, count)
    models.keep_hidden(model, kept)
    return kept


def _strongest(scores: LayerImportance, shape: LayerShape, rearrange: bool) -> tuple[list[int], list[int]]:
    heads = strongest(scores.heads, shape.num_heads, scores.head_gradients if rearrange else None)
    return heads, strongest(scores.neurons, shape.intermediate_size, scores.neuron_gradients if rearrange else None)


def _refit_items(
    tokenizer: Any, checkpoint: Checkpoint, data: LabelledData, config: PruneConfig
) -> tuple[list[Item], bool]:
    """Training texts from the whole split, and whether the answer is read from the first token only."""
    task = tasks.create(checkpoint.info.head)
    items = labelled_items(tokenizer, task, data.train, checkpoint.info.max_length)
    tokens = sum(len(item.encoding.input_ids) for item in items)
    return items[:: ceil(tokens / config.refit_tokens)], task.head.reads_first_token


def _scores(
    model: Any, tokenizer: Any, checkpoint: Checkpoint, data: LabelledData, config: PruneConfig, progress: Progress
) -> list[LayerImportance]:
    if config.importance == "magnitude":
        return magnitude(model)
    return fisher(model, *_scored(model, tokenizer, checkpoint, data, config), progress)


def _scored(
    model: Any, tokenizer: Any, checkpoint: Checkpoint, data: LabelledData, config: PruneConfig
) -> tuple[Head, list[Item], tuple[str, ...], int]:
    """The head, the validation texts for the Fisher information, the names of the model's inputs, and the padding id.

    Raises:
        BadInputError: no text has a label.
    """
    task = tasks.create(checkpoint.info.head)
    count = len(data.validation)
    places = np.linspace(0, count - 1, min(config.samples, count)).round().astype(int)
    items = labelled_items(tokenizer, task, [data.validation[place] for place in places], checkpoint.info.max_length)
    if not any(task.head.is_labelled(item.target) for item in items):
        raise BadInputError(
            f"none of the {len(items)} validation texts for the importance has a label of a class",
            hint="Give more validation texts, raise prune.samples, or set prune.importance to magnitude",
        )
    return task.head, items, model_inputs(model, tokenizer), int(tokenizer.pad_token_id)


def kept_subwords(tokenizer: Any, model: Any, data: LabelledData, config: PruneConfig) -> list[int]:
    """The ids of the subwords that stay, in increasing order."""
    return _subwords_of(tokenizer, model, (data.train, data.validation), config)


def unseen_length(tokenizer: Any, model: Any, data: LabelledData, config: PruneConfig) -> float:
    """How many times as many tokens a text has after vocabulary pruning, for texts that the choice has not used.

    The subwords are chosen from train only, and the texts are those of validation.
    """
    if not config.vocabulary or vocabulary.obstacle(tokenizer):
        return 1.0
    small = vocabulary.rewritten(tokenizer, _subwords_of(tokenizer, model, (data.train,), config))
    validation = [text for example in data.validation for text in _texts(example)]
    found = vocabulary.differences(tokenizer, small, validation)
    return found["mean_tokens_after"] / max(found["mean_tokens_before"], 1.0)


def _subwords_of(tokenizer: Any, model: Any, splits: Iterable[Sequence[Example]], config: PruneConfig) -> list[int]:
    rows = len(models.word_embeddings(model).weight)
    if not config.vocabulary or vocabulary.obstacle(tokenizer):
        return list(range(rows))
    # Positions that are counted from the padding id need this id as it is, so the rows before it stay too.
    first = models.first_position(model)
    counts = vocabulary.count_subwords(
        tokenizer, [text for split in splits for example in split for text in _texts(example)]
    )
    kept = vocabulary.kept_ids(tokenizer, counts, config.vocabulary_min_count, config.vocabulary_size, first)
    return [number for number in kept if number < rows]


def _prune_vocabulary(
    model: Any, tokenizer: Any, data: LabelledData, config: PruneConfig, progress: Progress
) -> tuple[Any, dict[str, Any]]:
    obstacle = vocabulary.obstacle(tokenizer)
    if obstacle:
        say(progress, f"the vocabulary is not pruned: {obstacle}")
        return tokenizer, {"vocabulary_skipped": obstacle}
    kept = kept_subwords(tokenizer, model, data, config)
    small = vocabulary.rewritten(tokenizer, kept)
    models.keep_subwords(model, kept)
    validation = [text for example in data.validation for text in _texts(example)]
    found = {"subwords_before": len(tokenizer), "subwords_after": len(small)}
    return small, {**found, **vocabulary.differences(tokenizer, small, validation)}


def _texts(example: Example) -> tuple[str, ...]:
    return (example.text,) if example.text_pair is None else (example.text, example.text_pair)


def _kept_layers(config: PruneConfig, count: int) -> list[int]:
    if config.keep_layers is not None:
        for layer in config.keep_layers:
            if not 0 <= layer < count:
                raise BadInputError(f"keep_layers: there is no layer {layer}", hint=f"Allowed: 0 to {count - 1}")
        if not config.keep_layers:
            raise BadInputError("keep_layers: the list is empty", hint=f"Allowed: 0 to {count - 1}")
        return sorted(set(config.keep_layers))
    if config.num_layers is None:
        return list(range(count))
    return spread_layers(count, _count("num_layers", config.num_layers, count, least=1))


def _widths(name: str, wanted: Sequence[float] | None, present: Sequence[int], step: int) -> list[int]:
    if wanted is None:
        return list(present)
    if len(wanted) not in (1, len(present)):
        raise BadInputError(
            f"{name}: {len(wanted)} numbers for {len(present)} layers", hint="Give one number, or one for each layer"
        )
    each = list(wanted) * len(present) if len(wanted) == 1 else list(wanted)
    return [_count(name, value, there, step=step) for value, there in zip(each, present, strict=True)]


def _count(name: str, value: float, there: int, *, step: int = 1, least: int = 0) -> int:
    """Returns a count unchanged. Converts a share below 1 to whole steps, at least one and at most `there`."""
    if 0 < value < 1:
        return min(max(round(value * there / step), 1) * step, there)
    if value != int(value) or not least <= value <= there:
        raise BadInputError(
            f"{name}: cannot keep {value:g} of {there}",
            hint=f"Give a number from {least} to {there}, or a share below 1",
        )
    return int(value)
