"""Metrics of sets of labels, against scikit-learn."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import f1_score, label_ranking_average_precision_score

from edge_ptf.metrics.label_sets import LabelMacroF1, RankingPrecision

LABELS = ("a", "b", "c", "d", "e")
MACRO = LabelMacroF1(name="macro_f1", title="macro F1", labels=LABELS)
RANKING = RankingPrecision(name="ranking_precision", title="ranking", labels=LABELS)

sets = st.lists(st.sets(st.sampled_from(LABELS)), min_size=1, max_size=12)


def indicators(names: list[set[str]]) -> np.ndarray:
    return np.asarray([[label in each for label in LABELS] for each in names])


@given(st.data(), sets)
def test_macro_f1_equals_scikit_learn_over_the_labels_that_occur(data: st.DataObject, truth: list[set[str]]) -> None:
    found = [data.draw(st.sets(st.sampled_from(LABELS))) for _ in truth]
    expected, answered = indicators(truth), indicators(found)
    present = (expected | answered).any(0)
    wanted = f1_score(expected, answered, average=None, zero_division=0)[present] if present.any() else [0.0]
    rows = MACRO.per_example([tuple(each) for each in truth], [tuple(each) for each in found])
    assert MACRO.score(rows) == pytest.approx(100 * float(np.mean(wanted)))


@given(st.data(), sets)
def test_ranking_precision_equals_scikit_learn(data: st.DataObject, truth: list[set[str]]) -> None:
    rankings = [data.draw(st.permutations(range(5))) for _ in truth]
    scores = np.zeros((len(truth), 5))
    for row, ranking in enumerate(rankings):
        scores[row, ranking] = np.arange(5, 0, -1)
    rows = RANKING.per_example([tuple(each) for each in truth], [tuple(each) for each in rankings])
    wanted = label_ranking_average_precision_score(indicators(truth), scores)
    assert RANKING.score(rows) == pytest.approx(100 * wanted)


def test_no_examples_give_no_ranking_precision() -> None:
    assert math.isnan(RANKING.score(RANKING.per_example([], [])))
    assert MACRO.score(MACRO.per_example([], [])) == 0


def test_ranking_precision_reads_the_ranking_of_a_prediction() -> None:
    class Found:
        label, ranking = ("a",), (4, 3, 2, 1, 0)

    assert RANKING.answers([Found()]) == [(4, 3, 2, 1, 0)]
    assert MACRO.answers([Found()]) == [("a",)]
