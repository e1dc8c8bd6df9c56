"""The kind "token": one BIO tag for each word of a text, and the entities that the tags form."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from edge_ptf.examples import Encoding, Example, Logits, Prediction
from edge_ptf.heads.base import HeadOptions, Target
from edge_ptf.heads.classes import ClassHead
from edge_ptf.heads.constrained import best_tags, continuations, named_words, shift_for
from edge_ptf.heads.probabilities import softmax
from edge_ptf.heads.spec import HeadSpec

OUTSIDE = "O"
Decoding = Literal["greedy", "constrained"]


class TokenOptions(HeadOptions):
    """Settings of a head of the kind "token"."""

    decoding: Decoding = Field(
        "greedy",
        description="greedy: the best tag of each word; constrained: the best sequence in which each I- tag continues "
        "an entity of its type.",
    )


class TokenHead(ClassHead):
    """A tag for each word, from the logits at its first subword."""

    kind = "token"
    logits_axes = ("batch", "token", "label")
    answers_a_list = True
    target_axes = ("batch", "token")
    options_model = TokenOptions

    def __init__(self, spec: HeadSpec) -> None:
        """Raises ValueError where the decoding is constrained and the labels are no BIO tags."""
        super().__init__(spec)
        self._continues = continuations(spec.labels) if self.options.decoding == "constrained" else None

    def settings(self) -> dict[str, str]:
        """The decoding, if it is not the usual one."""
        return {"decoding": "constrained"} if self._continues is not None else {}

    @staticmethod
    def auto_model() -> Any:
        """Token classification."""
        from transformers import AutoModelForTokenClassification

        return AutoModelForTokenClassification

    def target(self, example: Example, encoding: Encoding) -> Target:
        """The tag id at the first subword of each word; other tokens are ignored."""
        ids = self.no_target(encoding)
        for position, tag in zip(encoding.word_starts, example.label, strict=True):
            if position >= 0:
                ids[position] = self.label_ids[tag]
        return ids

    def decode(self, logits: Logits, encoding: Encoding, text: str) -> Prediction:
        """One tag a word, and the entities with their character offsets in the text."""
        probabilities = softmax(logits)
        tags, scores = [], []
        for position, label in zip(encoding.word_starts, self._choose(logits, probabilities, encoding), strict=True):
            tags.append(OUTSIDE if label is None else self.spec.labels[label])
            scores.append(1.0 if label is None else float(probabilities[position, label]))
        entities = [
            {
                "type": kind,
                "start": encoding.words[first][0],
                "end": encoding.words[last][1],
                "text": text[encoding.words[first][0] : encoding.words[last][1]],
                "score": min(scores[first : last + 1]),
            }
            for kind, first, last in spans(tags)
        ]
        return Prediction(tuple(tags), min(scores, default=1.0), {"entities": entities})

    def _choose(self, logits: Logits, probabilities: NDArray[np.float64], encoding: Encoding) -> list[int | None]:
        """The class id of each word; None for a word without a token, which has the tag O."""
        best = probabilities.argmax(axis=-1)
        if self._continues is None:
            return [int(best[place]) if 0 <= place < len(best) else None for place in encoding.word_starts]
        chosen: list[int | None] = []
        for known, places in _runs(encoding, len(best)):
            chosen += best_tags(logits[places], self._continues) if known else [None] * len(places)
        return chosen

    def rules(self) -> tuple[str, ...]:
        """The first token of each word, the decoding, and the conlleval rules."""
        word = "A word is a run of characters without white space. Its logits are those of its first token. "
        without = f"A word without a token has the tag `{OUTSIDE}`."
        tagging = [f"{word}Its tag is the class with the largest logit. {without}"]
        if self._continues is not None:
            tagging = [
                f"{word}{without}",
                "The tags of a text are the sequence with the largest sum of logits in which `I-X` follows only `B-X` "
                "or `I-X`, for each type X (Viterbi's algorithm, in double precision). The best tag of each word alone "
                "can break this rule, and is then not the answer.",
            ]
        return (
            *tagging,
            "`B-` begins an entity, `I-` of the same type continues it, and `I-` without a beginning begins one.",
        )

    @property
    def shifts(self) -> bool:
        """How readily a word is named is a matter of one number."""
        return True

    def matched_shift(
        self, logits: Sequence[Logits], encodings: Sequence[Encoding], answers: Sequence[Any]
    ) -> NDArray[np.float32] | None:
        """Moves the logit of O so that as many words are part of an entity as another model says.

        A model that was taught by the mean of several others, or to copy doubt, calls fewer words part of an entity:
        it is right more often where it does, and misses more.
        """
        outside = self.label_ids[OUTSIDE]
        runs = [
            row[places]
            for row, encoding in zip(logits, encodings, strict=True)
            for known, places in _runs(encoding, len(row))
            if known
        ]
        rows = np.concatenate(runs) if runs else np.zeros((0, len(self.spec.labels)))
        if rows.shape[1] < 2:
            return None
        ahead = np.sort(rows[:, outside] - np.delete(rows, outside, axis=1).max(axis=1))  # O is answered from 0 on
        named = min(sum(tag != OUTSIDE for tags in answers for tag in tags), len(ahead))
        if self._continues is None:
            if named == int((ahead < 0).sum()):
                return None
            bounds = np.concatenate([ahead[:1] - 1, ahead, ahead[-1:] + 1])
            found = -float(bounds[named : named + 2].mean())
        else:
            count = named_words(runs, outside, self._continues)
            if named == count(0.0):
                return None
            found = shift_for(named, count, float(np.abs(rows - rows[:, [outside]]).max()) + 1)
        shift = np.zeros(len(self.spec.labels), dtype=np.float32)
        shift[outside] = found
        return shift


def _runs(encoding: Encoding, count: int) -> Iterator[tuple[bool, list[int]]]:
    """Words that follow each other and all have one of the first `count` tokens, or all have none: places of tokens."""
    for known, places in groupby(encoding.word_starts, lambda place: 0 <= place < count):
        yield known, list(places)


def spans(tags: Sequence[str]) -> list[tuple[str, int, int]]:
    """Entities as (type, first word, last word) by the conlleval rules that seqeval follows in its default mode.

    An I- tag that does not continue an entity of its type begins one.
    """
    found: list[tuple[str, int, int]] = []
    kind, first = "", 0
    for index, tag in enumerate([*tags, OUTSIDE]):
        continues = tag.startswith("I-") and tag[2:] == kind
        if kind and not continues:
            found.append((kind, first, index - 1))
            kind = ""
        if tag != OUTSIDE and not continues:
            kind, first = tag[2:], index
    return found
