"""Python strings that are no text: half of a surrogate pair can stand in a str, and in no UTF-8."""

from __future__ import annotations

import re

SURROGATE = re.compile("[\ud800-\udfff]")


def without_surrogates(text: str) -> str:
    """`text` with U+FFFD for each lone surrogate; positions of characters stay."""
    return SURROGATE.sub("\ufffd", text)
