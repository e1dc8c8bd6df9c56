from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_ptf.examples import Encoding, Example, Prediction
from edge_ptf.heads.encoding import word_starts
from edge_ptf.heads.token import spans
from edge_ptf.metrics import gated, scores
from edge_ptf.models.checkpoint import load_tokenizer
from edge_ptf.tasks.base import RowError
from edge_ptf.tasks.token_classification import TokenClassification

FAMILIES = ("bert", "distilbert", "roberta", "xlm-roberta", "electra")
LABELS = ("O", "B-PER", "I-PER", "B-LOC", "I-LOC")
TASK = TokenClassification(TokenClassification.spec_for(LABELS))

TRICKY = (
    "turn on the light",
    "  leading and   inner  spaces  ",
    "don't re-use e.g. 5:30p.m.,(now)!",
    "Naïve café résumé ﬁne ½ … ™",
    "東京 へ行く 日本語",
    "😀 a😀b 👩‍👩‍👧 🏳️‍🌈",
    "zero\u200bwidth \u200b \u00ad soft\u00adhyphen \ufeff",
    "nbsp\u00a0between thin\u2009space ideographic\u3000space line\u2028end next\u0085line",
    "control\x1csplit \x1d \x00 nul\x00inside",
    "combining e\u0301 o\u0308 \u0301alone",
    "İstanbul ẞ ǅ",
    "word " * 50,
    "a" * 200 + " after",
    "[CLS] [SEP] <s> </s> <mask> [MASK] [UNK]",
    "▁ ▁light Ġ Ġlight ##ing",
)

tags = st.sampled_from(["O", "B-A", "I-A", "B-B", "I-B", "B-O", "I-O", "B-a-b", "I-a-b", "B-_", "I-_", "B-.", "I-."])
tag_lists = st.lists(tags, max_size=12)
sentences = st.lists(st.lists(st.tuples(tags, tags), min_size=1, max_size=8), min_size=1, max_size=6)


@pytest.fixture(scope="module")
def tokenizers(tiny_base: Callable[[str], Path]) -> dict[str, object]:
    return {family: load_tokenizer(tiny_base(family)) for family in FAMILIES}


def first_inside(words: tuple[tuple[int, int], ...], offsets: list[tuple[int, int]]) -> tuple[int, ...]:
    """For each word the first token that shares a character with it, found the slow way."""
    return tuple(
        next((at for at, (b, e) in enumerate(offsets) if max(b, start) < min(e, end)), -1) for start, end in words
    )


def check(tokenizer: object, text: str, max_length: int) -> None:
    (encoding,) = TASK.encode(tokenizer, [Example(text, ())], max_length)
    alone = tokenizer(text, truncation=True, max_length=max_length, return_offsets_mapping=True)
    assert encoding.input_ids == alone["input_ids"]
    assert encoding.token_type_ids == alone.get("token_type_ids")
    assert [text[start:end] for start, end in encoding.words] == text.split()
    assert encoding.word_starts == first_inside(encoding.words, alone["offset_mapping"])


@pytest.mark.parametrize("text", TRICKY)
@pytest.mark.parametrize("family", FAMILIES)
def test_tricky_texts_are_encoded_as_plain_text_with_words_aligned(
    tokenizers: dict[str, object], family: str, text: str
) -> None:
    for max_length in (4, 12, 64):
        check(tokenizers[family], text, max_length)


letters = st.text(
    st.sampled_from("aéŻlightß. ,'-\t\n\u00a0\u200b\u00ad\u0301\u3000\u2028\x1c\x85東😀▁Ġ½İ"), max_size=24
)


@given(letters | st.text(max_size=12))
@settings(max_examples=60, deadline=None)
@pytest.mark.parametrize("family", ["bert", "roberta", "xlm-roberta"])
def test_any_text_has_its_words_aligned(tokenizers: dict[str, object], family: str, text: str) -> None:
    check(tokenizers[family], text, 16)


@given(
    st.lists(st.integers(1, 4), max_size=6).map(lambda gaps: [0, *np.cumsum(gaps).tolist()]),
    st.lists(st.integers(0, 3), max_size=10).map(lambda gaps: [0, *np.cumsum(gaps).tolist()]),
)
def test_word_starts_equals_the_definition(word_edges: list[int], token_edges: list[int]) -> None:
    words = tuple(zip(word_edges[::2], word_edges[1::2], strict=False))
    offsets = list(pairwise(token_edges))
    assert word_starts(words, offsets) == first_inside(words, offsets)


def test_words_that_the_tokenizer_runs_together_share_a_tag(tokenizers: dict[str, object]) -> None:
    (encoding,) = TASK.encode(tokenizers["bert"], [Example("0\x0c¢ light", ("O", "O", "O"))], 64)
    assert encoding.word_starts[0] == encoding.word_starts[1] == 1
    assert encoding.word_starts[2] > 1


@pytest.mark.parametrize("family", FAMILIES)
def test_targets_lie_on_first_sub_tokens_only(tokenizers: dict[str, object], family: str) -> None:
    example = Example("playing unable lights", ("B-PER", "I-PER", "O"))
    (encoding,) = TASK.encode(tokenizers[family], [example], 64)
    target = TASK.head.target(example, encoding)
    assert [target[position] for position in encoding.word_starts] == [1, 2, 0]
    assert sum(value != -100 for value in target) == 3
    assert target[0] == target[-1] == -100


def test_words_that_were_cut_off_have_no_target_and_are_answered_outside(tokenizers: dict[str, object]) -> None:
    example = Example("turn on the light", ("O", "O", "B-LOC", "I-LOC"))
    (encoding,) = TASK.encode(tokenizers["bert"], [example], 4)
    assert encoding.word_starts == (1, 2, -1, -1)
    assert TASK.head.target(example, encoding).tolist() == [-100, 0, 0, -100]
    logits = np.zeros((4, len(LABELS)), dtype=np.float32)
    logits[:, 1] = 5
    answer = TASK.head.decode(logits, encoding, example.text)
    assert answer.label == ("B-PER", "B-PER", "O", "O")


def test_entities_carry_their_offsets_text_and_least_score(tokenizers: dict[str, object]) -> None:
    text = "call  mom today\nin kitchen"
    (encoding,) = TASK.encode(tokenizers["bert"], [Example(text, ())], 32)
    logits = np.zeros((len(encoding.input_ids), len(LABELS)), dtype=np.float32)
    for word, (label, height) in enumerate([(0, 9), (1, 4), (2, 2), (0, 9), (4, 3)]):
        logits[encoding.word_starts[word], label] = height
    answer = TASK.head.decode(logits, encoding, text)
    assert answer.label == ("O", "B-PER", "I-PER", "O", "I-LOC")
    person, place = answer.details["entities"]
    assert (person["type"], person["text"], text[person["start"] : person["end"]]) == ("PER", "mom today", "mom today")
    assert (place["type"], place["text"]) == ("LOC", "kitchen")
    assert answer.score == person["score"] < place["score"]


def test_a_text_without_words_has_an_answer() -> None:
    answer = TASK.head.decode(np.zeros((2, len(LABELS)), dtype=np.float32), Encoding([2, 3], None), " ")
    assert (answer.label, answer.score, answer.details) == ((), 1.0, {"entities": []})


@given(tag_lists)
@settings(max_examples=400, deadline=None)
def test_spans_are_those_of_seqeval(sentence: list[str]) -> None:
    from seqeval.metrics.sequence_labeling import get_entities

    assert spans(sentence) == get_entities(sentence)


@given(sentences)
@settings(max_examples=50, deadline=None)
def test_metrics_equal_seqeval_and_rows_add_up_to_them(rows: list[list[tuple[str, str]]]) -> None:
    from seqeval.metrics import f1_score, precision_score, recall_score

    references = [[pair[0] for pair in row] for row in rows]
    predictions = [[pair[1] for pair in row] for row in rows]
    values = scores(
        TASK.metrics, [tuple(row) for row in references], [Prediction(tuple(row), 1.0) for row in predictions]
    )
    assert values["entity_f1"] == 100 * f1_score(references, predictions, zero_division=0)
    assert values["entity_precision"] == 100 * precision_score(references, predictions, zero_division=0)
    assert values["entity_recall"] == 100 * recall_score(references, predictions, zero_division=0)
    same = [r == p for row in rows for r, p in row]
    assert values["word_accuracy"] == pytest.approx(100 * sum(same) / len(same))
    hits, claimed, actual = TASK.metrics[0].per_example(references, predictions).sum(axis=0)
    if claimed + actual:
        assert values["entity_f1"] == pytest.approx(200 * hits / (claimed + actual))
    else:
        assert values["entity_f1"] == 0


def test_the_report_has_one_row_for_each_type() -> None:
    references = [("B-PER", "I-PER", "O"), ("B-LOC", "O", "O")]
    predictions = [("B-PER", "I-PER", "O"), ("O", "B-LOC", "O")]
    rows = {row["name"]: row for row in TASK.class_report(references, predictions)}
    assert set(rows) == {"LOC", "PER"}
    assert (rows["PER"]["f1"], rows["PER"]["support"]) == (100, 1)
    assert rows["LOC"]["f1"] == 0
    assert TASK.class_report([("O",)], [("O",)]) == []


@given(sentences)
@settings(max_examples=100, deadline=None)
def test_the_word_report_is_that_of_scikit_learn(rows: list[list[tuple[str, str]]]) -> None:
    from sklearn.metrics import classification_report

    references, predictions = ([tuple(pair[place] for pair in row) for row in rows] for place in (0, 1))
    flat = [["O", *(tag for tags in side for tag in tags)] for side in (references, predictions)]
    names = sorted({*flat[0], *flat[1]} - {"O"})
    found = TASK.word_report(references, predictions)
    if not names:
        assert found == []
        return
    table = classification_report(*flat, labels=names, output_dict=True, zero_division=0)
    assert [row["name"] for row in found] == [*names, "micro avg", "macro avg", "weighted avg"]
    for row in found:
        wanted = table[row["name"]]
        assert row["support"] == wanted["support"]
        for ours, theirs in (("precision", "precision"), ("recall", "recall"), ("f1", "f1-score")):
            assert row[ours] == pytest.approx(100 * wanted[theirs])


def test_no_examples_have_no_rows_and_no_share() -> None:
    assert TASK.metrics[0].per_example([], []).shape == (0, 3)
    assert [metric.name for metric in gated(TASK.metrics)] == ["entity_f1"]
    assert set(scores(TASK.metrics, [], []).values()) == {0.0}


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({"tokens": [], "tags": []}, "no tokens"),
        ({"tokens": "a b", "tags": "O"}, "2 tokens but 1 tags"),
        ({"tokens": ["a b"], "tags": ["O"]}, "holds white space"),
        ({"tokens": [""], "tags": ["O"]}, "is empty"),
        ({"tokens": ["a\u00a0b"], "tags": ["O"]}, "holds white space"),
        ({"tokens": ["a"], "tags": ["PER"]}, "'PER' belongs to no tag scheme"),
        ({"tokens": ["a"], "tags": ["M-PER"]}, "'M-PER' belongs to no tag scheme"),
        ({"tokens": ["a"]}, "'tags' is missing"),
        ({"tokens": 3, "tags": ["O"]}, "'tokens' is missing or no list"),
    ],
)
def test_rows_that_cannot_be_used_say_why(row: dict[str, object], reason: str) -> None:
    with pytest.raises(RowError, match=reason):
        TokenClassification.example(row)


@given(st.lists(st.text(min_size=1, max_size=5), min_size=1, max_size=6))
def test_a_row_that_is_accepted_has_as_many_words_as_tags(tokens: list[str]) -> None:
    try:
        example = TokenClassification.example({"tokens": tokens, "tags": ["O"] * len(tokens)})
    except RowError:
        assert any(token.split() != [token] for token in tokens)
    else:
        assert example.text.split() == tokens


def test_labels_are_complete_pairs_in_a_fixed_order() -> None:
    examples = [Example("a b", ("I-PER", "O")), Example("c", ("B-LOC",))]
    assert TokenClassification.collect_labels(examples) == ("O", "B-LOC", "I-LOC", "B-PER", "I-PER")
    assert "'B-ORG'" in str(TASK.check_label(Example("a b", ("O", "B-ORG"))))
    assert TASK.check_label(Example("a b", ("O", "I-PER"))) is None
    assert TASK.stratum(Example("a b c", ("B-PER", "I-PER", "B-LOC"))) == "LOC PER"


@given(st.integers(0, 30), st.integers(0, 9))
def test_a_shift_names_as_many_words_as_the_other_model(named: int, seed: int) -> None:
    draw = np.random.default_rng(seed)
    logits = [draw.normal(scale=2, size=(12, len(LABELS))).astype(np.float32) for _ in range(3)]
    encoding = Encoding([0] * 12, None, (1, 2, 3, 4, 5, 6, 7, 8, 9, 10), tuple((2 * n, 2 * n + 1) for n in range(10)))
    tags = ["B-PER"] * named + ["O"] * (30 - named)
    answers = [tuple(tags[begin : begin + 10]) for begin in (0, 10, 20)]
    shift = TASK.head.matched_shift(logits, [encoding] * 3, answers)
    moved = logits if shift is None else [row + shift for row in logits]
    found = [TASK.head.decode(row, encoding, "a " * 10).label for row in moved]
    assert sum(tag != "O" for labels in found for tag in labels) == named
    if shift is not None:
        assert np.flatnonzero(shift).tolist() == [0]


def test_there_is_nothing_to_shift_without_words_or_names() -> None:
    assert TASK.head.matched_shift([], [], []) is None
    encoding = Encoding([0, 1], None, (1,), ((0, 1),))
    alone = TokenClassification(TokenClassification.spec_for(("O",)))
    assert alone.head.matched_shift([np.zeros((2, 1), np.float32)], [encoding], [("O",)]) is None
    agreed = np.asarray([[0, 0, 0, 0, 0], [0, 3, 0, 0, 0]], dtype=np.float32)
    assert TASK.head.matched_shift([agreed], [encoding], [("B-LOC",)]) is None


def test_the_majority_answers_are_the_most_frequent_tag_for_each_word() -> None:
    task = TokenClassification(TokenClassification.spec_for(("O", "B-x", "I-x")))
    references = [("B-x", "O", "O"), ("O",), ("B-x", "I-x")]
    assert task.majority_answers(references) == [("O", "O", "O"), ("O",), ("O", "O")]
