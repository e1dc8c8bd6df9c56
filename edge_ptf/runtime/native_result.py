"""The memory of one thread's answers by the C++ runner, and their form in Python."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from ctypes import byref, c_int64, c_size_t, c_void_p
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from edge_ptf.examples import Prediction
from edge_ptf.heads import HEADS
from edge_ptf.heads.embedding import embedding_answer
from edge_ptf.heads.probabilities import SHOWN_CLASSES
from edge_ptf.heads.triple import label_of
from edge_ptf.runtime.c_api import ANSWERS, BY_THRESHOLD, OUT_OF_SCOPE, RELATIONS, SCORES, WORDS, Item, Tensor, Timing
from edge_ptf.runtime.texts import without_surrogates

if TYPE_CHECKING:
    from edge_ptf.runtime.native import Library, NativeHead


class Result:
    """The memory of one thread's answers. It keeps the open package alive, and goes when nothing refers to it."""

    def __init__(self, library: Library, runner: c_void_p) -> None:
        self.library, self.handle = library, c_void_p()
        self.pair: str | None = None
        """The second text of the last answer, as the runner reads it."""
        library.check(library.result_create(runner, byref(self.handle)))

    def __del__(self) -> None:
        if self.handle:
            self.library.result_destroy(self.handle)

    def take(self, function: Any, text: str | bytes, text_pair: str | None) -> str:
        """Hands the texts to `predict` or `tokenize`; returns the first one as the runner reads it."""
        plain = without_surrogates(text) if isinstance(text, str) else text.decode(errors="replace")
        first = plain.encode() if isinstance(text, str) else text
        self.pair = None if text_pair is None else without_surrogates(text_pair)
        second = None if self.pair is None else self.pair.encode()
        self.library.check(function(self.handle, first, len(first), second, len(second or b"")))
        return plain

    def take_ids(self, ids: Sequence[int], types: Sequence[int] | None) -> None:
        """Hands token ids to the graph."""
        array, kinds = (None if each is None else (c_int64 * len(each))(*each) for each in (ids, types))
        self.library.check(self.library.predict_ids(self.handle, array, kinds, len(ids)))

    def numbers(self, function: Any) -> list[int]:
        """What `result_ids` or `result_types` gives."""
        count = c_size_t()
        found = function(self.handle, byref(count))
        return list(found[: count.value]) if count.value else []

    def count(self, head: int, kind: int) -> int:
        """Items in a list of a head's answer."""
        return int(self.library.result_count(self.handle, head, kind))

    def items(self, head: int, kind: int, most: int | None = None) -> Iterator[Item]:
        """One object for all items: read it before the next one."""
        item, count = Item(), self.count(head, kind)
        for index in range(count if most is None else min(count, most)):
            self.library.check(self.library.result_item(self.handle, head, kind, index, byref(item)))
            yield item

    def score(self, head: int) -> float:
        """Of the head's answer."""
        return float(self.library.result_score(self.handle, head))

    def output(self, role: str, head: int) -> NDArray[np.float32]:
        """A copy of an output."""
        tensor = Tensor()
        self.library.check(self.library.result_tensor(self.handle, head, role.encode(), byref(tensor)))
        return np.ctypeslib.as_array(tensor.values, tuple(tensor.shape[: tensor.rank])).copy()

    def vector(self, head: int, text: int) -> NDArray[np.float32]:
        """A copy of the vector of the first (0) or second (1) text; empty if there is none."""
        count = c_size_t()
        found = self.library.result_vector(self.handle, head, text, byref(count))
        return np.asarray(found[: count.value] if count.value else [], np.float32)

    def timing(self) -> tuple[int, int, int]:
        """Nanoseconds to tokenize, in the engine, to decode."""
        found = Timing()
        self.library.check(self.library.result_timing(self.handle, byref(found)))
        return found.tokenize, found.engine, found.decode


def _classes(result: Result, head: int) -> list[dict[str, Any]]:
    return [
        {"label": item.label.decode(), "score": item.score, **_flags(item)}
        for item in result.items(head, SCORES, SHOWN_CLASSES)
    ]


def _flags(item: Item) -> dict[str, bool]:
    named = {"out_of_scope": OUT_OF_SCOPE, "by_threshold": BY_THRESHOLD}
    return {name: True for name, flag in named.items() if item.flags & flag}


def _text(declared: NativeHead, result: Result, head: int, text: str) -> Prediction:
    answer = next(result.items(head, ANSWERS))
    label, flags = answer.label.decode(), _flags(answer)
    return Prediction(label, result.score(head), {**flags, "classes": _classes(result, head)})


def _tokens(declared: NativeHead, result: Result, head: int, text: str) -> Prediction:
    entities = [
        {
            "type": item.label.decode(),
            "start": item.begin_character,
            "end": item.end_character,
            "text": text[item.begin_character : item.end_character],
            "score": item.score,
        }
        for item in result.items(head, ANSWERS)
    ]
    tags = tuple(item.label.decode() for item in result.items(head, WORDS))
    return Prediction(tags, result.score(head), {"entities": entities})


def _triples(declared: NativeHead, result: Result, head: int, text: str) -> Prediction:
    """The tags and the entities, and the relations between these entities."""
    tagged = _tokens(declared, result, head, text)
    entities = tagged.details["entities"]
    found = [(item.subject, item.label.decode(), item.object, item.score) for item in result.items(head, RELATIONS)]
    shown = [
        {"subject": entities[first], "relation": relation, "object": entities[second], "score": score}
        for first, relation, second, score in found
    ]
    label = label_of(tagged.label, [(first, relation, second) for first, relation, second, _ in found])
    return Prediction(label, tagged.score, {**tagged.details, "triples": shown})


def _labels(declared: NativeHead, result: Result, head: int, text: str) -> Prediction:
    """The labels of its answers, and the ranking of all classes."""
    ids = {label: number for number, label in enumerate(declared.labels)}
    labels = tuple(item.label.decode() for item in result.items(head, ANSWERS))
    ranking = tuple(ids[item.label.decode()] for item in result.items(head, SCORES))
    return Prediction(labels, result.score(head), {"classes": _classes(result, head)}, ranking)


def _number(declared: NativeHead, result: Result, head: int, text: str) -> Prediction:
    value = next(result.items(head, ANSWERS)).score
    return Prediction(value, value)


def _span(declared: NativeHead, result: Result, head: int, text: str) -> Prediction:
    """The part of the second text that answers a question."""
    context, score = result.pair or "", result.score(head)
    found = [(item.begin_character, item.end_character) for item in result.items(head, ANSWERS)]
    if not found:
        return Prediction((), score, {"answer": None})
    begin, end = found[0]
    answer = {"text": context[begin:end], "start": begin, "end": end}
    return Prediction((answer["text"],), score, {"answer": answer})


def _vector(declared: NativeHead, result: Result, head: int, text: str) -> Prediction:
    """The vector of a text, or what the head says about two texts; see `EmbeddingHead.decode`."""
    vectors = [found for number in (0, 1) if len(found := result.vector(head, number))]
    return embedding_answer(np.asarray(vectors, np.float64), result.score(head), declared.options.get("form"))


PREDICTIONS: dict[str, Callable[[NativeHead, Result, int, str], Prediction]] = {
    "token": _tokens,
    "triple": _triples,
    "span": _span,
    "embedding": _vector,
}
"""By the kind of a head, where its form of answer says too little."""


def prediction(declared: NativeHead, result: Result, head: int, text: str) -> Prediction:
    """The answer of the head with this index, in the form of `Runner`'s."""
    kind = HEADS.get(declared.kind)
    form = _number if kind and kind.answers_a_number else _labels if kind and kind.answers_a_list else _text
    return PREDICTIONS.get(declared.kind, form)(declared, result, head, text)
