"""Training data of Rasa NLU: YAML files with examples of intents, and entities marked in their texts.

The form is that of https://rasa.com/docs/rasa/training-data-format (version 3.1). Regular expressions, synonyms and
lookup tables are not read.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from edge_ptf.data.columns import Columns
from edge_ptf.data.lines import PLAIN, FileFormat, file_lines
from edge_ptf.data.marked_texts import CLASSES, TAGS, MarkedText, Span, marked_rows
from edge_ptf.data.rows import Findings, Row
from edge_ptf.errors import DataError

_ENTITY = re.compile(r"\[(?P<text>[^\]]+)\](?:\((?P<kind>[^):]+)(?::[^)]*)?\)|(?P<fields>\{[^}]+\}))")
"""[Rome](city), [Rome](city:roma), or [Rome]{"entity": "city", "role": "departure"}."""
_ITEM = re.compile(r"\s*-\s*(.*?)\s*$")


def read_rasa(path: Path, columns: Columns, findings: Findings, form: FileFormat = PLAIN) -> Iterator[Row]:
    """One row for each example of an intent.

    Raises:
        DataError: the file is not YAML, or has no examples of intents.
    """
    try:
        root = yaml.compose("".join(file_lines(path, form.encoding)), Loader=yaml.SafeLoader)
    except RecursionError:
        raise DataError(f"{path}: not valid YAML: nested too deeply") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f"{path}:{mark.line + 1}" if mark else str(path)
        raise DataError(f"{place}: not valid YAML: {getattr(error, 'problem', None) or error}") from None
    intents = [
        (name, node)
        for entry in _items(_fields(root).get("nlu"))
        if (name := _intent(entry)) is not None and (node := _fields(entry).get("examples")) is not None
    ]
    if not intents:
        raise DataError(
            f"{path}: a YAML file is read as data of Rasa NLU, and this one has no `nlu:` with intents and examples",
            hint="Write a .csv or .jsonl file with one row for each text and its label",
        )
    texts = (marked for name, node in intents for marked in _examples(path, name, node, findings))
    return marked_rows(str(path), texts, (CLASSES, TAGS), columns, findings)


def _fields(node: Any) -> dict[str, Any]:
    """The values of a mapping by its names; none of another node."""
    if not isinstance(node, yaml.MappingNode):
        return {}
    return {name.value: value for name, value in node.value if isinstance(name, yaml.ScalarNode)}


def _items(node: Any) -> list[Any]:
    return list(node.value) if isinstance(node, yaml.SequenceNode) else []


def _intent(entry: Any) -> str | None:
    name = _fields(entry).get("intent")
    return name.value if isinstance(name, yaml.ScalarNode) else None


def _examples(path: Path, intent: str, node: Any, findings: Findings) -> Iterator[MarkedText]:
    if isinstance(node, yaml.ScalarNode):
        first = _first_line(node)
        for number, line in enumerate(node.value.splitlines()):
            if not line.strip():
                continue
            if found := _ITEM.match(line):
                yield from _marked(path, first + number, intent, found[1], findings)
            else:
                findings.problem(f"{path}:{first + number}", "an example begins with a hyphen and a space")
        return
    for item in _items(node):  # an example with metadata has its text in a field
        text = _fields(item).get("text", item)
        if isinstance(text, yaml.ScalarNode):
            yield from _marked(path, _first_line(text), intent, text.value.strip(), findings)
        else:
            findings.problem(f"{path}:{item.start_mark.line + 1}", "an example is a text, or has a field `text`")


def _first_line(node: Any) -> int:
    """The line where the content of a scalar begins, from 1. That of a block begins below its mark."""
    return int(node.start_mark.line) + (2 if node.style in ("|", ">") else 1)


def _marked(path: Path, line: int, intent: str, text: str, findings: Findings) -> Iterator[MarkedText]:
    """The text without its marks, if they can be read."""
    plain, spans, done = "", [], 0
    for found in _ENTITY.finditer(text):
        kind = found["kind"] or _kind(found["fields"])
        if not kind:
            findings.problem(f"{path}:{line}", f"the entity in {found[0]!r} has no name: write [Rome](city)")
            return
        plain += text[done : found.start()]
        spans.append(Span(len(plain), len(plain) + len(found["text"]), kind.strip()))
        plain += found["text"]
        done = found.end()
    yield MarkedText(str(path), line, plain + text[done:], (intent,), tuple(spans))


def _kind(fields: str) -> str | None:
    try:
        kind = json.loads(fields).get("entity")
    except ValueError:
        return None
    return kind if isinstance(kind, str) else None
