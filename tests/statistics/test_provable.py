from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_ptf.statistics import best_case, binary_drop_bound, binary_examples_needed, bootstrap_drop_bound
from edge_ptf.statistics.provable import Floats


def bound(before: Floats, after: Floats) -> float:
    """A stand-in whose bound is 3.6 ÷ examples."""
    assert np.array_equal(before, after)
    return 3.6 / len(before)


def hits(before: Floats, after: Floats) -> float:
    return binary_drop_bound(0, 0, len(before))


@given(st.integers(1, 2000), st.floats(0.002, 0.5))
@settings(max_examples=60, deadline=None)
def test_the_needed_examples_are_the_fewest_that_prove_the_limit(count: int, limit: float) -> None:
    found = best_case(hits, np.ones((count, 2)), limit)
    assert found.bound == binary_drop_bound(0, 0, count)
    assert found.needed is not None and found.needed >= count
    assert binary_drop_bound(0, 0, found.needed) <= limit
    if found.needed > count:
        assert binary_drop_bound(0, 0, found.needed - 1) > limit
        forecast = binary_examples_needed(0, 0, count, limit)  # None beyond 100 times the examples
        assert forecast is None or forecast == pytest.approx(found.needed, rel=0.01, abs=2)


def test_only_examples_that_count_are_needed() -> None:
    rows, counting = np.ones((100, 2)), np.arange(100) < 36
    found = best_case(bound, rows, 0.01, counting)
    assert found.bound == pytest.approx(0.036)
    assert found.needed == 360
    enough = best_case(bound, rows, 0.04, counting)
    assert enough.needed == 36


def test_an_f1_is_bounded_by_the_bootstrap_with_its_added_loss() -> None:
    rows = np.tile([[1.0, 1.0, 1.0], [2.0, 2.0, 2.0]], (30, 1))
    found = best_case(bootstrap_drop_bound, rows, 0.01)
    assert found.bound == bootstrap_drop_bound(rows, rows) > 0.01
    assert found.needed is not None
    more = np.resize(rows, (found.needed, 3))
    assert bootstrap_drop_bound(more, more) <= 0.01


def test_a_limit_out_of_reach_has_no_number() -> None:
    assert best_case(bound, np.ones((60, 2)), 0.0).needed is None
    assert best_case(bound, np.ones((60, 2)), 3.6 / 100_000).needed == 100_000
    assert best_case(bound, np.ones((60, 2)), 3.6 / 100_001).needed is None


def test_without_examples_nothing_is_bounded() -> None:
    with pytest.raises(ValueError, match="at least one example"):
        best_case(bound, np.ones((3, 2)), 0.1, np.zeros(3, dtype=bool))
