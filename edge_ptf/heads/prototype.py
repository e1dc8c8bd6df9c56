"""The kind "prototype": the class whose centre is nearest to the vector of a text (Snell et al. 2017, "Prototypical
Networks for Few-shot Learning").

A model learns vectors, and has no classes. A package has the centre of each class in its graph. Both have a class here.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from edge_ptf.errors import BadInputError
from edge_ptf.examples import Encoding, Example, Logits
from edge_ptf.heads.base import Target
from edge_ptf.heads.embedding import GROUP, TEXT, EmbeddingHead, EmbeddingOptions
from edge_ptf.heads.pooled_model import Pooling
from edge_ptf.heads.spec import LOGITS, HeadSpec, OutputSpec
from edge_ptf.heads.text import TextHead

VECTOR = "vector"
"""The output role of the vector of a text."""


class PrototypeOptions(EmbeddingOptions):
    """Settings of a head of the kind "prototype"."""

    classes: tuple[str, ...] = Field((), description="Names of the classes, as long as the graph has no centres.")
    out_of_scope_label: str | None = Field(None, description="The label of texts that belong to no class.")
    threshold: float | None = Field(
        None, ge=-1, le=1, description="An answer whose cosine is lower becomes out-of-scope."
    )
    scale: float | None = Field(
        None, gt=0, description="What cosines are multiplied by in the logits; null: the graph has no centres."
    )
    added: tuple[tuple[float, ...], ...] = Field(
        (), description="Centres of the last labels, which a program added; the graph has those of all others."
    )


class PrototypeVectors(EmbeddingHead):
    """What a model learns: vectors that are alike for texts of a class. A label is the place of a number.

    A text out of scope is unlike every other text.
    """

    kind = "prototype"
    options_model = PrototypeOptions
    reads_texts_apart = False
    tuned_options: ClassVar[tuple[str, ...]] = ()

    def __init__(self, spec: HeadSpec) -> None:
        """See Head."""
        super().__init__(spec)
        self.label_ids = {label: index for index, label in enumerate(self.options.classes)}

    def sized(self, width: int, pooling: Pooling, matryoshka: Sequence[int] = ()) -> HeadSpec:
        """See EmbeddingHead.

        Raises:
            BadInputError: shorter vectors are asked for. A centre is compared with whole vectors.
        """
        if matryoshka:
            raise BadInputError(
                f"finetune.matryoshka is {list(matryoshka)}, but {self.spec.task} compares whole vectors",
                hint="Leave it out",
            )
        return super().sized(width, pooling)

    def target(self, example: Example, encoding: Encoding) -> Target:
        """The number of the class and of the text. A text out of scope is alone in its class."""
        found = super().target(example, encoding)
        if example.label == self.options.out_of_scope_label:
            found[GROUP] = found[TEXT]
        return found

    def with_centres(self, scale: float) -> HeadSpec:
        """The spec for a graph that has the centres of the classes.

        Args:
            scale: what the logits are: cosines times this.
        """
        return HeadSpec(
            name=self.spec.name,
            task=self.spec.task,
            kind=self.kind,
            outputs={
                LOGITS: self.spec.logits,
                VECTOR: OutputSpec(tensor=VECTOR, axes=("batch", "number")),
            },
            labels=self.options.classes,
            options={
                "pooling": self.options.pooling,
                "out_of_scope_label": self.options.out_of_scope_label,
                "threshold": None,
                "scale": scale,
            },
        )


class PrototypeHead(TextHead):
    """What a package answers: the class whose centre has the largest cosine with the vector of the text.

    The logits are cosines times `scale`, so their softmax is the score. With an out-of-scope label an answer is
    out-of-scope when the largest cosine is below the threshold that was chosen on validation.
    """

    kind = "prototype"
    options_model = PrototypeOptions
    least_certainty = -1.0

    @property
    def untuned(self) -> HeadSpec:
        """See Head. The scale differs from model to model too."""
        return super().untuned.with_options(scale=1.0)

    @property
    def is_tuned(self) -> bool:
        """Whether there is a threshold."""
        return self.options.threshold is not None

    @property
    def tensors(self) -> tuple[str, ...]:
        """The logits and the vector."""
        return tuple(output.tensor for output in self.spec.outputs.values())

    def settings(self) -> dict[str, str]:
        """The out-of-scope label and its threshold, where there is such a label."""
        return {title.replace("probability", "cosine"): value for title, value in super().settings().items()}

    def read(self, outputs: Mapping[str, NDArray[np.float32]]) -> Logits:
        """The logits of the one text of a call; behind them those of the classes that a program added."""
        found = super().read(outputs)
        if not self.options.added:
            return found
        centres = np.asarray(self.options.added, np.float64)
        return np.concatenate([found, self.options.scale * (centres @ self.vector(outputs))])

    def vector(self, outputs: Mapping[str, NDArray[np.float32]]) -> NDArray[np.float64]:
        """The vector of the one text of a call, with the length 1 [numbers]."""
        return np.asarray(outputs[self.spec.outputs[VECTOR].tensor][0], np.float64)

    def certainty(self, logits: Logits, probability: float) -> float:
        """The largest cosine."""
        return float(np.max(logits)) / float(self.options.scale)

    def tempered(self, temperature: float) -> HeadSpec:
        """The spec with a smaller scale."""
        return self.spec.with_options(scale=self.options.scale / temperature)

    def support(self, logits: Logits, encoding: Encoding, label: object) -> float | None:
        """The probability of the class; for the out-of-scope label, how far the nearest centre is."""
        if label == self.options.out_of_scope_label:
            return 1.0 - self.certainty(logits, 0.0)
        return super().support(logits, encoding, label)

    def with_class(self, name: str, vectors: Sequence[NDArray[np.float64]]) -> HeadSpec:
        """The spec with one more class.

        Args:
            name: of the class.
            vectors: of its texts [texts, numbers].

        Raises:
            BadInputError: there are no vectors, or the name cannot be that of a new class.
        """
        if not len(vectors):
            raise BadInputError("the new class has no texts", hint="Give one text or more; five are a good start")
        if fault := name_fault(name, (*self.spec.labels, self.options.out_of_scope_label)):
            raise BadInputError(fault, hint="Give a name of letters, such as 'play music'")
        added = (*self.options.added, tuple(centre(vectors).tolist()))
        return self.spec.replace(labels=(*self.spec.labels, name)).with_options(added=added)

    def rules(self) -> tuple[str, ...]:
        """The nearest centre, and the threshold under its cosine."""
        scale, scope, threshold = self.options.scale, self.options.out_of_scope_label, self.options.threshold
        found = [
            f"The logits are the cosines of the text and the centre of each class, times {scale!r}. The probabilities "
            "are their softmax. The answer is the class with the largest one. "
            f"The output `{self.spec.outputs[VECTOR].tensor}` is the vector of the text.",
        ]
        if scope is not None and threshold is None:
            found.append(f"The label `{scope}` means that the text belongs to no class. There is no threshold.")
        elif scope is not None:
            found.append(
                f"If the largest logit divided by {scale!r} is less than {threshold!r}, the answer is `{scope}`: the "
                "text belongs to no class."
            )
        return tuple(found)


def centre(vectors: Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:
    """The mean of vectors [texts, numbers], with the length 1; zeros stay zeros."""
    mean: NDArray[np.float64] = np.mean(np.asarray(vectors, np.float64), axis=0)
    length = float(np.sqrt(mean @ mean))
    return mean / length if length else mean


def name_fault(name: str, taken: Sequence[str | None]) -> str:
    """Why a text cannot name a new class; empty: it can."""
    if not name.strip():
        return "the name of the new class is empty"
    if any(unicodedata.category(letter) in ("Cc", "Cs") for letter in name):
        return f"the name of the new class, {name!r}, has a control character or is no Unicode text"
    return f"there is a class '{name}' already" if name in taken else ""
