"""Formats figures and names for people, equally on the terminal and in the report."""

from __future__ import annotations


def figure_text(value: float | None, unit: str) -> str:
    """A figure with its unit; a dash if it was not measured."""
    if value is None:
        return "–"
    digits = 2 if unit in ("points", "ms", "×") else 1
    text = f"{value:.{digits}f}"
    return f"{text}×" if unit == "×" else f"{text} {unit}"


def metric_words(name: str) -> str:
    """A metric's name in words."""
    for code, words in (("in_scope", "in-scope"), ("out_of_scope", "out-of-scope"), ("_f1", " F1"), ("_", " ")):
        name = name.replace(code, words)
    return name


def bytes_text(count: int) -> str:
    """A size in kB (10^3 bytes) or MB (10^6 bytes)."""
    return f"{count / 1e6:.2f} MB" if count >= 100_000 else f"{count / 1e3:.1f} kB"
