"""A package's tokenizer without `transformers`: the `tokenizers` library alone, called as `AutoTokenizer` is."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

from edge_ptf.errors import BadInputError, PackageError

WHITE_SPACE = re.compile(r"\s")
CHARACTERS = 64
"""Characters for each token of the longest sequence, with which a long text is tried first."""
LONGEST_TEXT = 16 << 20
"""Bytes of UTF-8, as in the C++ runner."""
MARGIN = 64
"""Tokens behind the longest sequence: the last ones before a cut may differ from those of the whole text."""


class PackageTokenizer:
    """Texts to token ids with the package's truncation and no padding."""

    def __init__(
        self, document: bytes, inputs: Sequence[str], strategy: str = "longest_first", side: str = "right"
    ) -> None:
        """Args:
        document: content of `tokenizer.json`.
        inputs: the graph's inputs; token types are only given where the graph takes them.
        strategy: which text of a pair is truncated: longest_first, only_first or only_second.
        side: which end of a long text is removed: right or left.
        """
        from tokenizers import Tokenizer

        try:
            self.core = Tokenizer.from_str(document.decode())
        except Exception as error:  # the library raises plain Exception
            raise PackageError(f"the tokenizer cannot be read ({error})") from None
        self.core.no_padding()
        self.core.no_truncation()
        self.strategy, self.side = strategy, side
        self.typed = "token_type_ids" in inputs
        self.limit: int | None = None

    def __call__(
        self,
        texts: Sequence[str],
        pairs: Sequence[str] | None = None,
        *,
        truncation: bool = True,
        max_length: int | None = None,
        return_offsets_mapping: bool = False,
    ) -> dict[str, Any]:
        """As a fast Hugging Face tokenizer: lists of ids, token types and character offsets.

        Raises:
            BadInputError: a text is longer than `LONGEST_TEXT`.
        """
        _check_size(*texts, *(pairs or ()))
        self._truncate_at(max_length if truncation else None)
        removed = [0] * len(texts)
        if pairs is None:
            parts = [self._usable(text) for text in texts]
            if self.side == "left":
                removed = [len(text) - len(part) for text, part in zip(texts, parts, strict=True)]
            batch = self.core.encode_batch(parts)
        else:
            batch = self.core.encode_batch(list(zip(texts, pairs, strict=True)))
        result: dict[str, Any] = {"input_ids": [item.ids for item in batch]}
        if self.typed:
            result["token_type_ids"] = [item.type_ids for item in batch]
        if return_offsets_mapping:
            result["offset_mapping"] = [_spans(item, by) for item, by in zip(batch, removed, strict=True)]
        return result

    def whole_pairs(self, pairs: Sequence[tuple[str, str]]) -> list[Any]:
        """Pairs of texts as `tokenizers.Encoding`, not truncated.

        Raises:
            BadInputError: a text is longer than `LONGEST_TEXT`.
        """
        for pair in pairs:
            _check_size(*pair)
        found: list[Any] = self.plain().encode_batch(list(pairs))
        return found

    def plain(self) -> Any:
        """The `tokenizers.Tokenizer` itself, without truncation."""
        self._truncate_at(None)
        return self.core

    def _usable(self, text: str) -> str:
        """The part of a long text that has all tokens which truncation keeps: the rest would only take memory.

        It is the beginning of the text and ends before white space, or the end of the text and begins at white space.
        Of a pair the whole texts are needed, because their lengths say what is truncated.
        """
        size = CHARACTERS * (self.limit or 0) + CHARACTERS * MARGIN
        while self.limit is not None and self.strategy != "only_second" and size < len(text):
            found = WHITE_SPACE.search(text, size if self.side == "right" else len(text) - size)
            if found is None and self.side == "right":
                break
            if found is not None:
                part = text[: found.start()] if self.side == "right" else text[found.start() :]
                encoding = self.core.encode(part)
                if len(encoding.ids) + sum(len(each.ids) for each in encoding.overflowing) >= self.limit + MARGIN:
                    return part
            size *= 2
        return text

    def _truncate_at(self, limit: int | None) -> None:
        if limit == self.limit:
            return
        if limit is None:
            self.core.no_truncation()
        else:
            self.core.enable_truncation(limit, strategy=self.strategy, direction=self.side)
        self.limit = limit


def _check_size(*texts: str) -> None:
    for text in texts:
        if len(text) > LONGEST_TEXT // 4 and len(text.encode(errors="replace")) > LONGEST_TEXT:
            raise BadInputError("a text of more than 16 MiB", hint="Truncate it first")


def _spans(encoding: Any, before: int) -> list[tuple[int, int]]:
    """The span of each token in the whole text, of which the first `before` characters were left out.

    A token of the template has the span (0, 0).
    """
    spans: list[tuple[int, int]] = encoding.offsets
    if not before:
        return spans
    masked = zip(spans, encoding.special_tokens_mask, strict=True)
    return [(0, 0) if special else (begin + before, end + before) for (begin, end), special in masked]


def plain_document(document: bytes) -> bytes:
    """`tokenizer.json` without a padding or truncation of its own: both are the package's matter."""
    content = json.loads(document)
    content["padding"] = content["truncation"] = None
    return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()
