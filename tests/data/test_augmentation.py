from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_ptf.compression import vocabulary
from edge_ptf.data.augmentation import near_words, spliced, split_words, substituted
from edge_ptf.examples import Example
from edge_ptf.models.checkpoint import load_tokenizer

EXAMPLES = [
    Example("turn on the light", "light"),
    Example("play some jazz music", "music"),
    Example("what is weather", "weather"),
]


def test_the_same_seed_gives_the_same_texts() -> None:
    assert spliced(EXAMPLES, 50, 3) == spliced(EXAMPLES, 50, 3)
    assert spliced(EXAMPLES, 50, 3) != spliced(EXAMPLES, 50, 4)
    assert spliced(EXAMPLES, 50, 3)[:20] == spliced(EXAMPLES, 20, 3)
    assert spliced(EXAMPLES, 0, 3) == []


def test_texts_are_the_beginning_of_one_and_the_end_of_another() -> None:
    words = [example.text.split() for example in EXAMPLES]
    joined = {
        tuple(head[:cut] + tail[rest:])
        for head in words
        for tail in words
        for cut in range(len(head) + 1)
        for rest in range(len(tail) + 1)
    }
    found = [tuple(example.text.split()) for example in spliced(EXAMPLES, 600, 0)]
    whole = sum(text in joined for text in found)
    assert 0.6 < whole / len(found) < 0.95  # a third lose words, but some of these lose no word by chance
    assert len(set(found)) > 100
    known = {word for text in words for word in text}
    assert all(set(text) <= known for text in found)


def test_labels_stay_those_of_the_first_text() -> None:
    labels = {example.text.split()[0]: example.label for example in EXAMPLES}
    assert {example.label for example in spliced(EXAMPLES, 200, 0)} == set(labels.values())


def test_pairs_stay_pairs() -> None:
    pairs = [Example("a b", "x", "first"), Example("c d", "y", "second")]
    found = spliced(pairs, 100, 0)
    assert {example.text_pair for example in found} == {"first", "second"}


@settings(deadline=None)
@given(st.lists(st.text("ab \t", min_size=1).filter(str.strip), min_size=1, max_size=5), st.integers(0, 9))
def test_no_text_is_empty(texts: list[str], seed: int) -> None:
    for example in spliced([Example(text, "x") for text in texts], 20, seed):
        assert example.text.strip()
        assert example.text == " ".join(example.text.split())


def test_foreign_words_stand_in_as_many_texts_as_asked() -> None:
    foreign = ["tuba", "galicia", "ruiz"]
    assert spliced(EXAMPLES, 200, 0, [], 0.5) == spliced(EXAMPLES, 200, 0)
    assert not any(set(foreign) & set(example.text.split()) for example in spliced(EXAMPLES, 200, 0, foreign, 0.0))
    found = [set(foreign) & set(example.text.split()) for example in spliced(EXAMPLES, 2_000, 0, foreign, 0.5)]
    assert 0.46 < sum(map(bool, found)) / len(found) < 0.54
    assert {len(words) for words in found} == {0, 1, 2}
    assert set().union(*found) == set(foreign)


@pytest.mark.parametrize("family", ["bert", "roberta", "xlm-roberta"])
def test_foreign_words_are_those_the_smaller_vocabulary_lacks(tiny_base: Callable[[str], Path], family: str) -> None:
    teacher = load_tokenizer(tiny_base(family))
    texts = [" turn on the light", " play some jazz"]
    kept = vocabulary.kept_ids(teacher, vocabulary.count_subwords(teacher, texts), 1, None)
    student = vocabulary.rewritten(teacher, kept)
    found = split_words(teacher, student)
    assert {"kitchen", "weather"} <= set(found)
    assert not {"turn", "light", "jazz"} & set(found)
    assert len(found) == len(set(found))
    for word in found:
        whole, cut = (each(f" {word}", add_special_tokens=False)["input_ids"] for each in (teacher, student))
        assert len(whole) == 1 < len(cut)
    assert split_words(teacher, teacher) == []


NEAR = {"light": ("lamp", "lights"), "music": ("songs",), "what": ("which",)}


def test_some_words_are_replaced_by_near_ones_and_one_at_least() -> None:
    found = substituted(EXAMPLES, 300, 0, NEAR, 0.1)
    assert found == substituted(EXAMPLES, 300, 0, NEAR, 0.1) != substituted(EXAMPLES, 300, 1, NEAR, 0.1)
    assert {example.text for example in found} == {
        "turn on the lamp",
        "turn on the lights",
        "play some jazz songs",
        "which is weather",
    }
    assert {example.text.split()[0]: example.label for example in found} == {
        "turn": "light",
        "play": "music",
        "which": "weather",
    }


def test_the_share_of_replaced_words_is_the_one_asked_for() -> None:
    text = Example(" ".join(["word"] * 40), "x")
    counts = [example.text.split().count("other") for example in substituted([text], 400, 0, {"word": ("other",)}, 0.3)]
    assert 0.28 < np.mean(counts) / 40 < 0.32
    assert substituted([text], 2, 0, {}) == [text, text]


@pytest.mark.parametrize("family", ["bert", "roberta", "xlm-roberta"])
def test_near_words_are_those_with_the_nearest_embeddings(tiny_base: Callable[[str], Path], family: str) -> None:
    tokenizer = load_tokenizer(tiny_base(family))
    embeddings = np.random.default_rng(0).normal(size=(len(tokenizer), 8)).astype(np.float32)
    found = near_words(tokenizer, embeddings, ["light", "kitchen", "light", "notaword"], 5)
    assert list(found) == ["light", "kitchen"]
    assert len(found["light"]) == 5 and "light" not in found["light"]
    everyone = near_words(tokenizer, embeddings, ["light"], 20)["light"]
    assert everyone[:5] == found["light"]
    for word in everyone:
        assert len(tokenizer(f" {word}", add_special_tokens=False)["input_ids"]) == 1
    assert near_words(tokenizer, embeddings, ["notaword"]) == {}


def test_the_nearest_of_all_comes_first(tiny_base: Callable[[str], Path]) -> None:
    tokenizer = load_tokenizer(tiny_base("bert"))
    embeddings = np.random.default_rng(0).normal(size=(len(tokenizer), 8)).astype(np.float32)
    light, kitchen = (tokenizer.convert_tokens_to_ids(word) for word in ("light", "kitchen"))
    embeddings[kitchen] = embeddings[light] + 0.01
    assert near_words(tokenizer, embeddings, ["light"], 3)["light"][0] == "kitchen"
