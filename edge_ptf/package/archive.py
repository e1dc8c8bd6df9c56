"""The zip underneath a package: written deterministically, read without trust.

Entries that a device maps into memory are stored and begin at a multiple of 4,096 bytes; the rest is deflated. Names
are plain relative paths. A reader refuses everything else before it reads any content.
"""

from __future__ import annotations

import io
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath

from edge_ptf.errors import PackageError

ALIGNMENT = 4096
ALIGNMENT_FIELD = 0xD935
"""Extra-field id that Android's zipalign uses for padding."""
STAMP = (1980, 1, 1, 0, 0, 0)
MOST_ENTRIES = 4096
MOST_BYTES = 8 << 30
MOST_RATIO = 1000
LOCAL_HEADER, CENTRAL_HEADER, END_RECORD = 30, 46, 22
END_MAGIC = b"PK\5\6"
DAMAGE = (zipfile.BadZipFile, zlib.error, struct.error, EOFError, OSError, ValueError, RuntimeError, OverflowError)
"""What `zipfile` raises, in one Python or another, for a file that is damaged or was made to mislead."""


def write(path: Path, entries: Iterable[tuple[str, bytes, bool]]) -> None:
    """Writes (name, content, stored) entries in the order given; equal entries give equal bytes."""
    draft = path.with_name(f".{path.name}.draft")
    with draft.open("wb") as stream, zipfile.ZipFile(stream, "w") as archive:
        for name, content, stored in entries:
            info = zipfile.ZipInfo(name, STAMP)
            info.create_system = 3
            info.external_attr = (stat.S_IFREG | 0o644) << 16
            info.compress_type = zipfile.ZIP_STORED if stored else zipfile.ZIP_DEFLATED
            if stored:
                info.extra = _padding(stream.tell() + LOCAL_HEADER + len(name.encode()))
            archive.writestr(info, content, compresslevel=9)
    draft.replace(path)


def check_name(name: str) -> None:
    """Raises PackageError unless `name` is a plain relative path that means the same on every system."""
    parts = name.split("/")
    if (
        not name
        or len(name) > 255
        or any(not " " <= character <= "~" or character in "\\:" for character in name)
        or any(part in ("", ".", "..") or part.endswith((" ", ".")) for part in parts)
    ):
        raise PackageError(f"entry name {name!r} is not a plain relative path")


class Archive:
    """A package file or its unpacked directory, opened for reading."""

    def __init__(self, path: Path) -> None:
        """Raises PackageError for anything that is not a well-behaved package container."""
        self.path = path
        if path.is_dir():
            self.sizes = self._walk()
        else:
            self.sizes = self._list()

    def read(self, name: str, limit: int = MOST_BYTES) -> bytes:
        """The content of one entry, at most `limit` bytes."""
        if name not in self.sizes:
            raise PackageError(f"{self.path}: no entry '{name}'")
        if self.sizes[name] > limit:
            raise PackageError(f"{self.path}: '{name}' is {self.sizes[name]} bytes, more than the {limit} allowed")
        if self.path.is_dir():
            return (self.path / name).read_bytes()
        try:
            with zipfile.ZipFile(self.path) as archive, archive.open(name) as stream:
                content = stream.read(limit + 1)
        except DAMAGE as error:
            raise PackageError(f"{self.path}: '{name}' is damaged ({error})") from None
        if len(content) != self.sizes[name]:
            raise PackageError(f"{self.path}: '{name}' is not as long as its header says")
        return content

    def packed_bytes(self, names: Iterable[str]) -> int:
        """Bytes of a file that holds these entries and nothing else; of a directory, the bytes of its files."""
        if self.path.is_dir():
            return sum(self.sizes[name] for name in names)
        with zipfile.ZipFile(self.path) as archive:
            infos = [archive.getinfo(name) for name in names]
        headers = LOCAL_HEADER + CENTRAL_HEADER
        return END_RECORD + sum(
            info.compress_size + headers + 2 * (len(info.filename.encode()) + len(info.extra)) for info in infos
        )

    def _list(self) -> Mapping[str, int]:
        try:
            self._check_end()
            with zipfile.ZipFile(self.path) as archive:
                infos = archive.infolist()
        except FileNotFoundError:
            raise PackageError(f"{self.path}: no such package") from None
        except DAMAGE as error:
            raise PackageError(f"{self.path}: not a package, or damaged ({error})") from None
        for info in infos:
            check_name(info.orig_filename)
            mode = info.external_attr >> 16
            if stat.S_IFMT(mode) not in (0, stat.S_IFREG):
                raise PackageError(f"{self.path}: '{info.filename}' is a link or device, not a file")
            if info.flag_bits & 1 or info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                raise PackageError(f"{self.path}: '{info.filename}' is encrypted or packed in an unknown way")
            if info.file_size > MOST_RATIO * max(info.compress_size, 1):
                raise PackageError(f"{self.path}: '{info.filename}' unpacks to more than {MOST_RATIO} times its size")
        return self._checked([(info.filename, info.file_size) for info in infos])

    def _check_end(self) -> None:
        """The directory ends where the end record begins, and that ends the file: there is one way to read it."""
        with self.path.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(max(size - END_RECORD, 0))
            record = file.read()
        if len(record) < END_RECORD or record[:4] != END_MAGIC or record[20:] != b"\0\0":
            raise PackageError(f"{self.path}: not a package, or cut short")
        length, start = struct.unpack("<2L", record[12:20])
        if start + length != size - END_RECORD:
            raise PackageError(f"{self.path}: the zip's directory is not where it must be")

    def _walk(self) -> Mapping[str, int]:
        found = []
        for path in sorted(self.path.rglob("*")):
            name = path.relative_to(self.path).as_posix()
            if path.is_symlink():
                raise PackageError(f"{self.path}: '{name}' is a link")
            if path.is_file():
                check_name(name)
                found.append((name, path.stat().st_size))
        return self._checked(found)

    def _checked(self, found: list[tuple[str, int]]) -> Mapping[str, int]:
        if len(found) > MOST_ENTRIES:
            raise PackageError(f"{self.path}: {len(found)} entries, more than the {MOST_ENTRIES} allowed")
        files: dict[str, str] = {}
        for name, _ in found:
            folded = name.casefold()
            if folded in files:
                raise PackageError(f"{self.path}: '{name}' and '{files[folded]}' are the same name on some systems")
            files[folded] = name
        for name, _ in found:
            for parent in PurePosixPath(name.casefold()).parents:
                if str(parent) in files:
                    raise PackageError(f"{self.path}: '{files[str(parent)]}' is a file and a directory")
        if sum(size for _, size in found) > MOST_BYTES:
            raise PackageError(f"{self.path}: unpacks to more than {MOST_BYTES >> 30} GiB")
        return dict(found)


def _padding(position: int) -> bytes:
    """An extra field that moves the content to the next multiple of ALIGNMENT."""
    smallest = 4 + 2
    size = -(position + smallest) % ALIGNMENT
    field = io.BytesIO()
    field.write(struct.pack("<HHH", ALIGNMENT_FIELD, 2 + size, ALIGNMENT))
    field.write(b"\0" * size)
    return field.getvalue()
