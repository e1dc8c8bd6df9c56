"""sha256 of values, files and directories. It identifies everything that is cached or shipped."""

from __future__ import annotations

import hashlib
import json
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
