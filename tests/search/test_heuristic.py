"""What is tried first, and what after it."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from edge_ptf.compression import Limits, Prediction, Trial, conclude
from edge_ptf.errors import RefusedError
from edge_ptf.metrics import Direction
from edge_ptf.package.evidence import Status, TargetVerdict
from edge_ptf.profiles import LatencyLimit, Targets
from edge_ptf.provable import Provable
from edge_ptf.search import WHOLE
from edge_ptf.search.heuristic import LONGER, ROUNDING, TEACHERS, heuristic_search, limits_of

SLOW, LARGE, INACCURATE = {"min_speedup": 0.1}, {"package_mb": 0.1}, {"max_drop.accuracy": 0.3}


def test_the_first_is_the_deepest_that_is_predicted_to_meet_the_costs(
    make_shop: Callable[..., Any], predictor: Any, predictors: Any, limits: Limits
) -> None:
    shop = make_shop()
    found = heuristic_search(shop, predictors)
    assert len(found.trials) == 1
    first = found.trials[0]
    assert limits.kept_by(first.predicted)
    deepest = predictor.deepest(limits)
    assert deepest is not None
    assert first.overrides["prune"]["num_layers"] == len(deepest)
    assert found.winner == "trial 1"
    assert "nothing further was tried" in found.conclusion


def test_one_that_is_too_slow_is_followed_by_a_smaller_one(make_shop: Callable[..., Any], predictors: Any) -> None:
    def made(overrides: Any, predicted: Any) -> dict[str, Any]:
        measured = predicted.speedup / 1.2
        return {"speedup": measured, "short": {} if measured >= 4 else SLOW}

    shop = make_shop(made)
    found = heuristic_search(shop, predictors)
    assert len(found.trials) == 2
    first, second = found.trials
    assert second.predicted.speedup > first.predicted.speedup
    assert second.met
    assert found.winning is second
    assert "too slow or too large" in second.why


def test_one_that_is_too_large_is_followed_by_a_smaller_one(make_shop: Callable[..., Any], predictors: Any) -> None:
    def made(overrides: Any, predicted: Any) -> dict[str, Any]:
        size = predicted.size_mb * 1.2
        return {"size_mb": size, "short": {} if size <= 10 else LARGE}

    found = heuristic_search(make_shop(made, targets={"min_speedup": 1.0, "package_mb": 10.0}), predictors)
    assert [trial.met for trial in found.trials] == [False, True]


def test_one_that_loses_too_much_is_taught_by_several_teachers_and_then_longer(
    make_shop: Callable[..., Any], predictors: Any
) -> None:
    def made(overrides: Any, predicted: Any) -> dict[str, Any]:
        return {"short": {}} if "distill" in overrides else {"short": INACCURATE, "drops": {"accuracy": 1.4}}

    shop = make_shop(made)
    found = heuristic_search(shop, predictors)
    first, second, third = found.trials
    assert first.overrides["prune"] == second.overrides["prune"] == third.overrides["prune"]
    assert "ensemble" not in first.overrides
    assert second.overrides["ensemble"] == third.overrides["ensemble"] == {"teachers": TEACHERS}
    assert "distill" not in second.overrides
    assert third.overrides["distill"] == {"epochs": LONGER * shop.recipe.distill.epochs}
    assert found.winning is third


def test_at_last_it_is_taught_with_the_rounding_of_int8(make_shop: Callable[..., Any], predictors: Any) -> None:
    def made(overrides: Any, predicted: Any) -> dict[str, Any]:
        return {"short": {} if overrides.get("distill", {}).get("quantization_aware") else INACCURATE}

    shop = make_shop(made, search={"heuristic_trials": 9})
    found = heuristic_search(shop, predictors)
    *_, longer, last = found.trials
    assert len(found.trials) == 4
    assert last.overrides["distill"] == {**longer.overrides["distill"], "quantization_aware": True}
    assert last.overrides["prune"] == longer.overrides["prune"]
    assert "taught with INT8's rounding" in last.why
    assert found.winning is last
    minutes = (2 + ROUNDING - 0.01) / 60  # each trial here takes a second, and this one ROUNDING
    brief = make_shop(made, search={"heuristic_trials": 9, "minutes": minutes}, ensemble={"teachers": TEACHERS})
    assert len(heuristic_search(brief, predictors).trials) == 2


@pytest.mark.parametrize(
    "sections",
    [{"quantize": {"mode": "none"}}, {"distill": {"quantization_aware": True}}],
    ids=["FP32", "from the first"],
)
def test_there_is_no_such_lesson_where_nothing_becomes_int8_or_all_is_taught_so(
    make_shop: Callable[..., Any], predictors: Any, sections: Any
) -> None:
    shop = make_shop(lambda *_: {"short": INACCURATE}, search={"heuristic_trials": 9}, **sections)
    given = [trial.overrides.get("distill", {}) for trial in heuristic_search(shop, predictors).trials]
    assert given == [{}, {}, {"epochs": LONGER * shop.recipe.distill.epochs}]


def test_a_recipe_with_several_teachers_begins_with_them(make_shop: Callable[..., Any], predictors: Any) -> None:
    shop = make_shop(lambda *_: {"short": INACCURATE}, ensemble={"teachers": TEACHERS})
    first, second, third = heuristic_search(shop, predictors).trials
    assert all("ensemble" not in trial.overrides for trial in (first, second, third))  # the recipe's own
    assert second.overrides["distill"] == {"epochs": LONGER * shop.recipe.distill.epochs}


def test_what_is_too_slow_and_loses_too_much_gets_smaller_and_is_taught_better(
    make_shop: Callable[..., Any], predictors: Any
) -> None:
    def made(overrides: Any, predicted: Any) -> dict[str, Any]:
        measured = predicted.speedup / 1.2
        short = {} if measured >= 4 else dict(SLOW)
        return {"speedup": measured, "short": short if "ensemble" in overrides else {**short, **INACCURATE}}

    found = heuristic_search(make_shop(made), predictors)
    assert [("ensemble" in item.overrides, item.met) for item in found.trials] == [(False, False), (True, True)]
    first, second = found.trials
    assert first.overrides["prune"] != second.overrides["prune"]
    assert "smaller" in second.why and "teachers" in second.why


def test_a_smaller_one_is_taught_as_the_last_one_was(make_shop: Callable[..., Any], predictors: Any) -> None:
    def made(overrides: Any, predicted: Any) -> dict[str, Any]:
        if "ensemble" not in overrides:
            return {"short": INACCURATE}
        measured = predicted.speedup / 1.5
        return {"speedup": measured, "short": {} if measured >= 4 else SLOW}

    _, before, last = heuristic_search(make_shop(made, search={"heuristic_trials": 5}), predictors).trials
    assert last.overrides["ensemble"] == before.overrides["ensemble"]
    assert last.overrides["prune"] != before.overrides["prune"]


def test_what_can_get_no_smaller_is_still_taught_better(
    make_shop: Callable[..., Any], predictor: Any, predictors: Any
) -> None:
    def made(overrides: Any, predicted: Any) -> dict[str, Any]:
        return {"speedup": predicted.speedup / 1.5, "short": {**SLOW, **INACCURATE}}

    tight = {"min_speedup": 13.0, "max_drop": {"accuracy": 1.0}}
    first, second, *_ = heuristic_search(make_shop(made, targets=tight), predictors).trials
    assert predictor.deepest(Limits(speedup=13.0 * 1.5)) is None
    assert second.overrides["prune"] == first.overrides["prune"]
    assert second.predicted == first.predicted
    assert second.overrides["ensemble"] == {"teachers": TEACHERS}


def test_where_nothing_helps_the_nearest_wins_and_it_says_so(make_shop: Callable[..., Any], predictors: Any) -> None:
    def made(overrides: Any, predicted: Any) -> dict[str, Any]:
        return {"short": {"max_drop.accuracy": 0.2 if "distill" in overrides else 0.5}}

    found = heuristic_search(make_shop(made, search={"heuristic_trials": 5}), predictors)
    assert [item.name for item in found.trials] == ["trial 1", "trial 2", "trial 3", "trial 4"]
    assert found.winner == "trial 3"
    assert "edge-ptf search" in found.conclusion


@pytest.mark.parametrize(
    ("size", "sections", "last"),
    [
        (10.0, {"prune"}, False),
        (8.0, {"prune", "quantize"}, False),
        (5.4, {"prune", "quantize"}, False),
        (4.0, {"prune", "quantize"}, True),
        (3.0, {"prune", "quantize"}, True),
    ],
)
def test_a_small_package_gets_a_leaner_table_and_narrower_states_before_it_loses_its_layers(
    make_shop: Callable[..., Any], predictors: Any, size: float, sections: set[str], last: bool
) -> None:
    targets = {"min_speedup": 1.0, "package_mb": size, "max_drop": {"accuracy": 1.0}}
    found = heuristic_search(make_shop(lambda *_: {"short": INACCURATE}, targets=targets), predictors)
    first, second, _ = found.trials
    assert set(first.overrides) == sections
    assert first.overrides["prune"]["hidden_size"] == (288 if last else None)
    assert ("vocabulary_size" in first.overrides["prune"]) == last
    assert first.overrides["prune"]["num_layers"] >= 2
    assert {section: second.overrides[section] for section in sections} == first.overrides
    assert second.overrides["ensemble"] == {"teachers": TEACHERS}


@pytest.mark.parametrize(("speedup", "heads"), [(4.0, None), (6.0, (6,)), (9.0, (4,))])
def test_heads_go_where_narrower_states_keep_too_few_layers(
    make_shop: Callable[..., Any], predictors: Any, speedup: float, heads: tuple[int, ...] | None
) -> None:
    targets = {"min_speedup": speedup, "package_mb": 3.2}
    slow = {"short": {"speedup": 0.1}, "speedup": 3.0}
    shop = make_shop(lambda *_: slow, targets=targets, search={"heuristic_trials": 2})
    for trial in heuristic_search(shop, predictors).trials:
        assert trial.overrides["prune"]["num_heads"] == heads
        assert trial.overrides["prune"]["hidden_size"] == 288


def test_attempts_and_minutes_are_limits(make_shop: Callable[..., Any], predictors: Any) -> None:
    def made(overrides: Any, predicted: Any) -> dict[str, Any]:
        return {"short": INACCURATE}

    one = heuristic_search(make_shop(made, search={"heuristic_trials": 1}), predictors)
    assert len(one.trials) == 1
    assert "1 trials" in one.conclusion
    brief = heuristic_search(make_shop(made, search={"minutes": 0.01}), predictors)
    assert len(brief.trials) == 1
    assert "within 0.01 minutes" in brief.conclusion


def test_it_says_that_the_time_is_spent_and_how_to_go_on(make_shop: Callable[..., Any], predictors: Any) -> None:
    shop = make_shop(lambda *_: {"short": INACCURATE}, search={"minutes": 0.03})  # a trial takes a second here
    found = heuristic_search(shop, predictors)
    assert len(found.trials) == 1
    assert "the time is spent" in found.conclusion
    (minutes,) = re.findall(r"--set search\.minutes=(\d+) goes on from here", found.conclusion)
    longer = make_shop(lambda *_: {"short": INACCURATE}, search={"minutes": int(minutes)})
    assert len(heuristic_search(longer, predictors).trials) > 1


def test_a_spent_time_is_not_hidden_by_a_search_that_has_nothing_left(
    make_shop: Callable[..., Any], predictors: Any
) -> None:
    targets = {"min_speedup": 13.0}
    slow = {"short": SLOW, "speedup": 1.0}
    brief = heuristic_search(make_shop(lambda *_: slow, targets=targets, search={"minutes": 0.01}), predictors)
    assert "0.01 minutes are spent, and no other structure or training is left to try" in brief.conclusion
    long = heuristic_search(make_shop(lambda *_: slow, targets=targets), predictors)
    assert "are spent" not in long.conclusion
    assert "no other structure or training is left to try; `edge-ptf search`" in long.conclusion


def speed(value: float, bound: float) -> TargetVerdict:
    return TargetVerdict(
        target="min_speedup",
        title="speed-up",
        unit="×",
        direction=Direction.HIGHER,
        limit=4.0,
        value=value,
        bound=bound,
        status=Status.UNPROVEN,
    )


def test_one_whose_bound_alone_is_too_slow_is_followed_by_a_smaller_one(
    make_shop: Callable[..., Any], predictors: Any
) -> None:
    def made(overrides: Any, predicted: Any) -> dict[str, Any]:
        bound = 0.85 * predicted.speedup
        found = {"speedup": predicted.speedup, "target_verdicts": (speed(predicted.speedup, bound),)}
        return {**found, "short": {"min_speedup": 1 - bound / 4} if bound < 4 else {}}

    first, second = heuristic_search(make_shop(made), predictors).trials
    assert first.speedup is not None and first.speedup >= 4
    assert second.predicted.speedup > first.predicted.speedup
    assert second.met


def test_what_is_only_not_proven_is_not_called_missed() -> None:
    def trial(item: TargetVerdict) -> Trial:
        return Trial(
            name="trial 1",
            why="",
            overrides={},
            state="finished",
            predicted=Prediction(speedup=4.4, size_mb=5.0),
            target_verdicts=(item,),
            short={"min_speedup": 0.1},
            seconds=1.0,
        )

    assert "not proven: speed-up; " in conclude([trial(speed(4.45, 3.8))], "…")
    assert "not met: speed-up; " in conclude([trial(speed(3.9, 3.8))], "…")


def test_a_limit_that_nothing_keeps_does_not_end_the_search(make_shop: Callable[..., Any], predictors: Any) -> None:
    targets = {"min_speedup": 4.0, "package_mb": 0.5, "max_drop": {"accuracy": 1.0}}
    found = heuristic_search(make_shop(lambda *_: {"short": LARGE}, targets=targets), predictors)
    assert found.unreachable == ("size_mb",)
    assert found.trials[0].predicted.speedup >= 4


def test_every_attempt_is_told(make_shop: Callable[..., Any], predictors: Any) -> None:
    shown: list[str] = []
    heuristic_search(make_shop(lambda *_: {"short": INACCURATE}), predictors, lambda trial: shown.append(trial.name))
    assert shown == ["trial 1", "trial 2", "trial 3"]


@pytest.mark.parametrize(("source", "speedup"), [("measured", 13.0), ("estimated", 4.0)])
def test_a_latency_is_a_limit_where_costs_were_measured(source: str, speedup: float, predictor: Any) -> None:
    targets = Targets(min_speedup=4.0, latency_ms=LatencyLimit(p50=1.0))
    assert limits_of(targets, type(predictor)(source)) == Limits(speedup=speedup)
    assert limits_of(Targets(), predictor) == Limits()


def test_one_that_is_too_slow_in_milliseconds_is_followed_by_a_smaller_one(
    make_shop: Callable[..., Any], predictors: Any
) -> None:
    """13 ms in full precision; what is measured takes a fifth longer than predicted, and 4 ms are the limit."""

    def made(overrides: Any, predicted: Any) -> dict[str, Any]:
        late = 13.0 / predicted.speedup * 1.2 / 4.0 - 1
        return {"short": {"latency_ms.p95": late} if late > 0 else {}}

    targets = {"min_speedup": None, "package_mb": None, "latency_ms": {"p95": 4.0}}
    found = heuristic_search(make_shop(made, targets=targets), predictors)
    first, second = found.trials
    assert first.predicted.speedup < 13.0 / 4.0 * 1.2 < second.predicted.speedup
    assert second.met


def test_an_attempt_that_is_refused_does_not_lose_the_others(make_shop: Callable[..., Any], predictors: Any) -> None:
    def made(overrides: Any, predicted: Any) -> dict[str, Any]:
        if "ensemble" in overrides:
            raise RefusedError("INT8 is slower than FP32")
        return {"short": INACCURATE}

    found = heuristic_search(make_shop(made), predictors)
    assert [trial.state for trial in found.trials] == ["finished", "stopped"]
    assert found.trials[1].reason == "INT8 is slower than FP32"
    assert found.winner == "trial 1"


def test_where_every_attempt_is_refused_that_is_said(make_shop: Callable[..., Any], predictors: Any) -> None:
    def made(overrides: Any, predicted: Any) -> dict[str, Any]:
        raise RefusedError("INT8 is slower than FP32")

    with pytest.raises(RefusedError, match="INT8 is slower"):
        heuristic_search(make_shop(made), predictors)


def test_a_speed_up_out_of_reach_does_not_hide_the_table_that_fits(
    make_shop: Callable[..., Any], predictor: Any, predictors: Any
) -> None:
    targets = {"min_speedup": 1000.0, "package_mb": 5.0}
    assert predictor.deepest(Limits(size_mb=5.0)) is None  # 12,000 subwords alone take 4.8 MB
    shop = make_shop(lambda *_: {"short": SLOW}, targets=targets, search={"heuristic_trials": 1})
    found = heuristic_search(shop, predictors)
    assert found.unreachable == ("speedup",)
    assert found.trials[0].overrides["quantize"] == {"embeddings": "int4"}


def test_other_widths_are_measured_only_where_they_are_needed(make_shop: Callable[..., Any], predictors: Any) -> None:
    asked: list[float] = []

    def counted(share: float) -> Any:
        asked.append(share)
        return predictors(share)

    heuristic_search(make_shop(), counted)
    assert set(asked) == {WHOLE}


def test_where_the_test_split_is_too_small_one_is_made_and_its_reason_says_so(
    make_shop: Callable[..., Any], predictors: Any
) -> None:
    shop = make_shop(lambda *_: {"short": {**SLOW, **INACCURATE}}, search={"heuristic_trials": 5})
    assert len(heuristic_search(shop, predictors).trials) > 1
    found = Provable(metric="accuracy", title="accuracy", unit="points", limit=1.0, examples=60, bound=5.8, needed=361)
    shop.unprovable = (found,)
    search = heuristic_search(shop, predictors)
    assert [trial.name for trial in search.trials] == ["trial 1"]
    assert "too few examples" in search.trials[0].why
    assert search.winner == "trial 1"
    assert "60 test rows" in search.conclusion and "about 370" in search.conclusion
