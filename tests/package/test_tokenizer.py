"""The packaged tokenizer gives what AutoTokenizer gives, for any text."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_ptf.errors import BadInputError, PackageError
from edge_ptf.package.tokenizer import PackageTokenizer, plain_document

FAMILIES = ("bert", "distilbert", "roberta", "xlm-roberta", "electra")
SIDES = ("right", "left")
INPUTS = ("input_ids", "attention_mask", "token_type_ids")
WORDS = st.sampled_from(["turn", "Lights", "PLAYING", "[MASK]", "</s>", "<unk>", "'s", "日本", "é", "🙂", "\u200d"])
TEXTS = st.text(max_size=40) | st.lists(WORDS | st.text(max_size=4), max_size=12).map(" ".join)


@pytest.fixture(scope="module")
def tokenizers(
    tiny_base: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory
) -> Callable[..., tuple[PackageTokenizer, Any]]:
    """The packaged tokenizer of a family and AutoTokenizer.

    `transformers` builds some tokenizers by class and passes over parts of `tokenizer.json`; what it saves then, as a
    checkpoint holds it, is what it does.
    """
    from transformers import AutoTokenizer

    @cache
    def both(family: str, side: str = "right") -> tuple[PackageTokenizer, Any]:
        reference = AutoTokenizer.from_pretrained(tiny_base(family), truncation_side=side)
        folder = tmp_path_factory.mktemp("saved")
        reference.save_pretrained(folder)
        document = plain_document((folder / "tokenizer.json").read_bytes())
        return PackageTokenizer(document, INPUTS, side=side), reference

    return both


@pytest.mark.parametrize("family", FAMILIES)
@settings(max_examples=80, deadline=None)
@given(text=TEXTS, pair=st.none() | TEXTS, limit=st.none() | st.integers(5, 40), side=st.sampled_from(SIDES))
def test_any_text_is_cut_as_by_autotokenizer(
    tokenizers: Callable[..., tuple[PackageTokenizer, Any]],
    family: str,
    text: str,
    pair: str | None,
    limit: int | None,
    side: str,
) -> None:
    packaged, reference = tokenizers(family, side)
    pairs = None if pair is None else [pair]
    options = {"truncation": limit is not None, "max_length": limit, "return_offsets_mapping": True}
    found, wanted = packaged([text], pairs, **options), reference([text], pairs, **options)
    assert found["input_ids"] == wanted["input_ids"]
    assert [list(map(tuple, row)) for row in found["offset_mapping"]] == [
        list(map(tuple, row)) for row in wanted["offset_mapping"]
    ]
    if "token_type_ids" in wanted:
        assert found["token_type_ids"] == wanted["token_type_ids"]
    if limit is not None:
        assert len(found["input_ids"][0]) <= limit


@pytest.mark.parametrize("family", FAMILIES)
def test_only_the_end_of_a_long_text_is_tokenized_where_its_beginning_is_removed(
    tokenizers: Callable[..., tuple[PackageTokenizer, Any]], family: str
) -> None:
    packaged, reference = tokenizers(family, "left")
    for words in (" turn on the lights", "PLAYING 日本\u3000", " \t" * 500 + "a "):
        text = words * (2_000_000 // len(words))
        options = {"truncation": True, "max_length": 20, "return_offsets_mapping": True}
        found, wanted = packaged([text], **options), reference([text[-40_000:]], **options)
        assert found["input_ids"] == wanted["input_ids"]
        before = len(text) - 40_000
        assert [tuple(pair) for pair in found["offset_mapping"][0]] == [
            (begin + before, end + before) if end else (0, 0) for begin, end in wanted["offset_mapping"][0]
        ]
        assert len(packaged._usable(text)) < 300_000 < len(text)
    assert packaged._usable("a" * 100_000) == "a" * 100_000


@pytest.mark.parametrize("family", FAMILIES)
def test_only_the_beginning_of_a_long_text_is_tokenized(
    tokenizers: Callable[..., tuple[PackageTokenizer, Any]], family: str
) -> None:
    packaged, reference = tokenizers(family)
    for words in ("turn on the lights ", "PLAYING 日本\u3000", " \t" * 500 + "a "):
        text = words * (2_000_000 // len(words))
        options = {"truncation": True, "max_length": 20, "return_offsets_mapping": True}
        found, wanted = packaged([text], **options), reference([text[:40_000]], **options)
        assert found["input_ids"] == wanted["input_ids"]
        assert [tuple(pair) for pair in found["offset_mapping"][0]] == [tuple(p) for p in wanted["offset_mapping"][0]]
        assert len(packaged._usable(text)) < 300_000 < len(text)
    assert packaged._usable("a" * 100_000) == "a" * 100_000


def test_a_text_that_is_too_long_is_refused(tokenizers: Callable[..., tuple[PackageTokenizer, Any]]) -> None:
    packaged, _ = tokenizers("bert")
    long = "é" * (8 << 20)
    assert len(packaged([long], max_length=8)["input_ids"][0]) <= 8
    for texts, pairs in (([long + "a"], None), (["a"], [long + "a"])):
        with pytest.raises(BadInputError, match="more than 16 MiB"):
            packaged(texts, pairs, max_length=8)


def test_texts_of_one_call_do_not_touch_each_other(
    tokenizers: Callable[..., tuple[PackageTokenizer, Any]],
) -> None:
    packaged, _ = tokenizers("bert")
    texts = ["turn on the light " * 30, "", "lights"]
    together = packaged(texts, max_length=16)
    assert together["input_ids"] == [packaged([text], max_length=16)["input_ids"][0] for text in texts]
    assert [len(ids) for ids in together["input_ids"]] == [16, 2, 3]
    assert len(packaged(texts, truncation=False, max_length=16)["input_ids"][0]) > 100
    assert packaged(texts, max_length=16) == together
    assert packaged([]) == {"input_ids": [], "token_type_ids": []}


def test_token_types_are_given_only_where_the_graph_takes_them(tiny_base: Callable[[str], Path]) -> None:
    document = (tiny_base("bert") / "tokenizer.json").read_bytes()
    assert set(PackageTokenizer(document, INPUTS)(["a"])) == {"input_ids", "token_type_ids"}
    assert set(PackageTokenizer(document, INPUTS[:2])(["a"])) == {"input_ids"}


def test_a_padding_inside_the_file_is_ignored(tiny_base: Callable[[str], Path]) -> None:
    from tokenizers import Tokenizer

    core = Tokenizer.from_file(str(tiny_base("bert") / "tokenizer.json"))
    plain = PackageTokenizer(core.to_str().encode(), INPUTS)(["lights"])
    core.enable_padding(length=20)
    core.enable_truncation(3)
    document = core.to_str().encode()
    assert PackageTokenizer(document, INPUTS)(["lights"]) == plain
    assert PackageTokenizer(plain_document(document), INPUTS)(["lights"]) == plain
    assert json.loads(plain_document(document))["padding"] is None


@pytest.mark.parametrize("document", [b"", b"{}", b"[]", b'{"model": 1}', b"\xff\xfe"])
def test_what_is_no_tokenizer_is_refused(document: bytes) -> None:
    with pytest.raises(PackageError, match="cannot be read"):
        PackageTokenizer(document, INPUTS)
