"""A trial_runner without models: what a trial comes to is a function of its overrides."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import copy
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest

from edge_ptf import profiles, tasks
from edge_ptf.compression import LatencyTable, LatencyTableConfig, Limits, Prediction, Predictor, Trial
from edge_ptf.compression.latency_table import Curve, LayerLatencies
from edge_ptf.compression.prediction import LEAST_NEURONS
from edge_ptf.config import Source
from edge_ptf.errors import RefusedError
from edge_ptf.graph import QuantizeConfig
from edge_ptf.machine import this_machine
from edge_ptf.models import LayerShape
from edge_ptf.recipe import Recipe, resolve_recipe
from edge_ptf.search import WHOLE, Predictors
from edge_ptf.training import TrainingStopped

LAYERS, HEADS, UNITS, HIDDEN = 6, 12, 1536, 384


class Sums(Predictor):
    """Predictions of a six-layer encoder: half a millisecond a layer half, a megabyte a layer; less where narrower."""

    def __init__(self, source: str = "measured", share: float = WHOLE) -> None:
        ms = (0.0, 0.5 * share)
        latencies = LayerLatencies(
            attention=Curve(widths=(0, HEADS), ms=ms), feed_forward=Curve(widths=(0, UNITS), ms=ms)
        )
        self.share, self.hidden, self.heads = share, round(share * HIDDEN), HEADS
        self.pruned_hidden_size = None if share == WHOLE else self.hidden
        self.least_neurons = LEAST_NEURONS
        self.full_weights = LAYERS * (5 * HEADS + UNITS)
        self.shapes = (LayerShape(num_heads=HEADS, intermediate_size=UNITS),) * LAYERS
        self.subwords = 12_000
        self.latencies = LatencyTable(
            source=source,
            config=LatencyTableConfig(),
            quantize=QuantizeConfig(),
            lengths=(8,),
            unpruned=self.shapes,
            fixed_ms=0.5,
            inner=latencies,
            last=latencies,
            unpruned_ms=0.5 + LAYERS * share,
            full_precision_ms=13.0,
            machine=this_machine(),
        )

    def weights(self, shape: LayerShape) -> int:
        return 5 * HEADS + shape.intermediate_size

    def smaller_tables(self) -> list[tuple[dict[str, dict[str, Any]], Predictor]]:
        """Half the subwords' bytes, then a quarter."""
        half, quarter = copy(self), copy(self)
        half.subwords, quarter.subwords = 6_000, 3_000
        return [
            ({"quantize": {"embeddings": "int4"}}, half),
            ({"quantize": {"embeddings": "int4"}, "prune": {"vocabulary_size": None}}, quarter),
        ]

    def of(self, layers: Sequence[LayerShape], subwords: int | None = None) -> Prediction:
        count = self.subwords if subwords is None else subwords
        size = (
            sum(0.5 * shape.num_heads / HEADS + 1.2 * shape.intermediate_size / UNITS for shape in layers)
            + count / 2500
        )
        return Prediction(speedup=13.0 / self.latencies.predict(layers), size_mb=self.share * size)


Made = Callable[[dict[str, dict[str, Any]], Prediction], dict[str, Any]]


@dataclass
class Shop:
    """Stands for a trial_runner."""

    recipe: Recipe
    made: Made
    scores: Callable[[dict[str, dict[str, Any]]], tuple[float, ...]] = lambda _: (0.5, 0.8, 0.9)
    work: dict[str, float] = field(default_factory=dict)
    tried: list[dict[str, dict[str, Any]]] = field(default_factory=list)
    data: Any = field(default_factory=lambda: SimpleNamespace(fingerprint="0", validation=[None] * 3000))
    task: Any = field(default_factory=lambda: tasks.create(tasks.get("text-classification").spec_for("ab")))
    teacher: Any = field(default_factory=lambda: SimpleNamespace(digest="t"))
    refusal: Exception | None = None
    unprovable: tuple[Any, ...] = ()

    def trial(self, name: str, why: str, overrides: Any, predicted: Prediction, watch: Any = None) -> Trial:
        overrides = {section: dict(values) for section, values in overrides.items()}
        self.tried.append(overrides)
        self.work[name] = 1.0
        known = {"name": name, "why": why, "overrides": overrides, "predicted": predicted, "seconds": 1.0}
        history: list[float] = []
        try:
            for score in self.scores(overrides):
                history.append(100 * score)
                if watch and (reason := watch(history)):
                    raise TrainingStopped(reason, history)
        except TrainingStopped as stop:
            return Trial(**known, state="stopped", reason=stop.reason, history=stop.history)
        try:
            made = self.made(overrides, predicted)
        except RefusedError as error:
            self.refusal = error
            return Trial(**known, state="stopped", reason=error.message)
        usual = {"speedup": predicted.speedup, "size_mb": predicted.size_mb, "drops": {"accuracy": 0.2}}
        return Trial(**known, state="finished", history=tuple(history), **{**usual, **made})


@pytest.fixture
def predictor() -> Sums:
    return Sums()


@pytest.fixture
def predictors(predictor: Sums) -> Predictors:
    return lambda share: predictor if share == WHOLE else Sums(share=share)


@pytest.fixture
def make_shop() -> Callable[..., Shop]:
    """`make_shop(made, section={option: value})`, with the targets 4 × and 10 MB."""

    def build(made: Made = lambda *_: {}, **sections: Any) -> Shop:
        base = {"targets": {"min_speedup": 4.0, "package_mb": 10.0, "max_drop": {"accuracy": 1.0}}}
        sources = [Source("test", {**base, **sections})]
        recipe = resolve_recipe(profiles.load("x86-generic"), tasks.get("text-classification"), sources)
        return Shop(recipe, made)

    return build


@pytest.fixture
def limits() -> Limits:
    return Limits(speedup=4.0, size_mb=10.0)
