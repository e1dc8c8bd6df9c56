"""A vocabulary as a double-array trie over UTF-8 bytes, walked in place by the runner.

A child of a node lies at `base ^ byte` (Aoe 1989, with the addressing of Yata's darts-clone); no two nodes share a
base, so the byte stored in a cell proves whose child it is.

A cell is a uint32: bits 0 to 7 the byte that leads to it, bit 8 LEAF, bit 9 VALUE, bits 10 to 31 `base`, or the token
id of a LEAF. Of a node with VALUE the id stands in the base bits of the cell at `base ^ 0`. Cell 0 is the root. A free
cell is FREE: no text byte leads to it, because a byte of UTF-8 is never 0xFF.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

LEAF, VALUE = 1 << 8, 1 << 9
BASE_SHIFT = 10
MOST = 1 << (32 - BASE_SHIFT)
BLOCK = 256
FREE = 0xFF


@dataclass(slots=True)
class _Node:
    children: dict[int, _Node] = field(default_factory=dict)
    value: int | None = None


def double_array(vocabulary: Mapping[str, int]) -> NDArray[np.uint32]:
    """The cells, uint32 [a multiple of 256].

    Raises:
        ValueError: a token is empty or holds a zero byte, or there are too many.
    """
    root = _tree(vocabulary)
    layout = _Layout()
    # Nodes with many children are placed first, while there is room; single children fill the gaps they leave.
    nodes = sorted(_inner(root), key=lambda node: -len(node.children))
    bases = {id(node): layout.place([*node.children, *([0] if node.value is not None else [])]) for node in nodes}
    cells = np.full(layout.size, FREE, dtype=np.uint32)
    cells[0] = (bases[id(root)] << BASE_SHIFT) | FREE
    for node in nodes:
        base = bases[id(node)]
        if node.value is not None:
            cells[base] = node.value << BASE_SHIFT
        for byte, child in node.children.items():
            if child.children:
                cells[base ^ byte] = bases[id(child)] << BASE_SHIFT | (VALUE if child.value is not None else 0) | byte
            else:
                assert child.value is not None
                cells[base ^ byte] = child.value << BASE_SHIFT | LEAF | byte
    return cells


def find(cells: NDArray[np.uint32], text: bytes, start: int = 0, state: int = 0) -> tuple[int, int]:
    """The longest token that `text[start:]` begins with, from a state: (its end, its id), or (start, -1)."""
    end, found, place = start, -1, state
    for index in range(start, len(text)):
        place = (int(cells[place]) >> BASE_SHIFT) ^ text[index]
        cell = int(cells[place])
        if cell & 0xFF != text[index] or text[index] == 0:
            break
        if cell & LEAF:
            return index + 1, cell >> BASE_SHIFT
        if cell & VALUE:
            end, found = index + 1, int(cells[cell >> BASE_SHIFT]) >> BASE_SHIFT
    return end, found


def descend(cells: NDArray[np.uint32], prefix: bytes) -> int | None:
    """The state after a prefix, or None where no longer token begins with it."""
    place = 0
    for byte in prefix:
        place = (int(cells[place]) >> BASE_SHIFT) ^ byte
        if int(cells[place]) & 0xFF != byte or int(cells[place]) & LEAF:
            return None
    return place


def _tree(vocabulary: Mapping[str, int]) -> _Node:
    root = _Node()
    for token, number in vocabulary.items():
        key = token.encode()
        if not key or 0 in key:
            raise ValueError(f"the token {token!r} cannot be kept in the table")
        if not 0 <= number < MOST:
            raise ValueError(f"the id {number} is larger than the table allows ({MOST - 1})")
        node = root
        for byte in key:
            node = node.children.setdefault(byte, _Node())
        node.value = number
    return root


def _inner(root: _Node) -> list[_Node]:
    """The nodes that have children, the root among them, in a fixed order."""
    nodes = [root]
    for node in nodes:
        nodes.extend(child for child in node.children.values() if child.children)
    return nodes


class _Layout:
    """First fit. Unit 0 is taken."""

    def __init__(self) -> None:
        self.taken = bytearray(BLOCK)
        self.taken[0] = 1
        self.bases: set[int] = {0}
        self.gaps = {1: 0, 2: 0}

    @property
    def size(self) -> int:
        return len(self.taken)

    def place(self, labels: list[int]) -> int:
        """A base that no other node has, at which every label's cell is free; takes the cells."""
        first = labels[0]
        width = min(len(labels), 2)
        place = self.gaps[width]
        while True:
            place = self.taken.find(0, place)
            if place < 0:
                place = self.size
                self.taken.extend(bytes(BLOCK))
                if self.size > MOST:
                    raise ValueError("the vocabulary is larger than the table allows")
            base = place ^ first
            if base not in self.bases and not any(self.taken[base ^ label] for label in labels):
                break
            place += 1
        # What did not fit a node with many children is not tried again for its like: good enough, and linear.
        self.gaps[width] = max(self.gaps[width], place - 4 * BLOCK if width == 2 else self.taken.find(0))
        self.bases.add(base)
        for label in labels:
            self.taken[base ^ label] = 1
        return base
