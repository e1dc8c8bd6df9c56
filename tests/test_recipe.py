"""Who may set what: built-in defaults < task < profile < the user's file < flags."""

from __future__ import annotations

from typing import Any

import pytest

from edge_ptf import profiles, tasks
from edge_ptf.config import Source
from edge_ptf.errors import ConfigError
from edge_ptf.recipe import Recipe, resolve_recipe
from edge_ptf.training import DistillConfig

CLASSIFICATION, TAGGING = tasks.get("text-classification"), tasks.get("token-classification")
FILE = Source("edge-ptf.yaml", {"finetune": {"epochs": 9, "seed": 4}, "bench": {"threads": 2}})
FLAGS = Source("command line", {"finetune": {"epochs": 2}})


def test_each_level_wins_over_those_below() -> None:
    profile = profiles.load("x86-generic")
    built_in, recipe = Recipe(), resolve_recipe(profile, CLASSIFICATION, [FILE, FLAGS])
    assert recipe.finetune.epochs == 2
    assert recipe.finetune.seed == 4
    assert recipe.bench.threads == 2
    assert recipe.evaluate.threads == profile.engine.threads
    assert recipe.prune.vocabulary_size == CLASSIFICATION.recipe["prune"]["vocabulary_size"]
    assert recipe.finetune.learning_rate == built_in.finetune.learning_rate
    assert recipe.distill == DistillConfig()
    assert recipe.targets.package_mb == profile.targets.package_mb


def test_a_task_brings_defaults_of_its_own() -> None:
    recipe = resolve_recipe(None, TAGGING)
    assert recipe.prune.vocabulary is False
    assert recipe.distill.learning_rate == TAGGING.recipe["distill"]["learning_rate"]
    assert recipe.targets == Recipe().targets


def test_without_a_profile_there_are_no_targets() -> None:
    targets = resolve_recipe(None, CLASSIFICATION).targets
    assert targets.min_speedup is targets.package_mb is targets.peak_memory_mb is None


@pytest.mark.parametrize("name", profiles.names())
def test_every_shipped_profile_makes_a_recipe_for_every_task(name: str) -> None:
    profile = profiles.load(name)
    for task in (CLASSIFICATION, TAGGING):
        recipe = resolve_recipe(profile, task)
        assert recipe.export.opset == profile.engine.opset
        assert recipe.quantize.mode != "none"


def test_every_mistake_is_named_with_the_place_that_made_it() -> None:
    wrong = Source("edge-ptf.yaml", {"bench": {"threads": 0}, "finetune": {"epoch": 3}}, {("bench", "threads"): 7})
    flags = Source("command line", {"distill": {"epochs": 0}})
    with pytest.raises(ConfigError) as caught:
        resolve_recipe(None, CLASSIFICATION, [wrong, flags])
    said = str(caught.value)
    assert "3 values" in said
    assert "edge-ptf.yaml:7" in said
    assert "epochs" in said
    assert "command line" in said


@pytest.mark.parametrize(
    ("settings", "wanted"),
    [
        ([{"prune": {"speedup": 2}}], {"speedup": 2.0, "num_layers": None, "intermediate_size": None}),
        (
            [{"prune": {"speedup": 2}}, {"prune": {"intermediate_size": 64}}],
            {"speedup": None, "num_layers": 2 / 3, "intermediate_size": (64.0,)},
        ),
        (
            [{"prune": {"intermediate_size": 64}}, {"prune": {"speedup": 2}}],
            {"speedup": 2.0, "num_layers": None, "intermediate_size": None},
        ),
        ([{"prune": {"speedup": None}}], {"speedup": None, "num_layers": 2 / 3}),
    ],
)
def test_the_strongest_place_that_says_a_size_decides_how(
    settings: list[dict[str, Any]], wanted: dict[str, Any]
) -> None:
    sources = [Source(f"place {number}", values) for number, values in enumerate(settings)]
    found = resolve_recipe(None, tasks.get("text-classification"), sources).prune
    assert {name: getattr(found, name) for name in wanted} == wanted
    assert found.vocabulary_size == 12_000


def test_a_speedup_beside_a_size_in_one_place_is_refused() -> None:
    sources = [Source("command line", {"prune": {"speedup": 2, "intermediate_size": 64}})]
    with pytest.raises(ConfigError) as caught:
        resolve_recipe(None, tasks.get("text-classification"), sources)
    assert "remove intermediate_size" in str(caught.value)


def test_the_size_is_found_by_the_targets_where_nobody_names_one() -> None:
    profile = profiles.load("x86-generic")
    assert resolve_recipe(profile, CLASSIFICATION).search.automatic
    assert resolve_recipe(profile, TAGGING, [FILE]).search.automatic
    for prune in ({"num_layers": 2}, {"speedup": 2.0}, {"intermediate_size": 64}):
        assert not resolve_recipe(profile, CLASSIFICATION, [Source("flags", {"prune": prune})]).search.automatic
    vocabulary = Source("flags", {"prune": {"vocabulary_size": 9000}})
    assert resolve_recipe(profile, CLASSIFICATION, [vocabulary]).search.automatic
    off = Source("flags", {"search": {"automatic": False}})
    assert not resolve_recipe(profile, CLASSIFICATION, [off]).search.automatic


def test_what_is_switched_off_by_a_stronger_place_does_not_count() -> None:
    profile = profiles.load("x86-generic")
    for latency in ({}, {"latency_ms": {"p50": None}}):
        limitless = Source("flags", {"targets": {"min_speedup": None, "package_mb": None, **latency}})
        assert not resolve_recipe(profile, CLASSIFICATION, [limitless]).search.automatic
    named, unnamed = Source("file", {"prune": {"num_layers": 2}}), Source("flags", {"prune": {"num_layers": None}})
    assert not resolve_recipe(profile, CLASSIFICATION, [named]).search.automatic
    assert resolve_recipe(profile, CLASSIFICATION, [named, unnamed]).search.automatic


def test_without_a_cost_to_keep_the_size_is_the_tasks_own() -> None:
    assert not resolve_recipe(None, CLASSIFICATION).search.automatic
    assert resolve_recipe(None, CLASSIFICATION, [Source("flags", {"targets": {"package_mb": 9}})]).search.automatic


def test_teaching_for_int8_that_will_not_come_is_refused_before_anything_is_made() -> None:
    flags = Source("command line", {"distill": {"quantization_aware": True}, "quantize": {"mode": "none"}})
    with pytest.raises(ConfigError) as caught:
        resolve_recipe(None, CLASSIFICATION, [flags])
    (problem,) = caught.value.problems
    assert problem == (
        "command line: distill.quantization_aware is for a student that becomes INT8, and quantize.mode is none"
    )
