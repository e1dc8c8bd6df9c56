"""The hook of `mkdocs.yml`: it adds pages that are not files in `docs/` to the site.

- The reference pages are made from the code (`tools/reference`).
- Documents link to files of the repository outside `docs/`, such as `../benchmarks/README.md`. The site gets a copy of
  each such file under `repository/`, and the links lead there. A link to a missing file is an error.
"""

from __future__ import annotations

import posixpath
import re
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
LINK = re.compile(r"(\]\()([^)\s#:]+)((?:#[^)\s]*)?\))")
COPIES = "repository"

if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))


def on_files(files: Any, config: Any) -> Any:
    """Adds the reference pages and the linked files of the repository."""
    from mkdocs.structure.files import File

    from tools.reference import pages

    for name, text in pages().items():
        files.append(File.generated(config, f"reference/{name}", content=text))
    for page in list(files.documentation_pages()):
        for target in outside_targets(page.content_string, page.src_uri):
            if files.get_file_from_path(copy_of(target)) is None:
                source = ROOT / target
                if not source.is_file():
                    raise FileNotFoundError(f"docs/{page.src_uri}: there is no file for the link to {target}")
                files.append(File.generated(config, copy_of(target), abs_src_path=str(source)))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Turns links to files outside `docs/` into links to their copies."""
    return redirected(markdown, page.file.src_uri)


def outside_targets(markdown: str, page: str) -> list[str]:
    """The files outside `docs/` that a page links to, from the top of the repository."""
    found = (_target(link[1], page) for link in LINK.findall(markdown))
    return list(dict.fromkeys(target for target in found if target is not None))


def redirected(markdown: str, page: str) -> str:
    """The text with each link to a file outside `docs/` replaced by a link to its copy."""

    def replace(found: re.Match[str]) -> str:
        target = _target(found[2], page)
        if target is None:
            return found[0]
        return found[1] + posixpath.relpath(copy_of(target), posixpath.dirname(page)) + ")"

    return LINK.sub(replace, markdown)


def copy_of(target: str) -> str:
    """Where the site keeps a file. Markdown becomes plain text, because its own links are those of the repository."""
    return f"{COPIES}/{target}.txt" if target.endswith(".md") else f"{COPIES}/{target}"


def _target(link: str, page: str) -> str | None:
    """The linked file from the top of the repository; None for a link that stays inside `docs/`."""
    path = posixpath.normpath(posixpath.join("docs", posixpath.dirname(page), link))
    return None if path == "docs" or path.startswith(("docs/", "..", "/")) else path
