"""Packages changed behind the manifest's back, and verdicts about them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from edge_ptf.package import Payload, archive
from edge_ptf.package.archive import Archive
from edge_ptf.package.evidence import Verdict


@pytest.fixture
def rewritten(tmp_path: Path) -> Callable[..., Path]:
    """Writes a package with entries replaced (or, with None, left out): `rewritten(payload, {"labels.txt": b"…"})`."""

    def write(payload: Payload, changes: dict[str, bytes | None], name: str = "rewritten.eptf") -> Path:
        reader = Archive(payload.path)
        contents = {key: reader.read(key) for key in reader.sizes} | changes
        entries = [(key, content, key.endswith(".onnx")) for key, content in contents.items() if content is not None]
        archive.write(tmp_path / name, entries)
        return tmp_path / name

    return write


@pytest.fixture(scope="session")
def verdict_for() -> Callable[[Payload], Verdict]:
    """A verdict without targets about a payload."""

    def make(payload: Payload) -> Verdict:
        return Verdict(payload=payload.digest, profile="x86-generic", confidence=0.95, status=None, judgements=())

    return make
