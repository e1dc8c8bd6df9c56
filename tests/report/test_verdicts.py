"""The verdict's sentence and its scales."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from edge_ptf.metrics import Direction
from edge_ptf.package.evidence import Status, TargetVerdict, Verdict
from edge_ptf.report.verdicts import scale, summary, targets

from .conftest import verdict_of

NUMBERS = st.floats(-1e3, 1e6)


@given(limit=NUMBERS, value=st.none() | NUMBERS, bound=st.none() | NUMBERS, least=st.booleans())
def test_everything_lies_on_the_scale_and_in_order(
    limit: float, value: float | None, bound: float | None, least: bool
) -> None:
    item = TargetVerdict(
        target="any",
        title="x",
        unit="MB",
        direction=Direction.HIGHER if least else Direction.LOWER,
        limit=limit,
        value=value,
        bound=bound,
        status=Status.UNPROVEN,
    )
    drawn = scale(item)
    for place in (drawn.limit, drawn.value, drawn.bound, drawn.allowed_from, drawn.allowed_to):
        assert place is None or 0 <= place <= 100
    if value is not None:
        assert drawn.value is not None
        assert (drawn.value <= drawn.limit) == (value <= limit) or abs(drawn.value - drawn.limit) < 0.01
    assert (drawn.allowed_from, drawn.allowed_to) == ((drawn.limit, 100.0) if least else (0.0, drawn.limit))


def test_the_sentence_counts() -> None:
    verdict = verdict_of("p" * 64)
    assert summary(verdict) == "At least one target is missed. 4 targets: 1 proven, 1 missed, 2 open."
    assert "not sealed" in summary(None)
    assert "Nothing judged" in summary(
        Verdict(payload="p" * 64, profile="x", confidence=0.95, status=None, target_verdicts=())
    )
    assert [target.limit for target in targets(verdict)] == ["≤ 1.00 points", "≥ 4.00×", "≤ 8.0 MB", "≤ 100.0 MB"]
