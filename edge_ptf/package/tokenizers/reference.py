"""The runner's algorithm in plain Python: what the tables mean, said by code that is slow and easy to read.

`cpp_runner/src/tokenizer.cpp` does the same; packaging proves the tables with this one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from edge_ptf.package.tokenizers.characters import HANGUL, Action, Kind
from edge_ptf.package.tokenizers.layout import BLOCK, HEADER, NONE, SECTION, Role, Section, TemplateItem
from edge_ptf.package.tokenizers.trie import find

ACCENTS = range(0x300, 0x370)


@dataclass(frozen=True, slots=True)
class Token:
    """An id and the characters [start, end) of the text it came from."""

    id: int
    start: int
    end: int


@dataclass(slots=True)
class _Character:
    """A normalized character and where in the text it came from."""

    text: str
    place: int
    rank: int | None = None


class TableTokenizer:
    """Cuts texts by the content of `tokenizer.bin`."""

    def __init__(self, content: bytes) -> None:
        _, _, _, self.unknown, self.longest, self.prefix, count = HEADER.unpack_from(content)
        self.parts: dict[int, bytes] = {}
        for number in range(count):
            kind, offset, size = SECTION.unpack_from(content, HEADER.size + number * SECTION.size)
            self.parts[kind] = content[offset : offset + size]

    def encode(
        self, text: str, pair: str | None = None, limit: int | None = None, side: str = "right"
    ) -> tuple[list[int], list[int]]:
        """Ids and token types, special tokens included, the longer text truncated first.

        Args:
            side: which end of a text is removed: right or left.
        """
        template = self.template(Section.SINGLE_TEMPLATE if pair is None else Section.PAIR_TEMPLATE)
        texts = [list(self.tokens(text)), list(self.tokens(pair)) if pair is not None else []]
        if limit is not None:
            space = limit - sum(item.role == Role.TOKEN for item in template)
            if sum(map(len, texts)) > space:
                lengths = _longest_first(len(texts[0]), len(texts[1]), space) if pair is not None else (space, 0)
                texts = [
                    tokens[len(tokens) - min(length, len(tokens)) :] if side == "left" else tokens[:length]
                    for tokens, length in zip(texts, lengths, strict=True)
                ]
        ids, types = list[int](), list[int]()
        for item in template:
            found = [item.token] if item.role == Role.TOKEN else [token.id for token in texts[item.role - 1]]
            ids += found
            types += [item.type_id] * len(found)
        return ids, types

    def windows(self, text: str, pair: str, limit: int, stride: int) -> tuple[list[int], list[int], list[int]]:
        """Ids and token types of all windows of the second text, and the length of each; no lengths if it is one.

        The first text has at most half of the room. Two neighbouring windows share `stride` tokens of the second text,
        and at most half of its room.
        """
        template = self.template(Section.PAIR_TEMPLATE)
        capacity = limit - sum(item.role == Role.TOKEN for item in template)
        first, second = (
            [token.id for token in self.tokens(text)][: capacity // 2],
            [token.id for token in self.tokens(pair)],
        )
        space = capacity - len(first)
        ids, types, lengths, begin = list[int](), list[int](), list[int](), 0
        while True:
            before = len(ids)
            for item in template:
                window = second[begin : begin + space]
                found = [item.token] if item.role == Role.TOKEN else (first, window)[item.role - 1]
                ids += found
                types += [item.type_id] * len(found)
            lengths.append(len(ids) - before)
            if begin + space >= len(second):
                return ids, types, lengths if len(lengths) > 1 else []
            begin += space - min(stride, space // 2)

    def template(self, section: Section) -> list[TemplateItem]:
        """The items of a template."""
        words = np.frombuffer(self.parts[section], "<u4").reshape(-1, 3)
        return [TemplateItem(Role(int(role)), int(token), int(kind)) for role, token, kind in words]

    def tokens(self, text: str) -> Iterator[Token]:
        """The tokens of one text, special ones in the text included, those of the template not."""
        start = place = 0
        while place < len(text):
            added = next((item for item in self._added if text.startswith(item[0], place)), None)
            if added is None:
                place += 1
                continue
            yield from self._segment(text, start, place)
            start = place + len(added[0])
            yield Token(added[1], place, start)
            place = start
        yield from self._segment(text, start, len(text))

    def _segment(self, text: str, start: int, end: int) -> Iterator[Token]:
        for word in self._words(text, start, end):
            yield from self._subwords(word)

    def marks(self) -> tuple[list[int], list[int], list[int]]:
        """Code points that have to do with canonical order: those put into it, those that vanish, those that part."""
        actions = self._table
        ordered = np.flatnonzero((actions >= Action.MARK) & (actions < Action.SEQUENCE)).tolist()
        dropped = [point for point in ACCENTS if actions[point] == Action.DROP]
        return ordered, dropped if ordered else [], np.flatnonzero(actions == Action.DROP_AND_PART).tolist()

    def words(self, text: str) -> list[str]:
        """The normalized words of a text without special tokens: what the normalizer and pre-tokenizer make of it."""
        if text and not self._table[np.frombuffer(text.encode("utf-32-le"), "<u4")].any():
            return [text]  # every character is kept (Action.KEEP is 0), so nothing is left to do
        return ["".join(character.text for character in word) for word in self._words(text, 0, len(text))]

    def _words(self, text: str, start: int, end: int) -> Iterator[list[_Character]]:
        word, run = list[_Character](), 0
        for place in range(start, end):
            action = self._actions[ord(text[place])]
            if action == Action.KEEP:
                word.append(_Character(text[place], place))
                run = len(word)
            elif action == Action.DROP_AND_PART:
                run = len(word)
            elif action != Action.DROP:
                for kind, character in self._images(text[place], action, place):
                    if kind == Kind.WORD:
                        word.append(character)
                        if character.rank is None:
                            run = len(word)
                        else:
                            _into_order(word, run)
                        continue
                    if word:
                        yield word
                    if kind == Kind.ALONE:
                        yield [character]
                    word, run = [], 0
        if word:
            yield word

    def _images(self, character: str, action: int, place: int) -> list[tuple[Kind, _Character]]:
        """What a character that is neither kept nor dropped becomes."""
        if action >= Action.SEQUENCE:
            number = action - Action.SEQUENCE
            return [
                (
                    Kind(packed >> 21 & 7),
                    _Character(chr(packed & 0x1FFFFF), place, (packed >> 24) - 1 if packed >> 24 else None),
                )
                for packed in self._sequences[self._starts[number] : self._starts[number + 1]]
            ]
        if action >= Action.MARK:
            return [(Kind.WORD, _Character(character, place, action - Action.MARK))]
        if action == Action.HANGUL:
            return [(Kind.WORD, _Character(letter, place)) for letter in _hangul_letters(character)]
        return [(Kind.SPACE if action == Action.SPACE else Kind.ALONE, _Character(character, place))]

    def _subwords(self, word: list[_Character]) -> Iterator[Token]:
        whole = Token(self.unknown, word[0].place, word[-1].place + 1)
        if len(word) > self.longest:
            yield whole
            return
        content = "".join(character.text for character in word).encode()
        places = [character.place for character in word for _ in character.text.encode()]
        subwords, begin, state = [], 0, 0
        while begin < len(content):
            end, found = (begin, -1) if state == NONE else find(self._cells, content, begin, state)
            if found < 0:
                yield whole
                return
            subwords.append(Token(found, places[begin], places[end - 1] + 1))
            begin, state = end, self.prefix
        yield from subwords

    @cached_property
    def _cells(self) -> NDArray[np.uint32]:
        return np.frombuffer(self.parts[Section.TRIE], "<u4")

    @cached_property
    def _table(self) -> NDArray[np.uint16]:
        blocks = np.frombuffer(self.parts[Section.BLOCKS], "<u2").reshape(-1, BLOCK)
        table: NDArray[np.uint16] = blocks[np.frombuffer(self.parts[Section.BLOCK_INDEX], "<u2")].reshape(-1)
        return table

    @cached_property
    def _actions(self) -> list[int]:
        found: list[int] = self._table.tolist()
        return found

    @cached_property
    def _starts(self) -> list[int]:
        return [int(start) for start in np.frombuffer(self.parts[Section.SEQUENCE_STARTS], "<u4")]

    @cached_property
    def _sequences(self) -> list[int]:
        return [int(packed) for packed in np.frombuffer(self.parts[Section.SEQUENCES], "<u4")]

    @cached_property
    def _added(self) -> list[tuple[str, int]]:
        content, found, position = self.parts[Section.ADDED_TOKENS], [], 4
        for _ in range(int.from_bytes(content[:4], "little")):
            number, size = (int.from_bytes(content[position + at : position + at + 4], "little") for at in (0, 4))
            if not 0 < size <= len(content):  # an empty one would be found again and again
                raise ValueError("an added token has no text")
            found.append((content[position + 8 : position + 8 + size].decode(), number))
            position += 8 + size + -size % 4
        return found


def _into_order(word: list[_Character], run: int) -> None:
    """Moves the last mark before those of the run that have a higher rank; the places in the text stay in order."""
    index = len(word) - 1
    while index > run and (word[index - 1].rank or 0) > (word[index].rank or 0):
        left, right = word[index - 1], word[index]
        word[index - 1] = _Character(right.text, left.place, right.rank)
        word[index] = _Character(left.text, right.place, left.rank)
        index -= 1


def _longest_first(first: int, second: int, space: int) -> tuple[int, int]:
    """How many tokens of two texts stay, as `tokenizers` shares the room out."""
    short, long = sorted((first, second))
    long = short if short > space else max(short, space - short)
    if short + long > space:
        short, long = space // 2, space // 2 + space % 2
    return (short, long) if first <= second else (long, short)


def _hangul_letters(character: str) -> str:
    index = ord(character) - HANGUL.start
    trailing = chr(0x11A7 + index % 28) if index % 28 else ""
    return chr(0x1100 + index // 588) + chr(0x1161 + index % 588 // 28) + trailing
