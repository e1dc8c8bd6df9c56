"""Packages changed behind the manifest's back."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from edge_ptf.package import Payload, archive
from edge_ptf.package.archive import Archive


@pytest.fixture
def rewritten(tmp_path: Path) -> Callable[..., Path]:
    """Writes a package with entries replaced (or, with None, left out): `rewritten(payload, {"labels.txt": b"…"})`."""

    def write(payload: Payload, changes: dict[str, bytes | None], name: str = "rewritten.eptf") -> Path:
        reader = Archive(payload.path)
        contents = {key: reader.read(key) for key in reader.sizes} | changes
        entries = [
            (key, content, key.endswith((".onnx", ".bin"))) for key, content in contents.items() if content is not None
        ]
        archive.write(tmp_path / name, entries)
        return tmp_path / name

    return write
