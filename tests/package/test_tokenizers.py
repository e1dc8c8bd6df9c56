"""The runner's tokenizer tables: equal to the Hugging Face tokenizer by construction, and proven to be."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer

from edge_ptf.errors import ParityError
from edge_ptf.package.tokenizers import KINDS, UnsupportedTokenizerError, kind_of
from edge_ptf.package.tokenizers import trie as trie_room
from edge_ptf.package.tokenizers.characters import Action, character_table
from edge_ptf.package.tokenizers.layout import MAGIC, tokenizer_tables
from edge_ptf.package.tokenizers.proof import prove_tables, random_texts
from edge_ptf.package.tokenizers.reference import TableTokenizer

Document = Callable[..., bytes]
WORDS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=12)


@pytest.fixture(scope="module")
def document(tiny_base: Callable[[str], Any]) -> Document:
    """`document(lowercase=…, **other settings of the normalizer)`: a WordPiece `tokenizer.json`."""

    def build(family: str = "bert", **normalizer: Any) -> bytes:
        content = json.loads((tiny_base(family) / "tokenizer.json").read_bytes())
        content["truncation"] = content["padding"] = None
        if normalizer:
            content["normalizer"].update(normalizer)
        return json.dumps(content).encode()

    return build


@given(st.dictionaries(WORDS, st.integers(0, 100_000), min_size=1, max_size=60))
@settings(max_examples=150, deadline=None)
def test_a_trie_finds_the_longest_token_and_its_id(vocabulary: dict[str, int]) -> None:
    cells = trie_room.double_array(vocabulary)
    assert len(cells) % trie_room.BLOCK == 0
    for token, number in vocabulary.items():
        key = token.encode()
        assert trie_room.find(cells, key) == (len(key), number)
        # Two bytes that no text holds end the walk at once.
        assert trie_room.find(cells, key + b"\xff\xff") == (len(key), number)
    longest = max(vocabulary, key=len) + "suffix"
    known = [token for token in vocabulary if longest.startswith(token)]
    best = max(known, key=lambda token: len(token.encode()))
    assert trie_room.find(cells, longest.encode()) == (len(best.encode()), vocabulary[best])


def test_a_token_that_is_not_in_the_trie_is_not_found() -> None:
    cells = trie_room.double_array({"play": 1, "##ing": 2})
    assert trie_room.find(cells, b"plan") == (0, -1)
    assert trie_room.find(cells, b"pla\0y") == (0, -1)
    assert trie_room.descend(cells, b"##") is not None
    assert trie_room.descend(cells, b"play") is None  # no longer token begins with it


@pytest.mark.parametrize("token", ["", "a\0b"])
def test_a_token_that_the_trie_cannot_hold_is_refused(token: str) -> None:
    with pytest.raises(ValueError, match="cannot be kept"):
        trie_room.double_array({token: 0})


def test_an_id_beyond_the_trie_is_refused() -> None:
    with pytest.raises(ValueError, match="larger than"):
        trie_room.double_array({"a": trie_room.MOST})


def test_every_code_point_has_an_action(document: Document) -> None:
    core = Tokenizer.from_str(document().decode())
    table = character_table(core.normalizer, core.pre_tokenizer)
    actions = table.actions
    assert actions[ord("a")] == Action.KEEP
    assert actions[ord("\t")] == Action.SPACE
    assert actions[ord("!")] == Action.ALONE
    assert actions[ord("中")] == Action.ALONE
    assert actions[ord("한")] == Action.HANGUL
    assert actions[0x200B] == Action.DROP
    assert Action.MARK <= actions[0x302E] < Action.SEQUENCE
    for character, image in (("A", "a"), ("É", "e"), ("ﬁ", "ﬁ"), ("İ", "i"), ("Ǆ", "ǆ")):
        action = int(actions[ord(character)])
        found = (
            character
            if action == Action.KEEP
            else "".join(chr(each.code_point) for each in table.sequences[action - Action.SEQUENCE])
        )
        assert found == image
    assert actions.max() < Action.SEQUENCE + len(table.sequences)


@pytest.mark.parametrize(
    "normalizer",
    [
        {"lowercase": True},
        {"lowercase": False},
        {"lowercase": False, "strip_accents": True},
        {"lowercase": True, "strip_accents": False},
        {"clean_text": False},
        {"handle_chinese_chars": False},
    ],
    ids=lambda value: "-".join(f"{key}={flag}" for key, flag in value.items()),
)
def test_tables_are_proven_for_every_setting_of_the_normalizer(document: Document, normalizer: dict[str, bool]) -> None:
    content = document(**normalizer)
    core = Tokenizer.from_str(content.decode())
    proof = prove_tables(core, tokenizer_tables(content), ["turn on the lights"], rounds=500)
    assert proof.code_points == 0x110000 - 2048
    assert proof.texts == 501


@pytest.mark.parametrize(
    ("damage", "text"),
    [
        ((b"lights", b"lighst"), "turn on the lights"),
        ((b'"lowercase": true', b'"lowercase": false'), "the Lights"),
        ((b'"unk_token": "[UNK]"', b'"unk_token": "[PAD]"'), "zzz中"),
    ],
)
def test_a_proof_finds_what_is_wrong(document: Document, damage: tuple[bytes, bytes], text: str) -> None:
    content = document()
    core = Tokenizer.from_str(content.decode())
    wrong = content.replace(*damage)
    assert wrong != content
    with pytest.raises(ParityError):
        prove_tables(core, tokenizer_tables(wrong), [text], rounds=0)


def test_the_reference_gives_the_places_that_the_tokenizer_gives(document: Document) -> None:
    content = document()
    core, tokenizer = Tokenizer.from_str(content.decode()), TableTokenizer(tokenizer_tables(content))
    for text in ("Turn ON the lights!", "pläying [MASK] 中\u200bthe", "x" * 120 + " on", *random_texts(300, 9)):
        found = core.encode(text, add_special_tokens=False)
        tokens = list(tokenizer.tokens(text))
        assert [token.id for token in tokens] == found.ids
        if not any(ord(each) >= 0x300 for each in text):  # marks that are put into order may lie elsewhere
            assert [(token.start, token.end) for token in tokens] == found.offsets


@pytest.mark.parametrize("side", ["right", "left"])
@pytest.mark.parametrize("length", [3, 4, 5, 6, 9, 64])
def test_a_text_is_shortened_as_the_tokenizer_does(document: Document, side: str, length: int) -> None:
    content = document()
    core, tokenizer = Tokenizer.from_str(content.decode()), TableTokenizer(tokenizer_tables(content))
    core.enable_truncation(length, direction=side)
    texts = ["turn on the lights", "play", "set a timer for five minutes please now", ""]
    for text in texts:
        for pair in [None, *texts]:
            if pair is not None and length == 3:
                continue
            found = core.encode(text) if pair is None else core.encode(text, pair)
            assert tokenizer.encode(text, pair, length, side) == (found.ids, found.type_ids)


def test_tables_are_the_same_bytes_each_time(document: Document) -> None:
    first = tokenizer_tables(document())
    assert first == tokenizer_tables(document())
    assert first.startswith(MAGIC)
    assert len(first) == np.frombuffer(first, "<u4", 1, 12)[0]


@pytest.mark.parametrize(("family", "part"), [("roberta", "model BPE"), ("xlm-roberta", "model Unigram")])
def test_a_tokenizer_that_the_runner_does_not_know_is_named(document: Document, family: str, part: str) -> None:
    for made in (kind_of, tokenizer_tables):
        with pytest.raises(UnsupportedTokenizerError, match=rf"{part} \(known to the runner: WordPiece\)"):
            made(document(family))


def test_every_registered_kind_makes_reads_and_proves_its_tables(document: Document) -> None:
    documents = {"wordpiece": document()}
    assert KINDS.keys() == documents.keys()
    for name, content in documents.items():
        kind = kind_of(content)
        assert kind is KINDS[name]
        assert kind.name == name
        tables, core = kind.tables(content), Tokenizer.from_str(content.decode())
        found = core.encode("turn on the lights", "play")
        assert kind.reference(tables).encode("turn on the lights", "play") == (found.ids, found.type_ids)
        assert kind.prove(core, tables, ["turn on the lights"]).texts > 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"normalizer": None}, "normalizer none"),
        ({"pre_tokenizer": {"type": "Whitespace"}}, "pre_tokenizer Whitespace"),
        ({"post_processor": None}, "post_processor none"),
    ],
)
def test_a_component_that_the_runner_does_not_know_is_named(
    document: Document, change: dict[str, Any], message: str
) -> None:
    content = {**json.loads(document()), **change}
    with pytest.raises(UnsupportedTokenizerError, match=message):
        tokenizer_tables(json.dumps(content).encode())


def test_an_added_token_with_settings_is_named(document: Document) -> None:
    content = json.loads(document())
    token = {"id": 5, "content": "<x>", "special": False, "single_word": False, "lstrip": True, "rstrip": False}
    content["added_tokens"].append({**token, "normalized": False})
    with pytest.raises(UnsupportedTokenizerError, match="<x> with lstrip"):
        tokenizer_tables(json.dumps(content).encode())


def test_a_package_carries_its_tables_and_what_proved_them(make_payload: Callable[..., Any]) -> None:
    payload = make_payload()
    entry = payload.manifest.tokenizer
    assert (entry.kind, entry.tables) == ("wordpiece", "tokenizer.bin")
    assert entry.proof is not None
    assert entry.proof.code_points == 1_112_064
    assert entry.proof.texts > 2000
    assert payload.read("tokenizer.bin").startswith(MAGIC)


def test_a_package_without_tables_says_why(make_payload: Callable[..., Any]) -> None:
    entry = make_payload("roberta").manifest.tokenizer
    assert entry.tables is None
    assert entry.unsupported.startswith("model BPE")
