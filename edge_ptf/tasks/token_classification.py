"""One BIO tag for each word of a text: named entities, slots."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from edge_ptf.metrics import F1, Metric, Precision, Recall, Share
from edge_ptf.tasks.base import Encoding, Example, Logits, Prediction, RowError, Task
from edge_ptf.tasks.text_classification import softmax

OUTSIDE = "O"
WORD = re.compile(r"\S+")
TAG = re.compile(r"O|[BI]-\S+")


class TokenClassification(Task):
    """BIO tagging. A word is a maximal run of characters that are not white space; its first sub-token decides."""

    name = "token-classification"
    title = "Token classification"
    kind = "token"
    columns = ("tokens", "tags")
    recipe: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "prune": {"intermediate_size": 0.75, "vocabulary": False},
        "distill": {"epochs": 4, "learning_rate": 2e-4, "hidden_weight": 10.0},
    }

    @staticmethod
    def example(row: Mapping[str, Any]) -> Example:
        """See Task. `tokens` and `tags` are lists, or strings with white space between the items."""
        tokens, tags = (_items(row.get(name), name) for name in ("tokens", "tags"))
        if not tokens:
            raise RowError("the sentence has no tokens")
        if len(tokens) != len(tags):
            raise RowError(f"{len(tokens)} tokens but {len(tags)} tags")
        for item, (token, tag) in enumerate(zip(tokens, tags, strict=True)):
            if not WORD.fullmatch(token):
                raise RowError(f"token {token!r} is empty or holds white space", item=item)
            if not TAG.fullmatch(tag):
                raise RowError(f"tag '{tag}' is not BIO (allowed: O, B-<type>, I-<type>)", item=item)
        return Example(" ".join(tokens), tuple(tags))

    @classmethod
    def collect_labels(cls, examples: Sequence[Example]) -> tuple[str, ...]:
        """O first, then B- and I- of each type in alphabetic order; a type that has one tag gets both."""
        kinds = sorted({tag[2:] for example in examples for tag in example.label if tag != OUTSIDE})
        return (OUTSIDE, *(f"{prefix}-{kind}" for kind in kinds for prefix in ("B", "I")))

    def check_label(self, example: Example) -> str | None:
        """See Task."""
        unknown = sorted({tag for tag in example.label if tag not in self.label_ids})
        return f"tag '{unknown[0]}' is of a type that does not occur in train" if unknown else None

    @staticmethod
    def class_names(example: Example) -> list[str]:
        """The type of each entity."""
        return [kind for kind, _, _ in spans(example.label)]

    @staticmethod
    def stratum(example: Example) -> str:
        """The entity types that occur."""
        return " ".join(sorted({tag[2:] for tag in example.label if tag != OUTSIDE}))

    @staticmethod
    def auto_model() -> Any:
        """Token classification."""
        from transformers import AutoModelForTokenClassification

        return AutoModelForTokenClassification

    def encode(self, tokenizer: Any, examples: Sequence[Example], max_length: int) -> list[Encoding]:
        """See Task. Words are found again in the plain text by character offsets, as on the device."""
        if not examples:
            return []
        texts = [example.text for example in examples]
        batch = tokenizer(texts, truncation=True, max_length=max_length, return_offsets_mapping=True)
        types = batch.get("token_type_ids") or [None] * len(examples)
        encodings = []
        for text, ids, kinds, offsets in zip(texts, batch["input_ids"], types, batch["offset_mapping"], strict=True):
            words = tuple(match.span() for match in WORD.finditer(text))
            encodings.append(Encoding(ids, kinds, word_starts(words, offsets), words))
        return encodings

    def target(self, example: Example, encoding: Encoding) -> list[int]:
        """The tag id at the first sub-token of each word, -100 elsewhere."""
        ids = [-100] * len(encoding.input_ids)
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

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """Entity-level F1, precision and recall, and the share of words with the right tag."""
        return (
            F1(name="entity_f1", title="entity F1", count=_entities, gated=True),
            Precision(name="entity_precision", title="entity precision", count=_entities),
            Recall(name="entity_recall", title="entity recall", count=_entities),
            Share(name="word_accuracy", title="word accuracy", count=_words, empty=0.0),
        )

    def class_report(self, references: Sequence[Any], predictions: Sequence[Any]) -> list[dict[str, Any]]:
        """One row for each entity type (seqeval)."""
        from seqeval.metrics import classification_report

        true, predicted = [list(tags) for tags in references], [list(tags) for tags in predictions]
        if not any(tag != OUTSIDE for tags in (*true, *predicted) for tag in tags):
            return []
        table = classification_report(true, predicted, output_dict=True, zero_division=0)
        return [
            {
                "name": name,
                "precision": 100 * float(row["precision"]),
                "recall": 100 * float(row["recall"]),
                "f1": 100 * float(row["f1-score"]),
                "support": int(row["support"]),
            }
            for name, row in sorted(table.items())
            if not name.endswith(" avg")
        ]

    @staticmethod
    def confusions(reference: Any, prediction: Any) -> list[tuple[str, str]]:
        """The types of each word that is an entity's in the reference or in the answer; O is none."""
        pairs = [
            (expected.partition("-")[2] or OUTSIDE, answered.partition("-")[2] or OUTSIDE)
            for expected, answered in zip(reference, prediction, strict=True)
        ]
        return [pair for pair in pairs if pair != (OUTSIDE, OUTSIDE)]

    @staticmethod
    def describe(label: Any, text: str | None) -> str:
        """Each entity's type and words."""
        words = WORD.findall(text) if text is not None else []
        shown = []
        for kind, first, last in spans(label):
            if last < len(words):
                shown.append(f"{kind}: {' '.join(words[first : last + 1])}")
            else:
                shown.append(f"{kind}: word {first + 1}" + (f" to {last + 1}" if last > first else ""))
        return "; ".join(shown) or "no entity"


def _entities(reference: Sequence[str], answer: Sequence[str]) -> tuple[float, float, float]:
    actual, claimed = set(spans(reference)), set(spans(answer))
    return len(actual & claimed), len(claimed), len(actual)


def _words(reference: Sequence[str], answer: Sequence[str]) -> tuple[float, float]:
    return sum(a == b for a, b in zip(reference, answer, strict=True)), len(reference)


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


def _items(value: Any, name: str) -> list[str]:
    if isinstance(value, str):
        return value.split()
    if isinstance(value, Sequence):
        return [str(item) for item in value]
    raise RowError(f"'{name}' is missing or no list")
