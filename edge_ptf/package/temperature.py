"""Temperature scaling of what ships: the graph itself divides its logits, so every program gets the same scores."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_ptf.examples import Encoding, Logits
from edge_ptf.graph.rewrite import rewritten, scale_output
from edge_ptf.heads.probabilities import softmax
from edge_ptf.heads.temperature import best_temperature
from edge_ptf.metrics import CalibrationError
from edge_ptf.metrics.calibration_error import ECE, ECE_TITLE
from edge_ptf.models.lineage import AssembleFacts
from edge_ptf.tasks.base import Task

DIGITS = 4


def tempered(
    model: bytes, task: Task, logits: Sequence[Logits], encodings: Sequence[Encoding], references: Sequence[Any]
) -> tuple[bytes, AssembleFacts]:
    """The graph with its logits divided by the best temperature, and the figures of that. Each part of the head has a
    temperature of its own.

    The order of the logits stays. If the scores of a part are not probabilities of one softmax, or no example has a
    class of train, its logits stay as they are and it has no figures.

    Args:
        model: the ONNX graph.
        logits, encodings, references: of labelled validation examples.
    """
    figures, factors = dict[str, dict[str, float]](), dict[str, float]()
    for part, *known in task.head.shares(logits, encodings, references):
        found = part.scored(*known)
        if found is None or not len(found[1]):
            continue
        rows, classes = found
        temperature = round(best_temperature(rows, classes), DIGITS)
        factors[part.spec.logits.tensor] = 1 / temperature
        figures[part.spec.name] = {
            "temperature": temperature,
            "ece_before": round(_error(rows, classes), DIGITS),
            "ece_after": round(_error(rows / temperature, classes), DIGITS),
        }

    def scale(loaded: Any) -> None:
        for tensor, factor in factors.items():
            scale_output(loaded, tensor, factor)

    if not factors:
        return model, AssembleFacts()
    alone = len(task.head.parts) == 1
    facts = AssembleFacts(**next(iter(figures.values()))) if alone else AssembleFacts(heads=figures)
    return rewritten(model, scale), facts


def _error(rows: NDArray[np.float64], classes: NDArray[np.int64]) -> float:
    """Expected calibration error in percent."""
    probabilities = softmax(rows)
    hits = probabilities.argmax(axis=1) == classes
    return CalibrationError(name=ECE, title=ECE_TITLE).score(np.column_stack([probabilities.max(axis=1), hits]))
