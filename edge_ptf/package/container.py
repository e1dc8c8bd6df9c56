"""A zip file that can be read in one way only, as `docs/package.md` (section 1) says.

The reader is our own. Python's `zipfile` takes names from extra fields and follows zip64 records, so it can see other
entries than the C++ runner in the same file.
"""

from __future__ import annotations

import stat
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from edge_ptf.errors import PackageError

ALIGNMENT = 4096
ALIGNMENT_FIELD = 0xD935
"""Extra-field id that Android's zipalign uses for padding."""
MAPPED = (".onnx", ".bin")
"""What a device maps into memory: stored, and aligned."""
LONGEST_NAME = 255
MOST_FILE_BYTES = (1 << 32) - 1
MOST_RATIO = 1000
MOST_DEFLATED = 128 << 20
MOST_DEFLATED_TOTAL = 256 << 20
LOCAL_HEADER, CENTRAL_HEADER, END_RECORD = 30, 46, 22
STORED, DEFLATED = 0, 8
BLOCK = 1 << 20
_HARMLESS_FLAGS = 0x0806
"""The level of deflate, and that the name is UTF-8."""
_LONGEST_PADDING = 4 + 2 + ALIGNMENT
_END = struct.Struct("<4s4H2LH")
_CENTRAL = struct.Struct("<4s6H3L5H2L")


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry. Sizes and places are in bytes; `headers` counts both headers with names and extra fields."""

    name: str
    size: int
    packed: int
    offset: int
    crc: int
    deflated: bool
    headers: int


def check_name(name: str) -> None:
    """Raises PackageError unless `name` is a plain relative path that means the same on every system."""
    parts = name.split("/")
    if (
        not name
        or len(name) > LONGEST_NAME
        or any(not " " <= character <= "~" or character in "\\:" for character in name)
        or any(part in ("", ".", "..") or part.endswith((" ", ".")) for part in parts)
    ):
        raise PackageError(f"entry name {name!r:.100} is not a plain relative path")


def list_entries(file: BinaryIO, most: int) -> list[Entry]:
    """The entries in the order of the file.

    Raises:
        PackageError: the file breaks a rule, or has more than `most` entries.
    """
    size = file.seek(0, 2)
    if size > MOST_FILE_BYTES:
        raise PackageError("a zip of 4 GiB or more, which edge-ptf does not open")
    end = size - END_RECORD
    record = _read(file, max(end, 0), END_RECORD, "not a package, or incomplete")
    magic, disk, first_disk, here, count, length, start, comment = _END.unpack(record)
    if magic != b"PK\5\6" or comment:
        raise PackageError("not a package, or incomplete")
    if disk or first_disk or here != count:
        raise PackageError("a zip of several parts, which edge-ptf does not open")
    if count > most:
        raise PackageError(f"{count} entries, more than the {most} allowed")
    if start + length != end or length > count * (CENTRAL_HEADER + LONGEST_NAME + _LONGEST_PADDING):
        raise PackageError("the zip's directory is not where it must be")
    directory = _read(file, start, length, "the zip's directory is damaged")
    entries, at, place = list[Entry](), 0, 0
    for _ in range(count):
        entry, at = _entry(file, directory, at, place, start)
        place = entry.offset + entry.packed
        entries.append(entry)
    if at != length:
        raise PackageError("the zip's directory has another length than its end record says")
    if place != start:
        raise PackageError("there are bytes between the last entry and the zip's directory")
    if sum(entry.size for entry in entries if entry.deflated) > MOST_DEFLATED_TOTAL:
        raise PackageError(f"the deflated entries unpack to more than {MOST_DEFLATED_TOTAL >> 20} MiB")
    return entries


def blocks(file: BinaryIO, entry: Entry) -> Iterator[bytes]:
    """The content of an entry in blocks of at most `BLOCK` bytes.

    Raises:
        PackageError: the content is not what the header says, found at its end at the latest.
    """
    damaged = PackageError(f"'{entry.name}' is damaged")
    crc = total = 0
    for block in _inflated(file, entry, damaged) if entry.deflated else _raw(file, entry, damaged):
        crc, total = zlib.crc32(block, crc), total + len(block)
        if total > entry.size:
            raise damaged
        yield block
    if total != entry.size or crc != entry.crc:
        raise damaged


def packed_bytes(name: str, content: bytes) -> int:
    """What a deflated entry takes in a file, headers included, as `archive.write` writes it."""
    deflate = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    packed = len(deflate.compress(content)) + len(deflate.flush())
    return LOCAL_HEADER + CENTRAL_HEADER + 2 * len(name) + packed


def padding(position: int) -> bytes:
    """An extra field that moves the content behind it to the next multiple of ALIGNMENT."""
    smallest = 4 + 2
    size = -(position + smallest) % ALIGNMENT
    return struct.pack("<HHH", ALIGNMENT_FIELD, 2 + size, ALIGNMENT) + b"\0" * size


def _entry(file: BinaryIO, directory: bytes, at: int, place: int, end: int) -> tuple[Entry, int]:
    """The entry at `at` of the directory, whose header must be at `place` of the file, and where the next one is."""
    header = directory[at : at + CENTRAL_HEADER]
    if len(header) < CENTRAL_HEADER:
        raise PackageError("the zip's directory is damaged")
    magic, _, _, flags, method, _, _, crc, packed, size, named, extra_length, comment, disk, _, mode, offset = (
        _CENTRAL.unpack(header)
    )
    tail = directory[at + CENTRAL_HEADER : at + CENTRAL_HEADER + named + extra_length]
    if magic != b"PK\1\2" or len(tail) != named + extra_length:
        raise PackageError("the zip's directory is damaged")
    name, extra = tail[:named].decode("latin-1"), tail[named:]
    check_name(name)
    if flags & ~_HARMLESS_FLAGS or method not in (STORED, DEFLATED):
        raise PackageError(f"'{name}' is encrypted, patched, or packed in an unknown way")
    if stat.S_IFMT(mode >> 16) not in (0, stat.S_IFREG):
        raise PackageError(f"'{name}' is a link or device, not a file")
    if comment or disk:
        raise PackageError(f"'{name}' has a comment, or lies in another file")
    if extra and extra != _field(len(extra)):
        raise PackageError(f"'{name}' has an extra field other than the padding 0xD935")
    _check_sizes(name, method, packed, size)
    if offset != place:
        raise PackageError(f"'{name}' does not begin where the entry before it ends")
    local = _read(file, place, LOCAL_HEADER + len(tail), f"the header of '{name}' is damaged")
    # From the version on, both headers have the same fields in the same order.
    if local[:4] != b"PK\3\4" or local[4:LOCAL_HEADER] != header[6:32] or local[LOCAL_HEADER:] != tail:
        raise PackageError(f"'{name}' has a header that differs from the zip's directory")
    content = place + LOCAL_HEADER + len(tail)
    if packed > end - content:
        raise PackageError(f"'{name}' reaches into the zip's directory")
    if name.endswith(MAPPED) and (method != STORED or content % ALIGNMENT):
        raise PackageError(f"'{name}' is not stored at a multiple of {ALIGNMENT:,} bytes")
    headers = LOCAL_HEADER + CENTRAL_HEADER + 2 * len(tail)
    return Entry(name, size, packed, content, crc, method == DEFLATED, headers), at + CENTRAL_HEADER + len(tail)


def _check_sizes(name: str, method: int, packed: int, size: int) -> None:
    if method == STORED and packed != size:
        raise PackageError(f"'{name}' is stored with two sizes")
    if size > MOST_RATIO * max(packed, 1):
        raise PackageError(f"'{name}' unpacks to more than {MOST_RATIO} times its size")
    if method == DEFLATED and size > MOST_DEFLATED:
        raise PackageError(f"'{name}' unpacks to more than {MOST_DEFLATED >> 20} MiB")


def _field(length: int) -> bytes:
    """The padding field of so many bytes; empty if none is so long."""
    if not 6 <= length < _LONGEST_PADDING:
        return b""
    return struct.pack("<HHH", ALIGNMENT_FIELD, length - 4, ALIGNMENT) + b"\0" * (length - 6)


def _read(file: BinaryIO, place: int, length: int, reason: str) -> bytes:
    file.seek(place)
    content = file.read(length)
    if len(content) != length:
        raise PackageError(reason)
    return content


def _raw(file: BinaryIO, entry: Entry, damaged: PackageError) -> Iterator[bytes]:
    file.seek(entry.offset)
    left = entry.packed
    while left:
        block = file.read(min(left, BLOCK))
        if not block:
            raise damaged
        left -= len(block)
        yield block


def _inflated(file: BinaryIO, entry: Entry, damaged: PackageError) -> Iterator[bytes]:
    stream = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        for packed in _raw(file, entry, damaged):
            rest = packed
            while rest and not stream.eof:
                yield stream.decompress(rest, BLOCK)
                rest = stream.unconsumed_tail
            if rest or stream.unused_data:  # bytes behind the end of the content
                raise damaged
        while not stream.eof:
            block = stream.decompress(b"", BLOCK)
            if not block and not stream.eof:
                raise damaged
            yield block
    except zlib.error:
        raise damaged from None
