"""The reader in Python and the reader in C++ find the same package in a file, or both refuse it."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edge_ptf.errors import EdgePtfError
from edge_ptf.package import Payload, open_payload, seal, unpack
from edge_ptf.package.archive import Archive
from edge_ptf.package.payload import STORED
from edge_ptf.runtime.native import Library, NativeRunner, verify_native
from tests.package.hostile import HOSTILE, SAME, End, Part, Parts, build, extra_field, padding, unicode_path

Digests = tuple[str | None, str | None]
"""Of the payload, as Python and as the runner find it; None: refused."""


@pytest.fixture(scope="module")
def parts(make_payload: Callable[..., Any]) -> Parts:
    """The entries of a sound package."""
    reader = Archive(make_payload().path)
    return [Part(name.encode(), reader.read(name), name.endswith(STORED)) for name in reader.sizes]


@pytest.fixture(scope="module")
def digests(library: Library, tmp_path_factory: pytest.TempPathFactory) -> Callable[[bytes], Digests]:
    """What both readers make of the bytes of a file."""
    path = tmp_path_factory.mktemp("hostile") / "package.eptf"
    function = library._handle.edge_ptf_runner_payload
    function.restype, function.argtypes = ctypes.c_char_p, (ctypes.c_void_p,)

    def python() -> str | None:
        try:
            payload = open_payload(path)
            for entry in payload.manifest.files:
                payload.read(entry.path)
        except EdgePtfError as error:
            assert "\n" not in str(error)
            return None
        return payload.digest

    def runner() -> str | None:
        try:
            verify_native(path, library)
            with NativeRunner(path, 1, library) as opened:
                digest: bytes = function(opened._runner)
                return digest.decode()
        except EdgePtfError as error:
            assert "\n" not in str(error)
            return None

    def both(content: bytes) -> Digests:
        path.write_bytes(content)
        return python(), runner()

    return both


def test_the_writers_own_packages_are_read(
    make_payload: Callable[..., Any],
    verdict_for: Callable[[Payload], Any],
    parts: Parts,
    digests: Callable[[bytes], Digests],
    library: Library,
    tmp_path: Path,
) -> None:
    payload = make_payload()
    sealed = seal(payload, [], verdict_for(payload), tmp_path / "sealed.eptf")
    for content in (payload.path.read_bytes(), sealed.path.read_bytes(), build(parts)):
        assert digests(content) == (payload.digest, payload.digest)
    assert verify_native(unpack(sealed, tmp_path / "folder"), library).files == len(payload.manifest.files)


@pytest.mark.parametrize("name", HOSTILE)
def test_a_file_with_two_readings_is_refused_by_both_readers(
    parts: Parts, digests: Callable[[bytes], Digests], name: str
) -> None:
    assert digests(HOSTILE[name](parts)) == (None, None)


VALUES = st.sampled_from([0, 1, 2, 8, 20, 45, 0x800, 0xFFFF]) | st.integers(0, 0xFFFF)
EXTRAS = st.sampled_from(
    [b"", padding(0), padding(100), extra_field(1, bytes(8)), unicode_path(b"manifest.json", b"../x"), b"ab"]
)
BYTES = st.just(b"") | st.binary(max_size=4)


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_both_readers_agree_about_any_file(
    parts: Parts, digests: Callable[[bytes], Digests], data: st.DataObject
) -> None:
    changed = list(parts)
    for _ in range(data.draw(st.integers(0, 2))):
        index = data.draw(st.integers(0, len(changed) - 1))
        where = data.draw(st.sampled_from(["local", "central", "both"]))
        kind = data.draw(st.sampled_from(["field", "extra", "comment", "gap", "twice", "away", "stored", "disk"]))
        part = changed[index]
        if kind == "field":
            name = data.draw(st.sampled_from(SAME))
            changed[index] = replace(part, **{where: {**getattr(part, where), name: data.draw(VALUES)}})
        elif kind == "extra" and where != "both":
            changed[index] = replace(part, **{where: {**getattr(part, where), "extra": data.draw(EXTRAS)}})
        elif kind == "extra":
            changed[index] = replace(part, extra=data.draw(EXTRAS))
        elif kind in ("comment", "gap"):
            changed[index] = replace(part, **{kind: data.draw(BYTES)})
        elif kind == "twice":
            changed.insert(data.draw(st.integers(0, len(changed))), part)
        elif kind == "away" and len(changed) > 1:
            changed.pop(index)
        elif kind == "stored":
            changed[index] = replace(part, stored=not part.stored)
        else:
            changed[index] = replace(part, central={**part.central, "disk": data.draw(st.integers(0, 1))})
    end = End()
    if data.draw(st.booleans()):
        names = st.sampled_from(["here", "count", "length", "start", "comment"])
        record = data.draw(st.dictionaries(names, st.integers(0, 4000), max_size=1))
        end = End(data.draw(BYTES), data.draw(BYTES), data.draw(BYTES), record)
    python, runner = digests(build(changed, end))
    assert python == runner


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_both_readers_agree_about_damaged_headers(
    parts: Parts, digests: Callable[[bytes], Digests], data: st.DataObject
) -> None:
    content = bytearray(build(parts))
    directory = content.index(b"PK\1\2")
    for _ in range(data.draw(st.integers(1, 2))):
        at = data.draw(st.integers(directory, len(content) - 1) | st.integers(0, 60))
        content[at] ^= 1 << data.draw(st.integers(0, 7))
    python, runner = digests(bytes(content))
    assert python == runner
