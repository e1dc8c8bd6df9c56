"""Unlabelled texts made from the training texts, for the teacher to label.

A student that only sees the training texts copies the teacher there and nowhere else; between and beside the classes,
where out-of-scope texts lie, it is free. Mixed texts show it the teacher's doubt.
"""

from __future__ import annotations

import random
from collections.abc import Sequence

from edge_ptf.tasks.base import Example


def mixed(examples: Sequence[Example], count: int, seed: int) -> list[Example]:
    """`count` texts, each the beginning of one training text and the end of another, cut between words.

    A third of them also lose some words. The label of the first text is kept for form and is not to be trained on.
    """
    draw = random.Random(seed)
    made = []
    for _ in range(count):
        first, second = draw.choice(examples), draw.choice(examples)
        text = _joined(first.text.split(), second.text.split(), draw)
        pair = None if first.text_pair is None else draw.choice((first, second)).text_pair
        made.append(Example(text, first.label, pair))
    return made


def _joined(head: list[str], tail: list[str], draw: random.Random) -> str:
    words = head[: draw.randint(0, len(head))] + tail[draw.randint(0, len(tail)) :]
    if draw.random() < 1 / 3:
        words = [word for word in words if draw.random() > 0.2]
    return " ".join(words or head)
