"""The kind "triple": targets, losses and answers, against plain loops."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.functional import cross_entropy, kl_div, log_softmax

from edge_ptf import tasks
from edge_ptf.examples import Encoding, Example
from edge_ptf.heads import HEADS, TripleHead
from edge_ptf.heads.token import TokenHead, spans
from edge_ptf.heads.triple import column_names, label_of, relations_of, tags_of, triples_of

TAGS = ("O", "B-firm", "I-firm", "B-person", "I-person")
RELATIONS = ("owns", "works for")
TASK = "entities-and-relations"


def head_of(links: int = 3, **options: object) -> TripleHead:
    spec = tasks.get(TASK).spec_for(column_names(TAGS, RELATIONS, links))
    found = HEADS["triple"](spec.with_options(**options))
    assert isinstance(found, TripleHead)
    return found


HEAD = head_of()
COLUMNS = len(HEAD.spec.labels)
WORDS = ["Anna", "Lee", "works", "for", "Acme", "and", "Bob", "owns", "Initech"]
TEXT = " ".join(WORDS)
LABEL = label_of(
    ("B-person", "I-person", "O", "O", "B-firm", "O", "B-person", "O", "B-firm"),
    [(2, "owns", 3), (0, "works for", 1)],
)


def encoding(starts: tuple[int, ...] = tuple(range(1, 10)), tokens: int = 11) -> Encoding:
    ends = np.cumsum([len(word) + 1 for word in WORDS])
    places = tuple((int(end) - 1 - len(word), int(end) - 1) for word, end in zip(WORDS, ends, strict=True))
    return Encoding(list(range(tokens)), None, starts, places)


def score(logits: np.ndarray, first: int, second: int, relation: int, links: int = 3) -> float:
    """The score of a relation for two tokens, by the definition."""
    if relation == 0:
        return 0.0
    at = len(TAGS)
    found = float(logits[first, at + relation - 1]) + float(logits[second, at + len(RELATIONS) + relation - 1])
    at += 2 * len(RELATIONS)
    for number in range(links):
        found += float(logits[first, at + number]) * float(logits[second, at + links + number])
    return found


def pair_shares(logits: np.ndarray, first: int, second: int) -> np.ndarray:
    powers = np.exp([score(logits, first, second, relation) for relation in range(1 + len(RELATIONS))])
    return np.asarray(powers / powers.sum())


def random_logits(seed: int, tokens: int = 11) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 2, (tokens, COLUMNS)).astype(np.float32)


def test_a_label_has_the_tags_and_then_the_triples_in_order() -> None:
    assert LABEL[9:] == ("0 1 works for", "2 3 owns")
    assert tags_of(LABEL) == LABEL[:9]
    assert triples_of(LABEL) == ((0, "works for", 1), (2, "owns", 3))


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.sampled_from(TAGS), max_size=6),
    st.lists(
        st.tuples(st.integers(0, 99), st.text("ab c1-", min_size=1).map(str.strip), st.integers(0, 99)), max_size=5
    ),
)
def test_a_label_can_be_taken_apart(tags: list[str], triples: list[tuple[int, str, int]]) -> None:
    label = label_of(tags, triples)
    assert tags_of(label) == tuple(tags)
    assert sorted(triples_of(label)) == sorted(triples)


def test_the_names_of_columns_say_the_relations_and_the_links() -> None:
    assert relations_of(column_names(TAGS, RELATIONS, 16)) == (RELATIONS, 16)
    assert HEAD.spec.labels[5:9] == ("owns", "works for", "object of owns", "object of works for")
    assert HEAD.tags == TAGS and HEAD.options.links == 3
    assert HEAD.settings() == {"relations": "owns, works for"}
    assert head_of(decoding="constrained").settings()["decoding"] == "constrained"


@pytest.mark.parametrize("change", [{"links": 2}, {"relations": ("owns",)}, {"relations": ("works for", "owns")}])
def test_labels_that_do_not_fit_the_options_are_refused(change: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="are not tags"):
        TripleHead(HEAD.spec.with_options(**change))


def test_a_target_has_the_tags_and_the_class_of_each_pair() -> None:
    found = HEAD.target(Example(TEXT, LABEL), encoding())
    assert found.shape == (11, 5)
    assert found[:, 0].tolist() == [-100, 3, 4, 0, 0, 1, 0, 3, 0, 1, -100]
    assert found[1, 1:].tolist() == [-100, 2, 0, 0]
    assert found[5, 1:].tolist() == [0, -100, 0, 0]
    assert found[7, 1:].tolist() == [0, 0, -100, 1]
    assert found[9, 1:].tolist() == [0, 0, 0, -100]
    assert (np.delete(found, [1, 5, 7, 9], axis=0)[:, 1:] == -100).all()


def test_an_entity_that_was_truncated_or_shares_its_token_is_in_no_pair() -> None:
    cut = HEAD.target(Example(TEXT, LABEL), encoding((1, 2, 3, 4, 5, 6, 7, -1, -1), 9))
    assert cut.shape == (9, 4)
    assert cut[7, 1:].tolist() == [0, 0, -100]  # who owns something that was removed
    shared = HEAD.target(Example(TEXT, LABEL), encoding((1, 2, 3, 4, 5, 6, 7, 8, 7)))
    assert shared.shape == (11, 4)
    assert shared[7, 1:].tolist() == [0, 0, -100]


def test_of_several_relations_of_a_pair_the_first_counts() -> None:
    label = label_of(tags_of(LABEL), [(0, "works for", 1), (0, "owns", 1)])
    assert HEAD.target(Example(TEXT, label), encoding())[1, 2] == 1


def test_batches_are_padded_in_both_directions_and_unlabelled_texts_have_nothing() -> None:
    whole = HEAD.target(Example(TEXT, LABEL), encoding())
    none = HEAD.no_target(encoding(tokens=4))
    batch = HEAD.batch_targets([none, whole], 12)
    assert batch.shape == (2, 12, 5)
    assert (batch[0] == -100).all() and (batch[1, :11] == whole).all() and (batch[1, 11] == -100).all()
    assert HEAD.is_labelled(whole) and not HEAD.is_labelled(none)


@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_the_loss_is_that_of_the_tags_and_that_of_all_pairs(reduction: str) -> None:
    one = label_of(("O",) * 8 + ("B-firm",), [])
    targets = [HEAD.target(Example(TEXT, label), encoding()) for label in (LABEL, one)]
    logits = np.stack([random_logits(1), random_logits(2)])
    tag_losses, pair_losses = [], []
    for row, target in zip(logits, targets, strict=True):
        for token, tag in enumerate(target[:, 0]):
            if tag >= 0:
                tag_losses.append(float(cross_entropy(torch.from_numpy(row[token, :5]), torch.tensor(tag))))
    places = [1, 5, 7, 9]
    for first in places:
        for second in places:
            if first != second:
                wanted = {(1, 5): 2, (7, 9): 1}.get((first, second), 0)
                pair_losses.append(-np.log(pair_shares(logits[0], first, second)[wanted]))
    summed = {"mean": np.mean, "sum": np.sum}[reduction]
    found = HEAD.loss(torch.from_numpy(logits), torch.from_numpy(HEAD.batch_targets(targets, 11)), 0.0, reduction)
    assert float(found) == pytest.approx(summed(tag_losses) + summed(pair_losses), rel=1e-5)


def test_a_text_without_a_target_gives_no_loss_but_a_gradient() -> None:
    logits = torch.ones(1, 4, COLUMNS, requires_grad=True)
    loss = HEAD.loss(logits, torch.full((1, 4, 1), -100))
    loss.backward()
    assert float(loss.detach()) == 0 and logits.grad is not None


@pytest.mark.parametrize("form", ["kl", "mse"])
def test_distillation_compares_tags_and_the_pairs_that_the_teacher_finds(form: str) -> None:
    teacher, student = random_logits(3, 9), random_logits(4, 9)
    teacher[:, :5] = -3
    teacher[np.arange(9), [TAGS.index(tag) for tag in tags_of(LABEL)]] = 3

    def apart(own: np.ndarray, wanted: np.ndarray) -> float:
        if form == "mse":
            rows = (own - own.mean(-1, keepdims=True)) - (wanted - wanted.mean(-1, keepdims=True))
            return float((rows**2).mean())
        logs = [log_softmax(torch.from_numpy(rows) / 2, -1) for rows in (own, wanted)]
        return float(kl_div(*logs, reduction="batchmean", log_target=True) * 4)

    ends = [(a, b) for a in (0, 4, 6, 8) for b in (0, 4, 6, 8) if a != b]
    pairs = [np.asarray([[score(rows, a, b, r) for r in range(3)] for a, b in ends]) for rows in (student, teacher)]
    wanted = apart(student[:, :5], teacher[:, :5]) + apart(*pairs)
    found = HEAD.distillation_loss(torch.from_numpy(student), torch.from_numpy(teacher), form, 2.0)  # type: ignore[arg-type]
    assert float(found) == pytest.approx(wanted, rel=1e-4)


def test_a_text_with_one_entity_of_the_teacher_teaches_tags_alone() -> None:
    teacher, student = random_logits(5, 2), random_logits(6, 2)
    teacher[:, :5] = [[0, 9, 0, 0, 0], [9, 0, 0, 0, 0]]
    tagger = TokenHead.declare("token-classification", TAGS)
    own, wanted = torch.from_numpy(student), torch.from_numpy(teacher)
    alone = TokenHead(tagger).distillation_loss(own[:, :5], wanted[:, :5], "kl", 2.0)
    assert float(HEAD.distillation_loss(own, wanted, "kl", 2.0)) == pytest.approx(float(alone))


@pytest.mark.parametrize("decoding", ["greedy", "constrained"])
def test_an_answer_has_the_best_relation_of_each_pair(decoding: str) -> None:
    head, relations = head_of(decoding=decoding), 0
    tagger = TokenHead(TokenHead.declare("token-classification", TAGS, decoding=decoding))
    for seed in range(20):
        logits, tokens = random_logits(seed), encoding()
        found = head.decode(logits, tokens, TEXT)
        tagged = tagger.decode(logits[:, :5], tokens, TEXT)
        entities = tagged.details["entities"]
        firsts = [tokens.word_starts[first] for _, first, _ in spans(tagged.label)]
        triples, lowest, sure = [], tagged.score, []
        for first, begin in enumerate(firsts):
            for second, other in enumerate(firsts):
                if first == second:
                    continue
                shares = pair_shares(logits, begin, other)
                best = int(shares.argmax())
                lowest = min(lowest, shares[best])
                if best:
                    triples.append((first, RELATIONS[best - 1], second))
                    sure.append(min(shares[best], entities[first]["score"], entities[second]["score"]))
        assert found.label == label_of(tagged.label, triples)
        assert found.score == pytest.approx(lowest)
        assert found.details["entities"] == entities
        shown = found.details["triples"]
        assert [item["subject"] for item in shown] == [entities[first] for first, _, _ in triples]
        assert [item["object"] for item in shown] == [entities[second] for _, _, second in triples]
        assert [item["relation"] for item in shown] == [relation for _, relation, _ in triples]
        assert [item["score"] for item in shown] == pytest.approx(sure)
        relations += len(triples)
    assert relations > 20


def test_without_entities_or_tokens_there_is_no_triple() -> None:
    logits = np.zeros((2, COLUMNS), np.float32)
    logits[:, 0] = 9
    found = HEAD.decode(logits, Encoding([1, 2], None, (), ()), "")
    assert (found.label, found.score, found.details) == ((), 1.0, {"entities": [], "triples": []})
    cut = HEAD.decode(logits, encoding((-1,) * 9, 2), TEXT)
    assert cut.label == ("O",) * 9


def test_only_links_can_say_that_each_belongs_to_its_own() -> None:
    """Persons 0 and 1 work for firms 2 and 3, each for one of them."""
    without = head_of(links=0)
    rows = np.random.default_rng(0).normal(size=(50, 4, len(without.spec.labels)))
    for row in rows:
        scores = without.pair_scores(row)
        assert scores[0, 2] + scores[1, 3] == pytest.approx(scores[0, 3] + scores[1, 2])
    row = np.zeros((4, COLUMNS))
    row[0, 9:12], row[1, 9:12] = (3, -3, 0), (-3, 3, 0)  # the links of the subjects
    row[2, 12:15], row[3, 12:15] = (1, -1, 0), (-1, 1, 0)  # and of the objects
    best = HEAD.pair_scores(row).argmax(-1)
    assert best[0, 2] and best[1, 3] and not best[0, 3] and not best[1, 2]


def test_a_shift_moves_the_tags_alone() -> None:
    logits, texts = [random_logits(seed) for seed in range(6)], [encoding()] * 6
    answers = [LABEL] * 6
    found = HEAD.matched_shift(logits, texts, answers)
    tagger = TokenHead(TokenHead.declare("token-classification", TAGS))
    wanted = tagger.matched_shift([row[:, :5] for row in logits], texts, [tags_of(answer) for answer in answers])
    assert found is not None and wanted is not None and HEAD.shifts
    assert found[:5].tolist() == wanted.tolist() and not found[5:].any() and len(found) == COLUMNS
