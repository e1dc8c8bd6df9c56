"""The container of a package: a zip file that is written deterministically, or its unpacked directory; read without
trust."""

from __future__ import annotations

import stat
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path, PurePosixPath

from edge_ptf.errors import PackageError
from edge_ptf.package import container
from edge_ptf.package.container import ALIGNMENT, END_RECORD, LOCAL_HEADER, Entry, check_name

__all__ = ["ALIGNMENT", "Archive", "check_name", "write"]

STAMP = (1980, 1, 1, 0, 0, 0)
MOST_ENTRIES = 4096
MOST_BYTES = 4 << 30


def write(path: Path, entries: Iterable[tuple[str, bytes, bool]]) -> None:
    """Writes (name, content, stored) entries in the order given; equal entries give equal bytes.

    Raises:
        PackageError: the entries are more than a reader opens.
    """
    draft = path.with_name(f".{path.name}.draft")
    try:
        with draft.open("wb") as stream, zipfile.ZipFile(stream, "w", allowZip64=False) as archive:
            for name, content, stored in entries:
                info = zipfile.ZipInfo(name, STAMP)
                info.create_system = 3
                info.external_attr = (stat.S_IFREG | 0o644) << 16
                info.compress_type = zipfile.ZIP_STORED if stored else zipfile.ZIP_DEFLATED
                if stored:
                    info.extra = container.padding(stream.tell() + LOCAL_HEADER + len(name.encode()))
                archive.writestr(info, content, compresslevel=9)
    except zipfile.LargeZipFile:
        draft.unlink(missing_ok=True)
        raise PackageError(
            f"{path}: the package would be larger than a reader opens", hint="A package has at most 2 GiB"
        ) from None
    draft.replace(path)


class Archive:
    """A package file or its unpacked directory.

    It is listed once, when it is opened. `sizes` holds the unpacked bytes of each entry by name.
    """

    def __init__(self, path: Path) -> None:
        """Raises PackageError for anything that is not a well-behaved package container."""
        self.path = path
        self._folder = path.is_dir()
        try:
            found = self._checked(self._walk() if self._folder else self._list())
        except PackageError as error:
            raise PackageError(f"{path}: {error.message}") from None
        self._entries = {entry.name: entry for entry in found}
        self.sizes: Mapping[str, int] = {name: entry.size for name, entry in self._entries.items()}

    def read(self, name: str, limit: int = MOST_BYTES) -> bytes:
        """The content of one entry, at most `limit` bytes."""
        return b"".join(self.blocks(name, limit))

    def blocks(self, name: str, limit: int = MOST_BYTES) -> Iterator[bytes]:
        """The content of one entry in blocks of at most 1 MiB.

        Raises:
            PackageError: there is no such entry, it has more than `limit` bytes, or it is damaged.
        """
        if name not in self._entries:
            raise PackageError(f"{self.path}: no entry '{name}'")
        entry = self._entries[name]
        if entry.size > limit:
            raise PackageError(f"{self.path}: '{name}' is {entry.size} bytes, more than the {limit} allowed")
        try:
            with (self.path / name if self._folder else self.path).open("rb") as file:
                if self._folder:
                    yield from iter(lambda: file.read(container.BLOCK), b"")
                else:
                    yield from container.blocks(file, entry)
        except PackageError as error:
            raise PackageError(f"{self.path}: {error.message}") from None
        except OSError as error:
            raise PackageError(f"{self.path}: '{name}' cannot be read ({error.strerror})") from None

    def is_stored(self, name: str) -> bool:
        """Whether the content lies in the file as it is, so that a device can map it."""
        return not self._entries[name].deflated

    def packed_bytes(self, names: Iterable[str]) -> int:
        """Bytes of a file that holds these entries and nothing else; of a directory, the bytes of its files."""
        found = [self._entries[name] for name in names]
        if self._folder:
            return sum(entry.size for entry in found)
        return END_RECORD + sum(entry.packed + entry.headers for entry in found)

    def _list(self) -> list[Entry]:
        try:
            with self.path.open("rb") as file:
                return container.list_entries(file, MOST_ENTRIES)
        except FileNotFoundError:
            raise PackageError("no such package") from None
        except OSError as error:
            raise PackageError(f"cannot be read ({error.strerror})") from None

    def _walk(self) -> list[Entry]:
        found = list[Entry]()
        for path in sorted(self.path.rglob("*")):
            name = path.relative_to(self.path).as_posix()
            if path.is_symlink():
                raise PackageError(f"'{name}' is a link")
            if path.is_file():
                check_name(name)
                size = path.stat().st_size
                found.append(Entry(name, size, size, 0, 0, deflated=False, headers=0))
        return found

    @staticmethod
    def _checked(found: list[Entry]) -> list[Entry]:
        if len(found) > MOST_ENTRIES:
            raise PackageError(f"{len(found)} entries, more than the {MOST_ENTRIES} allowed")
        files: dict[str, str] = {}
        for entry in found:
            folded = entry.name.casefold()
            if folded in files:
                raise PackageError(f"'{entry.name}' and '{files[folded]}' are the same name on some systems")
            files[folded] = entry.name
        for folded in files:
            for parent in PurePosixPath(folded).parents:
                if str(parent) in files:
                    raise PackageError(f"'{files[str(parent)]}' is a file and a directory")
        if sum(entry.size for entry in found) > MOST_BYTES:
            raise PackageError(f"unpacks to more than {MOST_BYTES >> 30} GiB")
        return found
