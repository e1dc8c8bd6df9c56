"""Makes unlabelled texts from labelled ones. The teacher answers them, and the student learns these answers.

- Spliced texts: the beginning of one text and the end of another. Without them, the student learns the teacher's
  answers only near the training texts. Out-of-scope texts lie elsewhere, between and beside the classes.
- Texts with split words: words that the student's smaller vocabulary splits into several subwords. Training texts
  contain no such words, because the vocabulary was chosen from them.
- Spliced validation texts: no model has seen them. They are used to tune the student's threshold.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_ptf.examples import Example

PLACE_MARKS = "▁Ġ"
"""The marks of Unigram and byte-level BPE for the space before a word."""


def spliced(
    examples: Sequence[Example], count: int, seed: int, inserted: Sequence[str] = (), share: float = 0.0
) -> list[Example]:
    """Makes `count` texts, each from the beginning of one text and the end of another, joined between words.

    A third of them also lose some words. Each text has the label of its first text only because an example needs one:
    do not train on it.

    Args:
        inserted: words that replace other words.
        share: share of the texts that get such words, one or two in each.
    """
    draw = random.Random(seed)
    made = []
    for _ in range(count):
        first, second = draw.choice(examples), draw.choice(examples)
        words = _joined(first.text.split(), second.text.split(), draw)
        if inserted and draw.random() < share:
            for _ in range(draw.randint(1, 2)):
                words[draw.randrange(len(words))] = draw.choice(inserted)
        text = " ".join(words)
        pair = None if first.text_pair is None else draw.choice((first, second)).text_pair
        made.append(Example(text, first.label, pair))
    return made


def substituted(
    examples: Sequence[Example], count: int, seed: int, near: Mapping[str, Sequence[str]], share: float = 0.3
) -> list[Example]:
    """Makes `count` texts by replacing words with similar words (after Jiao et al. 2020, "TinyBERT").

    Args:
        near: for each replaceable word, the words that may replace it.
        share: mean share of a text's replaceable words that are replaced. At least one word is replaced.
    """
    draw = random.Random(seed)
    made = []
    for _ in range(count):
        example = draw.choice(examples)
        words = example.text.split()
        places = [place for place, word in enumerate(words) if word in near]
        chosen = [place for place in places if draw.random() < share] or (places and [draw.choice(places)])
        for place in chosen:
            words[place] = draw.choice(near[words[place]])
        made.append(Example(" ".join(words), example.label, example.text_pair))
    return made


def near_words(
    tokenizer: Any, embeddings: NDArray[np.float32], words: Iterable[str], count: int = 10
) -> dict[str, tuple[str, ...]]:
    """For each of `words` that is one subword, the other such words with the nearest embeddings.

    Args:
        embeddings: the model's input embeddings, [subwords, width]. Nearness is their cosine after subtracting the
            mean.
        count: number of nearest words for each word.
    """
    subwords = _whole_words(tokenizer)
    known = [word for word in dict.fromkeys(words) if word in subwords]
    if not known or len(subwords) <= count:
        return {}
    candidates = list(subwords)
    rows = embeddings[list(subwords.values())].astype(np.float32)
    rows -= rows.mean(axis=0)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True).clip(1e-9)
    place = {word: index for index, word in enumerate(candidates)}
    found = {}
    for begin in range(0, len(known), 512):
        part = known[begin : begin + 512]
        cosines = rows[[place[word] for word in part]] @ rows.T
        nearest = np.argpartition(-cosines, count, axis=1)[:, : count + 1]
        for word, row, best in zip(part, cosines, nearest, strict=True):
            ordered = best[np.lexsort((best, -row[best]))]
            found[word] = tuple(candidates[index] for index in ordered if candidates[index] != word)[:count]
    return found


def _whole_words(tokenizer: Any) -> dict[str, int]:
    """Words of letters that are one subword, with their ids, in the order of the vocabulary."""
    subwords = sorted(tokenizer.get_vocab().items(), key=lambda item: item[1])
    words = [word for subword, _ in subwords if (word := subword.lstrip(PLACE_MARKS)).isalpha() and len(word) > 1]
    words = list(dict.fromkeys(words))
    tokenized = tokenizer([f" {word}" for word in words], add_special_tokens=False)["input_ids"] if words else []
    return {word: ids[0] for word, ids in zip(words, tokenized, strict=True) if len(ids) == 1}


def split_words(teacher: Any, student: Any) -> list[str]:
    """Words that are one subword for the teacher and several for the student, in the order of the vocabulary."""
    words = list(_whole_words(teacher))
    tokenized = student([f" {word}" for word in words], add_special_tokens=False)["input_ids"] if words else []
    return [word for word, ids in zip(words, tokenized, strict=True) if len(ids) > 1]


def _joined(head: list[str], tail: list[str], draw: random.Random) -> list[str]:
    words = head[: draw.randint(0, len(head))] + tail[draw.randint(0, len(tail)) :]
    if draw.random() < 1 / 3:
        words = [word for word in words if draw.random() > 0.2]
    return words or list(head)
