"""The values that every task shares: a labelled text, its tokens, and an answer."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Label: TypeAlias = Any
"""A text, a list of texts or a number, in the form that the task decides: `str | float | tuple[str, ...]`."""
Logits = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Example:
    """One labelled text.

    The task decides the form of `label`: a class name, one BIO tag for each white-space separated word of `text`, the
    names of all classes that apply, or a number.
    """

    text: str
    label: Label
    text_pair: str | None = None


@dataclass(frozen=True, slots=True)
class Encoding:
    """One tokenized text, unpadded, special tokens included.

    `word_starts[w]` is the position of the first subword of word `w`, or -1 where the word was truncated or has none.
    `words` holds the (start, end) character offsets of each word in the text. Both are empty for heads that answer for
    a whole text.
    """

    input_ids: list[int]
    token_type_ids: list[int] | None
    word_starts: tuple[int, ...] = ()
    words: tuple[tuple[int, int], ...] = ()


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
