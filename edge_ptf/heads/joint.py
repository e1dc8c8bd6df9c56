"""The kind "joint": several heads that read one encoder, each for a task of its own, under its name."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from edge_ptf.examples import Encoding, Example, Prediction, combined
from edge_ptf.heads.base import Head, HeadOptions, LogitLoss, Loss, PositiveWeights, Reduction
from edge_ptf.heads.spec import HeadSpec

if TYPE_CHECKING:
    from torch import Tensor

Labels = Sequence[tuple[Any, ...]]
"""One label for each part, in their order; None: the example has no label of that task."""


class JointOptions(HeadOptions):
    """Settings of a head of the kind "joint"."""

    parts: tuple[HeadSpec, ...] = Field((), description="The head of each task.")
    weights: tuple[float, ...] | None = Field(
        None, description="What the loss of each task is multiplied by; null: 1 for all."
    )


class JointHead(Head):
    """Several heads. Its logits, and the targets of an example, are mappings from the name of a part to those of it.

    An example may lack the label of a task. The loss of this task then leaves it out.
    """

    kind = "joint"
    logits_axes = ()
    target_axes = ()
    ignored = 0.0
    options_model = JointOptions

    def __init__(self, spec: HeadSpec) -> None:
        """Raises ValueError where there are no two parts, or not one weight for each."""
        from edge_ptf.heads import HEADS  # they need this module

        super().__init__(spec)
        if any(not HEADS[part.kind].logits_axes for part in self.options.parts):
            raise ValueError("a head of several tasks is no part of another one")
        self._parts = tuple(HEADS[part.kind](part) for part in self.options.parts)
        self._weights = self.options.weights or (1.0,) * len(self._parts)
        if len(self._parts) < 2 or len(self._weights) != len(self._parts):
            raise ValueError(f"{len(self._parts)} heads with {len(self._weights)} weights are no several heads")

    @property
    def parts(self) -> tuple[Head, ...]:
        """See Head."""
        return self._parts

    @property
    def weights(self) -> tuple[float, ...]:
        """See Head."""
        return self._weights

    @property
    def untuned(self) -> HeadSpec:
        """See Head. The weights of the losses answer no question."""
        return joint_spec([part.untuned for part in self.parts])

    def with_option(self, name: str, value: Any) -> HeadSpec:
        """See Head."""
        return self._with_parts([part.with_option(name, value) for part in self.parts])

    def fitted(self, references: Sequence[Any]) -> HeadSpec:
        """See Head."""
        known = [[labels[place] for labels in references if labels[place] is not None] for place in self._places]
        return self._with_parts([part.fitted(labels) for part, labels in zip(self.parts, known, strict=True)])

    @property
    def added_tokens(self) -> tuple[str, ...]:
        """Those of all parts."""
        return tuple(dict.fromkeys(token for part in self.parts for token in part.added_tokens))

    def settings(self) -> dict[str, str]:
        """The options of the parts, with the name of the part."""
        return {f"{part.spec.name}, {title}": said for part in self.parts for title, said in part.settings().items()}

    # Outputs

    def each(self, values: Any) -> list[tuple[Head, Any]]:
        """See Head."""
        return [(part, values[part.spec.name]) for part in self.parts]

    def read(self, outputs: Mapping[str, NDArray[np.float32]]) -> Any:
        """See Head."""
        return {part.spec.name: part.read(outputs) for part in self.parts}

    def of_text(self, logits: Any, place: int, length: int) -> Any:
        """See Head."""
        return {part.spec.name: part.of_text(own, place, length) for part, own in self.each(logits)}

    def shares(
        self, logits: Sequence[Any], encodings: Sequence[Encoding], references: Sequence[Any]
    ) -> list[tuple[Head, Sequence[Any], Sequence[Encoding], Sequence[Any]]]:
        """See Head."""
        found: list[tuple[Head, Sequence[Any], Sequence[Encoding], Sequence[Any]]] = []
        for place, part in enumerate(self.parts):
            known = [number for number, labels in enumerate(references) if labels[place] is not None]
            own = [logits[number][part.spec.name] for number in known]
            labels = [references[number][place] for number in known]
            texts = [encodings[number] for number in known] if encodings else []
            found.append((part, own, texts, labels))
        return found

    # Model and training

    @staticmethod
    def auto_model() -> Any:
        """The encoder without a head: `edge_ptf.models.joint` puts the heads of the parts on it."""
        from transformers import AutoModel

        return AutoModel

    def model_config(self) -> dict[str, Any]:
        """Nothing: each part has fields of its own."""
        return {}

    def target(self, example: Example, encoding: Encoding) -> Any:
        """The target of each part; that of a text without a label where the example lacks this label."""
        return {
            part.spec.name: part.no_target(encoding)
            if label is None
            else part.target(replace(example, label=label), encoding)
            for part, label in zip(self.parts, example.label, strict=True)
        }

    def no_target(self, encoding: Encoding) -> Any:
        """See Head."""
        return {part.spec.name: part.no_target(encoding) for part in self.parts}

    def batch_targets(self, targets: Sequence[Any], length: int) -> Any:
        """See Head."""
        return {
            part.spec.name: part.batch_targets([target[part.spec.name] for target in targets], length)
            for part in self.parts
        }

    def is_labelled(self, target: Any) -> bool:
        """Whether the target of any part counts."""
        return any(part.is_labelled(own) for part, own in self.each(target))

    def loss(self, logits: Any, targets: Any, smoothing: float = 0.0, reduction: Reduction = "mean") -> Tensor:
        """The weighted sum of the losses of the parts."""
        return _sum(self.losses(logits, targets, smoothing, reduction))

    def weighted_loss(self, targets: Sequence[Any], weights: PositiveWeights) -> Loss:
        """The same with weights of labels in the parts that know such weights."""
        own: list[Callable[..., Tensor]] = []
        for part in self.parts:
            labels = [target[part.spec.name] for target in targets]
            own.append(part.weighted_loss(labels, weights if part.weighs_labels else "none"))

        def loss(logits: Any, targets: Any, smoothing: float) -> Tensor:
            shares = zip(self.each(logits), self.each(targets), self.weights, own, strict=True)
            return _sum([weight * one(given, wanted, smoothing) for (_, given), (_, wanted), weight, one in shares])

        return loss

    def distillation_loss(self, student: Any, teacher: Any, form: LogitLoss, temperature: float) -> Tensor:
        """The weighted sum of the distances of the parts."""
        shares = zip(self.each(student), self.each(teacher), self.weights, strict=True)
        return _sum(
            [
                weight * part.distillation_loss(own, wanted, form, temperature)
                for (part, own), (_, wanted), weight in shares
            ]
        )

    # Answers

    def decode(self, logits: Any, encoding: Encoding, text: str) -> Prediction:
        """The answers of all parts; see `combined`."""
        return combined({part.spec.name: part.decode(own, encoding, text) for part, own in self.each(logits)})

    def rules(self) -> tuple[str, ...]:
        """Those of each part, with its name."""
        return tuple(f"`{part.spec.name}`: {rule}" for part in self.parts for rule in part.rules())

    @property
    def tunes(self) -> bool:
        """Whether a part tunes."""
        return any(part.tunes for part in self.parts)

    def tuned(self, logits: Sequence[Any], references: Sequence[Any], encodings: Sequence[Encoding] = ()) -> HeadSpec:
        """Each part by the examples that have a label of its task."""
        shares = self.shares(logits, encodings, references)
        return self._with_parts([part.tuned(own, labels, texts) for part, own, texts, labels in shares])

    def matched(self, logits: Sequence[Any], answers: Sequence[Any], encodings: Sequence[Encoding] = ()) -> HeadSpec:
        """Each part by its own answers."""
        shares = self.shares(logits, encodings, answers)
        return self._with_parts([part.matched(own, theirs, texts) for part, own, texts, theirs in shares])

    @property
    def shifts(self) -> bool:
        """Whether a part shifts."""
        return any(part.shifts for part in self.parts)

    def matched_shifts(
        self, logits: Sequence[Any], encodings: Sequence[Encoding], answers: Sequence[Any]
    ) -> dict[str, NDArray[np.float32]]:
        """Those of all parts."""
        found: dict[str, NDArray[np.float32]] = {}
        for part, own, texts, theirs in self.shares(logits, encodings, answers):
            found |= part.matched_shifts(own, texts, theirs)
        return found

    @property
    def _places(self) -> range:
        return range(len(self.parts))

    def _with_parts(self, parts: Sequence[HeadSpec]) -> HeadSpec:
        return joint_spec(parts, self.options.weights)


def joint_spec(parts: Sequence[HeadSpec], weights: Sequence[float] | None = None) -> HeadSpec:
    """The spec of one head over several. Its labels are those of the parts, each with the name of its part: a.b.

    Args:
        parts: with different names, and different names of their tensors.
        weights: of their losses; None: 1 for all.
    """
    options = JointOptions(parts=tuple(parts), weights=None if weights is None else tuple(weights))
    return HeadSpec(
        name="main",
        task=",".join(f"{part.name}={part.task}" for part in parts),
        kind=JointHead.kind,
        outputs={part.name: part.logits for part in parts},
        labels=tuple(f"{part.name}.{label}" for part in parts for label in part.labels),
        options=options.model_dump(mode="json"),
    )


def _sum(losses: Sequence[Tensor]) -> Tensor:
    total = losses[0]
    for loss in losses[1:]:
        total = total + loss
    return total
