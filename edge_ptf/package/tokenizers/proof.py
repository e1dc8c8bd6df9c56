"""Are the tables right? Every code point in several contexts, then random texts, against the Hugging Face tokenizer."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from edge_ptf.errors import ParityError
from edge_ptf.package.tokenizers.base import Proof
from edge_ptf.package.tokenizers.characters import CODE_POINTS, SURROGATES, CharacterParts
from edge_ptf.package.tokenizers.layout import Section
from edge_ptf.package.tokenizers.reference import TableTokenizer

LINE = 128
"""Code points that are tried in one text."""
MARK_RUNS = 2000
CHARACTER_SECTIONS = (Section.BLOCK_INDEX, Section.BLOCKS, Section.SEQUENCE_STARTS, Section.SEQUENCES)
"""The sections that the normalized words depend on."""
SCRIPTS = (
    (0x20, 0x7F), (0x20, 0x7F), (0x00, 0xA0), (0xA0, 0x250), (0x2B0, 0x370), (0x370, 0x530), (0x530, 0x700),
    (0x900, 0xE00), (0xE00, 0x1200), (0x1E00, 0x2070), (0x2070, 0x2C00), (0x3000, 0x3200), (0x4E00, 0x4F00),
    (0xAC00, 0xD7A4), (0xF900, 0xFB00), (0xFE00, 0x10000), (0x1D100, 0x1D250), (0x1F300, 0x1FB00), (0x20000, 0x20100),
    (0, CODE_POINTS),
)  # fmt: skip
SUBWORDS = (
    "[CLS]",
    "[SEP]",
    "[MASK]",
    "[mask]",
    "[UNK]",
    "the",
    "un",
    "able",
    "##ing",
    "'s",
    "...",
    "\u200d",
    "e\u0301",
)


def prove_tables(core: Any, tables: bytes, texts: Iterable[str] = (), *, rounds: int = 2000, seed: int = 0) -> Proof:
    """Compares the tables with the `tokenizers.Tokenizer` they were made from.

    Of every code point, and of runs of combining marks, the normalized words are compared; of texts the ids.

    Args:
        core: without truncation and padding.
        texts: real texts.
        rounds: random texts.

    Raises:
        ParityError: a text is cut differently.
    """
    tokenizer, count = TableTokenizer(tables), 0
    sections = tuple(tokenizer.parts[section] for section in CHARACTER_SECTIONS)
    _prove_characters(_Case(CharacterParts.of(core.normalizer, core.pre_tokenizer), sections, seed, tokenizer))
    for text in (*texts, *random_texts(rounds, seed)):
        found = core.encode(text, add_special_tokens=False)
        _same(found.ids, [token.id for token in tokenizer.tokens(text)], text)
        count += 1
    return Proof(CODE_POINTS - len(SURROGATES), count)


@dataclass(frozen=True)
class _Case:
    """What the normalized words depend on, and a tokenizer with these sections."""

    parts: CharacterParts
    sections: tuple[bytes, ...]
    seed: int
    tokenizer: TableTokenizer = field(compare=False)


@lru_cache(maxsize=4)
def _prove_characters(case: _Case) -> None:
    parts, tokenizer = case.parts, case.tokenizer
    for line in (*_every_code_point(), *_mark_runs(tokenizer, case.seed)):
        normal = parts.normalizer.normalize_str(line)
        _same([word for word, _ in parts.pre_tokenizer.pre_tokenize_str(normal)], tokenizer.words(line), line)


def _same(wanted: list[Any], found: list[Any], text: str) -> None:
    if wanted != found:
        raise ParityError(
            f"the runner's tables cut a text differently from the tokenizer: {text[:60]!r}",
            hint="Please report this with the model's name",
        )


def random_texts(count: int, seed: int) -> Iterator[str]:
    """Texts of mixed scripts, accents, emoji, zero-width and control characters, and special tokens."""
    chance = random.Random(seed)
    for _ in range(count):
        scripts = chance.sample(SCRIPTS, chance.randint(1, 4))
        parts = []
        for _ in range(chance.randint(1, 40)):
            if chance.random() < 0.1:
                parts.append(chance.choice(SUBWORDS))
            point = chance.randrange(*chance.choice(scripts))
            if point not in SURROGATES:
                parts.append(chr(point))
        yield "".join(parts)


def _every_code_point() -> Iterator[str]:
    """Each code point between two letters."""
    points = [chr(point) for point in range(CODE_POINTS) if point not in SURROGATES]
    for start in range(0, len(points), LINE):
        yield f"a{'a'.join(points[start : start + LINE])}a"


def _mark_runs(tokenizer: TableTokenizer, seed: int) -> Iterator[str]:
    """Random runs of the marks that are kept and put into order, with accents and what parts them in between."""
    chance, groups = random.Random(seed), tokenizer.marks()
    for _ in range(MARK_RUNS if all(groups) else 0):
        yield "".join(chr(chance.choice(chance.choice(groups))) for _ in range(chance.randint(2, 12)))
