"""F1, precision and recall of summed counts, compared with scikit-learn and with known bounds."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_ptf.metrics import F1, Precision, Recall
from edge_ptf.statistics import paired_drop

Names = frozenset[str]


def count(reference: Names, answer: Names) -> tuple[float, float, float]:
    return len(reference & answer), len(answer), len(reference)


MICRO, PRECISION, RECALL = (kind(name="m", title="m", count=count) for kind in (F1, Precision, Recall))
sets = st.frozensets(st.sampled_from("abc"))
triples = st.lists(st.tuples(sets, sets, sets), min_size=1, max_size=30)


@given(triples)
@settings(max_examples=60, deadline=None)
def test_scores_equal_scikit_learn(drawn: list[tuple[Names, Names, Names]]) -> None:
    reference = pytest.importorskip("sklearn.metrics")
    expected, answers, _ = zip(*drawn, strict=True)
    rows = MICRO.per_example(expected, answers)
    flags = [np.asarray([[name in one for name in "abc"] for one in each]) for each in (expected, answers)]
    wanted = reference.precision_recall_fscore_support(*flags, average="micro", zero_division=0)[:3]
    assert [metric.score(rows) for metric in (PRECISION, RECALL, MICRO)] == pytest.approx([100 * x for x in wanted])
    assert MICRO.counted(rows) == sum(bool(a or b) for a, b in zip(expected, answers, strict=True))


@given(triples)
@settings(max_examples=20, deadline=None)
def test_bounds_are_those_of_paired_drop(drawn: list[tuple[Names, Names, Names]]) -> None:
    references, teacher, student = zip(*drawn, strict=True)
    before, after = MICRO.per_example(references, teacher), MICRO.per_example(references, student)
    if not (before[:, 1:].any() and before[:, 1].any() and before[:, 2].any()):
        return
    for metric, columns in ((MICRO, [0, 1, 2]), (PRECISION, [0, 1]), (RECALL, [0, 2])):
        found, share = metric.bound(before, after, 0.95), paired_drop(before[:, columns], after[:, columns])
        assert (found.value, found.bound) == (100 * share.value, 100 * share.bound)
        assert found.value == pytest.approx(metric.score(before) - metric.score(after))


def test_nothing_predicted_and_nothing_to_find_is_zero() -> None:
    rows = MICRO.per_example([frozenset()], [frozenset()])
    assert [metric.score(rows) for metric in (MICRO, PRECISION, RECALL)] == [0, 0, 0]
    assert MICRO.counted(rows) == 0
    assert MICRO.per_example([], []).shape == (0, 3)
