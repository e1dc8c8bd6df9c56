"""Examples as token ids, as the device makes them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import islice
from typing import Any

from edge_ptf.errors import BadInputError
from edge_ptf.examples import Encoding, Example

WORD = re.compile(r"\S+")
MOST_WORDS = 1 << 20
"""Of a text whose words are labelled: each takes memory, also those behind the longest sequence."""


def encode(tokenizer: Any, examples: Sequence[Example], max_length: int, *, words: bool) -> list[Encoding]:
    """Tokenizes without padding; equals `tokenizer(text, text_pair, truncation=True, max_length=max_length)`.

    Args:
        words: find the words of each text too, by character offsets in the plain text; such examples are no pairs.
    """
    if not examples:
        return []
    if words:
        return _with_words(tokenizer, [example.text for example in examples], max_length)
    pairs = [example.text_pair for example in examples if example.text_pair is not None]
    if pairs and len(pairs) != len(examples):  # the tokenizer takes a batch of texts or of pairs, not of both
        return [found for example in examples for found in encode(tokenizer, [example], max_length, words=False)]
    batch = tokenizer([example.text for example in examples], pairs or None, truncation=True, max_length=max_length)
    types = batch.get("token_type_ids") or [None] * len(examples)
    return [Encoding(ids, kinds) for ids, kinds in zip(batch["input_ids"], types, strict=True)]


def _with_words(tokenizer: Any, texts: Sequence[str], max_length: int) -> list[Encoding]:
    batch = tokenizer(texts, truncation=True, max_length=max_length, return_offsets_mapping=True)
    types = batch.get("token_type_ids") or [None] * len(texts)
    encodings = []
    for text, ids, kinds, offsets in zip(texts, batch["input_ids"], types, batch["offset_mapping"], strict=True):
        spans = tuple(match.span() for match in islice(WORD.finditer(text), MOST_WORDS + 1))
        if len(spans) > MOST_WORDS:
            raise BadInputError(f"the text has more than {MOST_WORDS} words", hint="Truncate it first")
        encodings.append(Encoding(ids, kinds, word_starts(spans, offsets), spans))
    return encodings


def word_starts(words: Sequence[tuple[int, int]], offsets: Sequence[tuple[int, int]]) -> tuple[int, ...]:
    """Position of the first sub-token that shares a character with each word, -1 where there is none.

    One sub-token can begin two words: BERT drops control characters, a form feed between two words among them.

    Args:
        words: character spans of the words, in order.
        offsets: character span of each token; special tokens have empty spans.
    """
    starts = [-1] * len(words)
    word = 0
    for position, (begin, end) in enumerate(offsets):
        if begin == end:
            continue
        while word < len(words) and words[word][0] < end:
            if starts[word] < 0 and words[word][1] > begin:
                starts[word] = position
            if words[word][1] > end:
                break
            word += 1
    return tuple(starts)
