"""The kind "relation": one label for two marked entities of a text, read at the tokens that begin the entities."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, field_validator

from edge_ptf.errors import BadInputError
from edge_ptf.examples import Encoding, Example, Logits, Prediction
from edge_ptf.heads.base import HeadOptions, Reduction, Target
from edge_ptf.heads.classes import ClassHead, labelled_rows
from edge_ptf.heads.losses import label_loss
from edge_ptf.heads.probabilities import best_classes, softmax

if TYPE_CHECKING:
    from torch import Tensor

MARKERS = ("<e1>", "</e1>", "<e2>", "</e2>")
"""The begin and the end of the first entity, then of the second one, as SemEval-2010 task 8 writes them."""
BEGINS = slice(0, None, 2)


class RelationOptions(HeadOptions):
    """Settings of a head of the kind "relation"."""

    markers: tuple[str, ...] = Field(
        MARKERS, description="Tokens that begin and end the first entity, then the second one."
    )
    no_relation: str | None = Field(None, description="The label of entities that have none of the relations.")

    @field_validator("markers")
    @classmethod
    def _four_tokens(cls, markers: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(markers)) != len(MARKERS) or not all(markers):
            raise ValueError("there must be four different markers")
        return markers


class RelationHead(ClassHead):
    """The label with the largest sum of the logits at the two tokens that begin the entities.

    Every token has logits, as for tags. Their sum is a linear function of both tokens' states, as in the "entity start"
    form of Baldini Soares et al. (2019, "Matching the Blanks"), with one matrix for both. A token that truncation
    removed adds nothing.
    """

    kind = "relation"
    logits_axes = ("batch", "token", "label")
    target_axes = ("batch", "token")
    options_model = RelationOptions

    @property
    def added_tokens(self) -> tuple[str, ...]:
        """The markers."""
        return tuple(self.options.markers)

    def settings(self) -> dict[str, str]:
        """The markers, and the label without a relation."""
        found = {"markers of the entities": " ".join(self.options.markers)}
        return {**found, **({"no relation": self.options.no_relation} if self.options.no_relation else {})}

    @staticmethod
    def auto_model() -> Any:
        """Token classification."""
        from transformers import AutoModelForTokenClassification

        return AutoModelForTokenClassification

    def target(self, example: Example, encoding: Encoding) -> Target:
        """The class id at the tokens that begin the entities; other tokens are ignored."""
        ids = self.no_target(encoding)
        ids[[position for position in encoding.word_starts if position >= 0]] = self.label_ids[str(example.label)]
        return ids

    def loss(self, logits: Tensor, targets: Tensor, smoothing: float = 0.0, reduction: Reduction = "mean") -> Tensor:
        """Cross-entropy of the sum of the logits at the tokens that have a target."""
        counted = targets != self.ignored
        summed = (logits * counted.unsqueeze(-1)).sum(1)
        labels = targets.masked_fill(~counted, int(self.ignored)).max(1).values
        return label_loss(summed, labels, smoothing, reduction)

    def decode(self, logits: Logits, encoding: Encoding, text: str) -> Prediction:
        """The label, its probability, and the best classes.

        Raises:
            BadInputError: the text has no marked entities.
        """
        missing = [marker for marker in self.options.markers[BEGINS] if marker not in text]
        if missing:
            raise BadInputError(
                f"the text has no marker {missing[0]}",
                hint=f"Mark both entities: {example_of(self.options.markers)}",
            )
        probabilities = softmax(_summed(logits, encoding))
        best = int(probabilities.argmax())
        return Prediction(
            self.spec.labels[best],
            float(probabilities[best]),
            {"classes": best_classes(self.spec.labels, probabilities)},
        )

    def support(self, logits: Logits, encoding: Encoding, label: Any) -> float | None:
        """The probability of the relation."""
        return float(softmax(_summed(logits, encoding))[self.label_ids[label]])

    def scored(
        self, logits: Sequence[Logits], encodings: Sequence[Encoding], references: Sequence[Any]
    ) -> tuple[NDArray[np.float64], NDArray[np.int64]] | None:
        """The summed logits of each text."""
        rows = [_summed(row, encoding) for row, encoding in zip(logits, encodings, strict=True)]
        return labelled_rows(rows, references, self.label_ids)

    def rules(self) -> tuple[str, ...]:
        """The markers, and the sum of two rows of logits."""
        first, second = self.options.markers[BEGINS]
        return (
            f"The text must mark both entities: {example_of(self.options.markers)}.",
            f"The scores are the logits at the token `{first}` plus those at the token `{second}`. The probabilities "
            "are their softmax, and the answer is the class with the largest one. A token that was truncated adds 0.",
        )


def _summed(logits: Logits, encoding: Encoding) -> NDArray[np.float64]:
    """The sum of the logits at the tokens that begin the entities, [labels]."""
    places = [place for place in encoding.word_starts if 0 <= place < len(logits)]
    total: NDArray[np.float64] = np.asarray(logits, np.float64)[places].sum(axis=0)
    return total


def example_of(markers: tuple[str, ...]) -> str:
    """A text with the markers, for messages."""
    one, one_end, two, two_end = markers
    return f"{one}Anna{one_end} lives in {two}Rome{two_end}"


def marker_positions(tokenizer: Any, text: str, markers: tuple[str, ...], max_length: int) -> Encoding:
    """The tokens of a text, with the positions of the two beginning markers in place of words; -1: there is none.

    The first one of each kind counts.
    """
    batch = tokenizer([text], truncation=True, max_length=max_length, return_offsets_mapping=True)
    types = batch.get("token_type_ids")
    starts = []
    for marker in markers[BEGINS]:
        begin = text.find(marker)
        places = [
            place
            for place, (at, end) in enumerate(batch["offset_mapping"][0])
            if at == begin and end > at and begin >= 0
        ]
        starts.append(places[0] if places else -1)
    return Encoding(batch["input_ids"][0], types[0] if types else None, tuple(starts))
