"""Unlabelled texts made from labelled ones, for the teacher to answer.

A student that only sees the training texts copies the teacher there and nowhere else; between and beside the classes,
where out-of-scope texts lie, it is free. Mixed texts show it the teacher's doubt. Foreign words show it what to make of
words that its smaller vocabulary cuts into subwords: training texts, which that vocabulary was chosen by, hold none.
Mixed validation texts, which no model has seen, are many texts of doubt to set the student's threshold by.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_ptf.examples import Example

PLACE_MARKS = "▁Ġ"
"""What Unigram and byte-level BPE write for the space before a word."""


def spliced(
    examples: Sequence[Example], count: int, seed: int, inserted: Sequence[str] = (), share: float = 0.0
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
    """`count` texts, each a text some of whose words are replaced by near ones (after Jiao et al. 2020, "TinyBERT").

    Args:
        near: words that may stand in place of a word.
        share: of a text's replaceable words, how many are replaced, on average; one at least.
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
    """For each of `words` that the tokenizer keeps whole, the other such words with the nearest embeddings.

    Args:
        embeddings: the model's input embeddings, [subwords, width]; nearness is their cosine, the mean taken out.
        count: nearest words of each.
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
    """Words of letters that are one subword to a tokenizer, and their ids, in order of the vocabulary."""
    subwords = sorted(tokenizer.get_vocab().items(), key=lambda item: item[1])
    words = [word for subword, _ in subwords if (word := subword.lstrip(PLACE_MARKS)).isalpha() and len(word) > 1]
    words = list(dict.fromkeys(words))
    tokenized = tokenizer([f" {word}" for word in words], add_special_tokens=False)["input_ids"] if words else []
    return {word: ids[0] for word, ids in zip(words, tokenized, strict=True) if len(ids) == 1}


def split_words(teacher: Any, student: Any) -> list[str]:
    """Words that are one subword for the teacher and several for the student, in order of the vocabulary."""
    words = list(_whole_words(teacher))
    tokenized = student([f" {word}" for word in words], add_special_tokens=False)["input_ids"] if words else []
    return [word for word, ids in zip(words, tokenized, strict=True) if len(ids) > 1]


def _joined(head: list[str], tail: list[str], draw: random.Random) -> list[str]:
    words = head[: draw.randint(0, len(head))] + tail[draw.randint(0, len(tail)) :]
    if draw.random() < 1 / 3:
        words = [word for word in words if draw.random() > 0.2]
    return words or list(head)
