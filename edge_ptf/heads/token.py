"""The kind "token": one BIO tag for each word of a text, and the entities that the tags form."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_ptf.examples import Encoding, Example, Logits, Prediction
from edge_ptf.heads.base import Target, softmax
from edge_ptf.heads.classes import ClassHead

OUTSIDE = "O"


class TokenHead(ClassHead):
    """The tag with the largest logit at the first subword of each word."""

    kind = "token"
    logits_axes = ("batch", "token", "label")
    answers_a_list = True
    target_axes = ("batch", "token")

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
        best = probabilities.argmax(axis=-1)
        tags, scores = [], []
        for position in encoding.word_starts:
            known = 0 <= position < len(best)
            tags.append(self.spec.labels[best[position]] if known else OUTSIDE)
            scores.append(float(probabilities[position, best[position]]) if known else 1.0)
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

    def rules(self) -> tuple[str, ...]:
        """The first token of each word, and the conlleval rules."""
        return (
            "A word is a run of characters without white space. Its tag is the class with the largest logit at the "
            f"first token of the word; a word without a token has the tag `{OUTSIDE}`.",
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
        words = [
            row[[place for place in encoding.word_starts if 0 <= place < len(row)]]
            for row, encoding in zip(logits, encodings, strict=True)
        ]
        rows = np.concatenate(words) if words else np.zeros((0, len(self.spec.labels)))
        if rows.shape[1] < 2:
            return None
        ahead = np.sort(rows[:, outside] - np.delete(rows, outside, axis=1).max(axis=1))  # O is answered from 0 on
        named = min(sum(tag != OUTSIDE for tags in answers for tag in tags), len(ahead))
        if named == int((ahead < 0).sum()):
            return None
        bounds = np.concatenate([ahead[:1] - 1, ahead, ahead[-1:] + 1])
        shift = np.zeros(len(self.spec.labels), dtype=np.float32)
        shift[outside] = -bounds[named : named + 2].mean()
        return shift


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
