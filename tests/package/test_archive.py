"""The container: deterministic to write, suspicious to read."""

from __future__ import annotations

import mmap
import os
import random
import stat
import struct
import zipfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edge_ptf.errors import PackageError
from edge_ptf.package import archive, container
from edge_ptf.package.archive import ALIGNMENT, Archive
from tests.package.hostile import HOSTILE, Part, build

ENTRIES = [
    ("manifest.json", b"{}" * 40, False),
    ("model.onnx", bytes(range(256)) * 8, True),
    ("a/b.txt", b"hello", False),
    ("words.txt", " ".join(random.Random(0).choices(("turn", "on", "the", "light"), k=900)).encode(), False),
    ("tables.bin", b"", True),
]

BAD_NAMES = [
    *("/etc/passwd", "../up", "a/../b", "a\\b", "C:/x", "a//b", "./a", "a/.", "", "dir/"),
    *("tab\tname", "dot.", "space ", "x" * 300, "straße"),
]


def zipped(path: Path, *names: str, mode: int = 0o100644, content: bytes = b"x") -> Path:
    with zipfile.ZipFile(path, "w") as file:
        for name in names:
            info = zipfile.ZipInfo("placeholder")
            info.filename = info.orig_filename = name
            info.external_attr = mode << 16
            file.writestr(info, content)
    return path


def test_equal_entries_give_equal_bytes_and_read_back(tmp_path: Path) -> None:
    first, second = tmp_path / "one.eptf", tmp_path / "two.eptf"
    archive.write(first, ENTRIES)
    archive.write(second, ENTRIES)
    assert first.read_bytes() == second.read_bytes()
    reader = Archive(first)
    assert {name: reader.read(name) for name in reader.sizes} == {name: content for name, content, _ in ENTRIES}
    assert not list(tmp_path.glob(".*draft"))


def test_a_file_that_could_be_read_in_two_ways_is_refused(tmp_path: Path) -> None:
    """Readers look for the end record in different ways, so only one that ends the file is taken."""
    one, other = tmp_path / "one.eptf", tmp_path / "other.eptf"
    archive.write(one, ENTRIES)
    archive.write(other, ENTRIES[:2])
    hidden = one.read_bytes()[:-2] + struct.pack("<H", other.stat().st_size + 1) + other.read_bytes() + b"x"
    for content in (one.read_bytes() + b"x", b"x" + one.read_bytes(), hidden, one.read_bytes()[:-2] + b"\1\0x"):
        (tmp_path / "made.eptf").write_bytes(content)
        with pytest.raises(PackageError, match=r"not a package, or incomplete|not where it must be"):
            Archive(tmp_path / "made.eptf")


def test_stored_entries_can_be_mapped_at_a_page(tmp_path: Path) -> None:
    path = tmp_path / "one.eptf"
    archive.write(path, ENTRIES)
    with zipfile.ZipFile(path) as file, path.open("rb") as stream:
        for entry, content, stored in ENTRIES:
            info = file.getinfo(entry)
            assert info.compress_type == (zipfile.ZIP_STORED if stored else zipfile.ZIP_DEFLATED)
            stream.seek(info.header_offset + 26)
            name, extra = (int.from_bytes(stream.read(2), "little") for _ in range(2))
            offset = info.header_offset + 30 + name + extra
            assert not stored or offset % ALIGNMENT == 0
            with mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
                assert not stored or mapped[offset : offset + info.file_size] == content


def test_the_packed_size_is_that_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "one.eptf"
    archive.write(path, [*ENTRIES, ("a folder/b.txt", b"text", False)])
    reader = Archive(path)
    assert reader.packed_bytes(reader.sizes) == path.stat().st_size
    archive.write(tmp_path / "less.eptf", ENTRIES[:2])
    assert reader.packed_bytes(["manifest.json", "model.onnx"]) == (tmp_path / "less.eptf").stat().st_size


@pytest.mark.parametrize("name", HOSTILE)
def test_a_file_with_two_readings_is_refused(tmp_path: Path, name: str) -> None:
    """Here as the container alone; tests/runner does the same with whole packages and both readers."""
    parts = [Part(entry.encode(), content, stored) for entry, content, stored in ENTRIES if content]
    path = tmp_path / "made.eptf"
    path.write_bytes(build(parts))
    assert len(Archive(path).sizes) == len(parts)
    path.write_bytes(HOSTILE[name](parts))
    with pytest.raises(PackageError) as caught:
        for entry in Archive(path).sizes:
            Archive(path).read(entry)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", BAD_NAMES)
def test_names_that_are_no_plain_paths_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(PackageError):
        archive.check_name(name)
    if name:
        with pytest.raises(PackageError):
            Archive(zipped(tmp_path / "bad.eptf", name))


@pytest.mark.parametrize("names", [("a", "a"), ("Model", "model"), ("a", "a/b"), ("A/b", "a/B")])
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_names_that_collide_somewhere_are_refused(tmp_path: Path, names: tuple[str, ...]) -> None:
    with pytest.raises(PackageError):
        Archive(zipped(tmp_path / "bad.eptf", *names))


def test_links_are_refused(tmp_path: Path) -> None:
    with pytest.raises(PackageError, match="link"):
        Archive(zipped(tmp_path / "bad.eptf", "link", mode=stat.S_IFLNK | 0o777))
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "link").symlink_to("/etc/passwd")
    with pytest.raises(PackageError, match="link"):
        Archive(folder)


@pytest.mark.parametrize("flag", [0x01, 0x20, 0x40])
def test_encrypted_and_patched_entries_are_refused(tmp_path: Path, flag: int) -> None:
    path = zipped(tmp_path / "bad.eptf", "secret", content=b"x" * 100)
    content = bytearray(path.read_bytes())
    for signature, place in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content[content.index(signature) + place] |= flag
    path.write_bytes(content)
    with pytest.raises(PackageError):
        Archive(path).read("secret")


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA, 97])
def test_other_ways_of_packing_are_refused(tmp_path: Path, method: int) -> None:
    path = zipped(tmp_path / "bad.eptf", "file", content=b"x" * 100)
    content = bytearray(path.read_bytes())
    for signature, place in ((b"PK\x03\x04", 8), (b"PK\x01\x02", 10)):
        start = content.index(signature) + place
        content[start : start + 2] = struct.pack("<H", method)
    path.write_bytes(content)
    with pytest.raises(PackageError, match="packed in an unknown way"):
        Archive(path)


def test_an_offset_beyond_any_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "far.eptf"
    with zipfile.ZipFile(path, "w") as file:
        info = zipfile.ZipInfo("far")
        file.writestr(info, b"x")
        info.header_offset = (1 << 64) - 8  # the central directory, written on closing, says so in its zip64 field
    with pytest.raises(PackageError):
        Archive(path).read("far")


def test_a_size_beyond_the_limit_is_refused_unread(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "one.eptf"
    archive.write(path, ENTRIES)
    with pytest.raises(PackageError, match="more than the 10 allowed"):
        Archive(path).read("model.onnx", limit=10)
    monkeypatch.setattr(archive, "MOST_BYTES", 100)
    with pytest.raises(PackageError, match="unpacks to more"):
        Archive(path)


def test_directories_obey_the_same_rules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a:b").write_text("")
    with pytest.raises(PackageError, match="plain relative path"):
        Archive(tmp_path)
    (tmp_path / "a:b").rename(tmp_path / "ab")
    (tmp_path / "AB").write_text("")
    if len(list(tmp_path.iterdir())) == 2:
        with pytest.raises(PackageError, match="same name"):
            Archive(tmp_path)
    monkeypatch.setattr(archive, "MOST_ENTRIES", 0)
    with pytest.raises(PackageError, match="entries"):
        Archive(tmp_path)


def test_a_file_name_that_is_no_unicode_is_refused(tmp_path: Path) -> None:
    try:
        Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff\xfe")).write_text("")
    except OSError:
        pytest.skip("this file system takes Unicode names only")
    with pytest.raises(PackageError, match="plain relative path"):
        Archive(tmp_path)


@settings(max_examples=200, deadline=None)
@given(st.text(st.characters(), max_size=12))
def test_any_name_is_accepted_or_refused(name: str) -> None:
    try:
        archive.check_name(name)
    except PackageError:
        return
    path = Path("/root-of-all") / name
    assert path.parts[1] == "root-of-all"
    assert "/".join(path.parts[2:]) == name


def test_bombs_and_crowds_are_refused(tmp_path: Path) -> None:
    bomb = tmp_path / "bomb.eptf"
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("zeros", bytes(50_000_000))
    with pytest.raises(PackageError, match="times its size"):
        Archive(bomb)
    with pytest.raises(PackageError, match="entries"):
        Archive(zipped(tmp_path / "crowd.eptf", *(f"f{index}" for index in range(archive.MOST_ENTRIES + 1))))


def test_what_is_deflated_has_limits_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A deflated file takes memory, a stored one is mapped."""
    path = tmp_path / "one.eptf"
    archive.write(path, [("a.txt", bytes(900), False), ("b.txt", bytes(900), False), ("c.bin", bytes(9000), True)])
    assert sum(Archive(path).sizes.values()) == 10_800
    monkeypatch.setattr(container, "MOST_DEFLATED_TOTAL", 1000)
    with pytest.raises(PackageError, match="the deflated entries unpack to more than"):
        Archive(path)
    monkeypatch.setattr(container, "MOST_DEFLATED", 800)
    with pytest.raises(PackageError, match=r"'a\.txt' unpacks to more than"):
        Archive(path)


@pytest.mark.parametrize("stored", [True, False])
def test_a_large_entry_is_read_in_blocks(tmp_path: Path, stored: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    content = bytes(range(256)) * 40
    archive.write(tmp_path / "one.eptf", [("a.txt", content, stored)])
    monkeypatch.setattr(container, "BLOCK", 100)
    blocks = list(Archive(tmp_path / "one.eptf").blocks("a.txt"))
    assert b"".join(blocks) == content
    assert max(map(len, blocks)) <= 100


def test_a_package_that_no_reader_opens_is_not_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zipfile, "ZIP64_LIMIT", 5000)
    with pytest.raises(PackageError, match="larger than a reader opens"):
        archive.write(tmp_path / "large.eptf", [("a.bin", bytes(6000), True)])
    assert not list(tmp_path.iterdir())


def test_a_missing_file_and_other_files_are_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(PackageError, match="no such package"):
        Archive(tmp_path / "none.eptf")
    text = tmp_path / "text.eptf"
    text.write_text("no zip")
    with pytest.raises(PackageError, match="not a package"):
        Archive(text)


@pytest.mark.parametrize("twentieth", range(20))
def test_a_truncated_file_is_refused(tmp_path: Path, twentieth: int) -> None:
    path = tmp_path / "cut.eptf"
    archive.write(path, ENTRIES)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) * twentieth // 20])
    with pytest.raises(PackageError):
        Archive(path)


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_damaged_file_is_refused_or_reads_as_before(tmp_path: Path, data: st.DataObject) -> None:
    whole = tmp_path / "whole.eptf"
    if not whole.exists():
        archive.write(whole, ENTRIES)
    content = bytearray(whole.read_bytes())
    if data.draw(st.booleans()):
        del content[data.draw(st.integers(0, len(content) - 1)) :]
    else:
        places = [place for place, byte in enumerate(content) if byte]  # few flips fall into the padding so
        for _ in range(data.draw(st.integers(1, 4))):
            content[data.draw(st.sampled_from(places))] ^= 1 << data.draw(st.integers(0, 7))
    path = tmp_path / "damaged.eptf"
    path.write_bytes(content)
    try:
        reader = Archive(path)
        found = {name: reader.read(name) for name in reader.sizes}
    except PackageError:
        return
    known = {name: content for name, content, _ in ENTRIES}
    for name, read in found.items():
        assert len(read) == reader.sizes[name]
        if name in known and path.stat().st_size == whole.stat().st_size:
            assert read == known[name]
