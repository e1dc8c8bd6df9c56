"""The documents of the project, and their content."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
README = ROOT / "README.md"
PAGES = (README, *sorted(DOCS.rglob("*.md")))
HOW_TO = tuple(page for page in sorted((DOCS / "how-to").glob("*.md")) if page.name != "index.md")
DECISIONS = tuple(sorted((DOCS / "decisions").glob("[0-9]*.md")))
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
MARKED = re.compile(r"<!-- run: ([\w-]+) -->\n```bash\n(.*?)^```$", re.DOTALL | re.MULTILINE)
PROGRAMS = ("edge-ptf ", ".venv/bin/edge-ptf ")


@dataclass(frozen=True)
class Shown:
    """One `edge-ptf` command line of a document, without the program's name."""

    page: str
    line: str

    @property
    def words(self) -> list[str]:
        """The arguments."""
        return shlex.split(self.line)[1:]

    def __str__(self) -> str:
        return f"{self.page}: {self.line}"


def name_of(page: Path) -> str:
    """The path from the top of the repository."""
    return str(page.relative_to(ROOT))


def prose(page: Path) -> str:
    """The text without code blocks and inline code."""
    text = FENCE.sub("", page.read_text(encoding="utf-8"))
    text = re.sub(r"^(?: {4}|\t).*$", "", text, flags=re.MULTILINE)
    text = re.sub(r"\]\([^)]*\)", "]", text)
    return re.sub(r"`[^`]*`", "", text)


def commands() -> list[Shown]:
    """Every `edge-ptf` command line in a block, and every one in a table or sentence that has an option or argument."""
    found = []
    for page in PAGES:
        text = re.sub(r"\s*\\\n\s*", " ", page.read_text(encoding="utf-8"))
        lines = [line.strip() for line in text.splitlines()]
        inline = [code for code in re.findall(r"`(edge-ptf [^`]+)`", text) if "…" not in code]
        for line in (*lines, *(code for code in inline if len(code.split()) > 2)):
            if line.startswith(PROGRAMS):
                plain = re.split(r"\s+#|\s+\|\||\s+>|\s+&&", line)[0]
                found.append(Shown(name_of(page), plain))
    return list(dict.fromkeys(found))


def marked_blocks(page: Path) -> dict[str, str]:
    """The blocks of a page that a test runs, by name."""
    return dict(MARKED.findall(page.read_text(encoding="utf-8")))
