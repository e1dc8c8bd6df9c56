"""The container: deterministic to write, suspicious to read."""

from __future__ import annotations

import mmap
import stat
import zipfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edge_ptf.errors import PackageError
from edge_ptf.package import archive
from edge_ptf.package.archive import ALIGNMENT, Archive

ENTRIES = [
    ("manifest.json", b"{}" * 40, False),
    ("model.onnx", bytes(range(256)) * 64, True),
    ("a/b.txt", b"hello", False),
]

BAD_NAMES = [
    *("/etc/passwd", "../up", "a/../b", "a\\b", "C:/x", "a//b", "./a", "a/.", "", "dir/"),
    *("tab\tname", "dot.", "space ", "x" * 300),
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


def test_stored_entries_can_be_mapped_at_a_page(tmp_path: Path) -> None:
    path = tmp_path / "one.eptf"
    archive.write(path, ENTRIES)
    with zipfile.ZipFile(path) as file, path.open("rb") as stream:
        info = file.getinfo("model.onnx")
        stream.seek(info.header_offset + 26)
        name, extra = (int.from_bytes(stream.read(2), "little") for _ in range(2))
        offset = info.header_offset + 30 + name + extra
        assert offset % ALIGNMENT == 0
        with mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
            assert mapped[offset : offset + info.file_size] == ENTRIES[1][1]


@pytest.mark.parametrize("name", BAD_NAMES)
def test_names_that_are_no_plain_paths_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(PackageError):
        archive.check_name(name)
    if name:
        with pytest.raises(PackageError):
            Archive(zipped(tmp_path / "bad.eptf", name))


@pytest.mark.parametrize("names", [("a", "a"), ("Model", "model"), ("a", "a/b"), ("STRASSE", "straße")])
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


def test_bombs_and_crowds_are_refused(tmp_path: Path) -> None:
    bomb = tmp_path / "bomb.eptf"
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("zeros", bytes(50_000_000))
    with pytest.raises(PackageError, match="times its size"):
        Archive(bomb)
    with pytest.raises(PackageError, match="entries"):
        Archive(zipped(tmp_path / "crowd.eptf", *(f"f{index}" for index in range(archive.MOST_ENTRIES + 1))))


def test_a_missing_file_and_other_files_are_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(PackageError, match="no such package"):
        Archive(tmp_path / "none.eptf")
    text = tmp_path / "text.eptf"
    text.write_text("no zip")
    with pytest.raises(PackageError, match="not a package"):
        Archive(text)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_damaged_file_is_refused_or_reads_as_before(tmp_path: Path, data: st.DataObject) -> None:
    whole = tmp_path / "whole.eptf"
    if not whole.exists():
        archive.write(whole, ENTRIES)
    content = bytearray(whole.read_bytes())
    if data.draw(st.booleans()):
        del content[data.draw(st.integers(0, len(content) - 1)) :]
    else:
        for _ in range(data.draw(st.integers(1, 4))):
            content[data.draw(st.integers(0, len(content) - 1))] ^= 1 << data.draw(st.integers(0, 7))
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
