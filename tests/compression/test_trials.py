"""Which trial wins, which trials are on the front, and the missing part of a target."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm

from edge_ptf.compression import Prediction, Search, Trial, best, conclude, front, shortfall
from edge_ptf.metrics import Direction
from edge_ptf.package.evidence import Status, TargetVerdict


def trial(name: str = "trial 1", **values: Any) -> Trial:
    known = {"why": "a test", "overrides": {}, "state": "finished", "seconds": 1.0, "speedup": 5.0, "size_mb": 8.0}
    return Trial(name=name, predicted=Prediction(speedup=5.0, size_mb=8.0), **{**known, **values})


def target_verdict(
    target: str, value: float | None, bound: float | None, limit: float, status: Status
) -> TargetVerdict:
    found = TargetVerdict(target=target, title=target, unit="", limit=limit, value=value, bound=bound, status=status)
    return found.replace(direction=Direction.HIGHER) if target == "min_speedup" else found


def test_a_target_that_is_passed_or_cannot_be_judged_is_not_short() -> None:
    assert shortfall(target_verdict("max_drop.accuracy", 0.1, 0.3, 1.0, Status.PASS), 1.0) == 0
    assert shortfall(target_verdict("package_mb", 9.0, 9.0, 10.0, Status.PASS), 1.0) == 0
    assert shortfall(target_verdict("max_drop.accuracy", None, None, 1.0, Status.UNPROVEN), 1.0) == 0
    assert shortfall(target_verdict("latency_ms.p50", None, None, 1.0, Status.UNPROVEN), 1.0) == 0


@pytest.mark.parametrize("confidence", [0.9, 0.95])
@pytest.mark.parametrize("larger", [0.3, 1.0, 1.4])
@pytest.mark.parametrize(("value", "spread"), [(-0.2, 0.1), (0.4, 0.5), (1.5, 3.0)])
def test_a_drop_that_is_just_met_is_proven_on_test_in_four_of_five_cases(
    value: float, spread: float, larger: float, confidence: float
) -> None:
    """Drops on both splits are normally distributed around the true drop."""
    z = float(norm.ppf(confidence))
    bound, here, there = value + spread, spread / z, larger * spread / z
    limit = float(norm.ppf(0.8, loc=value + z * there, scale=(here**2 + there**2) ** 0.5))
    if limit <= 0:
        return
    just, missed = (
        target_verdict("max_drop.accuracy", value, bound, limit * share, Status.PASS) for share in (1.01, 0.97)
    )
    assert shortfall(just, larger, confidence) == 0
    assert shortfall(missed, larger, confidence) == pytest.approx(0.03 / 0.97, abs=0.01)


def test_more_texts_in_test_bring_a_drop_nearer_to_its_limit() -> None:
    lost = target_verdict("max_drop.accuracy", 1.5, 1.9, 1.0, Status.FAIL)
    assert 0.5 < shortfall(lost, 0.0) < shortfall(lost, 0.5) < shortfall(lost, 1.0)


def test_a_speed_up_is_short_below_its_limit_and_a_size_above() -> None:
    assert shortfall(target_verdict("min_speedup", 3.0, 2.9, 4.0, Status.FAIL), 1.0) == pytest.approx(1.1 / 4)
    assert shortfall(target_verdict("package_mb", 11.0, 11.0, 10.0, Status.FAIL), 1.0) == pytest.approx(0.1)


def test_the_best_is_nearest_to_its_targets_and_then_most_accurate() -> None:
    stopped = trial("stopped", state="stopped", speedup=None, size_mb=None)
    short = trial("short", short={"package_mb": 0.1}, drops={"accuracy": 0.0})
    worse, better = trial("worse", drops={"accuracy": 0.9}), trial("better", drops={"accuracy": 0.2})
    assert best([stopped, short, worse, better]) is better
    assert best([stopped, short]) is short
    assert best([stopped]) is None
    assert not stopped.met
    assert better.met
    assert short.misses("min_speedup", "package_mb")
    assert not short.misses("max_drop")


@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(1, 4), st.integers(1, 4), st.booleans()), min_size=1, max_size=12)
)
def test_nothing_on_the_front_is_beaten_and_everything_else_is(rows: list[tuple[int, int, int, bool]]) -> None:
    trials = [
        trial(str(number), drops={"accuracy": drop}, speedup=speed, size_mb=size, state="finished")
        if done
        else trial(str(number), state="stopped", speedup=None, size_mb=None)
        for number, (drop, speed, size, done) in enumerate(rows)
    ]
    points = {str(n): (row[0], -row[1], row[2]) for n, row in enumerate(rows) if row[3]}
    ahead = {item.name for item in front(trials)}
    for name, own in points.items():
        beaten = any(other != own and all(a <= b for a, b in zip(other, own, strict=True)) for other in points.values())
        assert (name in ahead) is not beaten
    assert ahead <= set(points)


def test_one_missed_target_is_better_than_two_however_far_it_is() -> None:
    two = trial("two", short={"max_drop.accuracy": 0.1, "package_mb": 0.1})
    one = trial("one", short={"max_drop.recall": 0.9})
    assert best([two, one]) is one


def test_the_conclusion_names_the_winner_and_what_is_open() -> None:
    item = target_verdict("package_mb", 11.0, 11.0, 10.0, Status.FAIL)
    near = trial("trial 2", short={"package_mb": 0.1}, target_verdicts=(item,))
    assert (
        conclude([near], "3 trials were made")
        == "trial 2 is nearest to the targets; not met: package_mb; 3 trials were made"
    )
    assert "meets every target" in conclude([trial()], "so it ended")
    assert conclude([], "time was up") == "no trial finished; time was up"


def test_the_record_is_written_whole(tmp_path: Path) -> None:
    found = Search(trials=(trial(),), winner="trial 1", conclusion="", seconds=1.0)
    found.write(tmp_path)
    assert Search.model_validate(json.loads((tmp_path / "search.json").read_text(encoding="utf-8"))) == found
    assert found.winning is not None
    assert [path.name for path in tmp_path.iterdir()] == ["search.json"]
