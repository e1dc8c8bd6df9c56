from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from edge_ptf.compression.vocabulary import count_subwords, differences, kept_ids, obstacle, rewritten
from edge_ptf.errors import CheckpointError
from edge_ptf.models.checkpoint import load_tokenizer

KINDS = {"WordPiece": "bert", "BPE": "roberta", "Unigram": "xlm-roberta"}
WORDS = ("turn", "on", "off", "the", "lights", "in", "kitchen", "playing", "played", "player", "unable", "er", "reds")
LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789'?!.,-"
word = st.one_of(st.sampled_from(WORDS), st.text("abtuo'7?é☕", min_size=1, max_size=6))
texts_of_words = st.lists(st.lists(word, max_size=8).map(" ".join), min_size=1, max_size=5)
many = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(scope="module")
def tokenizers(tiny_base: Callable[[str], Path]) -> dict[str, Any]:
    return {kind: load_tokenizer(tiny_base(family)) for kind, family in KINDS.items()}


def subwords(tokenizer: Any, text: str, **options: Any) -> list[str]:
    return tokenizer.convert_ids_to_tokens(tokenizer(text, **options)["input_ids"])


def cut(tokenizer: Any, texts: list[str], min_count: int = 1, size: int | None = None) -> tuple[Any, list[int]]:
    kept = kept_ids(tokenizer, count_subwords(tokenizer, texts), min_count, size)
    return rewritten(tokenizer, kept), kept


@pytest.mark.parametrize("kind", KINDS)
@many
@given(texts=texts_of_words, others=texts_of_words)
def test_counted_texts_are_cut_into_the_same_pieces(
    tokenizers: dict[str, Any], kind: str, texts: list[str], others: list[str]
) -> None:
    before = tokenizers[kind]
    after, kept = cut(before, texts)
    assert len(after) == len(kept) <= len(before)
    for text in texts:
        assert subwords(after, text) == subwords(before, text)
        ids = before(text)["input_ids"]
        assert after(text)["input_ids"] == [kept.index(number) for number in ids]
        assert (
            after(text, return_offsets_mapping=True)["offset_mapping"]
            == (before(text, return_offsets_mapping=True)["offset_mapping"])
        )
    for text in others:  # no other word becomes unknown
        unknown = [subwords(tokenizer, text).count(before.unk_token) for tokenizer in (before, after)]
        assert unknown[0] == unknown[1]
    assert subwords(after, texts[0], text_pair=texts[-1]) == subwords(before, texts[0], text_pair=texts[-1])


@pytest.mark.parametrize("kind", KINDS)
def test_every_single_character_stays(tokenizers: dict[str, Any], kind: str) -> None:
    before = tokenizers[kind]
    after, _ = cut(before, ["on"])
    assert len(after) < len(before) - 10
    if kind == "WordPiece":
        assert {*LETTERS, *(f"##{letter}" for letter in LETTERS)} <= set(after.get_vocab())
    elif kind == "BPE":
        assert set(pre_tokenizers.ByteLevel.alphabet()) <= set(after.get_vocab())
    else:
        assert {*LETTERS, "▁"} <= set(after.get_vocab())
    for text in ("zyxw 0987", "un-named's?"):
        assert before.unk_token not in subwords(after, text)


@pytest.mark.parametrize("kind", KINDS)
def test_special_tokens_keep_working(tokenizers: dict[str, Any], kind: str) -> None:
    before = tokenizers[kind]
    after, kept = cut(before, ["kitchen lights"])
    for name in ("pad", "unk", "cls", "sep", "mask", "bos", "eos"):
        assert getattr(after, f"{name}_token") == getattr(before, f"{name}_token")
        old, new = (getattr(tokenizer, f"{name}_token_id") for tokenizer in (before, after))
        assert new == (None if old is None else kept.index(old))
    assert set(after.all_special_tokens) == set(before.all_special_tokens)
    masked = f"the {before.mask_token} lights"
    assert subwords(after, masked).count(before.mask_token) == subwords(before, masked).count(before.mask_token)
    assert after.decode(after("kitchen lights")["input_ids"], skip_special_tokens=True).strip() == "kitchen lights"
    padded = after(["kitchen", "kitchen lights"], padding=True)
    assert padded["attention_mask"][0][-1] == 0
    assert after("on")["input_ids"][0] == after.cls_token_id
    assert after("on")["input_ids"][-1] == after.sep_token_id
    assert after.model_input_names == before.model_input_names


@pytest.mark.parametrize("kind", KINDS)
def test_the_size_is_filled_from_the_top(tokenizers: dict[str, Any], kind: str) -> None:
    before = tokenizers[kind]
    counts = count_subwords(before, ["kitchen"])
    least = kept_ids(before, counts, 1, None)
    for size in (1, len(least), len(least) + 5, len(before) - 3):
        kept = kept_ids(before, counts, 1, size)
        assert set(least) <= set(kept)
        assert max(len(least), size) <= len(kept) <= max(len(least), size) + (5 if kind == "BPE" else 0)
        skipped = sorted(set(range(len(before))) - set(kept))
        added = set(kept) - set(least)
        if kind != "BPE" and added and skipped:
            assert max(added) < min(skipped)
    assert kept_ids(before, counts, 1, 10_000) == list(range(len(before)))
    after = rewritten(before, kept_ids(before, counts, 1, len(before) - 3))
    assert subwords(after, "the kitchen lights on") == subwords(before, "the kitchen lights on")


@pytest.mark.parametrize("kind", KINDS)
def test_rare_pieces_fall_below_the_count(tokenizers: dict[str, Any], kind: str) -> None:
    before = tokenizers[kind]
    texts = ["the kitchen"] * 3 + ["the bedroom"]
    after, _ = cut(before, texts, min_count=2)
    assert subwords(after, "the kitchen") == subwords(before, "the kitchen")
    assert len(subwords(after, "the bedroom")) > len(subwords(before, "the bedroom"))
    assert before.unk_token not in subwords(after, "the bedroom")


@pytest.mark.parametrize("kind", KINDS)
def test_cutting_again_changes_nothing(tokenizers: dict[str, Any], kind: str) -> None:
    texts = ["turn the lights off", "playing in kitchen"]
    first, _ = cut(tokenizers[kind], texts)
    second, kept = cut(first, texts)
    assert kept == list(range(len(first)))
    assert second.backend_tokenizer.to_str() == first.backend_tokenizer.to_str()


def test_bpe_keeps_what_merges_pass_through(tokenizers: dict[str, Any]) -> None:
    after, _ = cut(tokenizers["BPE"], ["the kitchen"])
    model = json.loads(after.backend_tokenizer.to_str())["model"]
    built = {"".join(pair) for pair in model["merges"]}
    assert all(subword in model["vocab"] for pair in model["merges"] for subword in pair)
    assert {subword for subword in model["vocab"] if len(subword) > 1 and not subword.startswith("<")} == built


def test_merges_written_as_strings_are_understood(tokenizers: dict[str, Any], tmp_path: Path) -> None:
    before = tokenizers["BPE"]
    before.save_pretrained(tmp_path)
    document = json.loads((tmp_path / "tokenizer.json").read_text())
    document["model"]["merges"] = [" ".join(pair) for pair in document["model"]["merges"]]
    (tmp_path / "tokenizer.json").write_text(json.dumps(document))
    assert cut(load_tokenizer(tmp_path), ["the kitchen"])[1] == cut(before, ["the kitchen"])[1]


def test_large_byte_pair_vocabularies_are_filled_quickly(tokenizers: dict[str, Any]) -> None:
    """Some 20,000 merges, in seconds: the parts of a subword are computed once."""
    letters = [chr(0x4E00 + number) for number in range(150)]
    merges = [(left, right) for left in letters for right in letters]
    names = {subword: number for number, subword in enumerate(["<unk>", "<pad>", *letters, *map("".join, merges)])}
    core = Tokenizer(models.BPE(names, merges, unk_token="<unk>"))
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=core, unk_token="<unk>", pad_token="<pad>")
    kept = kept_ids(tokenizer, Counter(), 1, 20_000)
    assert kept == list(range(20_000))


def unigram(vocabulary: list[tuple[str, float]], **options: Any) -> Any:
    core = Tokenizer(models.Unigram(vocabulary, unk_id=0, **options))
    core.pre_tokenizer = pre_tokenizers.Metaspace()
    return PreTrainedTokenizerFast(tokenizer_object=core, unk_token="<unk>", pad_token="<pad>")


def test_unknown_characters_cost_as_much_as_before() -> None:
    """The score of an unknown character in Unigram depends on the least likely subword."""
    rest = [("▁", -1.0), ("c", -2.0), ("▁ca", -7.0), ("fé", -9.0), ("af", -1.0), ("rare", -15.0)]
    before = unigram([("<unk>", 0.0), ("<pad>", 0.0), *rest])
    after, _ = cut(before, ["café"])
    assert subwords(after, "café") == subwords(before, "café")
    assert "rare" in after.get_vocab()


def test_byte_pieces_stay_where_they_stand_for_unknown_characters() -> None:
    octets = [(f"<0x{number:02X}>", -20.0) for number in range(256)]
    before = unigram([("<unk>", 0.0), ("<pad>", 0.0), ("▁", -1.0), ("a", -2.0), *octets], byte_fallback=True)
    after, _ = cut(before, ["a"])
    assert subwords(after, "é") == subwords(before, "é") == ["▁", "<0xC3>", "<0xA9>"]


def test_ids_without_a_piece_are_passed_over(tmp_path: Path) -> None:
    """Some tokenizers number their subwords with gaps, and added tokens fill these gaps."""
    names = {"[UNK]": 0, "[PAD]": 1, "a": 4, "##b": 6, "ab": 9}
    core = Tokenizer(models.WordPiece(names, unk_token="[UNK]"))
    core.pre_tokenizer = pre_tokenizers.Whitespace()
    before = PreTrainedTokenizerFast(tokenizer_object=core, unk_token="[UNK]", pad_token="[PAD]")
    after, kept = cut(before, ["a"])
    assert kept == [0, 1, 4, 6]
    assert after.get_vocab() == {"[UNK]": 0, "[PAD]": 1, "a": 2, "##b": 3}
    assert cut(before, ["a"], size=100)[1] == [0, 1, 4, 6, 9]


def test_unused_places_are_not_filled_up() -> None:
    names = ["[UNK]", "[PAD]", "[unused0]", "[unused1]", "a", "##b", "word", "other"]
    core = Tokenizer(models.WordPiece({name: number for number, name in enumerate(names)}, unk_token="[UNK]"))
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=core, unk_token="[UNK]", pad_token="[PAD]")
    assert kept_ids(tokenizer, Counter(), 1, 7) == [0, 1, 4, 5, 6, 7]


@cache
def byte_pairs(prefix: str | None, suffix: str | None) -> Any:
    """A tokenizer that marks subwords inside a word with a prefix, and those at its end with a suffix."""
    marks = {"continuing_subword_prefix": prefix, "end_of_word_suffix": suffix}
    given_marks = {name: value for name, value in marks.items() if value}
    core = Tokenizer(models.BPE(unk_token="<unk>", **given_marks))
    core.pre_tokenizer = pre_tokenizers.Whitespace()
    trainer = trainers.BpeTrainer(vocab_size=900, special_tokens=["<unk>", "<pad>"], show_progress=False, **given_marks)
    core.train_from_iterator([" ".join(WORDS), *map("".join, product("pqz", repeat=3))], trainer)
    return PreTrainedTokenizerFast(tokenizer_object=core, unk_token="<unk>", pad_token="<pad>")


@pytest.mark.parametrize(("prefix", "suffix"), [(None, "</w>"), ("@@", None), ("##", None), ("@@", "</w>")])
@many
@given(others=st.lists(st.text("pqzentr", min_size=1, max_size=7), min_size=1, max_size=5))
def test_no_text_becomes_unknown_whatever_marks_the_places_in_a_word(
    prefix: str | None, suffix: str | None, others: list[str]
) -> None:
    before = byte_pairs(prefix, suffix)
    after, kept = cut(before, ["turn on"])
    assert len(kept) < len(before)
    for text in (*others, "qqz", "zqp"):
        unknown = [subwords(tokenizer, text).count("<unk>") for tokenizer in (before, after)]
        assert unknown[0] == unknown[1], text
    assert subwords(after, "turn on") == subwords(before, "turn on")


def test_the_mark_inside_a_word_is_the_tokenizers_own() -> None:
    names = ["[UNK]", "[PAD]", "a", "b", "@@a", "@@b", "ab", "##a", "##ab"]
    model = models.WordPiece(
        {name: number for number, name in enumerate(names)}, unk_token="[UNK]", continuing_subword_prefix="@@"
    )
    core = Tokenizer(model)
    core.pre_tokenizer = pre_tokenizers.Whitespace()
    before = PreTrainedTokenizerFast(tokenizer_object=core, unk_token="[UNK]", pad_token="[PAD]")
    after, _ = cut(before, ["a"])
    assert {"a", "b", "@@a", "@@b"} <= set(after.get_vocab())
    assert "ab" not in after.get_vocab()
    assert subwords(after, "ba ab") == ["b", "@@a", "a", "@@b"]


@pytest.mark.parametrize("kind", ["WordPiece", "Unigram"])
def test_a_subword_with_a_character_that_stands_nowhere_alone_stays(kind: str) -> None:
    rest = ["q", "quo", "art", "a", "r", "t"]
    if kind == "WordPiece":
        rest += [f"##{letter}" for letter in "art"]
        names = {name: number for number, name in enumerate(["<unk>", "<pad>", *rest])}
        core = Tokenizer(models.WordPiece(names, unk_token="<unk>"))
        core.pre_tokenizer = pre_tokenizers.Whitespace()
        before = PreTrainedTokenizerFast(tokenizer_object=core, unk_token="<unk>", pad_token="<pad>")
    else:
        before = unigram([("<unk>", 0.0), ("<pad>", 0.0), ("▁", -1.0), *((name, -3.0) for name in rest)])
    after, _ = cut(before, ["a"])
    assert "art" not in after.get_vocab()
    assert subwords(after, "quo") == subwords(before, "quo")
    assert "<unk>" not in subwords(after, "quo")


def test_ids_below_the_first_that_may_go_stay(tokenizers: dict[str, Any]) -> None:
    before = tokenizers["WordPiece"]
    first = before.get_vocab()["kitchen"]
    least, kept = kept_ids(before, Counter(), 1, None), kept_ids(before, Counter(), 1, None, first)
    assert set(kept) == {*least, *range(first)}
    assert len(kept_ids(before, Counter(), 1, len(kept) + 2, first)) == len(kept) + 2


def test_another_kind_of_tokenizer_is_not_pruned_and_the_reason_is_told(tokenizers: dict[str, Any]) -> None:
    assert [obstacle(tokenizer) for tokenizer in tokenizers.values()] == ["", "", ""]
    core = Tokenizer(models.WordLevel({"[UNK]": 0, "[PAD]": 1, "a": 2}, unk_token="[UNK]"))
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=core, unk_token="[UNK]", pad_token="[PAD]")
    assert "WordLevel" in obstacle(tokenizer)
    with pytest.raises(CheckpointError, match="WordLevel") as caught:
        kept_ids(tokenizer, Counter(), 1, None)
    assert "prune.vocabulary" in caught.value.hint


def test_differences_count_unknown_pieces_and_tokens(tokenizers: dict[str, Any]) -> None:
    before = tokenizers["WordPiece"]
    after, _ = cut(before, ["kitchen"])
    found = differences(before, after, ["kitchen ☕", "the kitchen"])
    assert found["unknown_per_thousand_before"] == 250.0
    assert found["unknown_per_thousand_after"] == round(1000 / 6, 3)
    assert found["mean_tokens_before"] == 2.0
    assert found["mean_tokens_after"] == 3.0  # "the" is split into three letters


def test_pieces_are_counted_without_special_tokens(tokenizers: dict[str, Any]) -> None:
    tokenizer = tokenizers["WordPiece"]
    names = tokenizer.get_vocab()
    assert count_subwords(tokenizer, ["the kitchen", "the ☕"]) == Counter(
        {names["the"]: 2, names["kitchen"]: 1, names["[UNK]"]: 1}
    )
