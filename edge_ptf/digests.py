"""sha256 of values, files and directories. It identifies everything that is cached or shipped."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any


def canonical_json(value: Any) -> bytes:
    """UTF-8 JSON with sorted keys and no extra white space. Equal values give equal bytes."""
    return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()


def value_digest(value: Any) -> str:
    """sha256 (hex) of a JSON-like value."""
    return hashlib.sha256(canonical_json(value)).hexdigest()


def bytes_digest(data: bytes) -> str:
    """sha256 (hex) of bytes."""
    return hashlib.sha256(data).hexdigest()


def file_digest(path: Path) -> str:
    """sha256 (hex) of a file's content, read in blocks."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while block := stream.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def tree_digest(folder: Path) -> str:
    """sha256 (hex) over the relative path and content of every file below `folder`.

    Times, modes and names that start with a dot (bookkeeping) have no effect.
    """
    relative = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    names = sorted(name.as_posix() for name in relative if not any(part.startswith(".") for part in name.parts))
    return value_digest([[name, file_digest(folder / name)] for name in names])


def file_digests(folder: Path, apart_from: Collection[str] = ()) -> dict[str, str]:
    """sha256 (hex) of every file below `folder` by its relative path, without those that `apart_from` names."""
    found = sorted(path for path in folder.rglob("*") if path.is_file())
    names = {path.relative_to(folder).as_posix(): path for path in found}
    return {name: file_digest(path) for name, path in names.items() if name not in apart_from}


def changed_file(folder: Path, digests: Mapping[str, str]) -> str:
    """The first file of `file_digests` that is gone or has another content now; empty where all are as they were."""
    for name, digest in digests.items():
        try:
            if file_digest(folder / name) != digest:
                return name
        except OSError:
            return name
    return ""


def signed(document: Mapping[str, Any]) -> str:
    """JSON of a document with its own sha256 in the field `digest`: `unsigned` finds out if the text is damaged."""
    text = json.dumps(document, sort_keys=True)
    return json.dumps({**document, "digest": bytes_digest(text.encode())})


def unsigned(text: str) -> dict[str, Any]:
    """The document of a text that `signed` made.

    Raises:
        ValueError: the text is damaged.
    """
    try:
        document = json.loads(text)
        digest = document.pop("digest")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise ValueError("not a document with its digest") from None
    if bytes_digest(json.dumps(document, sort_keys=True).encode()) != digest:
        raise ValueError("the document is not as it was written")
    return dict(document)
