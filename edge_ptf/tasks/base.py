"""What a task is: the one place that turns labelled text into targets and logits into answers.

Everything else (readers, training, runtime, gate) works on `Example`, `Encoding`, logits and `Prediction` and never
asks which task it serves.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, ValidationError

from edge_ptf.config import StrictModel
from edge_ptf.errors import BadInputError
from edge_ptf.heads import LOGITS, LOGITS_AXES, HeadSpec, OutputSpec
from edge_ptf.metrics import Metric

Logits = NDArray[np.float32]


class RowError(ValueError):
    """One row of data cannot be used; the message says why, without file and line (the reader adds those)."""

    def __init__(self, message: str, *, item: int | None = None) -> None:
        """Args:
        message: why.
        item: which item of the row, where the row is a list (the word of a sentence).
        """
        super().__init__(message)
        self.item = item


@dataclass(frozen=True, slots=True)
class Example:
    """One labelled text.

    `label` is a class name, or one BIO tag for each white-space separated word of `text`.
    """

    text: str
    label: str | tuple[str, ...]
    text_pair: str | None = None


@dataclass(frozen=True, slots=True)
class Encoding:
    """One tokenized text, unpadded, special tokens included.

    `word_starts[w]` is the position of the first sub-token of word `w`, or -1 where the word was cut off or has none;
    `words` holds each word's (start, end) character offsets in the text. Both are empty for text-level tasks.
    """

    input_ids: list[int]
    token_type_ids: list[int] | None
    word_starts: tuple[int, ...] = ()
    words: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Prediction:
    """One answer. `label` has the form of `Example.label`; `score` is the probability behind it (least over words).

    `details` is what `predict` prints beyond that, JSON-like: the best classes, or the entities with their offsets.
    """

    label: str | tuple[str, ...]
    score: float
    details: dict[str, Any] = field(default_factory=dict)


class TaskSpec(StrictModel):
    """What must be known to run a task again: it travels in the checkpoint and in the package manifest."""

    name: str = Field(description="Task name, as in --task.")
    labels: tuple[str, ...] = Field(description="Label names; the index is the class id.")
    out_of_scope_label: str | None = Field(None, description="The label of texts that belong to no class.")
    threshold: float | None = Field(
        None, ge=0, le=1, description="An in-scope answer with a lower probability becomes out-of-scope."
    )


class Task(ABC):
    """A task over one label set. Sub-classes hold no state beyond `spec`."""

    name: ClassVar[str]
    title: ClassVar[str]
    kind: ClassVar[str]
    """The kind of head, a key of `LOGITS_AXES`."""
    options: ClassVar[tuple[str, ...]] = ()
    """The fields of the spec that are options of the head."""
    columns: ClassVar[tuple[str, ...]]
    """Required columns of a table of examples, in the order they are named in messages."""
    optional_columns: ClassVar[tuple[str, ...]] = ()
    recipe: ClassVar[Mapping[str, Mapping[str, Any]]] = {}
    """Options of stages that suit this task better than the stages' own defaults, by section of the recipe."""

    def __init__(self, spec: TaskSpec) -> None:
        self.spec = spec
        self.label_ids = {label: index for index, label in enumerate(spec.labels)}

    @classmethod
    def spec_for(cls, labels: Sequence[str], out_of_scope_label: str | None = None) -> TaskSpec:
        """The spec of this task over a label set.

        Raises:
            BadInputError: the task has no notion of out-of-scope texts.
        """
        if out_of_scope_label is not None:
            raise BadInputError(f"the task {cls.name} has no out-of-scope label", hint="Leave out --out-of-scope-label")
        return TaskSpec(name=cls.name, labels=tuple(labels))

    @property
    def head(self) -> HeadSpec:
        """The declaration of the task's head."""
        return HeadSpec(
            name="main",
            task=self.name,
            kind=self.kind,
            outputs={LOGITS: OutputSpec(tensor="logits", axes=LOGITS_AXES[self.kind])},
            labels=self.spec.labels,
            options={name: getattr(self.spec, name) for name in self.options},
        )

    @classmethod
    def spec_of(cls, head: HeadSpec) -> TaskSpec:
        """The spec that a head declares; the inverse of `head`.

        Raises:
            ValueError: the head is of another kind, or has an option with a wrong value.
        """
        if head.kind != cls.kind:
            raise ValueError(f"the task {cls.name} has a head of the kind '{cls.kind}', not '{head.kind}'")
        options = {name: head.options[name] for name in cls.options if name in head.options}
        try:
            return TaskSpec(name=cls.name, labels=head.labels, **options)
        except ValidationError as error:
            first = error.errors()[0]
            raise ValueError(f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from None

    # Data

    @staticmethod
    @abstractmethod
    def example(row: Mapping[str, Any]) -> Example:
        """One example from a row's columns (`columns` and `optional_columns`). Raises RowError."""

    @classmethod
    @abstractmethod
    def collect_labels(cls, examples: Sequence[Example]) -> tuple[str, ...]:
        """The label set of the training examples, in the order that gives the class ids."""

    @abstractmethod
    def check_label(self, example: Example) -> str | None:
        """Why the example's label cannot be used with this label set, or None."""

    @staticmethod
    @abstractmethod
    def class_names(example: Example) -> list[str]:
        """The class of each thing the example holds, for counting: its label, or the type of each entity."""

    @staticmethod
    @abstractmethod
    def stratum(example: Example) -> str:
        """The key by which a deterministic split is stratified."""

    # Model

    @staticmethod
    @abstractmethod
    def auto_model() -> Any:
        """The `transformers` Auto class with this task's head (imported on call)."""

    @abstractmethod
    def encode(self, tokenizer: Any, examples: Sequence[Example], max_length: int) -> list[Encoding]:
        """Tokenize without padding; equals `tokenizer(text, text_pair, truncation=True, max_length=max_length)`."""

    @abstractmethod
    def target(self, example: Example, encoding: Encoding) -> int | list[int]:
        """The training target: a class id, or one id a token with -100 where the loss does not look."""

    # Answers

    @abstractmethod
    def decode(self, logits: Logits, encoding: Encoding, text: str) -> Prediction:
        """The answer from one example's logits, unbatched: [classes] or [tokens, classes]."""

    # Figures

    @property
    @abstractmethod
    def metrics(self) -> tuple[Metric, ...]:
        """Every metric, over labels in the form of `Example.label`.

        The first one steers early stopping and any selection; those that are `gated` are judged, and come first.
        """

    @abstractmethod
    def class_report(self, references: Sequence[Any], predictions: Sequence[Any]) -> list[dict[str, Any]]:
        """Per class: name, precision, recall, f1 (percent) and support."""

    @staticmethod
    @abstractmethod
    def confusions(reference: Any, prediction: Any) -> list[tuple[str, str]]:
        """(expected class, answered class) of each thing an example holds, hits included."""

    @staticmethod
    @abstractmethod
    def describe(label: Any, text: str | None) -> str:
        """A label in the form of `Example.label` as people write it; without the text, words are named by position."""

    @property
    def tunes(self) -> bool:
        """Whether `calibrated` and `matched` have anything to choose."""
        return False

    def calibrated(self, logits: Sequence[Logits], references: Sequence[Any]) -> TaskSpec:
        """The spec with its thresholds chosen on labelled examples; by default unchanged.

        Args:
            logits: the model's, one array for each example.
            references: what `Example.label` says of them.
        """
        return self.spec

    def matched(self, logits: Sequence[Logits], answers: Sequence[Any]) -> TaskSpec:
        """The spec with the thresholds that keep another model's operating point; by default unchanged.

        Args:
            logits: the model's, one array for each text, labelled or not.
            answers: what the other model answers to the same texts.
        """
        return self.spec

    @property
    def shifts(self) -> bool:
        """Whether `matched_shift` has anything to choose."""
        return False

    def matched_shift(
        self, logits: Sequence[Logits], encodings: Sequence[Encoding], answers: Sequence[Any]
    ) -> NDArray[np.float32] | None:
        """What to add to the logits of each class [classes] to keep another model's operating point; None: nothing.

        Args:
            logits: the model's, one array for each text, labelled or not.
            encodings: of the same texts.
            answers: what the other model answers to them.
        """
        return None
