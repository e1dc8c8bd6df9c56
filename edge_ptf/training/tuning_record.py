"""The record of a hyperparameter search: every trial with its options and scores, and what they say."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from edge_ptf.config import StrictModel

FILE = "tuning.json"
SURE = 2.0
"""Standard errors between two validation scores that are no chance."""


class TuningTrial(StrictModel):
    """One training."""

    number: int
    options: dict[str, Any] = Field(description="Options of the section that were proposed.")
    state: Literal["finished", "stopped"]
    reason: str = Field("", description="Why it was stopped.")
    history: tuple[float, ...] = Field(description="Validation score after each epoch, in the metric's unit.")
    score: float = Field(description="Validation score of the epoch that is kept.")
    seconds: float


class Tuning(StrictModel):
    """All trials, and what they say."""

    schema_version: Literal[1] = 1
    section: Literal["finetune", "distill"]
    metric: str
    trials: tuple[TuningTrial, ...]
    best: int | None = Field(description="Number of the trial with the best score.")
    noise: float = Field(description="Standard error of the difference of the best score and that of the recipe.")
    importance: dict[str, float] = Field(
        default_factory=dict, description="Share of the scores' spread that each option explains; empty: unknown."
    )
    conclusion: str
    seconds: float

    @property
    def winner(self) -> TuningTrial | None:
        """The best trial."""
        return next((trial for trial in self.trials if trial.number == self.best), None)

    @property
    def is_better(self) -> bool:
        """Whether the best options are better than those of the recipe by more than noise."""
        first, winner = (self.trials or (None,))[0], self.winner
        return bool(first and winner and abs(winner.score - first.score) > SURE * self.noise)

    def write(self, folder: Path) -> Path:
        """As `tuning.json`."""
        draft = folder / f".{FILE}.draft"
        draft.write_text(json.dumps(self.model_dump(mode="json"), indent=1) + "\n", encoding="utf-8")
        return draft.replace(folder / FILE)


def read_tuning(folder: Path) -> Tuning | None:
    """The record in a directory; None if there is none, or one of another version."""
    try:
        return Tuning.model_validate_json((folder / FILE).read_bytes())
    except (OSError, ValueError):
        return None
