"""Lines of text files, decoded, with their numbers. A line ends with LF or CRLF."""

from __future__ import annotations

import codecs
import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from edge_ptf.errors import DataError

if TYPE_CHECKING:
    from edge_ptf.data.dataset import DataConfig

BYTE_ORDER_MARK = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class FileFormat:
    """What the user says about the form of the files."""

    encoding: str = "utf-8"
    delimiter: str | None = None
    """The character between the fields of a table. If it is None, the header decides."""
    token_column: int = 0
    """Place of the word in a line of a CoNLL file, from 0; a negative place counts from the end."""
    tag_column: int = -1

    @classmethod
    def of(cls, config: DataConfig) -> FileFormat:
        """The format that a configuration names."""
        return cls(config.encoding, config.delimiter, config.token_column, config.tag_column)


PLAIN = FileFormat()


def text_lines(path: Path, encoding: str = "utf-8") -> Iterator[tuple[int, str]]:
    """The nonblank lines of plain text, without their line ends, and their numbers.

    Raises:
        DataError: the file cannot be read, or not with this encoding.
    """
    for number, line in enumerate(file_lines(path, encoding), 1):
        if text := line.strip():
            yield number, text


def numbered(path: Path, encoding: str = "utf-8") -> Iterator[tuple[int, str]]:
    """Lines with their numbers, and a blank line at the end. Raises DataError as `text_lines`."""
    number = 0
    for number, line in enumerate(file_lines(path, encoding), 1):
        yield number, line
    yield number + 1, ""


def file_lines(path: Path, encoding: str = "utf-8") -> Iterator[str]:
    """Physical lines with their line ends, without a byte order mark. Raises DataError as `text_lines`."""
    try:
        if codecs.lookup(encoding).name in ("utf-8", "utf-8-sig"):
            yield from _utf8_lines(path)
        else:
            yield from _decoded_lines(path, encoding)
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}") from None


def _utf8_lines(path: Path) -> Iterator[str]:
    begin = 0
    with path.open("rb") as stream:
        for number, raw in enumerate(stream, 1):
            marked = number == 1 and raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
            if number == 1 and not marked and 3 * raw.count(0) > len(raw):
                raise DataError(
                    f"{path}:1: a third of the bytes or more are zero, as in UTF-16",
                    hint=f"Save the file as UTF-8, or name its encoding: --set data.encoding={_utf16(raw)}",
                )
            try:
                yield (raw.removeprefix(BYTE_ORDER_MARK) if number == 1 else raw).decode("utf-8")
            except UnicodeDecodeError as error:
                usual = "utf-16" if marked else "cp1252 (Windows, western Europe)"
                raise DataError(
                    f"{path}:{number}: not UTF-8 at byte {error.start} of the line (byte {begin + error.start} of "
                    "the file)",
                    hint=f"Save the file as UTF-8, or name its encoding, such as --set data.encoding={usual}",
                ) from None
            begin += len(raw)


def _decoded_lines(path: Path, encoding: str) -> Iterator[str]:
    raw = path.read_bytes()
    if raw.startswith(BYTE_ORDER_MARK):
        raise DataError(
            f"{path}: the file begins with the mark of UTF-8, but data.encoding is {encoding}",
            hint="Leave out data.encoding",
        )
    try:
        text = raw.decode(encoding)
    except UnicodeDecodeError as error:
        line = 1 + raw[: error.start].decode(encoding, errors="replace").count("\n")
        raise DataError(
            f"{path}:{line}: not {encoding} at byte {error.start} of the file",
            hint="data.encoding names the encoding of all text files of the data set; save the others in it",
        ) from None
    except UnicodeError as error:
        raise DataError(f"{path}: not {encoding}: {error}", hint="Check data.encoding") from None
    yield from io.StringIO(text.removeprefix("\ufeff"), newline="\n")


def _utf16(raw: bytes) -> str:
    return "utf-16-be" if raw.startswith(b"\x00") else "utf-16-le"
