from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_ptf.checkpoint import load_tokenizer
from edge_ptf.compression import vocabulary
from edge_ptf.data.augmentation import foreign_words, mixed
from edge_ptf.tasks.base import Example

EXAMPLES = [
    Example("turn on the light", "light"),
    Example("play some jazz music", "music"),
    Example("what is weather", "weather"),
]


def test_the_same_seed_gives_the_same_texts() -> None:
    assert mixed(EXAMPLES, 50, 3) == mixed(EXAMPLES, 50, 3)
    assert mixed(EXAMPLES, 50, 3) != mixed(EXAMPLES, 50, 4)
    assert mixed(EXAMPLES, 50, 3)[:20] == mixed(EXAMPLES, 20, 3)
    assert mixed(EXAMPLES, 0, 3) == []


def test_texts_are_the_beginning_of_one_and_the_end_of_another() -> None:
    words = [example.text.split() for example in EXAMPLES]
    joined = {
        tuple(head[:cut] + tail[rest:])
        for head in words
        for tail in words
        for cut in range(len(head) + 1)
        for rest in range(len(tail) + 1)
    }
    found = [tuple(example.text.split()) for example in mixed(EXAMPLES, 600, 0)]
    whole = sum(text in joined for text in found)
    assert 0.6 < whole / len(found) < 0.95  # a third lose words, some of these none in the end
    assert len(set(found)) > 100
    known = {word for text in words for word in text}
    assert all(set(text) <= known for text in found)


def test_labels_stay_those_of_the_first_text() -> None:
    labels = {example.text.split()[0]: example.label for example in EXAMPLES}
    assert {example.label for example in mixed(EXAMPLES, 200, 0)} == set(labels.values())


def test_pairs_stay_pairs() -> None:
    pairs = [Example("a b", "x", "first"), Example("c d", "y", "second")]
    found = mixed(pairs, 100, 0)
    assert {example.text_pair for example in found} == {"first", "second"}


@settings(deadline=None)
@given(st.lists(st.text("ab \t", min_size=1).filter(str.strip), min_size=1, max_size=5), st.integers(0, 9))
def test_no_text_is_empty(texts: list[str], seed: int) -> None:
    for example in mixed([Example(text, "x") for text in texts], 20, seed):
        assert example.text.strip()
        assert example.text == " ".join(example.text.split())


def test_foreign_words_stand_in_as_many_texts_as_asked() -> None:
    foreign = ["tuba", "galicia", "ruiz"]
    assert mixed(EXAMPLES, 200, 0, [], 0.5) == mixed(EXAMPLES, 200, 0)
    assert not any(set(foreign) & set(example.text.split()) for example in mixed(EXAMPLES, 200, 0, foreign, 0.0))
    found = [set(foreign) & set(example.text.split()) for example in mixed(EXAMPLES, 2_000, 0, foreign, 0.5)]
    assert 0.46 < sum(map(bool, found)) / len(found) < 0.54
    assert {len(words) for words in found} == {0, 1, 2}
    assert set().union(*found) == set(foreign)


@pytest.mark.parametrize("family", ["bert", "roberta", "xlm-roberta"])
def test_foreign_words_are_those_the_smaller_vocabulary_lacks(tiny_base: Callable[[str], Path], family: str) -> None:
    teacher = load_tokenizer(tiny_base(family))
    texts = [" turn on the light", " play some jazz"]
    kept = vocabulary.kept_ids(teacher, vocabulary.count_pieces(teacher, texts), 1, None)
    student = vocabulary.rewritten(teacher, kept)
    found = foreign_words(teacher, student)
    assert {"kitchen", "weather"} <= set(found)
    assert not {"turn", "light", "jazz"} & set(found)
    assert len(found) == len(set(found))
    for word in found:
        whole, cut = (each(f" {word}", add_special_tokens=False)["input_ids"] for each in (teacher, student))
        assert len(whole) == 1 < len(cut)
    assert foreign_words(teacher, teacher) == []
