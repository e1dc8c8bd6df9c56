"""The built-in demo corpus: a SYNTHETIC data set for voice control of devices, made by a seeded generator.

No text was recorded from a person. Every utterance is made from hand-written phrasings (`grammar`). Simulated
politeness, hesitation, recognition errors and typos (`noise`) make it less tidy.

The corpus has 28 intents, one out-of-scope label, and a BIO slot tag for every word, so text classification and token
classification both have a demo. Some phrasings, slot values and out-of-scope domains occur in test only. Figures on
this corpus show how the toolkit works, not how good a product is.

`generate` gives the whole corpus, `--data demo-large`. `generate_small` gives `--data demo`: the same validation and
test with fewer training texts, so that a first run is short and its test still proves small drops.
"""

from __future__ import annotations

import functools
import random
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from edge_ptf.data.demo import noise
from edge_ptf.data.demo.grammar import INTENTS
from edge_ptf.data.demo.out_of_scope import OUT_OF_SCOPE, OUT_OF_SCOPE_FILLERS
from edge_ptf.data.demo.slots import SLOTS

OUT_OF_SCOPE_LABEL = "out_of_scope"
SPLITS = ("train", "validation", "test")

_ROWS_OF_AN_INTENT = {"train": 172, "validation": 32, "test": 100}
_UNSEEN_ROWS_OF_AN_INTENT = 14
_OUT_OF_SCOPE_ROWS = {"train": 450, "validation": 120, "test": 380}
_UNSEEN_OUT_OF_SCOPE_ROWS = 220
_TRIES = 2000
_SMALL_TRAIN = {OUT_OF_SCOPE_LABEL: 180}
_SMALL_TRAIN_OF_AN_INTENT = 64
"""Training rows of the small corpus, for each label."""

_CHOICE = re.compile(r"\(([^()]*)\)")


@dataclass(frozen=True, slots=True)
class DemoRow:
    """One utterance: words separated by single spaces, its intent, and one BIO tag for every word."""

    text: str
    intent: str
    tags: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Draft:
    """A row and its origin."""

    row: DemoRow
    held_out: bool
    """Whether its phrasing (out of scope: its domain) occurs in test only."""


@functools.cache
def generate(seed: int = 0) -> dict[str, tuple[DemoRow, ...]]:
    """The corpus as train, validation and test. The same seed gives the same rows on every machine."""
    return {split: tuple(draft.row for draft in drafts) for split, drafts in generate_drafts(seed).items()}


@functools.cache
def generate_small(seed: int = 0) -> dict[str, tuple[DemoRow, ...]]:
    """The corpus of `generate` with only the first training rows of each label."""
    corpus, counts, kept = generate(seed), Counter[str](), list[DemoRow]()
    for row in corpus["train"]:
        counts[row.intent] += 1
        if counts[row.intent] <= _SMALL_TRAIN.get(row.intent, _SMALL_TRAIN_OF_AN_INTENT):
            kept.append(row)
    return {**corpus, "train": tuple(kept)}


def generate_drafts(seed: int = 0) -> dict[str, tuple[Draft, ...]]:
    """The corpus of `generate`, with the origin of each row."""
    drafts: dict[str, list[Draft]] = {split: [] for split in SPLITS}
    taken: set[str] = set()
    for intent, phrasings in INTENTS.items():
        rng = random.Random(f"{seed}/{intent}")
        writer = _Writer(intent, taken, rng)
        for split in _shuffled_quota(_ROWS_OF_AN_INTENT, rng):
            drafts[split].append(Draft(writer.write(phrasings.known, unseen_values=split == "test"), held_out=False))
        for _ in range(_UNSEEN_ROWS_OF_AN_INTENT):
            drafts["test"].append(Draft(writer.write(phrasings.unseen, unseen_values=True), held_out=True))
    rng = random.Random(f"{seed}/{OUT_OF_SCOPE_LABEL}")
    writer = _Writer(OUT_OF_SCOPE_LABEL, taken, rng)
    known = [phrasings.known for phrasings in OUT_OF_SCOPE.values() if phrasings.known]
    unseen = [phrasings.unseen for phrasings in OUT_OF_SCOPE.values() if phrasings.unseen]
    for split in _shuffled_quota(_OUT_OF_SCOPE_ROWS, rng):
        drafts[split].append(Draft(writer.write(rng.choice(known), unseen_values=False), held_out=False))
    for _ in range(_UNSEEN_OUT_OF_SCOPE_ROWS):
        drafts["test"].append(Draft(writer.write(rng.choice(unseen), unseen_values=False), held_out=True))
    rng = random.Random(f"{seed}/order")
    for split in SPLITS:
        rng.shuffle(drafts[split])
    return {split: tuple(drafts[split]) for split in SPLITS}


@dataclass(frozen=True, slots=True)
class _Writer:
    """Writes rows of one intent. No text occurs twice in the corpus."""

    intent: str
    taken: set[str]
    rng: random.Random

    def write(self, phrasings: Sequence[str], *, unseen_values: bool) -> DemoRow:
        for _ in range(_TRIES):
            words = self._fill(self.rng.choice(phrasings), unseen_values)
            for blur in (noise.polite, noise.hesitant, noise.misheard, noise.mistyped):
                words = blur(words, self.rng)
            text = " ".join(word for word, _ in words)
            if text not in self.taken:
                self.taken.add(text)
                return DemoRow(text, self.intent, tuple(tag for _, tag in words))
        raise RuntimeError(f"the phrasings of {self.intent} give too few different texts")

    def _fill(self, phrasing: str, unseen_values: bool) -> list[noise.Word]:
        chosen = _CHOICE.sub(lambda found: self.rng.choice(found[1].split("/")), phrasing)
        words: list[noise.Word] = []
        for part in chosen.split():
            if not part.startswith("{"):
                words.append((part, noise.OUTSIDE))
                continue
            name = part[1:-1]
            if self.intent == OUT_OF_SCOPE_LABEL:
                words += [(word, noise.OUTSIDE) for word in self.rng.choice(OUT_OF_SCOPE_FILLERS[name]).split()]
                continue
            slot = SLOTS[name]
            value = self.rng.choice(slot.known + slot.unseen if unseen_values else slot.known)
            words += [(word, f"{'I' if at else 'B'}-{slot.tag}") for at, word in enumerate(value.split())]
        return words


def _shuffled_quota(quota: Mapping[str, int], rng: random.Random) -> list[str]:
    order = [split for split in SPLITS for _ in range(quota[split])]
    rng.shuffle(order)
    return order
