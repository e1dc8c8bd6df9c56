"""Texts for a measurement without labelled data: the golden texts of a package, or the texts of a file."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from edge_ptf.digests import value_digest
from edge_ptf.errors import BadInputError
from edge_ptf.examples import Example
from edge_ptf.package.golden import golden_cases
from edge_ptf.package.payload import Payload


@dataclass(frozen=True, slots=True)
class BenchTexts:
    """Texts without labels, in the place of labelled data. `judged_split` says where they come from."""

    judged_split: Literal["golden", "file"]
    test: tuple[Example, ...]

    @property
    def fingerprint(self) -> str:
        """The digest of the texts, in their order."""
        return value_digest([[example.text, example.text_pair] for example in self.test])


def golden_texts(payload: Payload) -> BenchTexts:
    """The texts of the golden vectors that are in the package.

    Raises:
        PackageError: they are damaged.
    """
    cases = golden_cases(payload.read(payload.manifest.golden.file))
    return BenchTexts("golden", tuple(case.example for case in cases))


def texts_of(file: Path, payload: Payload) -> BenchTexts:
    """The texts of a file: one on each line, or one JSON object with `text` and `text_pair` on each line.

    Empty lines are skipped. `edge-ptf-runner bench --texts` reads the same files.

    Raises:
        BadInputError: the file cannot be read, has no text, or has pairs where the package takes single texts.
    """
    place = f"--texts {file}"
    try:
        lines = file.read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise BadInputError(f"{place}: cannot be read as UTF-8 text ({_reason(error)})") from None
    rows = [(number, line.removesuffix("\r")) for number, line in enumerate(lines, 1)]
    examples = tuple(_example(line, f"{place}, line {number}") for number, line in rows if line)
    if not examples:
        raise BadInputError(f"{place}: no text in it", hint="Write one text on each line")
    paired = payload.manifest.heads[0].text_pairs
    for example in examples:
        if (example.text_pair is not None) != paired:
            raise BadInputError(
                f"{place}: {payload.path} answers {'pairs of texts' if paired else 'single texts'}",
                hint='Write {"text": …, "text_pair": …} on each line' if paired else "Leave out text_pair",
            )
    return BenchTexts("file", examples)


def _example(line: str, place: str) -> Example:
    if not line.startswith("{"):
        return Example(line, ())
    try:
        row: Any = json.loads(line)
    except (ValueError, RecursionError):
        row = None
    pair = row.get("text_pair") if isinstance(row, dict) else None
    if not isinstance(row, dict) or not isinstance(row.get("text"), str) or not isinstance(pair, str | None):
        raise BadInputError(f'{place}: not a JSON object with a "text"', hint="Write plain text, or such an object")
    return Example(row["text"], (), pair)


def _reason(error: OSError | UnicodeDecodeError) -> str:
    return error.strerror or "" if isinstance(error, OSError) else error.reason
