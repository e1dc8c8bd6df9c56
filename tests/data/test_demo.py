"""The demo corpus: counts, splits that do not leak, aligned BIO tags, and the same bytes on every machine."""

from __future__ import annotations

import hashlib
import random
import re
from collections import Counter

import pytest

from edge_ptf import tasks
from edge_ptf.data import load
from edge_ptf.data.demo import OUT_OF_SCOPE_LABEL, DemoRow, generate, generate_drafts, generate_small, noise
from edge_ptf.data.demo.grammar import INTENTS
from edge_ptf.data.demo.out_of_scope import OUT_OF_SCOPE, OUT_OF_SCOPE_FILLERS
from edge_ptf.data.demo.slots import SLOTS
from edge_ptf.provable import provable

SEED_0_SHA256 = "7d6cf1d27a2ff74dc5c03477e87119e6dcab3f18d1dd591de0313617611b1539"


def _rows() -> list[DemoRow]:
    return [row for rows in generate().values() for row in rows]


def _digest(corpus: dict[str, tuple[DemoRow, ...]]) -> str:
    lines = (
        "\t".join((split, row.intent, row.text, " ".join(row.tags))) for split, rows in corpus.items() for row in rows
    )
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def test_it_has_the_promised_size() -> None:
    corpus = generate()
    assert list(corpus) == ["train", "validation", "test"]
    assert len(corpus["train"]) >= 5200
    assert len(corpus["validation"]) >= 1000
    assert len(corpus["test"]) >= 2800
    assert len(_rows()) >= 9000
    out_of_scope = {split: sum(row.intent == OUT_OF_SCOPE_LABEL for row in rows) for split, rows in corpus.items()}
    assert out_of_scope == {"train": 450, "validation": 120, "test": 600}


def test_the_small_corpus_has_fewer_training_rows_and_the_same_test() -> None:
    large, small = generate(), generate_small()
    assert small["validation"] == large["validation"]
    assert small["test"] == large["test"]
    counts = Counter(row.intent for row in small["train"])
    assert counts == {OUT_OF_SCOPE_LABEL: 180, **dict.fromkeys(INTENTS, 64)}
    assert set(small["train"]) < set(large["train"])
    assert list(small["train"]) == [row for row in large["train"] if row in set(small["train"])]  # in the same order
    assert generate_small(1) != small


def test_the_test_split_of_the_demo_proves_a_drop_of_two_points() -> None:
    task = tasks.get("text-classification")
    data = load("demo", task)
    made = tasks.create(task.spec_for(data.labels, OUT_OF_SCOPE_LABEL))
    found = provable(made, [example.label for example in data.test], {"in_scope_accuracy": 2.0}, 0.95)
    assert [each.possible for each in found] == [True]
    assert found[0].bound is not None and found[0].bound < 0.5  # so most of the two points is left for the student


def test_no_text_occurs_twice_within_or_across_splits() -> None:
    texts = Counter(row.text for row in _rows())
    assert [text for text, count in texts.items() if count > 1] == []


def test_every_intent_is_in_every_split() -> None:
    labels = {*INTENTS, OUT_OF_SCOPE_LABEL}
    assert len(INTENTS) == 28
    for rows in generate().values():
        assert {row.intent for row in rows} == labels


@pytest.mark.parametrize("seed", [0, 1])
def test_every_word_has_a_valid_bio_tag(seed: int) -> None:
    types = {slot.tag for slot in SLOTS.values()}
    for rows in generate(seed).values():
        for row in rows:
            words = row.text.split(" ")
            assert all(words) and words == row.text.split()
            assert len(words) == len(row.tags)
            for before, tag in zip(("O", *row.tags), row.tags, strict=False):
                assert tag == "O" or (tag[:2] in ("B-", "I-") and tag[2:] in types)
                if tag.startswith("I-"):
                    assert before[2:] == tag[2:], row


def test_every_slot_type_is_in_every_split() -> None:
    types = {slot.tag for slot in SLOTS.values()}
    for rows in generate().values():
        assert {tag[2:] for row in rows for tag in row.tags if tag != "O"} == types


def test_out_of_scope_texts_carry_no_slots() -> None:
    assert {tag for row in _rows() if row.intent == OUT_OF_SCOPE_LABEL for tag in row.tags} == {"O"}


def test_texts_are_lower_case_without_template_marks() -> None:
    assert [row.text for row in _rows() if not re.fullmatch(r"[a-z0-9:' ]+", row.text)] == []


def test_the_same_seed_gives_the_same_corpus_and_another_seed_another() -> None:
    assert _digest(generate(0)) == SEED_0_SHA256
    generate.cache_clear()
    assert _digest(generate(0)) == SEED_0_SHA256
    assert _digest(generate(1)) != SEED_0_SHA256


def test_held_out_phrasings_are_only_in_test_and_about_one_row_in_six() -> None:
    drafts = generate_drafts()
    assert not any(draft.held_out for split in ("train", "validation") for draft in drafts[split])
    share = sum(draft.held_out for draft in drafts["test"]) / len(drafts["test"])
    assert 0.12 <= share <= 0.22


def test_every_intent_has_enough_phrasings_and_holds_out_about_a_quarter() -> None:
    for intent, phrasings in INTENTS.items():
        count = len(phrasings.known) + len(phrasings.unseen)
        assert count >= 14, intent
        assert 0.2 <= len(phrasings.unseen) / count <= 0.36, intent
        assert len({*phrasings.known, *phrasings.unseen}) == count, intent


def test_an_out_of_scope_domain_is_either_known_or_unseen() -> None:
    assert all(bool(phrasings.known) != bool(phrasings.unseen) for phrasings in OUT_OF_SCOPE.values())


def test_every_slot_and_filler_named_in_a_phrasing_exists() -> None:
    for table, values in ((INTENTS, SLOTS), (OUT_OF_SCOPE, OUT_OF_SCOPE_FILLERS)):
        for phrasings in table.values():
            for phrasing in (*phrasings.known, *phrasings.unseen):
                assert {*re.findall(r"\{(\w+)\}", phrasing)} <= {*values}, phrasing


def test_an_unseen_slot_value_never_shares_its_name_with_a_known_one() -> None:
    for name, slot in SLOTS.items():
        assert not {*slot.known} & {*slot.unseen}, name


def test_unseen_slot_values_are_in_test_only() -> None:
    cities = re.compile(r"\b(helsinki|buenos aires|prague|denver|nairobi|kyoto)\b")
    found = {split: sum(bool(cities.search(row.text)) for row in rows) for split, rows in generate().items()}
    assert found["train"] == found["validation"] == 0 < found["test"]


def test_about_one_row_in_twelve_has_a_typo() -> None:
    rng = random.Random(5)
    words = [("turn", "O"), ("on", "O"), ("the", "O"), ("living", "B-room"), ("room", "I-room"), ("lights", "O")]
    share = sum(noise.mistyped(words, rng) != words for _ in range(4000)) / 4000
    assert 0.06 <= share <= 0.1


def test_noise_keeps_the_slot_together() -> None:
    rng = random.Random(7)
    words = [
        ("dim", "O"),
        ("the", "O"),
        ("upstairs", "B-room"),
        ("bathroom", "I-room"),
        ("to", "O"),
        ("half", "B-number"),
    ]
    for _ in range(3000):
        blurred = words
        for blur in (noise.polite, noise.hesitant, noise.misheard, noise.mistyped):
            blurred = blur(blurred, rng)
        tags = [tag for _, tag in blurred if tag != "O"]
        assert tags[0] == "B-room" and tags[-1] == "B-number" and {*tags[1:-1]} == {"I-room"}
        assert all(word for word, _ in blurred)
