"""Markdown tables and cells."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table with one line for each row. Cells may contain any text."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(map(cell, line)) + " |" for line in lines)


def cell(text: str) -> str:
    """Text on one line, with `|` escaped, so that it stays inside its cell."""
    return " ".join(text.split()).replace("|", "\\|")


def sentence(text: str) -> str:
    """The text with a capital letter and a full stop. A name in its first place, such as `a.b`, stays as it is."""
    text = " ".join(text.split())
    if text.split(" ")[0].rstrip(",;:").isalpha():
        text = text[0].upper() + text[1:]
    return text if not text or text.endswith((".", ":", "?")) else f"{text}."
