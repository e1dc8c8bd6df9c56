from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import signal

from edge_ptf.statistics import drift


def test_steady_calls_do_not_drift_and_a_slowing_machine_does() -> None:
    random = np.random.default_rng(7)
    found = [drift([random.lognormal(0, 0.1, 60) for _ in range(5)]) for _ in range(100)]
    assert found.count(None) >= 97
    slowing = [random.lognormal(0, 0.05, 60) * np.linspace(1, 1.5, 60) for _ in range(5)]
    within = drift(slowing)
    assert within is not None and within.where == "within launches" and 1.2 < within.ratio < 1.5
    faster = drift([launch[::-1] for launch in slowing])
    assert faster is not None and faster.ratio < 1
    across = drift([random.lognormal(0.08 * place, 0.02, 60) for place in range(5)])
    assert across is not None and across.where == "from the first launch to the last" and across.ratio > 1.2
    assert drift([random.lognormal(0.01 * place, 0.001, 60) for place in range(5)]) is None


def test_calls_that_depend_on_each_other_are_no_drift() -> None:
    """Some launches of a series that wanders around its mean have a trend, but not most of them in one direction."""
    random, found = np.random.default_rng(8), []
    for _ in range(60):
        noise = random.normal(0, 0.25, (7, 200)) * 0.8
        steps = signal.lfilter([1.0], [1.0, -0.6], noise, axis=1)
        found.append(drift([list(np.exp(row)) for row in steps]))
    assert found.count(None) >= 58


def test_short_launches_and_few_launches_show_no_drift() -> None:
    assert drift([[1.0] * 10] * 3) is None
    assert drift([[1.0, 2.0, 3.0]]) is None


@given(st.floats(0.001, 1000))
@settings(max_examples=20, deadline=None)
def test_drift_does_not_depend_on_the_unit(unit: float) -> None:
    random = np.random.default_rng(9)
    slowing = [random.lognormal(0, 0.05, 60) * np.linspace(1, 1.5, 60) for _ in range(5)]
    found, scaled = drift(slowing), drift([unit * launch for launch in slowing])
    assert found is not None and scaled is not None
    assert scaled.ratio == pytest.approx(found.ratio)
