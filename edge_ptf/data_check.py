"""What is known about labelled text before anything is trained: its form, its problems, and what it can prove."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import Field

from edge_ptf.config import StrictModel
from edge_ptf.data.dataset import DataConfig, DataReport, LabelledData
from edge_ptf.data.splits import SPLITS, TEST, TRAIN, conflicts, content
from edge_ptf.examples import Example
from edge_ptf.provable import Provable, unprovable
from edge_ptf.tasks.base import Task

RARE = 10
"""A class with fewer training rows (or entities) than this is called rare."""
SHOWN_CLASSES = 8
FACTOR = 2.0
"""Between a predicted and a real duration. It is assumed: other load, the search, and other texts change a run."""


class Lengths(StrictModel):
    """Lengths of one split's texts in tokens, special tokens included and nothing truncated."""

    median: int
    p95: int
    longest: int
    truncated: int = Field(description="Texts that are longer than `max_length`.")


class Duration(StrictModel):
    """The predicted time of a whole run on this machine."""

    step_seconds: float = Field(description="Measured time of one training step of the unpruned model.")
    steps: dict[str, float] = Field(description="Work of the long stages, in such steps.")
    minutes: float = Field(description="Predicted minutes of the run; the search makes one trial.")
    most_minutes: float = Field(description="The same if the search makes all its trials.")
    trials: int = Field(description="Most trials of the search; 1: there is no search.")
    factor: float = Field(FACTOR, description="The run may take so many times as long, or as short.")

    @property
    def sentence(self) -> str:
        """The prediction in words."""
        low, high = (rounded_minutes(self.minutes * times) for times in (1 / self.factor, self.factor))
        said = f"a run takes about {rounded_minutes(self.minutes)} on this machine, within a factor of {self.factor:g} "
        said += f"({low} to {high}); measured: {self.step_seconds:.2g} s for a training step"
        if self.trials > 1:
            said += f". If the search makes all {self.trials} trials: about {rounded_minutes(self.most_minutes)}"
        return said


def rounded_minutes(minutes: float) -> str:
    """A predicted duration in words: whole minutes up to ten, then two digits."""
    count = max(round(minutes), 1)
    count = count if count <= 10 else int(float(f"{count:.2g}"))
    return f"{count:,} minute{'s' if count > 1 else ''}"


class DataCheck(StrictModel):
    """Everything that `edge-ptf check` says about usable data."""

    schema_version: Literal[1] = 1
    usable: bool = True
    task: str
    columns: dict[str, str] = Field(description="The column that was read for each part of an example.")
    labels: tuple[str, ...]
    data: DataReport
    repeated: dict[str, int] = Field(description="Rows of each split whose text occurs earlier in the same split.")
    conflicts: int = Field(description="Texts of train that occur with different labels.")
    rare: dict[str, int] = Field(description=f"Classes with fewer than {RARE} rows (or entities) in train.")
    absent: dict[str, tuple[str, ...]] = Field(description="Classes of train that validation or test lacks.")
    max_length: int | None = Field(None, description="Longest text in tokens that the model reads; None: no model.")
    lengths: dict[str, Lengths] = Field(default_factory=dict, description="Lengths in tokens, by split.")
    folds: int | None = Field(None, description="Folds of the cross-validation. None: test alone is judged.")
    duration: Duration | None = Field(None, description="Predicted time of a run with the default recipe.")
    confidence: float = Field(description="Confidence of what is provable.")
    provable: tuple[Provable, ...]

    @property
    def warnings(self) -> tuple[str, ...]:
        """What may spoil the result, one sentence each, without a full stop."""
        return tuple(self._warnings())

    def _warnings(self) -> Iterable[str]:
        if self.rare:
            yield f"classes with fewer than {RARE} examples in train: {_listed(self.rare)}"
        for split, names in self.absent.items():
            yield f"classes of train that {split} lacks: {_listed(names)}"
        if self.conflicts:
            yield f"texts that occur in train with different labels: {self.conflicts:,}"
        for split, lengths in self.lengths.items():
            if lengths.truncated:
                rows = self.data.splits[split].rows
                limit = f"{self.max_length} tokens, which are truncated"
                yield f"texts of {split} that are longer than {limit}: {lengths.truncated:,} of {rows:,}"
        lacking = unprovable(self.provable)
        for each in lacking:
            yield each.sentence
        if lacking and self.folds is None:
            rows = sum(self.data.splits[name].rows for name in (TRAIN, TEST))
            yield f"{TEST} is small for these limits; compress --folds 5 judges all {rows:,} texts of train and test"


def check_data(
    data: LabelledData,
    task: Task,
    config: DataConfig,
    found: Sequence[Provable],
    confidence: float,
    lengths: tuple[int, dict[str, Lengths]] | None = None,
    duration: Duration | None = None,
    folds: int | None = None,
) -> DataCheck:
    """Puts together what is known about data that were read.

    Args:
        config: how the data were read.
        found: what the test split can prove, at this confidence.
        lengths: what `token_lengths` returns; None if there is no model.
        duration: the predicted time of a run; None if there is no model.
        folds: of the cross-validation, if the data are pooled for one.
    """
    splits = dict(zip(SPLITS, (data.train, data.validation, data.test), strict=True))
    classes = {name: report.classes for name, report in data.report.splits.items()}
    return DataCheck(
        task=task.name,
        columns=_columns(task, config, data),
        labels=data.labels,
        data=data.report,
        repeated={name: len(rows) - len({content(row) for row in rows}) for name, rows in splits.items()},
        conflicts=conflicts(data.train),
        rare={name: count for name, count in classes[TRAIN].items() if count < RARE},
        absent={
            name: missing for name in SPLITS if (missing := tuple(sorted(classes[TRAIN].keys() - classes[name].keys())))
        },
        max_length=lengths[0] if lengths else None,
        lengths={name: _read_whole(each, task) for name, each in lengths[1].items()} if lengths else {},
        folds=folds,
        duration=duration,
        confidence=confidence,
        provable=tuple(found),
    )


def token_lengths(data: LabelledData, model: Path, max_length: int) -> tuple[int, dict[str, Lengths]]:
    """The longest text in tokens that the model reads, and the lengths of the texts of each split.

    Args:
        model: a model directory.
        max_length: what the recipe allows; the model's own limit may be lower.

    Raises:
        CheckpointError: the tokenizer cannot be used.
    """
    from transformers import AutoModelForSequenceClassification

    from edge_ptf.models.checkpoint import load_tokenizer, longest_sequence
    from edge_ptf.models.loading import auto_config, sketch

    shape = sketch(AutoModelForSequenceClassification, auto_config(model))
    tokenizer, limit = load_tokenizer(model), min(max_length, longest_sequence(shape))
    splits = dict(zip(SPLITS, (data.train, data.validation, data.test), strict=True))
    return limit, {name: _lengths(tokenizer, examples, limit) for name, examples in splits.items()}


def _read_whole(lengths: Lengths, task: Task) -> Lengths:
    """The lengths without truncated texts, if the task reads a long text in windows."""
    return lengths if task.head.stride is None else lengths.replace(truncated=0)


def _lengths(tokenizer: Any, examples: Sequence[Example], limit: int) -> Lengths:
    texts = [example.text for example in examples]
    pairs = [example.text_pair for example in examples] if examples[0].text_pair is not None else None
    ids = tokenizer(texts, pairs, truncation=False, padding=False, verbose=False)["input_ids"]
    counts = np.asarray([len(each) for each in ids])
    median, high = np.percentile(counts, (50, 95), method="higher")
    return Lengths(median=int(median), p95=int(high), longest=int(counts.max()), truncated=int((counts > limit).sum()))


def _columns(task: Task, config: DataConfig, data: LabelledData) -> dict[str, str]:
    """The column of each part of an example. Optional columns that the data do not have are left out."""
    known, paired = data.report.columns, data.train[0].text_pair is not None
    if task.kinds:
        return known or {name: name for name in task.columns}
    optional = [name for name in task.optional_columns if name in known or (name == "text_pair" and paired)]
    return {**{name: getattr(config, f"{name}_column") for name in (*task.columns, *optional)}, **known}


def _listed(names: Iterable[str]) -> str:
    ordered = list(names)
    rest = f" and {len(ordered) - SHOWN_CLASSES} more" if len(ordered) > SHOWN_CLASSES else ""
    return ", ".join(ordered[:SHOWN_CLASSES]) + rest
