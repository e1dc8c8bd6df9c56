"""Zip files byte by byte: as the writer makes them, and as someone makes them who wants two readers to disagree."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from edge_ptf.package.container import LOCAL_HEADER, padding

SAME = ("need", "flags", "method", "time", "date", "crc", "packed", "size")
"""The fields that both headers have."""


@dataclass(frozen=True)
class Part:
    """One entry. `local` and `central` replace fields of one header, `both` of both."""

    name: bytes
    content: bytes
    stored: bool = False
    extra: bytes | None = None
    """None: the padding of the writer."""
    comment: bytes = b""
    both: dict[str, int | bytes] = field(default_factory=dict)
    local: dict[str, int | bytes] = field(default_factory=dict)
    central: dict[str, int | bytes] = field(default_factory=dict)
    gap: bytes = b""
    """Bytes in front of the entry."""
    trailing: bytes = b""
    """Bytes behind the packed content, counted as part of it."""
    shortened: int = 0
    """Bytes of the packed content that are missing."""


@dataclass(frozen=True)
class End:
    """What stands around the entries. `record` replaces fields of the end record."""

    before_directory: bytes = b""
    before_record: bytes = b""
    behind: bytes = b""
    record: dict[str, int] = field(default_factory=dict)


Parts = list[Part]
Change = Callable[[Parts], bytes]


def build(parts: Parts, end: End = End()) -> bytes:
    """A zip file."""
    file = directory = b""
    for part in parts:
        file += part.gap
        extra = part.extra
        if extra is None:
            extra = padding(len(file) + LOCAL_HEADER + len(part.name)) if part.stored else b""
        body = part.content if part.stored else _deflated(part.content)
        body = body[: len(body) - part.shortened] + part.trailing
        fields = {
            **{"need": 20, "flags": 0, "method": 0 if part.stored else 8, "time": 0, "date": 33},
            **{"crc": zlib.crc32(part.content), "packed": len(body), "size": len(part.content)},
            **{"name": part.name, "extra": extra, **part.both},
        }
        place = len(file)
        file += _local(fields | part.local) + body
        directory += _central(fields | {"offset": place, "mode": 0o100644, "disk": 0} | part.central, part.comment)
    file += end.before_directory
    known = {"here": len(parts), "count": len(parts), "length": len(directory), "start": len(file)} | end.record
    file += directory + end.before_record
    return file + struct.pack("<4s4H2LH", b"PK\5\6", *_record(known)) + end.behind


def _record(known: dict[str, int]) -> tuple[int, ...]:
    return (0, 0, known["here"], known["count"], known["length"], known["start"], known.get("comment", 0))


def _deflated(content: bytes) -> bytes:
    stream = zlib.compressobj(9, zlib.DEFLATED, -15)
    return stream.compress(content) + stream.flush()


def _local(found: dict[str, int | bytes]) -> bytes:
    name, extra = found["name"], found["extra"]
    assert isinstance(name, bytes)
    assert isinstance(extra, bytes)
    return struct.pack("<4s5H3L2H", b"PK\3\4", *(found[key] for key in SAME), len(name), len(extra)) + name + extra


def _central(found: dict[str, int | bytes], comment: bytes) -> bytes:
    name, extra, mode = found["name"], found["extra"], found["mode"]
    assert isinstance(name, bytes)
    assert isinstance(extra, bytes)
    assert isinstance(mode, int)
    lengths = (len(name), len(extra), len(comment))
    ends = (found["disk"], 0, mode << 16, found["offset"])
    fields = (found[key] for key in SAME)
    return struct.pack("<4s6H3L5H2L", b"PK\1\2", 0x314, *fields, *lengths, *ends) + name + extra + comment


def first(parts: Parts, **changes: object) -> bytes:
    """The zip with changes in its first entry."""
    return build([replace(parts[0], **changes), *parts[1:]])  # type: ignore[arg-type]


def last(parts: Parts, **changes: object) -> bytes:
    """The zip with changes in its last entry."""
    return build([*parts[:-1], replace(parts[-1], **changes)])  # type: ignore[arg-type]


def extra_field(number: int, content: bytes) -> bytes:
    """An extra field."""
    return struct.pack("<HH", number, len(content)) + content


def unicode_path(name: bytes, other: bytes) -> bytes:
    """The field from which Python 3.12 and newer take the name of an entry."""
    return extra_field(0x7075, struct.pack("<BL", 1, zlib.crc32(name)) + other)


def _second_directory(parts: Parts) -> bytes:
    """Two packages: `zipfile` finds the second directory through a zip64 record in the comment of the last entry."""
    other = replace(parts[0], content=parts[0].content.replace(b'"name":"', b'"name":"other-', 1))
    whole = build([parts[0], other, *parts[1:]])
    start = whole.index(b"PK\1\2")
    records = _records(whole[start:-22], len(parts) + 1)
    one, two = [records[0], *records[2:]], b"".join(records[1:])
    length = sum(map(len, one))
    zip64 = struct.pack("<4sQ2H2L4Q", b"PK\6\6", 44, 45, 45, 0, 0, len(parts), len(parts), len(two), start + length)
    comment = two + zip64 + struct.pack("<4sLQL", b"PK\6\7", 0, start + length + len(two), 1)
    one[-1] = one[-1][:32] + struct.pack("<H", len(comment)) + one[-1][34:] + comment
    end = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, len(parts), len(parts), length + len(comment), start, 0)
    return whole[:start] + b"".join(one) + end


def _records(directory: bytes, count: int) -> list[bytes]:
    """The records of a directory without comments."""
    found = []
    for _ in range(count):
        size = 46 + sum(struct.unpack_from("<2H", directory, 28))
        found.append(directory[:size])
        directory = directory[size:]
    return found


def _overlap(parts: Parts) -> bytes:
    """The second entry lies inside the first one."""
    inner = build(parts[:1])
    outer = Part(b"outer.txt", inner[: inner.index(b"PK\1\2")], True, b"")
    return build([outer, replace(parts[0], central={"offset": LOCAL_HEADER + len(outer.name)}), *parts[1:]])


def _repeated(parts: Parts) -> bytes:
    return build([*parts, parts[-1]])


HOSTILE: dict[str, Change] = {
    "a Unicode path": lambda parts: first(parts, extra=unicode_path(parts[0].name, b"../../up.txt")),
    "a Unicode path that agrees": lambda parts: first(parts, extra=unicode_path(parts[0].name, parts[0].name)),
    "an unknown extra field": lambda parts: first(parts, extra=extra_field(0x4141, b"x")),
    "a zip64 extra field": lambda parts: first(parts, extra=extra_field(1, bytes(16))),
    "a time stamp extra field": lambda parts: first(parts, extra=extra_field(0x5455, b"\1" + bytes(4))),
    "padding and another field": lambda parts: first(parts, extra=padding(0) + extra_field(0x4141, b"x")),
    "padding that hides bytes": lambda parts: first(parts, extra=padding(0)[:-1] + b"x"),
    "a broken extra field": lambda parts: first(parts, extra=b"abc"),
    "an extra field in one header": lambda parts: first(parts, local={"extra": padding(0)}),
    "an extra field in the directory": lambda parts: first(parts, central={"extra": padding(0)}),
    "a second directory": _second_directory,
    "a comment of an entry": lambda parts: first(parts, comment=b"note"),
    "a comment of the zip": lambda parts: build(parts, End(behind=b"note", record={"comment": 4})),
    "a zip64 locator": lambda parts: build(parts, End(before_record=struct.pack("<4sLQL", b"PK\6\7", 0, 0, 1))),
    "sizes for zip64": lambda parts: first(parts, both={"packed": 0xFFFFFFFF, "size": 0xFFFFFFFF}),
    "a count for zip64": lambda parts: build(parts, End(record={"count": 0xFFFF, "here": 0xFFFF})),
    "bytes in front": lambda parts: first(parts, gap=b"x"),
    "a shifted zip": lambda parts: b"x" + build(parts),
    "bytes between entries": lambda parts: last(parts, gap=b"x"),
    "bytes before the directory": lambda parts: build(parts, End(before_directory=b"x")),
    "bytes before the end record": lambda parts: build(parts, End(before_record=b"x")),
    "bytes behind the end": lambda parts: build(parts, End(behind=b"x")),
    "a data descriptor": lambda parts: first(parts, both={"flags": 8}),
    "another name": lambda parts: first(parts, local={"name": parts[0].name[:-1] + b"x"}),
    "another name in the directory": lambda parts: last(parts, central={"name": b"../" + parts[-1].name}),
    "another size": lambda parts: first(parts, local={"size": 1}),
    "another packed size": lambda parts: first(parts, local={"packed": 1}),
    "another method": lambda parts: first(parts, local={"method": 0}),
    "another CRC": lambda parts: first(parts, local={"crc": 1}),
    "another time": lambda parts: first(parts, local={"time": 7}),
    "other flags": lambda parts: first(parts, local={"flags": 2}),
    "another version": lambda parts: first(parts, local={"need": 10}),
    "a wrong CRC": lambda parts: first(parts, both={"crc": 1}),
    "a wrong CRC of a mapped file": lambda parts: build(
        [replace(part, both={"crc": 1} if part.stored else {}) for part in parts]
    ),
    "a repeated entry": _repeated,
    "overlapping entries": _overlap,
    "two directories of one entry": lambda parts: build([*parts[:-1], replace(parts[-1], central={"offset": 0})]),
    "fewer entries than it says": lambda parts: build(parts, End(record={"count": 2, "here": 2})),
    "a directory elsewhere": lambda parts: build(parts, End(record={"start": 5})),
    "a deflated model": lambda parts: build([replace(part, stored=False, extra=b"") for part in parts]),
    "a model out of line": lambda parts: build([replace(part, extra=b"") for part in parts]),
    "bytes behind the deflated content": lambda parts: first(parts, trailing=b"x"),
    "deflated content without an end": lambda parts: first(parts, shortened=1),
    "a link": lambda parts: first(parts, central={"mode": 0o120777}),
    "an entry in another file": lambda parts: first(parts, central={"disk": 1}),
    "a name that goes up": lambda parts: build([*parts, Part(b"../up.txt", b"x")]),
    "a name with a zero byte": lambda parts: build([*parts, Part(b"a.txt\0.bin", b"x")]),
    "a name in capitals": lambda parts: build([*parts, Part(parts[0].name.upper(), b"x")]),
    "a file that is a folder": lambda parts: build([*parts, Part(parts[0].name + b"/x", b"x")]),
}
"""Changes of a sound package that every reader must refuse. The first entry is deflated."""
