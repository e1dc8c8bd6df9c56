"""A question and a long context as token ids: the context is read in windows that overlap."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from edge_ptf.errors import BadInputError
from edge_ptf.examples import Encoding, Example

QUESTION, CONTEXT = 0, 1
"""The numbers of the two texts in what the library `tokenizers` returns."""


def encode_windows(tokenizer: Any, examples: Sequence[Example], max_length: int, stride: int) -> list[Encoding]:
    """Tokenizes questions (`text`) and contexts (`text_pair`), unpadded, each context in as many windows as it needs.

    What `max_length` leaves beside the special tokens is the capacity of a window. A question has at most half of it;
    a longer question loses its end. Each window begins with the question. Two neighbouring windows share `stride`
    tokens of the context, and at most half of what a window holds of it. For a question that is short enough, these
    are the windows of `tokenizer(question, context, truncation="only_second", stride=stride,
    return_overflowing_tokens=True)`.

    Raises:
        BadInputError: an example has no context.
    """
    pairs = []
    for example in examples:
        if example.text_pair is None:
            raise BadInputError("a question needs a context", hint="Give two texts: the question, then the context")
        pairs.append((example.text, example.text_pair))
    typed, encoded = whole_pairs(tokenizer, pairs)
    return [
        _windows(each, context, max_length, stride, typed) for each, (_, context) in zip(encoded, pairs, strict=True)
    ]


def whole_pairs(tokenizer: Any, pairs: Sequence[tuple[str, str]]) -> tuple[bool, list[Any]]:
    """Whether the model takes token types, and the pairs as `tokenizers.Encoding`, not truncated.

    Args:
        tokenizer: of `transformers`, or a `PackageTokenizer`.
    """
    if hasattr(tokenizer, "whole_pairs"):
        return tokenizer.typed, tokenizer.whole_pairs(pairs)
    core = tokenizer.backend_tokenizer
    core.no_truncation()
    core.no_padding()
    return "token_type_ids" in tokenizer.model_input_names, core.encode_batch(list(pairs))


def _windows(whole: Any, context: str, max_length: int, stride: int, typed: bool) -> Encoding:
    sources = whole.sequence_ids
    own = [[at for at, source in enumerate(sources) if source == text] for text in (QUESTION, CONTEXT)]
    capacity = max_length - (len(sources) - len(own[QUESTION]) - len(own[CONTEXT]))
    if capacity < 1:
        raise BadInputError(f"max_length is {max_length}, which leaves no room for a context", hint="Give a larger one")
    question, context_tokens = own[QUESTION][: capacity // 2], own[CONTEXT]
    space = capacity - len(question)
    step = space - min(stride, space // 2)
    last = question[-1] if question else -1
    shown = [at for at, source in enumerate(sources) if source is None or (source == QUESTION and at <= last)]
    first = context_tokens[0] if context_tokens else len(sources)
    before, after = [at for at in shown if at < first], [at for at in shown if at > first]
    ids, places, kinds = whole.ids, _places(whole, context), whole.type_ids
    windows = [[*before, *context_tokens[:space], *after]]
    for begin in range(step, len(context_tokens) - space + step, step):
        windows.append([*before, *context_tokens[begin : begin + space], *after])
    order = [at for window in windows for at in window]
    return Encoding(
        [ids[at] for at in order],
        [kinds[at] for at in order] if typed else None,
        places=tuple(places[at] for at in order),
        context=context,
        windows=tuple(map(len, windows)) if len(windows) > 1 else (),
    )


def _places(whole: Any, context: str) -> list[tuple[int, int]]:
    """The characters of each token in the context, without the space that some tokenizers count to a word."""
    places = []
    for (start, stop), source in zip(whole.offsets, whole.sequence_ids, strict=True):
        begin, end = (start, stop) if source == CONTEXT else (0, 0)
        while begin < end and context[begin] == " ":
            begin += 1
        while begin < end and context[end - 1] == " ":
            end -= 1
        places.append((begin, end) if begin < end else (0, 0))
    return places
