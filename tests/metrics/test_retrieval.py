"""Recall at k: against a plain loop, ties, texts without a like one, bounds."""

from __future__ import annotations

import math

import numpy as np
import pytest

from edge_ptf.metrics.retrieval import RecallAtK

FIRST, TEN = (RecallAtK(name=f"recall_at_{k}", title=f"recall@{k}", k=k) for k in (1, 10))


def test_recall_equals_a_plain_loop_over_classes() -> None:
    random = np.random.default_rng(0)
    vectors = random.normal(size=(1200, 5))
    names = [f"c{number}" for number in random.integers(0, 300, 1200)]
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    cosines = unit @ unit.T
    np.fill_diagonal(cosines, -9)
    for metric in (FIRST, TEN):
        hits = []
        for row, name in zip(cosines, names, strict=True):
            if names.count(name) > 1:
                hits.append(any(names[place] == name for place in np.argsort(-row)[: metric.k]))
        rows = metric.per_example(names, vectors.tolist())
        assert metric.counted(rows) == len(hits)
        assert metric.score(rows) == pytest.approx(100 * np.mean(hits))


def test_the_first_text_of_a_pair_searches_all_second_texts() -> None:
    references = [("q1", "a"), ("q2", "b"), ("q1", "c"), ("q3", "b")]
    texts = {"q1": (1, 0), "q2": (0, 1), "q3": (1, 0.1), "a": (1, 0.3), "b": (1, 0.2), "c": (-1, 0)}
    answers = [(*texts[query], *texts[text]) for query, text in references]
    rows = FIRST.per_example(references, answers)
    assert rows[:, 1].tolist() == [1, 1, 1, 1]
    assert rows[:, 0].tolist() == [0, 0, 0, 1]  # b is nearer to q1 than a, and a is nearer to q2 than b
    two = RecallAtK(name="recall_at_2", title="recall@2", k=2).per_example(references, answers)
    assert two[:, 0].tolist() == [1, 1, 1, 1]  # c is far, but a is a text of q1 too


def test_equal_vectors_find_nothing_and_a_text_alone_in_its_class_does_not_count() -> None:
    rows = FIRST.per_example(["a", "a", "b", "b", "alone"], [(1.0,)] * 5)
    assert rows.tolist() == [[0, 1]] * 4 + [[0, 0]]
    assert math.isnan(FIRST.score(FIRST.per_example(["a", "b"], [(1.0, 0.0), (0.0, 1.0)])))
    zeros = FIRST.per_example(["a", "a", "b", "b"], [(0.0, 0.0)] * 4)
    assert zeros[:, 0].sum() == 0


def test_the_references_themselves_are_a_perfect_search() -> None:
    names = ["a", "a", "alone"]
    assert FIRST.per_example(names, names).tolist() == [[1, 1], [1, 1], [0, 0]]
    digests = [("1", "2"), ("3", "4")]
    assert FIRST.per_example(digests, digests).tolist() == [[1, 1], [1, 1]]


def test_scores_of_pairs_are_no_search() -> None:
    assert math.isnan(FIRST.score(FIRST.per_example([0.5, 1.0], [0.1, 0.2])))
    assert math.isnan(FIRST.score(FIRST.per_example([], [])))


def test_drop_and_score_have_the_bounds_of_a_share() -> None:
    before = np.column_stack([np.ones(400), np.ones(400)])
    after = before.copy()
    after[:8, 0] = 0
    drop = FIRST.bound(before, after, 0.95, 5.0)
    assert drop.value == pytest.approx(2) and 2 < drop.bound < 5 and "Tango" in drop.method
    score = FIRST.score_bound(after, 0.95)
    assert score.value == pytest.approx(98) and 95 < score.bound < 98
    assert FIRST.noise(98, 400) == pytest.approx(100 * math.sqrt(0.98 * 0.02 / 400))
    assert (FIRST.unit, FIRST.score_unit) == ("points", "%")
