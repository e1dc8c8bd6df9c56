"""Unlabelled texts made from labelled ones, for the teacher to answer.

A student that only sees the training texts copies the teacher there and nowhere else; between and beside the classes,
where out-of-scope texts lie, it is free. Mixed texts show it the teacher's doubt. Foreign words show it what to make of
words that its smaller vocabulary cuts into pieces: training texts, which that vocabulary was chosen by, hold none.
Mixed validation texts, which no model has seen, are many texts of doubt to set the student's threshold by.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

from edge_ptf.tasks.base import Example

PLACE_MARKS = "▁Ġ"
"""What Unigram and byte-level BPE write for the space before a word."""


def mixed(
    examples: Sequence[Example], count: int, seed: int, foreign: Sequence[str] = (), share: float = 0.0
) -> list[Example]:
    """`count` texts, each the beginning of one text and the end of another, cut between words.

    A third of them also lose some words. The label of the first text is kept for form and is not to be trained on.

    Args:
        foreign: words to put in place of others.
        share: of the texts, how many get such words, one or two each.
    """
    draw = random.Random(seed)
    made = []
    for _ in range(count):
        first, second = draw.choice(examples), draw.choice(examples)
        words = _joined(first.text.split(), second.text.split(), draw)
        if foreign and draw.random() < share:
            for _ in range(draw.randint(1, 2)):
                words[draw.randrange(len(words))] = draw.choice(foreign)
        text = " ".join(words)
        pair = None if first.text_pair is None else draw.choice((first, second)).text_pair
        made.append(Example(text, first.label, pair))
    return made


def foreign_words(teacher: Any, student: Any) -> list[str]:
    """Words that are one piece to the teacher's tokenizer and several to the student's, in order of the vocabulary."""
    pieces = sorted(teacher.get_vocab().items(), key=lambda item: item[1])
    words = [word for piece, _ in pieces if (word := piece.lstrip(PLACE_MARKS)).isalpha() and len(word) > 1]
    cuts = [
        tokenizer([f" {word}" for word in words], add_special_tokens=False)["input_ids"]
        for tokenizer in (teacher, student)
    ]
    found = [word for word, whole, cut in zip(words, *cuts, strict=True) if len(whole) == 1 < len(cut)]
    return list(dict.fromkeys(found))


def _joined(head: list[str], tail: list[str], draw: random.Random) -> list[str]:
    words = head[: draw.randint(0, len(head))] + tail[draw.randint(0, len(tail)) :]
    if draw.random() < 1 / 3:
        words = [word for word in words if draw.random() > 0.2]
    return words or list(head)
