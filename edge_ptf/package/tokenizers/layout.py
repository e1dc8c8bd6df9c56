"""The file `tokenizer.bin`: everything the runner needs to cut a text, as docs/package.md section 10 lays it out."""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_ptf.package.tokenizers.base import UnsupportedTokenizerError
from edge_ptf.package.tokenizers.characters import CODE_POINTS, CharacterTable, Element, character_table
from edge_ptf.package.tokenizers.trie import FREE, descend, double_array

MODEL = "WordPiece"
MAGIC = b"EPTFTOKN"
VERSION = 1
BLOCK = 128
NONE = 0xFFFFFFFF
HEADER = struct.Struct("<8sIIIIII")
"""Magic, version, file size, id of the unknown token, longest word in characters, state after the continuation
prefix, number of sections."""
SECTION = struct.Struct("<III")
"""Kind, offset, size in bytes."""
ALIGNMENT = 8


class Section(IntEnum):
    """What a section holds."""

    TRIE = 1
    BLOCK_INDEX = 2
    BLOCKS = 3
    SEQUENCE_STARTS = 4
    SEQUENCES = 5
    ADDED_TOKENS = 6
    SINGLE_TEMPLATE = 7
    PAIR_TEMPLATE = 8


class Role(IntEnum):
    """What an item of a template puts in."""

    TOKEN = 0
    TEXT = 1
    TEXT_PAIR = 2


@dataclass(frozen=True, slots=True)
class TemplateItem:
    """A special token, or all tokens of a text; `type_id` is the token type of what it puts in."""

    role: Role
    token: int
    type_id: int


def tokenizer_tables(document: bytes) -> bytes:
    """The content of `tokenizer.bin` for a `tokenizer.json`.

    Raises:
        UnsupportedTokenizerError: it is no WordPiece tokenizer of the BERT family.
    """
    from tokenizers import Tokenizer

    content = json.loads(document)
    _check_components(content)
    model, core = content["model"], Tokenizer.from_str(document.decode())
    try:
        cells = double_array(model["vocab"])
        characters = character_table(core.normalizer, core.pre_tokenizer)
    except ValueError as error:
        raise UnsupportedTokenizerError(str(error)) from None
    prefix = descend(cells, model["continuing_subword_prefix"].encode())
    index, blocks = _blocks(characters.actions)
    starts = np.cumsum([0, *map(len, characters.sequences)], dtype=np.uint32)
    single, pair = _templates(content["post_processor"])
    sections = {
        Section.TRIE: cells.tobytes(),
        Section.BLOCK_INDEX: index.tobytes(),
        Section.BLOCKS: blocks.tobytes(),
        Section.SEQUENCE_STARTS: starts.tobytes(),
        Section.SEQUENCES: _packed_sequences(characters),
        Section.ADDED_TOKENS: _packed_added(content["added_tokens"]),
        Section.SINGLE_TEMPLATE: _packed_template(single),
        Section.PAIR_TEMPLATE: _packed_template(pair),
    }
    return _file(
        sections,
        unknown=model["vocab"][model["unk_token"]],
        longest=model["max_input_chars_per_word"],
        prefix=NONE if prefix is None else prefix,
    )


def _check_components(content: dict[str, Any]) -> None:
    wanted = {
        "model": (MODEL,),
        "normalizer": ("BertNormalizer",),
        "pre_tokenizer": ("BertPreTokenizer",),
        "post_processor": ("TemplateProcessing", "BertProcessing"),
    }
    for part, known in wanted.items():
        found = (content.get(part) or {}).get("type", "none")
        if found not in known:
            raise UnsupportedTokenizerError(f"{part} {found} (known to the runner: {', '.join(known)})")
    model = content["model"]
    if model["unk_token"] not in model["vocab"]:
        raise UnsupportedTokenizerError(f"the unknown token {model['unk_token']} is not in the vocabulary")
    for token in content["added_tokens"]:
        for setting in ("single_word", "lstrip", "rstrip", "normalized"):
            if token[setting]:
                raise UnsupportedTokenizerError(f"the added token {token['content']} with {setting}")
        if not token["content"]:
            raise UnsupportedTokenizerError("an empty added token")


def _templates(processor: dict[str, Any]) -> tuple[list[TemplateItem], list[TemplateItem]]:
    if processor["type"] == "BertProcessing":
        first, last = processor["cls"][1], processor["sep"][1]
        single = [TemplateItem(Role.TOKEN, first, 0), TemplateItem(Role.TEXT, 0, 0), TemplateItem(Role.TOKEN, last, 0)]
        return single, [*single, TemplateItem(Role.TEXT_PAIR, 0, 1), TemplateItem(Role.TOKEN, last, 1)]
    tokens = processor["special_tokens"]
    return _template(processor["single"], tokens), _template(processor["pair"], tokens)


def _template(items: Sequence[dict[str, Any]], tokens: Mapping[str, Any]) -> list[TemplateItem]:
    found = []
    for item in items:
        ((kind, value),) = item.items()
        if kind == "Sequence":
            found.append(TemplateItem(Role.TEXT if value["id"] == "A" else Role.TEXT_PAIR, 0, value["type_id"]))
        else:
            ids = tokens[value["id"]]["ids"]
            found += [TemplateItem(Role.TOKEN, token, value["type_id"]) for token in ids]
    return found


def _blocks(actions: NDArray[np.uint16]) -> tuple[NDArray[np.uint16], NDArray[np.uint16]]:
    """Equal runs of BLOCK code points are kept once."""
    blocks, index = np.unique(actions.reshape(CODE_POINTS // BLOCK, BLOCK), axis=0, return_inverse=True)
    return index.reshape(-1).astype("<u2"), blocks.astype("<u2")


def _packed_sequences(characters: CharacterTable) -> bytes:
    def packed(element: Element) -> int:
        return element.code_point | element.kind << 21 | (0 if element.rank is None else element.rank + 1) << 24

    return np.array([packed(each) for one in characters.sequences for each in one], dtype="<u4").tobytes()


def _packed_added(tokens: Sequence[Mapping[str, Any]]) -> bytes:
    """Count, then (id, length, bytes padded to 4); longer ones first, so that the first that fits is the longest."""
    parts = [struct.pack("<I", len(tokens))]
    for token in sorted(tokens, key=lambda token: -len(token["content"].encode())):
        text = token["content"].encode()
        parts.append(struct.pack("<II", token["id"], len(text)) + text + bytes(-len(text) % 4))
    return b"".join(parts)


def _packed_template(items: Sequence[TemplateItem]) -> bytes:
    return b"".join(struct.pack("<III", item.role, item.token, item.type_id) for item in items)


def _file(sections: Mapping[Section, bytes], *, unknown: int, longest: int, prefix: int) -> bytes:
    position = HEADER.size + SECTION.size * len(sections)
    table, bodies = [], []
    for kind, body in sections.items():
        padding = bytes(-position % ALIGNMENT)
        table.append(SECTION.pack(kind, position + len(padding), len(body)))
        bodies += [padding, body]
        position += len(padding) + len(body)
    header = HEADER.pack(MAGIC, VERSION, position, unknown, longest, prefix, len(sections))
    return b"".join([header, *table, *bodies])


def gap(content: bytes) -> str:
    """What is wrong with the header or the list of sections; empty if nothing is."""
    if len(content) < HEADER.size or content[: len(MAGIC)] != MAGIC:
        return "no header"
    _, version, size, *_, count = HEADER.unpack_from(content)
    if version != VERSION or size != len(content):
        return f"version {version}, {size} bytes"
    if HEADER.size + count * SECTION.size > len(content):
        return "sections beyond the end"
    kinds = set()
    for number in range(count):
        kind, offset, length = SECTION.unpack_from(content, HEADER.size + number * SECTION.size)
        if offset % 8 or offset + length > len(content):
            return f"section {number + 1} is not inside"
        kinds.add(kind)
    missing = [section.name.lower() for section in Section if section not in kinds]
    return f"no section {missing[0]}" if missing else ""


__all__ = ["FREE", "Role", "Section", "TemplateItem", "UnsupportedTokenizerError", "gap", "tokenizer_tables"]
