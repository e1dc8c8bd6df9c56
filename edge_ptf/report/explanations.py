"""The words behind the package's answers that changed sides."""

from __future__ import annotations

from collections.abc import Sequence

from edge_ptf.errors import EdgePtfError
from edge_ptf.report.answers import Change, Side
from edge_ptf.report.study import Study
from edge_ptf.runtime import Runner
from edge_ptf.runtime.occlusion import word_effects

MOST_TEXTS = 60
"""Explained texts of a page. Each takes a run of the model for each of its words."""
MOST_WORDS = 100
"""Longer texts are not explained."""
LEAST_EFFECT = 0.05
BETWEEN = " ⏎ "
"""Between the texts of a pair."""


def explanations(study: Study, changes: Sequence[Change]) -> dict[int, list[tuple[int, int, float]]]:
    """For rows that the package lost or gained: begin, end and effect of each word that matters.

    Begin and end count characters of the shown text, in which `BETWEEN` separates a pair. A text is left out if this
    machine does not give the recorded answer. A task whose answers have a part for each word has no explanations, and
    neither has a package that this machine cannot run.
    """
    wanted = [change.row for change in changes if change.side in (Side.LOST, Side.GAINED)]
    short = [row for row in wanted if study.examples and len(study.examples[row].text.split()) <= MOST_WORDS]
    if not short or study.accuracy is None:
        return {}
    found = {}
    try:
        runner = Runner(study.payload.path)
        for row in short[:MOST_TEXTS]:
            example, label = study.examples[row], study.accuracy.rows[row].label
            if runner.answer(example.text, example.text_pair).label != label:
                continue
            effects = word_effects(runner, example.text, example.text_pair, label)
            second = len(example.text) + len(BETWEEN)
            found[row] = [
                (each.start + second * each.in_pair, each.end + second * each.in_pair, round(each.effect, 3))
                for each in effects
                if abs(each.effect) >= LEAST_EFFECT and each.head == effects[0].head  # of several tasks the first
            ]
    except EdgePtfError:
        return {}
    return found
