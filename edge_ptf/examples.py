"""The values that every task shares: a labelled text, its tokens, and an answer."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Label: TypeAlias = Any
"""A text, a list of texts or a number, in the form that the task decides: `str | float | tuple[str, ...]`. Of several
tasks a tuple with one of these, or None, for each."""
Logits = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Example:
    """One labelled text.

    The task decides the form of `label`: a class name, one BIO tag for each white-space separated word of `text`, the
    names of all classes that apply, a number, or the texts that answer a question.

    `spans` holds the characters [begin, end) of each of these answers in `text_pair`. It is empty for other tasks.
    """

    text: str
    label: Label
    text_pair: str | None = None
    spans: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Encoding:
    """One tokenized text, unpadded, special tokens included.

    `word_starts[w]` is the position of the first subword of word `w`, or -1 where the word was truncated or has none.
    `words` holds the (start, end) character offsets of each word in the text. Both are empty for heads that answer for
    a whole text.

    A long context is read in windows. The model reads each window apart, and `windows` holds their numbers of tokens;
    the tokens of all windows follow each other in `input_ids`. It is empty if there is one window.
    For heads that answer with a part of a text, `places` holds the characters [begin, end) of each token in `context`;
    they are equal for a token that is not of the context.
    """

    input_ids: list[int]
    token_type_ids: list[int] | None
    word_starts: tuple[int, ...] = ()
    words: tuple[tuple[int, int], ...] = ()
    places: tuple[tuple[int, int], ...] = ()
    context: str = ""
    windows: tuple[int, ...] = ()

    def parts(self) -> list[Encoding]:
        """What the model reads apart: one encoding for each window, or this one."""
        if not self.windows:
            return [self]
        found, begin = [], 0
        for length in self.windows:
            at = slice(begin, begin + length)
            types = None if self.token_type_ids is None else self.token_type_ids[at]
            found.append(Encoding(self.input_ids[at], types, places=self.places[at], context=self.context))
            begin += length
        return found


def all_parts(encodings: Iterable[Encoding]) -> list[Encoding]:
    """What the model reads apart, of all texts; see `Encoding.parts`."""
    return [part for encoding in encodings for part in encoding.parts()]


def joined(parts: Sequence[Encoding]) -> Encoding:
    """The encoding of a text from its parts; the opposite of `Encoding.parts`."""
    first = parts[0]
    if len(parts) == 1:
        return first
    return Encoding(
        [number for part in parts for number in part.input_ids],
        None if first.token_type_ids is None else [kind for part in parts for kind in part.token_type_ids or ()],
        places=tuple(place for part in parts for place in part.places),
        context=first.context,
        windows=tuple(len(part.input_ids) for part in parts),
    )


@dataclass(frozen=True, slots=True)
class Prediction:
    """One answer. `label` has the form of `Example.label`; `score` is its probability (the least over words), or the
    number itself where the label is one.

    `details` is JSON-like and holds what `predict` prints beyond that: the best classes, or the entities with their
    offsets.
    """

    label: Label
    score: float
    details: dict[str, Any] = field(default_factory=dict)
    ranking: tuple[int, ...] = ()
    """Class ids, the most probable first, where a metric of the task reads them."""
    scores: tuple[float, ...] = ()
    """The score of each part of an answer to several tasks; see `combined`."""
    rankings: tuple[tuple[int, ...], ...] = ()
    """The ranking of each of these parts."""


def combined(answers: Mapping[str, Prediction]) -> Prediction:
    """The answers of several tasks to one text, as one answer. Label, scores and rankings are in their order.

    The score is the least one, without numbers, whose score is no probability. The details have the label, the score
    and the details of each answer by name.
    """
    given = list(answers.values())
    sure = [answer.score for answer in given if not isinstance(answer.label, float)]
    return Prediction(
        tuple(answer.label for answer in given),
        min(sure, default=1.0),
        {name: {"label": answer.label, "score": answer.score, **answer.details} for name, answer in answers.items()},
        scores=tuple(answer.score for answer in given),
        rankings=tuple(answer.ranking for answer in given),
    )


def part_of(answer: Any, place: int) -> Prediction:
    """The answer of one of several tasks, without its details.

    Args:
        answer: a `Prediction` that `combined` made, or anything with its fields.
        place: of the task.
    """
    return Prediction(answer.label[place], answer.scores[place], ranking=answer.rankings[place])


def agrees(reference: Label, label: Label) -> bool:
    """Whether an answer is the label of an example. Of several tasks, a label that the example does not have is not
    compared."""
    if isinstance(reference, tuple) and None in reference:
        return all(wanted in (None, given) for wanted, given in zip(reference, label, strict=True))
    return bool(reference == label)
