"""The documents: their length, form, words and links."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from tests.docs.pages import DECISIONS, DOCS, HOW_TO, PAGES, README, ROOT, name_of, prose
from tools.reference import pages as reference_pages
from tools.site import LINK, outside_targets, redirected

OLD_WORDS = re.compile(
    r"\b(workshop|ladder|lessons?|taps?|foreign|faithful|surroundings|flavours?|judgements?|mend|assistants|pieces?"
    r"|papers|heard|told|wording|remainder|ffn|attempts?)\b"
)
OLD_PHRASES = (
    "fault of ours",
    "goes on from",
    "mixed texts",
    "cost table",
    "room imports",
    "products of",
    "the papers",
    "feed-forward units",
)


@pytest.mark.parametrize(("page", "most"), [(README, 900), (DOCS / "explanation" / "architecture.md", 1000)], ids=str)
def test_a_page_for_newcomers_is_short(page: Path, most: int) -> None:
    assert len(page.read_text(encoding="utf-8").split()) <= most


def test_the_readme_names_the_test_command_and_a_picture() -> None:
    text = README.read_text(encoding="utf-8")
    assert "    make test" in text
    assert "](docs/images/" in text


@pytest.mark.parametrize("page", DECISIONS, ids=name_of)
def test_a_decision_has_its_four_sections(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert re.findall(r"^## (.*)$", text, re.MULTILINE) == ["Context", "Decision", "Evidence", "Date"]
    assert re.search(r"## Date\n\n20\d\d-\d\d-\d\d\n$", text)
    assert re.match(rf"# {page.name[:4]} \S", text)


def test_the_index_lists_every_decision_once() -> None:
    listed = re.findall(r"\]\((\d{4}-[^)]*)\)", (DOCS / "decisions" / "index.md").read_text(encoding="utf-8"))
    assert sorted(listed) == [page.name for page in DECISIONS]
    assert [int(page.name[:4]) for page in DECISIONS] == list(range(1, len(DECISIONS) + 1))


def test_every_page_is_in_the_navigation() -> None:
    text = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    entries = set(re.findall(r"^\s+- (?:\w.*: )?([\w./-]+\.md)$", text, re.MULTILINE))
    written = {str(page.relative_to(DOCS)) for page in PAGES if page != README and page not in DECISIONS}
    made = {f"reference/{name}" for name in reference_pages()}
    assert entries == written | made
    assert {f"how-to/{page.name}" for page in HOW_TO} <= entries
    assert yaml.safe_load(text)["hooks"] == ["tools/site.py"]


def test_the_how_to_index_lists_every_page() -> None:
    text = (DOCS / "how-to" / "index.md").read_text(encoding="utf-8")
    assert {page.name for page in HOW_TO} <= set(re.findall(r"\]\(([\w-]+\.md)\)", text))


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_lead_somewhere(page: Path) -> None:
    made = {(DOCS / "reference" / name).resolve() for name in reference_pages()}
    for _, target, _ in LINK.findall(page.read_text(encoding="utf-8")):
        place = (page.parent / target).resolve()
        assert place.exists() or place in made, target


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_the_words_are_those_of_the_field(page: Path) -> None:
    text = prose(page).lower()
    assert not OLD_WORDS.findall(text) + [phrase for phrase in OLD_PHRASES if phrase in text]


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_named_scripts_and_tests_exist(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    scripts = re.findall(r"python (benchmarks/[\w/]+\.py)", text)
    tests = [path for run in re.findall(r"python -m pytest ([\w/. ]+?)`", text) for path in run.split()]
    assert not [path for path in (*scripts, *tests) if not (ROOT / path).exists()]


def test_a_link_out_of_the_documents_leads_to_a_copy() -> None:
    text = "[results](../../benchmarks/README.md#top) [page](../package.md) [site](https://example.org/x)"
    assert outside_targets(text, "how-to/own-data.md") == ["benchmarks/README.md"]
    assert "](../repository/benchmarks/README.md.txt)" in redirected(text, "how-to/own-data.md")
    assert "](../package.md)" in redirected(text, "how-to/own-data.md")
