"""The code uses the words of the field: no name contains an old word (docs/explanation/glossary.md)."""

from __future__ import annotations

import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = ("edge_ptf", "tools", "benchmarks")
OLD_WORDS = {
    *("house", "plan", "plans", "planned", "lesson", "lessons", "tap", "tapped", "assistant", "assistants"),
    *("cut", "cuts", "cutting", "lean", "leaner", "gain", "gains", "wording", "faithful", "attempt", "attempts"),
    *("workshop", "shop", "ladder", "climb", "told", "heard", "noted", "surroundings", "piece", "pieces"),
    *("units", "ffn", "product", "products", "flavour", "flavours", "costs", "foreign", "mend", "papers", "remainder"),
    *("judgement", "judgements", "room", "rooms", "placement"),
}
ALLOWED = {
    "NormPlacement": "where a layer normalizes",
    "norm_placement": "where a layer normalizes",
    "_has_matrix_units": "units of a processor",
    "collect_usage_pieces": "a method of click",
}
"""Names that contain such a word in its usual meaning, and that meaning."""


def parts(name: str) -> set[str]:
    """The words of an identifier, in lower case."""
    return {part.lower() for part in re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])", name)}


def names(path: Path) -> Iterator[tuple[int, str]]:
    """Each identifier of a Python file with its line."""
    for token in tokenize.generate_tokens(io.StringIO(path.read_text(encoding="utf-8")).readline):
        if token.type == tokenize.NAME:
            yield token.start[0], token.string


@pytest.mark.parametrize("folder", FOLDERS)
def test_no_name_has_an_old_word(folder: str) -> None:
    found = [
        f"{path.relative_to(ROOT)}:{line}: {name}"
        for path in sorted((ROOT / folder).rglob("*.py"))
        for line, name in names(path)
        if parts(name) & OLD_WORDS and name not in ALLOWED
    ]
    assert not found


def test_no_module_has_an_old_word() -> None:
    modules = [path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py")]
    assert not [str(path.relative_to(ROOT)) for path in modules if parts(path.stem) & OLD_WORDS]


def test_no_option_of_the_recipe_has_an_old_word() -> None:
    from edge_ptf.recipe import Recipe

    sections = {name: field.annotation for name, field in Recipe.model_fields.items()}
    options = [f"{name}.{option}" for name, model in sections.items() for option in getattr(model, "model_fields", {})]
    assert len(options) > 50
    assert not [option for option in (*sections, *options) if parts(option) & OLD_WORDS]


def test_a_word_is_found_in_each_style() -> None:
    assert parts("_cut_hidden") == {"cut", "hidden"}
    assert parts("TrialRunner") == {"trial", "runner"}
    assert parts("HALF_LAYER_MS") == {"half", "layer", "ms"}
