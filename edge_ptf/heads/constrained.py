"""Constrained decoding of BIO tags: the best sequence in which every I- tag continues an entity of its type.

The best sequence has the largest product of probabilities. For each word, a logit and the logarithm of its probability
differ by one number that is the same for all tags, so the sum of logits decides. This needs no exponential function:
Python and C++ add the same numbers in the same order, and get the same tags to the last bit.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Continuations = dict[int, int]
"""Class id of each I- tag, and of the B- tag of its type."""
SHIFT_STEPS = 16
"""Halvings of the interval in which a shift is searched. With more, rounding in the graph could undo the result."""


def continuations(labels: Sequence[str]) -> Continuations:
    """The B- tag of each I- tag.

    Raises:
        ValueError: a label is no BIO tag, there is no O, or an I- tag has no B- tag.
    """
    ids = {label: index for index, label in enumerate(labels)}
    if "O" not in ids:
        raise ValueError("decoding: constrained needs the label O")
    found = {}
    for label, index in ids.items():
        if label == "O" or label.startswith("B-"):
            continue
        begin = f"B-{label.removeprefix('I-')}"
        if not label.startswith("I-") or begin not in ids:
            raise ValueError(
                f"decoding: constrained needs BIO tags, and a B- tag for each I- tag; not so for '{label}'"
            )
        found[index] = ids[begin]
    return found


def best_tags(logits: NDArray[np.floating[Any]], continues: Continuations) -> list[int]:
    """The class ids of the best sequence, by Viterbi's algorithm.

    The first word is not behind an entity. Of equally good tags before a word, and at the end, the smallest id wins.

    Args:
        logits: [words, labels], words that follow each other.
        continues: as `continuations` gives them.
    """
    rows = np.asarray(logits, np.float64)
    if not len(rows):
        return []
    inside = np.fromiter(continues, np.intp, len(continues))
    begins = np.fromiter(continues.values(), np.intp, len(continues))
    lower, higher = np.minimum(inside, begins), np.maximum(inside, begins)
    back = np.zeros(rows.shape, np.intp)
    total = rows[0].copy()
    total[inside] = -np.inf
    for word in range(1, len(rows)):
        back[word] = total.argmax()
        back[word, inside] = np.where(total[lower] >= total[higher], lower, higher)
        total = total[back[word]] + rows[word]
    tags = [int(total.argmax())]
    for word in range(len(rows) - 1, 0, -1):
        tags.append(int(back[word, tags[-1]]))
    return tags[::-1]


def breaks(tags: NDArray[np.intp], starts: NDArray[np.bool_], continues: Continuations) -> NDArray[np.bool_]:
    """For each word whether its tag is an I- tag that continues nothing.

    Args:
        tags: class ids, [words].
        starts: the words that follow no other, [words].
    """
    begin = np.full(int(tags.max(initial=-1)) + 2, -1)
    for inside, other in continues.items():
        if inside < len(begin):
            begin[inside] = other
    needed = begin[tags]
    before = np.concatenate([[-1], tags[:-1]])
    found: NDArray[np.bool_] = (needed >= 0) & (starts | ((before != tags) & (before != needed)))
    return found


def named_words(
    runs: Sequence[NDArray[np.floating[Any]]], outside: int, continues: Continuations
) -> Callable[[float], int]:
    """How many words are part of an entity, as a function of what is added to the logit of O.

    Words whose best tags break no rule have them as their answer, so few runs need the search for a sequence.

    Args:
        runs: logits [words, labels] of words that follow each other; one run or more.
        outside: class id of O.
        continues: as `continuations` gives them.
    """
    rows = np.concatenate(runs).astype(np.float64)
    lengths = np.asarray([len(run) for run in runs])
    first = np.cumsum(lengths) - lengths
    starts = np.zeros(len(rows), bool)
    starts[first] = True
    owners = np.repeat(np.arange(len(runs)), lengths)

    def count(shift: float) -> int:
        moved = rows.copy()
        moved[:, outside] += shift
        tags = moved.argmax(axis=1)
        for run in np.unique(owners[breaks(tags, starts, continues)]):
            words = slice(first[run], first[run] + lengths[run])
            tags[words] = best_tags(moved[words], continues)
        return int((tags != outside).sum())

    return count


def shift_for(named: int, count: Callable[[float], int], most: float) -> float:
    """What to add to the logit of O so that `count` is nearest to `named`.

    The more is added, the fewer words are part of an entity: the sum of every sequence grows with its number of O.

    Args:
        most: with this every word gets the tag O, and with its negative none does.
    """
    low, high = -most, most
    tried: dict[float, int] = {}
    for _ in range(SHIFT_STEPS):
        middle = (low + high) / 2
        tried[middle] = count(middle)
        if tried[middle] == named:
            return middle
        low, high = (middle, high) if tried[middle] > named else (low, middle)
    return min(tried, key=lambda shift: abs(tried[shift] - named))
