"""What a task is: the columns of its data, its label set, the kind of its head, and its metrics.

The head (`edge_ptf.heads`) turns examples into targets and logits into answers. Everything else (readers, training,
runtime, gate) works on `Example`, `Encoding`, logits and `Prediction`, and is the same for all tasks.
"""

from __future__ import annotations

import ast
import json
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

from edge_ptf.errors import BadInputError
from edge_ptf.examples import Encoding, Example
from edge_ptf.heads import Head, HeadSpec, encode
from edge_ptf.metrics import Metric


class RowError(ValueError):
    """One row of data cannot be used; the message says why, without file and line (the reader adds those)."""

    def __init__(self, message: str, *, item: int | None = None) -> None:
        """Args:
        message: why.
        item: which item of the row, where the row is a list (the word of a sentence).
        """
        super().__init__(message)
        self.item = item


def listed(value: Any) -> list[Any] | None:
    """The items of a list, or of a string that is a list in JSON or Python (pandas writes such cells); else None."""
    if isinstance(value, str):
        text = value.strip()
        if not (text.startswith("[") and text.endswith("]")):
            return None
        for parse in (json.loads, ast.literal_eval):
            try:
                value = parse(text)
            except (ValueError, SyntaxError, RecursionError, MemoryError):
                continue
            break
    return list(value) if isinstance(value, list | tuple) else None


Rewrite = Callable[[Example], Example]


class Task(ABC):
    """A task over one label set. A sub-class holds no state beyond `head`."""

    name: ClassVar[str]
    title: ClassVar[str]
    head_type: ClassVar[type[Head]]
    pipeline_tag: ClassVar[str]
    """The name of such a task on model hubs."""
    columns: ClassVar[tuple[str, ...]]
    """Required columns of a table of examples, in the order they are named in messages."""
    optional_columns: ClassVar[tuple[str, ...]] = ()
    recipe: ClassVar[Mapping[str, Mapping[str, Any]]] = {}
    """Options of stages that suit this task better than the stages' own defaults, by section of the recipe."""
    right_or_wrong: ClassVar[bool] = True
    """Whether an answer is right or wrong. Otherwise it is near the label or far from it, as a number is."""
    joint_forms: ClassVar[tuple[str, ...]] = ()
    """The inputs that the task can share with other tasks on one encoder: "text", "pair", both or none. A derived task
    says its own."""
    kinds: ClassVar[Mapping[str, type[Task]]] = {}
    """The tasks by their names, if the task stands for several."""
    answer: ClassVar[str] = ""
    """What an answer is, in words, if it is not chosen from labels: "a part of the context"."""
    simple_model: ClassVar[str] = "the most frequent class alone"
    """What `majority_answers` knows, in words."""

    def __init__(self, spec: HeadSpec) -> None:
        """Raises ValueError where the head is of another kind than the task's."""
        self.head = self.head_type(spec)

    @classmethod
    def spec_for(cls, labels: Sequence[str], out_of_scope_label: str | None = None) -> HeadSpec:
        """The spec of this task's head over a label set.

        Raises:
            BadInputError: the task has no notion of out-of-scope texts.
        """
        if out_of_scope_label is not None:
            raise BadInputError(f"the task {cls.name} has no out-of-scope label", hint="Leave out --out-of-scope-label")
        return cls.head_type.declare(cls.name, labels)

    @property
    def out_of_scope_label(self) -> str | None:
        """The label of texts that belong to no class, where there is one."""
        return None

    # Data

    @staticmethod
    @abstractmethod
    def example(row: Mapping[str, Any]) -> Example:
        """One example from a row's columns (`columns` and `optional_columns`). Raises RowError."""

    @classmethod
    def shares(cls, examples: Sequence[Example]) -> list[tuple[type[Task], list[Example]]]:
        """Each single task that this one stands for, with the examples that have a label of it."""
        return [(cls, list(examples))]

    @classmethod
    def limits(cls, given: Mapping[str, Any]) -> dict[str, Any]:
        """Limits by the name of a metric, such as those of a profile, by the names of this task's metrics."""
        return dict(given)

    @classmethod
    def rewriting(cls, train: Sequence[Example], config: object) -> tuple[Rewrite | None, tuple[str, ...]]:
        """How the labels of a data set are rewritten, decided by train and by what the user says; and notes about it.

        By default labels stay as they are. The function raises RowError if a label cannot be rewritten.

        Args:
            train: examples as `example` made them.
            config: options of reading, `DataConfig`.
        """
        return None, ()

    @classmethod
    @abstractmethod
    def collect_labels(cls, examples: Sequence[Example]) -> tuple[str, ...]:
        """The label set of the training examples, in the order that gives the class ids."""

    @classmethod
    def split_fault(cls, split: str, examples: Sequence[Example]) -> tuple[str, str] | None:
        """Why the labels of a split teach or prove nothing, and what to do about it; None: they do.

        Args:
            split: train, validation or test.
        """
        labels = cls.collect_labels(examples) if split == "train" else ()
        if split != "train" or len(labels) > 1:
            return None
        return f"train has only one class ({', '.join(labels)})", "Give at least two classes"

    def fitted(self, examples: Sequence[Example]) -> Task:
        """The task with the options of its head that the training examples decide, such as the mean of numbers."""
        return type(self)(self.head.fitted([example.label for example in examples]))

    @abstractmethod
    def check_label(self, example: Example) -> str | None:
        """Why the example's label cannot be used with this label set, or None."""

    @staticmethod
    @abstractmethod
    def label_names(example: Example) -> tuple[str, ...]:
        """Every label that the example has, as it stands in the data."""

    @staticmethod
    @abstractmethod
    def class_names(example: Example) -> list[str]:
        """The class of each thing the example holds, for counting: its label, or the type of each entity."""

    @staticmethod
    @abstractmethod
    def stratum(example: Example) -> str:
        """The key by which a deterministic split is stratified."""

    def encode(self, tokenizer: Any, examples: Sequence[Example], max_length: int) -> list[Encoding]:
        """Token ids, unpadded, with the words where the head needs them; see `edge_ptf.heads.encode`."""
        return encode(tokenizer, examples, max_length, words=self.head.spec.per_token)

    @staticmethod
    def sample_text(text: str) -> str:
        """A text without labels in a form that the task can answer; by default unchanged."""
        return text

    # Figures

    @property
    @abstractmethod
    def metrics(self) -> tuple[Metric, ...]:
        """Every metric, over labels in the form of `Example.label`.

        The first one steers early stopping and any selection; those that are `gated` are judged, and come first.
        """

    @property
    def steering(self) -> Metric:
        """The metric that steers early stopping and the choice of an epoch; by default the first one."""
        return self.metrics[0]

    @abstractmethod
    def class_report(self, references: Sequence[Any], predictions: Sequence[Any]) -> list[dict[str, Any]]:
        """Per class: name, precision, recall, f1 (percent) and support."""

    def word_report(self, references: Sequence[Any], predictions: Sequence[Any]) -> list[dict[str, Any]]:
        """Per tag of a word, in the form of `class_report`, then their averages; empty for tasks without such tags."""
        return []

    @staticmethod
    @abstractmethod
    def confusions(reference: Any, prediction: Any) -> list[tuple[str, str]]:
        """(expected class, answered class) of each thing an example holds, hits included."""

    def majority_answers(self, references: Sequence[Any]) -> list[Any]:
        """The answers of a model that knows only the most frequent class, in the form of `Example.label`.

        The out-of-scope label is no class, unless there is no other label.

        Args:
            references: labels of one example or more.
        """
        counts = Counter(references)
        scope = self.out_of_scope_label
        most = max(counts, key=lambda label: (label != scope, counts[label]))
        return [most] * len(references)

    @staticmethod
    @abstractmethod
    def describe(label: Any, text: str | None) -> str:
        """A label in the form of `Example.label` as people write it; without the text, words are named by position."""
