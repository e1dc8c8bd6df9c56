"""A text has a bounded number of words."""

from __future__ import annotations

from typing import Any

import pytest

from edge_ptf.errors import BadInputError
from edge_ptf.examples import Example
from edge_ptf.heads import encoding


def test_a_text_with_too_many_words_to_label_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def tokenizer(texts: list[str], **_: Any) -> dict[str, Any]:
        return {"input_ids": [[1, 2]], "offset_mapping": [[(0, 0), (0, 1)]]}

    monkeypatch.setattr(encoding, "MOST_WORDS", 3)
    found = encoding.encode(tokenizer, [Example(" a b  c ", ())], 2, words=True)
    assert len(found[0].words) == 3
    with pytest.raises(BadInputError, match="more than 3 words"):
        encoding.encode(tokenizer, [Example("a b c d", ())], 2, words=True)
