"""Metrics of a search by vectors."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from math import isnan
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_ptf.metrics.base import Rows
from edge_ptf.metrics.share import Count, Share

QUERIES = 512
"""Texts that are compared with all others at a time."""
NOTHING = float("nan")
"""The rank of a text without a like one."""


def _hit(rank: float, most: int) -> tuple[float, float]:
    counted = not isnan(rank)
    return float(counted and rank < most), float(counted)


@dataclass(frozen=True, kw_only=True)
class RecallAtK(Share):
    """The share of texts with a like text among the `k` nearest ones by cosine, in percent, over one split.

    References that are names are classes: all other texts of the split are searched, and those of the same class are
    alike (Oh Song et al. 2016, "Deep Metric Learning via Lifted Structured Feature Embedding", section 6). A text that
    is alone in its class does not count. References that are two digests belong to pairs: the first text searches all
    second texts.

    A text that is as near as the best like one stands before it, so equal vectors for all texts find nothing. The bound
    is over the texts that search. The texts that are found stay the same.
    """

    count: Count = _hit
    k: int = 1
    scattered: str | None = None
    """A class whose texts are not alike, such as texts out of scope: others can find them, and they do not count."""

    def per_example(self, references: Sequence[Any], answers: Sequence[Any]) -> Rows:
        """(found, counted) of each text, [examples, 2].

        Args:
            references: classes, or pairs of digests of both texts.
            answers: the vector of each text, or both vectors one after the other. The references themselves stand for a
                search that finds every like text.
        """
        if not len(references) or isinstance(references[0], float | int):
            return np.zeros((len(references), 2))
        if self.scattered is not None:
            apart = [f"\0{place}" if each == self.scattered else each for place, each in enumerate(references)]
            answers = apart if list(answers) == list(references) else answers
            references = apart
        return super().per_example(like_ranks(references, answers).tolist(), [self.k] * len(references))


def like_ranks(references: Sequence[Any], answers: Sequence[Any]) -> NDArray[np.float64]:
    """For each text how many unlike texts are at least as near as the nearest like one; NaN if there is no like one.

    Args:
        references, answers: see `RecallAtK.per_example`.
    """
    if list(answers) == list(references):
        counts = Counter(references)
        alone = [isinstance(each, str) and counts[each] < 2 for each in references]
        return np.where(alone, NOTHING, 0.0)
    vectors = np.asarray(answers, np.float32)
    if isinstance(references[0], str):
        names = np.unique(np.asarray(references), return_inverse=True)[1].reshape(-1)
        return _ranks(_unit(vectors), _unit(vectors), names, names, apart=True)
    first, second = (_unit(half) for half in np.split(vectors, 2, axis=1))
    queries = [reference[0] for reference in references]
    places: dict[str, int] = {}
    for place, reference in enumerate(references):
        places.setdefault(reference[1], place)
    found = list(places)
    numbers = {text: number for number, text in enumerate(dict.fromkeys(queries))}
    alike = np.zeros((len(numbers), len(found)), bool)
    columns = {text: column for column, text in enumerate(found)}
    for query, text in references:
        alike[numbers[query], columns[text]] = True
    asked = np.asarray([numbers[query] for query in queries])
    return _ranks(first, second[list(places.values())], asked, None, alike=alike)


def _ranks(
    queries: NDArray[np.float32],
    texts: NDArray[np.float32],
    of_queries: NDArray[np.int64],
    of_texts: NDArray[np.int64] | None,
    *,
    apart: bool = False,
    alike: NDArray[np.bool_] | None = None,
) -> NDArray[np.float64]:
    """Ranks by class (`of_texts`), or by the rows of `alike` that `of_queries` names.

    Args:
        apart: queries and texts are the same, and a text does not find itself.
    """
    found = np.full(len(queries), NOTHING)
    for begin in range(0, len(queries), QUERIES):
        asked = of_queries[begin : begin + QUERIES]
        cosines = queries[begin : begin + QUERIES] @ texts.T
        like = alike[asked] if alike is not None else asked[:, None] == np.asarray(of_texts)[None, :]
        own = np.zeros_like(like)
        if apart:
            own[np.arange(len(asked)), np.arange(begin, begin + len(asked))] = True
        like = like & ~own
        best = np.where(like, cosines, -np.inf).max(axis=1)
        before = ((cosines >= best[:, None]) & ~like & ~own).sum(axis=1)
        found[begin : begin + QUERIES] = np.where(like.any(axis=1), before, NOTHING)
    return found


def _unit(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    found: NDArray[np.float32] = np.divide(vectors, lengths, out=np.zeros_like(vectors), where=lengths > 0)
    return found
