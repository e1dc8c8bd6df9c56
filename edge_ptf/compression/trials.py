"""What a search leaves behind: every trial with its overrides, its cost and its outcome, and which one won."""

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

RECORD = "search.json"
LIKELY = 0.8
"""How often `test` is expected to prove a drop that counts as met on `validation`."""


class Trial(StrictModel):
    """What was tried, what it cost and what came out."""

    name: str
    why: str = Field(description="Why this was tried.")
    overrides: dict[str, dict[str, Any]] = Field(description="Options that differ from the recipe's, by section.")
    state: Literal["finished", "stopped"]
    reason: str = Field("", description="Why it was stopped.")
    predicted: Prediction
    history: tuple[float, ...] = Field((), description="Validation score after each epoch; a share in percent.")
    target_verdicts: tuple[TargetVerdict, ...] = Field((), description="The targets, accuracy judged on validation.")
    short: dict[str, float] = Field(
        default_factory=dict, description="Targets that are not met, and by what share of the limit."
    )
    metrics: dict[str, float] = Field(default_factory=dict, description="On validation; shares in percent.")
    drops: dict[str, float] = Field(default_factory=dict, description="How much worse than the teacher on validation.")
    speedup: float | None = Field(None, description="Measured, over the FP32 teacher.")
    size_mb: float | None = None
    seconds: float = Field(description="That making it takes, whichever run did the work.")

    @property
    def met(self) -> bool:
        """Whether every target that can be judged here is met, as far as validation can say."""
        return self.state == "finished" and not self.short

    def misses(self, *targets: str) -> bool:
        """Whether one of these targets (by the beginning of its name) is missed."""
        return any(name.startswith(targets) for name in self.short)


class Search(StrictModel):
    """All trials, and the one that won."""

    schema_version: Literal[1] = 1
    trials: tuple[Trial, ...]
    winner: str | None
    conclusion: str = Field(description="Why the winner won and why it stopped there.")
    unreachable: tuple[str, ...] = Field((), description="Limits that no structure is predicted to keep.")
    seconds: float = Field(description="That all trials took, whichever runs did the work.")

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
    """The trial that is short of the fewest targets, then the nearest; of those that meet all the most accurate."""
    finished = [trial for trial in trials if trial.state == "finished"]
    return min(
        finished,
        key=lambda trial: (len(trial.short), sum(trial.short.values()), max(trial.drops.values(), default=0.0)),
        default=None,
    )


def front(trials: Sequence[Trial]) -> list[Trial]:
    """The finished trials that no other one beats in drop, speed and size at once."""
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
    """How much worse than the teacher by the first metric."""
    return next(iter(trial.drops.values()), 0.0)


def conclude(trials: Sequence[Trial], why_stopped: str) -> str:
    """A sentence about the winner."""
    winner = best(trials)
    if winner is None:
        return f"no trial was finished; {why_stopped}"
    if winner.met:
        return f"{winner.name} meets every target that validation and this machine can judge; {why_stopped}"
    open_ones = [item.title for item in winner.target_verdicts if item.target in winner.short]
    return f"{winner.name} comes nearest; open: {', '.join(open_ones)}; {why_stopped}"


def shortfall(target_verdict: TargetVerdict, larger: float, confidence: float = 0.95) -> float:
    """How far a target is from being proven, as a share of its limit; 0: it is met, or cannot be judged here.

    An accuracy counts as met where `test` can be expected to prove it in `LIKELY` of all cases. A drop on `test`
    differs from that on `validation` by the noise of both, and its bound lies above it by the noise of `test`.

    Args:
        larger: an accuracy's bound lies so many times as far from its value on `test` as on `validation`.
        confidence: of the bounds.
    """
    value, bound, limit = target_verdict.value, target_verdict.bound, target_verdict.limit
    if value is None:
        return 0.0
    if target_verdict.target.startswith("max_drop") and bound is not None:
        likely = NormalDist().inv_cdf(LIKELY) / NormalDist().inv_cdf(confidence)
        reached = value + (larger + likely * math.hypot(1.0, larger)) * (bound - value)
    elif target_verdict.status is Status.PASS:
        return 0.0
    else:
        reached = value if bound is None else bound
    return max(target_verdict.beyond(reached), 0.0) / max(limit, 1e-9)
