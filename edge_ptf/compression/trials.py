"""The record of a search: every trial with its overrides, its duration and its result, and the winner."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from statistics import NormalDist
from typing import Any, Literal

from pydantic import Field

from edge_ptf.compression.prediction import Prediction
from edge_ptf.config import StrictModel
from edge_ptf.package.evidence import Status, TargetVerdict
from edge_ptf.profiles import ACCURACY_TARGETS

RECORD = "search.json"
LIKELY = 0.8
"""A drop counts as met on `validation` if `test` is expected to prove it with this probability."""


class Trial(StrictModel):
    """One trial: its options, its duration and its result."""

    name: str
    why: str = Field(description="Why the search made this trial.")
    overrides: dict[str, dict[str, Any]] = Field(description="Options that differ from the recipe's, by section.")
    state: Literal["finished", "stopped"]
    reason: str = Field("", description="Why the trial was stopped.")
    predicted: Prediction
    history: tuple[float, ...] = Field((), description="Validation score after each epoch; shares in percent.")
    target_verdicts: tuple[TargetVerdict, ...] = Field((), description="The targets; accuracy is judged on validation.")
    short: dict[str, float] = Field(
        default_factory=dict, description="Targets that are not met, and the missing share of the limit."
    )
    metrics: dict[str, float] = Field(default_factory=dict, description="Metrics on validation; shares in percent.")
    drops: dict[str, float] = Field(default_factory=dict, description="How much worse than the teacher on validation.")
    speedup: float | None = Field(None, description="Measured speed-up over the FP32 teacher.")
    size_mb: float | None = None
    seconds: float = Field(description="Duration of the trial's work, including work of earlier runs.")

    @property
    def met(self) -> bool:
        """Whether validation and this machine show every target that they can judge as met."""
        return self.state == "finished" and not self.short

    def misses(self, *targets: str) -> bool:
        """Whether one of these targets (by the beginning of its name) is missed."""
        return any(name.startswith(targets) for name in self.short)


class Search(StrictModel):
    """All trials, and the winner."""

    schema_version: Literal[1] = 1
    trials: tuple[Trial, ...]
    winner: str | None
    conclusion: str = Field(description="Why the winner won and why the search stopped.")
    unreachable: tuple[str, ...] = Field((), description="Limits that no structure is predicted to meet.")
    seconds: float = Field(description="Duration of all trials' work, including work of earlier runs.")

    @property
    def winning(self) -> Trial | None:
        """The winner's trial."""
        return next((trial for trial in self.trials if trial.name == self.winner), None)

    def write(self, folder: Path) -> None:
        """As `search.json`."""
        draft = folder / f".{RECORD}.draft"
        draft.write_text(json.dumps(self.model_dump(mode="json"), indent=1) + "\n", encoding="utf-8")
        draft.replace(folder / RECORD)


def best(trials: Iterable[Trial]) -> Trial | None:
    """The trial that misses the fewest targets, then the nearest to them. If several miss none, the most accurate."""
    finished = [trial for trial in trials if trial.state == "finished"]
    return min(
        finished,
        key=lambda trial: (len(trial.short), sum(trial.short.values()), max(trial.drops.values(), default=0.0)),
        default=None,
    )


def front(trials: Sequence[Trial]) -> list[Trial]:
    """The finished trials that no other trial beats in drop, speed and size at the same time."""
    done = [trial for trial in trials if trial.state == "finished"]

    def beaten(one: Trial, other: Trial) -> bool:
        pairs = [
            (drop_of(other), drop_of(one)),
            (-(other.speedup or 0.0), -(one.speedup or 0.0)),
            (other.size_mb or 0.0, one.size_mb or 0.0),
        ]
        return all(theirs <= own for theirs, own in pairs) and any(theirs < own for theirs, own in pairs)

    return [one for one in done if not any(beaten(one, other) for other in done if other is not one)]


def drop_of(trial: Trial) -> float:
    """How much worse than the teacher the trial is by the first metric."""
    return next(iter(trial.drops.values()), 0.0)


def conclude(trials: Sequence[Trial], why_stopped: str) -> str:
    """Returns a sentence about the winner."""
    winner = best(trials)
    if winner is None:
        return f"no trial finished; {why_stopped}"
    if winner.met:
        return f"{winner.name} meets every target that validation and this machine can judge; {why_stopped}"
    missed = [item for item in winner.target_verdicts if item.target in winner.short and item.value is not None]
    beyond = [item.title for item in missed if item.value is not None and item.beyond(item.value) > 0]
    unproven = [item.title for item in missed if item.title not in beyond]
    parts = [f"{word}: {', '.join(names)}" for word, names in (("not met", beyond), ("not proven", unproven)) if names]
    return f"{winner.name} is nearest to the targets; {'; '.join([*parts, why_stopped])}"


def shortfall(target_verdict: TargetVerdict, larger: float, confidence: float = 0.95) -> float:
    """The missing part of a target, as a share of its limit; 0 if it is met or cannot be judged here.

    An accuracy counts as met if `test` is expected to prove it in `LIKELY` of all cases. A drop (or score) on `test`
    differs from that on `validation` by the noise of both splits, and its bound lies above it by the noise of `test`.

    Args:
        larger: how many times as far from the value an accuracy's bound lies on `test` as on `validation`.
        confidence: confidence of the bounds.
    """
    value, bound, limit = target_verdict.value, target_verdict.bound, target_verdict.limit
    if value is None:
        return 0.0
    if target_verdict.target.startswith(ACCURACY_TARGETS) and bound is not None:
        likely = NormalDist().inv_cdf(LIKELY) / NormalDist().inv_cdf(confidence)
        reached = value + (larger + likely * math.hypot(1.0, larger)) * (bound - value)
    elif target_verdict.status is Status.PASS:
        return 0.0
    else:
        reached = value if bound is None else bound
    return max(target_verdict.beyond(reached), 0.0) / max(limit, 1e-9)
