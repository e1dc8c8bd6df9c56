"""Exact match and F1 of an answer to a question, as the official scripts of SQuAD 1.1 and 2.0 compute them."""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Callable, Sequence

ARTICLES = re.compile(r"\b(a|an|the)\b", re.UNICODE)
PUNCTUATION = str.maketrans("", "", string.punctuation)


def normalized(answer: str) -> str:
    """Lower case, without ASCII punctuation and English articles, with single spaces.

    Example:
        >>> from edge_ptf.answers import normalized
        >>> normalized("The  Panthers' defense.")
        'panthers defense'
    """
    return " ".join(ARTICLES.sub(" ", answer.lower().translate(PUNCTUATION)).split())


def exact_match(references: Sequence[str], answer: Sequence[str]) -> float:
    """1 if the answer equals one of the references after `normalized`, else 0. Without references or answer: see
    `token_f1`."""
    return _best(references, answer, lambda a, b: float(normalized(a) == normalized(b)))


def token_f1(references: Sequence[str], answer: Sequence[str]) -> float:
    """The F1 of the words of the answer, from 0 to 1; the best one over the references.

    Args:
        references: acceptable answers; empty: the question has no answer.
        answer: one text, or none.
    """
    return _best(references, answer, _f1)


def _best(references: Sequence[str], answer: Sequence[str], score: Callable[[str, str], float]) -> float:
    """As in SQuAD 2.0: references that normalize to nothing do not count, and no answer is the empty text."""
    wanted = [text for text in references if normalized(text)] or [""]
    return max(score(text, answer[0] if answer else "") for text in wanted)


def _f1(reference: str, answer: str) -> float:
    wanted, given = normalized(reference).split(), normalized(answer).split()
    if not wanted or not given:
        return float(wanted == given)
    common = sum((Counter(wanted) & Counter(given)).values())
    if not common:
        return 0.0
    precision, recall = common / len(given), common / len(wanted)
    return 2 * precision * recall / (precision + recall)
