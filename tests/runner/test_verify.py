"""What `verify` of the C++ runner finds, with every checksum right. tests/package has the same for Python."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edge_ptf.errors import PackageError, VerificationError
from edge_ptf.package import Payload, verify
from edge_ptf.package.payload import write_payload
from edge_ptf.runtime.native import Library, verify_native
from tests.package.test_verification import WRONG_ANSWERS, golden, written

Forged = Callable[..., Path]


@pytest.fixture
def forged(make_payload: Callable[..., Any], tmp_path: Path) -> Forged:
    """A package with other files and right checksums."""

    def write(changes: dict[str, bytes], kind: str = "text-classification", **parts: Any) -> Path:
        payload: Payload = make_payload(kind=kind, mode="fp32")
        files = {entry.path: payload.read(entry.path) for entry in payload.manifest.files} | changes
        return write_payload(payload.manifest.model_copy(update=parts), files, tmp_path / "forged.eptf").path

    return write


@pytest.mark.parametrize("document", [b"", b"{}", b"[]", b'{"model": {}}', b'{"model": {"vocab": {}}}', b"not JSON"])
def test_a_tokenizer_that_is_none_is_refused(library: Library, forged: Forged, document: bytes) -> None:
    path = forged({"tokenizer.json": document})
    with pytest.raises(PackageError, match=r"'tokenizer\.json' is no tokenizer"):
        verify_native(path, library)
    with pytest.raises(PackageError):
        verify(path)


def test_a_tokenizer_without_the_ids_of_the_golden_vectors_is_found(
    library: Library, forged: Forged, make_payload: Callable[..., Any]
) -> None:
    document = json.loads(make_payload(mode="fp32").read("tokenizer.json"))
    document["added_tokens"] = []
    document["model"]["vocab"] = {"[UNK]": 1}
    with pytest.raises(VerificationError, match=r"golden text 1 has the token id 2, which 'tokenizer\.json' does not"):
        verify_native(forged({"tokenizer.json": json.dumps(document).encode()}), library)


@pytest.mark.parametrize("kind", ["text-classification", "token-classification"])
@pytest.mark.parametrize(("answers", "message"), WRONG_ANSWERS)
def test_answers_of_golden_vectors_are_labels(
    library: Library,
    forged: Forged,
    make_payload: Callable[..., Any],
    kind: str,
    answers: dict[str, Any],
    message: str,
) -> None:
    lines = golden(make_payload(kind=kind, mode="fp32"))
    lines[3]["answers"] = answers
    path = forged({"golden.jsonl": written(lines)}, kind=kind)
    for check in (lambda: verify_native(path, library), lambda: verify(path)):
        with pytest.raises(VerificationError, match=f"golden text 4.*{message}"):
            check()


def test_a_package_without_golden_vectors_fails(
    library: Library, forged: Forged, make_payload: Callable[..., Any]
) -> None:
    entry = make_payload(mode="fp32").manifest.golden.model_copy(update={"count": 0})
    path = forged({"golden.jsonl": b""}, golden=entry)
    with pytest.raises(VerificationError, match="there are no golden vectors"):
        verify_native(path, library)
    with pytest.raises(PackageError, match="golden vectors, line 1"):
        verify(path)
