"""The wide search over a trial_runner without models, on a real Optuna storage."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edge_ptf.compression import front
from edge_ptf.errors import EnvironmentFault, MissingExtraError
from edge_ptf.models import LayerShape
from edge_ptf.provable import Provable
from edge_ptf.search import optuna_search, search

NOT_MET = {"max_drop.accuracy": 0.3}


def losing(overrides: Any, predicted: Any) -> dict[str, Any]:
    """The smaller, the worse; never good enough."""
    return {"drops": {"accuracy": 12.0 - predicted.size_mb}, "short": NOT_MET}


def test_it_makes_as_many_trials_as_asked_and_goes_on_where_it_was(
    make_shop: Callable[..., Any], predictors: Any, tmp_path: Path
) -> None:
    shop = make_shop(losing, search={"trials": 4})
    found = search(shop, predictors, tmp_path)
    assert len(found.trials) == len(shop.tried) == 4
    assert (tmp_path / "search.db").exists()
    again = search(shop, predictors, tmp_path)
    assert again.trials == found.trials
    assert len(shop.tried) == 4
    more = make_shop(losing, search={"trials": 6})
    assert len(search(more, predictors, tmp_path).trials) == 6
    assert len(more.tried) == 2


def test_where_the_test_split_is_too_small_one_trial_is_made_as_by_the_heuristic_search(
    make_shop: Callable[..., Any], predictors: Any, tmp_path: Path
) -> None:
    found = Provable(metric="accuracy", title="accuracy", unit="points", limit=1.0, examples=60, bound=5.8, needed=361)
    shop = make_shop(losing, search={"trials": 4})
    shop.unprovable = (found,)
    made = search(shop, predictors, tmp_path)
    assert [trial.name for trial in made.trials] == ["trial 0"]
    assert "none could be proven (accuracy: 60 test rows" in made.conclusion
    assert "--all-trials goes on" in made.conclusion
    assert len(search(shop, predictors, tmp_path).trials) == 1
    whole = make_shop(losing, search={"trials": 3, "all_trials": True})
    whole.unprovable = (found,)
    assert len(search(whole, predictors, tmp_path).trials) == 3


def test_the_first_trial_is_what_the_heuristic_search_would_take(
    make_shop: Callable[..., Any], predictor: Any, predictors: Any, limits: Any, tmp_path: Path
) -> None:
    shop = make_shop(losing, search={"trials": 1})
    search(shop, predictors, tmp_path)
    deepest = predictor.deepest(limits)
    assert shop.tried[0]["prune"]["num_layers"] == len(deepest)
    assert shop.tried[0]["prune"]["intermediate_size"] == (deepest[0].intermediate_size,)
    assert shop.tried[0]["prune"]["num_heads"] is None
    assert shop.tried[0]["distill"]["epochs"] == shop.recipe.search.epochs


def test_heads_and_hidden_states_are_searched_too_and_predicted_with(
    make_shop: Callable[..., Any], predictors: Any, tmp_path: Path
) -> None:
    shop = make_shop(losing, search={"trials": 8})
    for trial in search(shop, predictors, tmp_path).trials:
        prune = trial.overrides["prune"]
        heads = prune["num_heads"][0] if prune["num_heads"] else 12
        assert 4 <= heads <= 12
        layers = (LayerShape(num_heads=heads, intermediate_size=prune["intermediate_size"][0]),) * prune["num_layers"]
        of_width = {each.hidden: each for each in map(predictors, optuna_search.WIDTHS)}[prune["hidden_size"] or 384]
        assert trial.predicted.speedup == pytest.approx(13.0 / of_width.latencies.predict(layers))
    assert any(overrides["prune"]["num_heads"] for overrides in shop.tried)
    assert {overrides["prune"]["hidden_size"] for overrides in shop.tried} == {None, 288, 192}


def test_every_width_has_its_start(make_shop: Callable[..., Any], predictors: Any, limits: Any, tmp_path: Path) -> None:
    shop = make_shop(losing, search={"trials": 4})
    search(shop, predictors, tmp_path)
    starts = [(overrides["prune"]["hidden_size"], overrides["prune"]["num_layers"]) for overrides in shop.tried]
    deepest = [len(predictors(width).deepest(limits)) for width in optuna_search.WIDTHS]
    assert starts == [(None, deepest[0]), (None, deepest[0] - 1), (288, deepest[1]), (192, deepest[2])]


def test_it_ends_when_the_targets_are_met_unless_all_trials_are_wanted(
    make_shop: Callable[..., Any], predictors: Any, tmp_path: Path
) -> None:
    found = search(make_shop(search={"trials": 5}), predictors, tmp_path)
    assert len(found.trials) == 1
    assert "the targets are met" in found.conclusion
    whole = search(make_shop(search={"trials": 5, "all_trials": True}), predictors, tmp_path)
    assert len(whole.trials) == 5


def test_candidates_far_beyond_the_costs_are_not_trained(
    make_shop: Callable[..., Any], predictors: Any, tmp_path: Path
) -> None:
    shop = make_shop(losing, search={"trials": 8})
    for trial in search(shop, predictors, tmp_path).trials:
        assert trial.predicted.speedup * 1.3 >= 4
        assert trial.predicted.size_mb <= 13


def test_a_limit_that_nothing_keeps_is_left_out_of_account(
    make_shop: Callable[..., Any], predictors: Any, tmp_path: Path
) -> None:
    shop = make_shop(losing, search={"trials": 2}, targets={"min_speedup": 4.0, "package_mb": 0.5})
    found = search(shop, predictors, tmp_path)
    assert len(found.trials) == 2
    assert found.unreachable == ("size_mb",)


def test_it_ends_where_hardly_anything_is_cheap_enough(
    make_shop: Callable[..., Any], predictors: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(optuna_search._Space, "hopeless", lambda *_: "too dear")
    monkeypatch.setattr(optuna_search, "PATIENCE", 3)
    found = search(make_shop(losing, search={"trials": 2}), predictors, tmp_path)
    assert found.trials == ()
    assert found.winner is None
    assert "6 proposals were left out" in found.conclusion


def test_a_training_that_a_cheaper_one_is_surely_ahead_of_is_stopped(
    make_shop: Callable[..., Any], predictors: Any, tmp_path: Path
) -> None:
    shop = make_shop(losing, search={"trials": 8, "seed": 3})
    shop.scores = lambda overrides: (0.9, 0.95, 0.96) if len(shop.tried) == 1 else (0.2, 0.3, 0.4)
    found = search(shop, predictors, tmp_path)
    first, *others = found.trials
    dearer = [
        item
        for item in others
        if item.predicted.speedup <= first.predicted.speedup and item.predicted.size_mb >= first.predicted.size_mb
    ]
    assert first.state == "finished"
    for item in dearer:
        assert item.state == "stopped"
        assert len(item.history) == 1
        assert item.reason == "after 1 epochs 20.0 %, and trial 0, smaller and quicker, had 90.0 %"
    assert {item.state for item in others if item not in dearer} <= {"finished", "stopped"}
    assert found.winner == "trial 0" or found.winning in front(found.trials)


def test_an_interrupted_trial_is_proposed_again(make_shop: Callable[..., Any], predictors: Any, tmp_path: Path) -> None:
    def interrupted(overrides: Any, predicted: Any) -> dict[str, Any]:
        raise KeyboardInterrupt

    shop = make_shop(interrupted, search={"trials": 1})
    with pytest.raises(KeyboardInterrupt):
        search(shop, predictors, tmp_path)
    after = make_shop(losing, search={"trials": 4})
    found = search(after, predictors, tmp_path)
    assert len(found.trials) == 4
    assert shop.tried[0] in after.tried
    assert len(search(after, predictors, tmp_path).trials) == 4


def test_another_job_on_the_same_storage_has_trials_of_its_own(
    make_shop: Callable[..., Any], predictors: Any, tmp_path: Path
) -> None:
    url = f"sqlite:///{tmp_path / 'shared.db'}"
    for teacher in ("one", "two"):
        shop = make_shop(losing, search={"trials": 2, "storage": url})
        shop.teacher.digest = teacher
        assert len(search(shop, predictors, tmp_path).trials) == 2
        assert len(shop.tried) == 2


def test_a_storage_that_cannot_be_used_is_one_clear_line(
    make_shop: Callable[..., Any], predictors: Any, tmp_path: Path
) -> None:
    for url in ("nonsense", f"sqlite:///{tmp_path / 'no' / 'folder' / 'x.db'}"):
        with pytest.raises(EnvironmentFault, match="cannot be used"):
            search(make_shop(losing, search={"storage": url}), predictors, tmp_path)


def test_without_optuna_the_extra_is_named(
    make_shop: Callable[..., Any], predictors: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(MissingExtraError, match=r"edge-ptf\[search\]"):
        search(make_shop(losing), predictors, tmp_path)
