"""What every head does: state its target and its losses, and decode logits into an answer. One file for each kind."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from edge_ptf.config import StrictModel
from edge_ptf.examples import Encoding, Example, Logits, Prediction
from edge_ptf.heads.spec import LOGITS, Axis, HeadSpec, OutputSpec

if TYPE_CHECKING:
    from torch import Tensor


Target = NDArray[Any]
LogitLoss = Literal["kl", "mse"]
Reduction = Literal["mean", "sum"]
PositiveWeights = Literal["none", "balanced", "root"]
Loss = Callable[["Tensor", "Tensor", float], "Tensor"]
"""A loss of logits, targets and smoothing; see `Head.loss`."""


class HeadOptions(StrictModel):
    """Base of the settings of one kind of head."""


class Head(ABC):
    """One head over one label set. A sub-class holds no state beyond `spec` and `options`."""

    kind: ClassVar[str]
    logits_axes: ClassVar[tuple[Axis, ...]]
    target_axes: ClassVar[tuple[Axis, ...]]
    """The axes of a batch of targets."""
    target_dtype: ClassVar[type[np.generic]] = np.int64
    ignored: ClassVar[float]
    """The value of a target that the loss leaves out."""
    answers_a_list: ClassVar[bool] = False
    """Whether an answer is a list of labels, not one label."""
    answers_a_number: ClassVar[bool] = False
    """Whether an answer is a number, and the labels are names of numbers. `answers_a_list` is then False."""
    least_scale: ClassVar[float] = 0.0
    """A golden tolerance is a share of the largest logit of a text. Where that is smaller than this, it is a share of
    this: one number near 0 has no scale of its own."""
    options_model: ClassVar[type[HeadOptions]] = HeadOptions
    weighs_labels: ClassVar[bool] = False
    """Whether `weighted_loss` knows weights."""
    tuned_options: ClassVar[tuple[str, ...]] = ()
    """The options that `tuned` and `matched` choose."""
    answers_with_text: ClassVar[bool] = False
    """Whether an answer is a list of texts that are no labels, and the labels name columns of the logits."""
    compares_tokens: ClassVar[bool] = False
    """Whether the softmax of a label is over the tokens of a text. Distillation then compares text by text."""
    compares_words: ClassVar[bool] = False
    """Whether an answer compares the words of a text with each other. Distillation then compares text by text."""
    answers_a_vector: ClassVar[bool] = False
    """Whether an answer is a vector, and the labels name its numbers."""
    reads_texts_apart: ClassVar[bool] = False
    """Whether the model reads the texts of a pair alone, as two windows. A package then takes one text or two, and both
    texts of a pair are in one batch."""

    def __init__(self, spec: HeadSpec) -> None:
        """Raises ValueError where the spec is of another kind."""
        if spec.kind != self.kind:
            raise ValueError(f"the head '{spec.name}' is of the kind '{spec.kind}', not '{self.kind}'")
        self.spec = spec
        self.options: Any = self.read_options(spec.options)
        self.label_ids = {label: index for index, label in enumerate(spec.labels)}

    @classmethod
    def declare(cls, task: str, labels: Sequence[str], **options: Any) -> HeadSpec:
        """The spec of a head of this kind, all options written out."""
        return HeadSpec(
            name="main",
            task=task,
            kind=cls.kind,
            outputs={LOGITS: OutputSpec(tensor=LOGITS, axes=cls.logits_axes)},
            labels=tuple(labels),
            options=cls.options_model(**options).model_dump(mode="json"),
        )

    @classmethod
    def read_options(cls, options: Mapping[str, Any]) -> HeadOptions:
        """The options of a spec; options that only a later version has are ignored.

        Raises:
            ValueError: a value is not allowed.
        """
        known = {name: options[name] for name in cls.options_model.model_fields if name in options}
        try:
            return cls.options_model.model_validate(known)
        except ValidationError as error:
            first = error.errors()[0]
            raise ValueError(f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from None

    def fitted(self, references: Sequence[Any]) -> HeadSpec:
        """The spec with the options that the labels of train decide; by default unchanged.

        Args:
            references: `Example.label` of train.
        """
        return self.spec

    @property
    def untuned(self) -> HeadSpec:
        """The spec without what was tuned: equal for all models that answer the same question."""
        fields = self.options_model.model_fields
        return self.spec.with_options(**{name: fields[name].get_default() for name in self.tuned_options})

    @property
    def is_tuned(self) -> bool:
        """Whether any option differs from that of an untuned head."""
        return self.spec != self.untuned

    def with_option(self, name: str, value: Any) -> HeadSpec:
        """The spec with another value of an option; unchanged if this kind of head has no such option."""
        return self.spec.with_options(**{name: value}) if name in self.options_model.model_fields else self.spec

    @property
    def single_columns(self) -> slice | None:
        """The columns of the logits that have no meaning in the mean of several models; by default there are none.

        Of several teachers, those of the first one are taught.
        """
        return None

    @property
    def stride(self) -> int | None:
        """How many tokens two neighbouring windows of a long second text share; None: the head has no windows."""
        return None

    @property
    def reads_first_token(self) -> bool:
        """Whether the logits come from the first token of a text alone."""
        return not self.spec.per_token

    @property
    def added_tokens(self) -> tuple[str, ...]:
        """Tokens that the head needs in the vocabulary, and that no pretrained model has."""
        return ()

    def settings(self) -> dict[str, str]:
        """The options in words, for people: title and value."""
        return {}

    # Outputs. A head of one task reads one tensor. One that stands for several tasks reads a tensor for each of them.

    @property
    def parts(self) -> tuple[Head, ...]:
        """The heads that answer, one for each task; by default this one alone."""
        return (self,)

    @property
    def weights(self) -> tuple[float, ...]:
        """What the loss of each part is multiplied by."""
        return (1.0,)

    @property
    def tensors(self) -> tuple[str, ...]:
        """The names of the graph's outputs that the parts read, in the order of the parts."""
        return tuple(part.spec.logits.tensor for part in self.parts)

    def each(self, values: Any) -> list[tuple[Head, Any]]:
        """Each part with its own logits or targets.

        Args:
            values: logits or targets of this head. They are those of the only part; a head of several tasks has a
                mapping from the name of each part.
        """
        return [(self, values)]

    def read(self, outputs: Mapping[str, NDArray[np.float32]]) -> Logits:
        """The logits of the one text of a call.

        Args:
            outputs: of a graph, by name, with the axis of the batch.
        """
        found: Logits = outputs[self.spec.logits.tensor][0]
        return found

    def of_text(self, logits: Any, place: int, length: int) -> Logits:
        """The logits of one text of a batch, without padding.

        Args:
            logits: arrays with `logits_axes`.
            place: of the text in the batch.
            length: its tokens.
        """
        found: Logits = logits[place][:length] if self.spec.per_token else logits[place]
        return found

    def shares(
        self, logits: Sequence[Any], encodings: Sequence[Encoding], references: Sequence[Any]
    ) -> list[tuple[Head, Sequence[Logits], Sequence[Encoding], Sequence[Any]]]:
        """Each part with the examples that have a label of its task: their logits, encodings and labels.

        Args:
            logits, encodings: of the same examples.
            references: `Example.label` of them.
        """
        return [(self, logits, encodings, references)]

    # Model

    @staticmethod
    @abstractmethod
    def auto_model() -> Any:
        """The `transformers` Auto class with such a head; it is imported on call."""

    def adapted(self, model: Any, drawn: Collection[str] = ()) -> Any:
        """A model of the Auto class as the head needs it. Most heads take it as it is.

        Args:
            drawn: names of weights that the model's directory lacks; they were drawn.
        """
        return model

    def model_config(self) -> dict[str, Any]:
        """The fields of the model's `config.json` that belong to the head."""
        labels = self.spec.labels
        return {
            "num_labels": len(labels),
            "id2label": dict(enumerate(labels)),
            "label2id": {label: index for index, label in enumerate(labels)},
        }

    # Training

    @abstractmethod
    def target(self, example: Example, encoding: Encoding) -> Target:
        """The training target of one example, with `target_axes` but without the batch."""

    def no_target(self, encoding: Encoding) -> Target:
        """The target of a text that has no label: all of it is ignored."""
        sizes: dict[str, int] = {"token": len(encoding.input_ids), "label": len(self.spec.labels)}
        return np.full([sizes[axis] for axis in self.target_axes[1:]], self.ignored, self.target_dtype)

    def batch_targets(self, targets: Sequence[Target], length: int) -> Target:
        """The targets of one batch, padded to `length` tokens where they have a token axis."""
        if "token" not in self.target_axes:
            return np.stack(targets)
        padded = np.full((len(targets), length, *targets[0].shape[1:]), self.ignored, self.target_dtype)
        for row, target in zip(padded, targets, strict=True):
            row[: len(target)] = target
        return padded

    def batches_with(self, targets: Sequence[Target]) -> Sequence[float] | None:
        """The group of each text, if a batch of training needs at least two texts of a group; by default None."""
        return None

    def is_labelled(self, target: Target) -> bool:
        """Whether any part of a target counts."""
        return bool((target != self.ignored).any())

    @abstractmethod
    def loss(self, logits: Tensor, targets: Tensor, smoothing: float = 0.0, reduction: Reduction = "mean") -> Tensor:
        """The loss of a batch against its labels, a scalar; 0 with a gradient where all targets are ignored.

        Args:
            logits: with `logits_axes`, FP32.
            targets: with `target_axes`.
            smoothing: share of each target that is spread over all labels.
            reduction: mean or sum over the targets that count.
        """

    def weighted_loss(self, targets: Sequence[Target], weights: PositiveWeights) -> Loss:
        """The loss of a training in which the examples that have a label count more than those without it.

        Args:
            targets: of all training examples; they say how rare each label is.
            weights: none: `loss` itself. balanced: a label's examples count as much as all others together. root: the
                square root of these weights.

        Raises:
            ValueError: this kind of head has no such weights.
        """
        if weights != "none":
            raise ValueError(f"a head of the kind '{self.kind}' has no weights of labels")
        return self.loss

    def losses(self, logits: Any, targets: Any, smoothing: float = 0.0, reduction: Reduction = "mean") -> list[Tensor]:
        """The weighted loss of each part; `loss` is their sum."""
        pairs = zip(self.each(logits), self.each(targets), self.weights, strict=True)
        return [weight * part.loss(own, wanted, smoothing, reduction) for (part, own), (_, wanted), weight in pairs]

    @abstractmethod
    def distillation_loss(self, student: Tensor, teacher: Tensor, form: LogitLoss, temperature: float) -> Tensor:
        """How far the student's logits are from the teacher's, a scalar.

        Args:
            student, teacher: [rows, labels], one row for each text, or for each word where the logits are per token.
                With `compares_tokens` [labels, tokens] and with `compares_words` [words, labels], of one text.
            form: compare distributions (kl, at the temperature) or the logits themselves (mse).
        """

    # Answers

    @abstractmethod
    def decode(self, logits: Logits, encoding: Encoding, text: str) -> Prediction:
        """The answer from the logits of one example, with `logits_axes` but without the batch."""

    def support(self, logits: Logits, encoding: Encoding, label: Any) -> float | None:
        """How strongly the logits of one text speak for an answer: its probability, or the number that is answered.
        None: an answer is not about the text as a whole.

        Args:
            label: an answer, in the form of `Prediction.label`.
        """
        return None

    @abstractmethod
    def rules(self) -> tuple[str, ...]:
        """How logits become an answer, in sentences for people who run the graph without this program."""

    @property
    def tunes(self) -> bool:
        """Whether `tuned` and `matched` have anything to choose."""
        return False

    def tuned(
        self, logits: Sequence[Logits], references: Sequence[Any], encodings: Sequence[Encoding] = ()
    ) -> HeadSpec:
        """The spec with its thresholds chosen on labelled examples; by default unchanged.

        Args:
            logits: of the model, one array for each example.
            references: `Example.label` of the same examples.
            encodings: of the same examples; only a head whose answers are parts of a text needs them.
        """
        return self.spec

    def matched(self, logits: Sequence[Logits], answers: Sequence[Any], encodings: Sequence[Encoding] = ()) -> HeadSpec:
        """The spec with the thresholds that keep the operating point of another model; by default unchanged.

        Args:
            logits: of the model, one array for each text, labelled or not.
            answers: of the other model to the same texts.
            encodings: of the same texts, as in `tuned`.
        """
        return self.spec

    def tempered(self, temperature: float) -> HeadSpec:
        """The spec for a graph that divides its logits by a number; by default unchanged."""
        return self.spec

    def scored(
        self, logits: Sequence[Logits], encodings: Sequence[Encoding], references: Sequence[Any]
    ) -> tuple[NDArray[np.float64], NDArray[np.int64]] | None:
        """The logits whose softmax is the score of an answer [examples, labels], and the right class ids [examples].

        Examples without a class id are left out. None: the score of an answer is not one probability of a softmax.

        Args:
            logits: of the model, one array for each example.
            encodings: of the same examples.
            references: `Example.label` of the same examples.
        """
        return None

    @property
    def shifts(self) -> bool:
        """Whether `matched_shift` has anything to choose."""
        return False

    def matched_shifts(
        self, logits: Sequence[Any], encodings: Sequence[Encoding], answers: Sequence[Any]
    ) -> dict[str, NDArray[np.float32]]:
        """What `matched_shift` of each part adds, by the name of its tensor; without parts that add nothing."""
        found = self.matched_shift(logits, encodings, answers)
        return {} if found is None else {self.spec.logits.tensor: found}

    def matched_shift(
        self, logits: Sequence[Logits], encodings: Sequence[Encoding], answers: Sequence[Any]
    ) -> NDArray[np.float32] | None:
        """What to add to the logits of each label [labels] to keep the operating point of another model; None: nothing.

        Args:
            logits: of the model, one array for each text, labelled or not.
            encodings: of the same texts.
            answers: of the other model to them.
        """
        return None
