"""The page about the C API, from the comments of `edge_ptf.h`.

The header has one form: a comment before a declaration belongs to it, and a comment behind a value or field too.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tools.reference.markdown import sentence, table

HEADER = Path(__file__).resolve().parents[2] / "cpp_runner" / "include" / "edge_ptf.h"
COMMENT = re.compile(r"/\*(.*?)\*/", re.DOTALL)
TOKEN = re.compile(
    r"/\*(?P<comment>.*?)\*/"
    r"|(?P<body>(?:typedef\s+)?(?P<kind>enum|struct)\s+(?P<name>\w+)\s*\{(?P<inside>.*?)\}\s*\w*\s*;)"
    r"|(?P<opaque>typedef\s+struct\s+\w+\s+(?P<handle>\w+)\s*;)"
    r"|(?P<callback>typedef\s[^;{]*;)"
    r"|(?P<function>EDGE_PTF_API\s[^;]*;)"
    r"|^\#define[ \t]+(?P<macro>EDGE_PTF_\w+)(?:[ \t]+(?P<value>(?:\\\n|[^\n/])*))?$",
    re.DOTALL | re.MULTILINE,
)
INCLUDE_GUARDS = ("EDGE_PTF_H", "EDGE_PTF_API", "EDGE_PTF_SHARED", "EDGE_PTF_BUILDING")


@dataclass
class Api:
    """What the header declares, in its order; the last part of each tuple is its text."""

    rules: str = ""
    constants: list[tuple[str, ...]] = field(default_factory=list)
    handles: list[tuple[str, ...]] = field(default_factory=list)
    types: list[tuple[str, str, list[tuple[str, str]], str]] = field(default_factory=list)
    functions: list[tuple[str, ...]] = field(default_factory=list)


def page(header: Path = HEADER) -> str:
    """Constants, types and functions of the header with their comments."""
    api = read(header.read_text(encoding="utf-8"))
    parts = [
        "# C API\n",
        "The header is `cpp_runner/include/edge_ptf.h`. [The runner](../runner.md) shows how to use it; "
        "`edge_ptf.hpp` is a C++ class over it.\n",
        api.rules,
        "\n## Constants\n",
        table(
            ("constant", "value", "meaning"), [(f"`{n}`", f"`{v}`" if v else "", text) for n, v, text in api.constants]
        ),
        "\n## Handles\n",
        table(("type", "meaning"), [(f"`{name}`", text) for name, text in api.handles]),
        "\n## Types\n",
    ]
    for kind, name, members, text in api.types:
        parts += [f"### {name}\n", sentence(text), ""]
        if members:
            parts += [table(("value" if kind == "enum" else "field", "meaning"), members), ""]
    parts.append("## Functions\n")
    for signature, text in api.functions:
        parts += [f"### {function_name(signature)}\n", f"```c\n{signature}\n```\n", sentence(text), ""]
    return "\n".join(parts)


def read(source: str) -> Api:
    """The declarations of a header."""
    api = Api()
    pending = shared = ""
    last: list[tuple[str, ...]] | None = None
    place = 0
    for found in TOKEN.finditer(source):
        between = source[place : found.start()]
        place = found.end()
        if found["comment"] is not None:
            text = _plain(found["comment"])
            if not api.rules:
                api.rules = _rules(found["comment"])
            elif "\n" in between or not _append(last, text):
                pending = text
            continue
        if pending or "\n\n" in between:  # a comment holds for all declarations up to the next empty line
            shared = pending
        pending, last = "", None
        if found["function"]:
            signature = " ".join(found["function"].removeprefix("EDGE_PTF_API").split())
            api.functions.append((signature, shared))
            last = api.functions
        elif found["body"]:
            members = list(_members(found["inside"], found["kind"]))
            api.types.append((found["kind"], found["name"], members, shared))
        elif found["opaque"]:
            api.handles.append((found["handle"], shared))
            last = api.handles
        elif found["callback"]:
            api.types.append(("function", " ".join(found["callback"].split()), [], shared))
        elif found["macro"] and found["macro"] not in INCLUDE_GUARDS:
            value = " ".join((found["value"] or "").replace("\\\n", " ").split())
            api.constants.append((found["macro"], value, shared))
            last = api.constants
    return api


def function_name(signature: str) -> str:
    """The name in a signature."""
    found = re.search(r"(\w+)\s*\(", signature)
    return found[1] if found else signature


def _append(last: list[tuple[str, ...]] | None, text: str) -> bool:
    """Puts a comment that follows a declaration on the same line to that declaration; its text is the last part."""
    if not last:
        return False
    *names, said = last[-1]
    last[-1] = (*names, f"{sentence(said)} {text}" if said else text)
    return True


def _members(inside: str, kind: str) -> Iterator[tuple[str, str]]:
    """Each value or field with the comment before or behind it."""
    separator = "," if kind == "enum" else ";"
    before = ""
    for line in _joined(inside):
        comments = [_plain(text) for text in COMMENT.findall(line)]
        code = COMMENT.sub("", line).strip().rstrip(separator).strip()
        text = " ".join(comments)
        if not code:
            before = text
            continue
        yield f"`{' '.join(code.split())}`", sentence(text or before)
        before = ""


def _joined(inside: str) -> Iterator[str]:
    """The lines of a body, with comments over several lines as one."""
    flat = COMMENT.sub(lambda found: "/*" + " ".join(found[1].split()) + "*/", inside)
    yield from (line for line in flat.splitlines() if line.strip())


def _plain(comment: str) -> str:
    return " ".join(line.strip().lstrip("*").strip() for line in comment.strip().splitlines()).strip()


def _rules(comment: str) -> str:
    """The comment at the top as Markdown: an example keeps its form, dashes become a list."""
    lines = [re.sub(r"^ ?\* ?", "", line.rstrip()) for line in comment.strip().splitlines()]
    text: list[str] = []
    for line in lines:
        example = line.startswith("    ") and not line.lstrip().startswith("- ") and not (text and "- " in text[-1][:2])
        if example:
            text.append(line)
        elif line.lstrip().startswith("- "):
            if text and not text[-1].startswith("- ") and text[-1]:
                text.append("")
            text.append(line.strip())
        elif line.strip() and text and text[-1].startswith("- "):
            text[-1] += " " + line.strip()
        elif line.strip() and text and text[-1].startswith("    "):
            text += ["", line.strip()]
        else:
            text.append(line.strip())
    return "\n".join(text)
