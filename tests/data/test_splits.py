from __future__ import annotations

import random
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from edge_ptf.data.splits import TEST, TRAIN, VALIDATION, assign, conflicts, content, crossing
from edge_ptf.examples import Example
from edge_ptf.tasks.text_classification import TextClassification

stratum = TextClassification.stratum

texts = st.text(alphabet="aAbB ß", min_size=1, max_size=6).filter(str.strip)
examples = st.lists(
    st.builds(Example, text=texts, label=st.sampled_from("xyz"), text_pair=st.none() | texts), min_size=1, max_size=60
)
fractions = st.floats(0, 0.45)


def shares_of(count: int, classes: int, validation: float, test: float) -> Counter[str]:
    rows = [Example(f"text {index}", str(index % classes)) for index in range(count)]
    return Counter(assign(rows, stratum, validation=validation, test=test))


@given(examples, fractions, fractions)
def test_a_split_is_disjoint_by_content(rows: list[Example], validation: float, test: float) -> None:
    split_of: dict[tuple[str, ...], str] = {}
    for row, split in zip(rows, assign(rows, stratum, validation=validation, test=test), strict=True):
        assert split_of.setdefault(content(row), split) == split


@given(examples, fractions, fractions, st.randoms(use_true_random=False))
def test_a_split_does_not_depend_on_the_order(
    rows: list[Example], validation: float, test: float, rng: random.Random
) -> None:
    first = Counter(zip(rows, assign(rows, stratum, validation=validation, test=test), strict=True))
    shuffled = list(rows)
    rng.shuffle(shuffled)
    assert first == Counter(zip(shuffled, assign(shuffled, stratum, validation=validation, test=test), strict=True))


@given(examples, fractions, fractions)
def test_a_split_is_deterministic(rows: list[Example], validation: float, test: float) -> None:
    assert assign(rows, stratum, validation=validation, test=test) == assign(
        rows, stratum, validation=validation, test=test
    )


def test_every_class_with_distinct_texts_stays_in_train() -> None:
    rows = [Example(f"{label} {index}", label) for label in "abcdef" for index in range(ord(label) - ord("a") + 1)]
    names = assign(rows, stratum, validation=0.4, test=0.5)
    assert {row.label for row, name in zip(rows, names, strict=True) if name == TRAIN} == set("abcdef")


def test_fractions_are_met_over_all_even_when_classes_are_small() -> None:
    assert shares_of(1000, 4, 0.1, 0.2) == {TRAIN: 700, VALIDATION: 100, TEST: 200}
    assert shares_of(90, 30, 0.1, 0.2) == {TRAIN: 63, VALIDATION: 9, TEST: 18}


def test_each_class_has_its_share_in_each_split() -> None:
    rows = [Example(f"text {index}", "rare" if index % 10 == 0 else "often") for index in range(500)]
    names = assign(rows, stratum, validation=0.1, test=0.2)
    assert Counter(zip((row.label for row in rows), names, strict=True)) == {
        ("often", TRAIN): 315,
        ("often", VALIDATION): 45,
        ("often", TEST): 90,
        ("rare", TRAIN): 35,
        ("rare", VALIDATION): 5,
        ("rare", TEST): 10,
    }


def test_one_more_row_moves_hardly_any_other() -> None:
    rows = [Example(f"text {index}", str(index % 5)) for index in range(400)]
    before = assign(rows, stratum, validation=0.1, test=0.2)
    after = assign([*rows, Example("one more", "0")], stratum, validation=0.1, test=0.2)
    assert sum(a != b for a, b in zip(before, after[:-1], strict=True)) <= 4


def test_content_ignores_case_and_white_space_and_looks_at_the_pair() -> None:
    assert content(Example(" Turn\u00a0ON  the light", "a")) == content(Example("turn on the LIGHT", "b"))
    assert content(Example("a", "x", "b")) != content(Example("a", "x", "c"))
    assert content(Example("a b", "x")) != content(Example("a", "x", "b"))


def test_crossing_finds_what_a_later_split_has_too() -> None:
    splits = {
        "train": [Example("In Test", "a"), Example("in validation", "a"), Example("own", "a")],
        "validation": [Example("in  validation", "a"), Example("in test", "b")],
        "test": [Example("in test", "a")],
    }
    assert crossing(splits) == {"train": {0, 1}, "validation": {1}}


def test_conflicts_count_texts_with_several_labels() -> None:
    rows = [Example("a", "x"), Example("A", "y"), Example("a ", "x"), Example("b", "x"), Example("b", "x")]
    assert conflicts(rows) == 1
