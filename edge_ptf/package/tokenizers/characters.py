"""What a tokenizer's normalizer and pre-tokenizer make of every Unicode code point, found by running them.

Both are black boxes here, so their Unicode version and their quirks come along. Two things are assumed of them, and
`proof.py` tests both: a code point's image does not depend on its neighbours, except that combining marks may be put
into canonical order (Unicode Standard, section 3.11); and a word ends at white space or beside a lone character.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from enum import IntEnum
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

CODE_POINTS = 0x110000
SURROGATES = range(0xD800, 0xE000)
HANGUL = range(0xAC00, 0xD7A4)
CHUNK = 256
"""Code points that are asked about in one call."""
BETWEEN = "0"
"""Stands between code points that are normalized in one call: no normalizer makes it from anything else."""
MARK_PROBES = ("\U0001d165", "\u302e")
"""Two combining marks that are no accents, of different combining classes (216 and 224)."""


class Action(IntEnum):
    """What becomes of a code point. Values between MARK and SEQUENCE are MARK plus the mark's rank; from SEQUENCE on it
    is SEQUENCE plus the number of a sequence."""

    KEEP = 0
    """Part of a word, as it is."""
    DROP = 1
    """Nothing; marks on both sides of it are still ordered."""
    DROP_AND_PART = 2
    """Nothing; marks on both sides of it keep their places."""
    SPACE = 3
    """The end of a word."""
    ALONE = 4
    """A word of its own."""
    HANGUL = 5
    """Its letters, by arithmetic (Unicode Standard, section 3.12)."""
    MARK = 8
    """Part of a word; neighbouring marks are ordered by rank."""
    SEQUENCE = 64
    """Replaced by other code points."""


class Kind(IntEnum):
    """What a code point of a sequence is to the pre-tokenizer."""

    WORD = 0
    SPACE = 1
    ALONE = 2


@dataclass(frozen=True, slots=True)
class Element:
    """One code point of a sequence; `rank` is that of a mark, None otherwise."""

    code_point: int
    kind: Kind
    rank: int | None = None


@dataclass(frozen=True, slots=True)
class CharacterTable:
    """`actions[c]` for every code point c, uint16 [0x110000], and the sequences they name."""

    actions: NDArray[np.uint16]
    sequences: tuple[tuple[Element, ...], ...]


def character_table(normalizer: Any, pre_tokenizer: Any) -> CharacterTable:
    """Asks a `tokenizers` normalizer and pre-tokenizer about every code point.

    Raises:
        ValueError: they do not behave as this module's description says.
    """
    return _character_table(CharacterParts.of(normalizer, pre_tokenizer))


@dataclass(frozen=True)
class CharacterParts:
    """A `tokenizers` normalizer and pre-tokenizer. Equal settings are equal parts: what they make of a code point
    depends on these alone, and a job packages several models of one tokenizer."""

    settings: str
    normalizer: Any = field(compare=False)
    pre_tokenizer: Any = field(compare=False)

    @classmethod
    def of(cls, normalizer: Any, pre_tokenizer: Any) -> CharacterParts:
        """The parts with their settings."""
        settings = json.dumps([json.loads(part.__getstate__()) for part in (normalizer, pre_tokenizer)])
        return cls(settings, normalizer, pre_tokenizer)


@lru_cache(maxsize=4)
def _character_table(parts: CharacterParts) -> CharacterTable:
    normalize = parts.normalizer.normalize_str
    images = _images(normalize)
    kinds = _kinds(parts.pre_tokenizer)
    kept, gone = np.ones(CODE_POINTS, dtype=bool), np.zeros(CODE_POINTS, dtype=bool)
    kept[list(images)] = False
    gone[[point for point, image in images.items() if not image]] = True
    ranks, parting = _combining(normalize, kept, gone)

    own = np.array([Action.KEEP, Action.SPACE, Action.ALONE], dtype=np.uint16)
    actions = np.where(kept, own[kinds], np.where(gone, Action.DROP, Action.SEQUENCE)).astype(np.uint16)
    actions[parting] = Action.DROP_AND_PART
    for mark, rank in ranks.items():
        actions[ord(mark)] = Action.MARK + rank
    numbers: dict[tuple[Element, ...], int] = {}
    for point in map(int, np.flatnonzero(~kept & ~gone)):
        actions[point] = _replacement(point, images[point], kinds, ranks, numbers)
    return CharacterTable(actions, tuple(numbers))


def _replacement(
    point: int,
    image: str,
    kinds: NDArray[np.uint8],
    ranks: dict[str, int],
    numbers: dict[tuple[Element, ...], int],
) -> int:
    """The action of a code point that becomes something else; a new sequence gets the next number."""
    if image == " ":
        return Action.SPACE
    if image == f" {chr(point)} ":
        return Action.ALONE
    if point in HANGUL and image == _hangul_letters(point) and not any(kinds[ord(letter)] for letter in image):
        return Action.HANGUL
    elements = tuple(Element(ord(each), Kind(int(kinds[ord(each)])), ranks.get(each)) for each in image)
    return Action.SEQUENCE + numbers.setdefault(elements, len(numbers))


def _hangul_letters(point: int) -> str:
    index = point - HANGUL.start
    letters = [0x1100 + index // 588, 0x1161 + index % 588 // 28]
    return "".join(map(chr, letters + ([0x11A7 + index % 28] if index % 28 else [])))


def _scalars() -> Iterator[list[str]]:
    """Every code point that is no surrogate, in chunks of neighbours."""
    for start in range(0, CODE_POINTS, CHUNK):
        if start not in SURROGATES:  # they fill whole chunks
            yield list(map(chr, range(start, start + CHUNK)))


def _normalized(normalize: Callable[[str], str], texts: list[str]) -> list[str]:
    """Each text normalized, in one call where that is unambiguous."""
    parts = normalize(BETWEEN + BETWEEN.join(texts) + BETWEEN).split(BETWEEN)[1:-1]
    return parts if len(parts) == len(texts) else [normalize(text) for text in texts]


def _images(normalize: Callable[[str], str]) -> dict[int, str]:
    """The normalized form of each code point that changes; of a surrogate, which no text has, the empty one."""
    images = dict.fromkeys(SURROGATES, "")
    for chunk in _scalars():
        for character, image in zip(chunk, _normalized(normalize, chunk), strict=True):
            if image != character:
                images[ord(character)] = image
    return images


def _kinds(pre_tokenizer: Any) -> NDArray[np.uint8]:
    """What the pre-tokenizer does with each code point between two letters, uint8 [0x110000]."""
    kinds = np.zeros(CODE_POINTS, dtype=np.uint8)
    for chunk in _scalars():
        if len(pre_tokenizer.pre_tokenize_str(f"a{'a'.join(chunk)}b")) == 1:
            continue  # nothing cuts here
        subwords = iter(
            [subword for subword, _ in pre_tokenizer.pre_tokenize_str(" ".join(f"a{each}b" for each in chunk))]
        )
        for each in chunk:
            first = next(subwords)
            if first == f"a{each}b":
                continue
            second = next(subwords)
            if first == "a" and second == "b":
                kinds[ord(each)] = Kind.SPACE
            elif first == "a" and second == each and next(subwords) == "b":
                kinds[ord(each)] = Kind.ALONE
            else:
                raise ValueError(f"the pre-tokenizer cuts at U+{ord(each):04X} in an unknown way")
    return kinds


def _combining(
    normalize: Callable[[str], str], kept: NDArray[np.bool_], gone: NDArray[np.bool_]
) -> tuple[dict[str, int], list[int]]:
    """The kept code points that are put into canonical order, with ranks that order as their classes do; and the code
    points that vanish and still keep marks on both sides of them in their places.

    What stands between two marks in the wrong order, and lets them be ordered, is no starter.
    """
    later, earlier = MARK_PROBES[::-1]
    if normalize(later + earlier) != earlier + later:
        return {}, []

    def crossed(candidates: NDArray[np.bool_]) -> Iterator[str]:
        points = [chr(point) for point in np.flatnonzero(candidates).tolist() if point not in SURROGATES]
        for start in range(0, len(points), CHUNK):
            chunk = points[start : start + CHUNK]
            asked = [later + each + earlier for each in chunk]
            if normalize(whole := BETWEEN.join(asked)) == whole:
                continue  # nothing is put into order here
            for each, found in zip(chunk, _normalized(normalize, asked), strict=True):
                if found.index(earlier) < found.index(later):
                    yield each

    marks = sorted(crossed(kept))
    below = {mark: sum(normalize(mark + other) == other + mark != mark + other for other in marks) for mark in marks}
    order = sorted(set(below.values()))
    if len(order) > Action.SEQUENCE - Action.MARK:
        raise ValueError("more combining classes than the table has room for")
    let_through = set(crossed(gone))
    parting = [
        point for point in np.flatnonzero(gone).tolist() if point not in SURROGATES and chr(point) not in let_through
    ]
    return {mark: order.index(count) for mark, count in below.items()}, parting
