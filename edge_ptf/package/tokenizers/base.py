"""What a kind of tokenizer is: it makes the runner's tables, reads them in Python, and proves them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Protocol


class UnsupportedTokenizerError(ValueError):
    """The tokenizer has a part that the runner cannot execute; the message names it."""


class Reference(Protocol):
    """The algorithm of the C++ runner in plain Python, over the tables."""

    def encode(
        self, text: str, pair: str | None = None, limit: int | None = None, side: str = "right"
    ) -> tuple[list[int], list[int]]:
        """Ids and token types, special tokens included, at most `limit` tokens; `side` is the end that is removed."""

    def windows(self, text: str, pair: str, limit: int, stride: int) -> tuple[list[int], list[int], list[int]]:
        """Ids and token types of all windows of a long second text, and the length of each; see `encode_windows`."""


@dataclass(frozen=True, slots=True)
class Proof:
    """How much was compared, and found equal."""

    code_points: int
    texts: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenizerKind:
    """One kind of tokenizer."""

    name: str
    """As in the manifest's `tokenizer.kind` and in the registry of the C++ runner."""
    model: str
    """The type of the model in `tokenizer.json`."""
    tables: Callable[[bytes], bytes]
    """The content of `tokenizer.bin` for a `tokenizer.json`; raises UnsupportedTokenizerError."""
    gap: Callable[[bytes], str]
    """What is wrong with the frame of tables, such as a missing section; empty if nothing is."""
    reference: Callable[[bytes], Reference]
    """Reads tables."""
    prove: Callable[[Any, bytes, Iterable[str]], Proof]
    """Compares tables with the `tokenizers.Tokenizer` they were made from, over texts; raises ParityError."""
