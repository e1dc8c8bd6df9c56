"""Texts of others on a terminal: a control character in them is shown, and does nothing."""

from __future__ import annotations

import re

UNSAFE = "\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff"
"""Control characters, marks that turn the direction of text, line separators, lone surrogates."""
CONTROL = re.compile(f"[{UNSAFE}]")
CONTROL_IN_LINES = re.compile(f"(?![\n\t])[{UNSAFE}]")


def escaped(text: str, *, lines: bool = False) -> str:
    """`text` without a character that could steer a terminal.

    Args:
        lines: line ends and tabs stay.
    """
    return (CONTROL_IN_LINES if lines else CONTROL).sub(lambda found: _escape(found[0]), text)


def _escape(character: str) -> str:
    point = ord(character)
    return f"\\x{point:02x}" if point < 0x100 else f"\\u{point:04x}"
