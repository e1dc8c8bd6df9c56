"""Temperature scaling of what ships: the graph itself divides its logits, so every program gets the same scores."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_ptf.examples import Encoding, Logits
from edge_ptf.graph.rewrite import rewritten, scale_output
from edge_ptf.heads.base import softmax
from edge_ptf.heads.temperature import best_temperature
from edge_ptf.metrics import CalibrationError
from edge_ptf.metrics.calibration_error import ECE, ECE_TITLE
from edge_ptf.models.lineage import AssembleFacts
from edge_ptf.tasks.base import Task

DIGITS = 4


def tempered(
    model: bytes, task: Task, logits: Sequence[Logits], encodings: Sequence[Encoding], references: Sequence[Any]
) -> tuple[bytes, AssembleFacts]:
    """The graph with its logits divided by the best temperature, and the figures of that.

    The order of the logits stays. If the scores of this task are not probabilities of one softmax, or no example has a
    class of train, the graph stays as it is and the figures are None.

    Args:
        model: the ONNX graph.
        logits, encodings, references: of labelled validation examples.
    """
    found = task.head.scored(logits, encodings, references)
    if found is None or not len(found[1]):
        return model, AssembleFacts()
    rows, classes = found
    temperature = round(best_temperature(rows, classes), DIGITS)
    facts = AssembleFacts(
        temperature=temperature,
        ece_before=round(_error(rows, classes), DIGITS),
        ece_after=round(_error(rows / temperature, classes), DIGITS),
    )
    tensor = task.head.spec.logits.tensor
    return rewritten(model, lambda loaded: scale_output(loaded, tensor, 1 / temperature)), facts


def _error(rows: NDArray[np.float64], classes: NDArray[np.int64]) -> float:
    """Expected calibration error in percent."""
    probabilities = softmax(rows)
    hits = probabilities.argmax(axis=1) == classes
    return CalibrationError(name=ECE, title=ECE_TITLE).score(np.column_stack([probabilities.max(axis=1), hits]))
