"""The macro F1 of directed relations."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import f1_score

from edge_ptf.metrics.relations import RelationF1, relation_of

LABELS = ("Cause-Effect(e1,e2)", "Cause-Effect(e2,e1)", "Member-Collection(e1,e2)", "Other", "Part-Whole(e2,e1)")
METRIC = RelationF1(name="macro_f1", title="macro F1", labels=LABELS, no_relation="Other")
answers = st.lists(st.tuples(st.sampled_from(LABELS), st.sampled_from(LABELS)), min_size=1, max_size=40)


def test_a_wrong_direction_is_an_error_of_its_relation_in_precision_and_recall() -> None:
    references = ["Cause-Effect(e1,e2)", "Cause-Effect(e1,e2)", "Other", "Part-Whole(e2,e1)"]
    given_answers = ["Cause-Effect(e1,e2)", "Cause-Effect(e2,e1)", "Cause-Effect(e1,e2)", "Part-Whole(e2,e1)"]
    # Cause-Effect: 1 hit, 3 answered, 2 expected: P 33.33, R 50, F1 40. Part-Whole: 100. Other does not count.
    assert METRIC.score(METRIC.per_example(references, given_answers)) == pytest.approx((40 + 100) / 2)


def test_answers_without_any_relation_score_zero() -> None:
    assert METRIC.score(METRIC.per_example(["Other"], ["Other"])) == 0
    assert METRIC.score(METRIC.per_example([], [])) == 0


@given(answers)
def test_the_score_is_that_of_the_definition(pairs: list[tuple[str, str]]) -> None:
    found = []
    for relation in sorted({relation_of(label) for label in LABELS} - {"Other"}):
        hits = sum(a == b and relation_of(a) == relation for a, b in pairs)
        answered = sum(relation_of(b) == relation for _, b in pairs)
        expected = sum(relation_of(a) == relation for a, _ in pairs)
        if answered or expected:
            precision, recall = hits / max(answered, 1), hits / max(expected, 1)
            found.append(2 * precision * recall / (precision + recall) if hits else 0.0)
    references, given_answers = zip(*pairs, strict=True)
    score = METRIC.score(METRIC.per_example(references, given_answers))
    assert score == pytest.approx(100 * np.mean(found) if found else 0.0)


@given(answers)
def test_without_directions_it_is_the_macro_f1_of_scikit_learn(pairs: list[tuple[str, str]]) -> None:
    plain = [(relation_of(a), relation_of(b)) for a, b in pairs]
    references, given_answers = zip(*plain, strict=True)
    metric = RelationF1(name="f", title="f", labels=tuple(sorted({relation_of(label) for label in LABELS})))
    wanted = f1_score(references, given_answers, average="macro", zero_division=0)
    assert metric.score(metric.per_example(references, given_answers)) == pytest.approx(100 * wanted)
