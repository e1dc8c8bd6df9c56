"""What answers of cross-validation say about labels and classes."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np

from edge_ptf.data.label_quality import label_quality
from edge_ptf.examples import Example

NAMES = ("light", "music", "timer")
EXAMPLES = [
    Example("lights on", "light"),
    Example("lights off", "light"),
    Example("play jazz", "music"),
    Example("play a song, please", "timer"),
    Example("set a timer", "timer"),
    Example("Play  jazz", "timer"),
]


def probabilities(*best: int) -> np.ndarray:
    found = np.full((len(best), 3), 0.1)
    found[np.arange(len(best)), best] = 0.8
    return found


def test_errors_contradictions_and_classes() -> None:
    labels = np.array([0, 0, 1, 2, 2, 2])
    found = label_quality(EXAMPLES, probabilities(0, 2, 1, 1, 2, 1), labels, NAMES, 3)
    assert found.accuracy == 50.0
    assert [(each.text, each.label, each.suggested) for each in found.errors] == [
        ("lights off", "light", "timer"),
        ("play a song, please", "timer", "music"),
        ("Play  jazz", "timer", "music"),
    ]
    assert len(found.contradictions) == 1 and found.contradictions[0].casefold().split() == ["play", "jazz"]
    assert [(each.label, each.texts, each.confused_with) for each in found.classes] == [
        ("timer", 3, "music"),
        ("light", 2, "timer"),
        ("music", 1, None),
    ]
    assert not found.learned  # half of the labels are timer


def test_the_file_opens_in_a_spreadsheet(tmp_path: Path) -> None:
    found = label_quality(EXAMPLES, probabilities(0, 0, 1, 1, 2, 2), np.array([0, 0, 1, 2, 2, 2]), NAMES, 3)
    assert found.learned
    with found.write(tmp_path).open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert rows == [
        {
            "text": "play a song, please",
            "label": "timer",
            "suggested": "music",
            "probability": "0.800",
            "label_probability": "0.100",
        }
    ]
