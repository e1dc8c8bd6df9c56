"""Notes about labelled text that was read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from edge_ptf.data.rows import Findings
from edge_ptf.data.splits import SPLITS, content
from edge_ptf.examples import Example


def reading_notes(
    findings: Findings, given: Sequence[str], removed: Mapping[str, int], conflicting: int
) -> Iterable[str]:
    """What the readers noted, and what was done to the rows.

    Args:
        given: the splits that the source has.
        removed: rows that a split lost to a later one.
        conflicting: texts of train with different labels.
    """
    yield from findings.notes
    for name in SPLITS:
        if name not in given:
            yield f"The data set has no {name}. It was taken from train by content hash, stratified."
    for name, count in removed.items():
        if count:
            yield f"Rows removed from {name} because a later split contains the same text: {count}."
    if conflicting:
        yield f"Texts that occur in train with different labels: {conflicting}."
    if findings.cleaned_words:
        yield f"Words with white space removed from inside: {findings.cleaned_words}."
    if findings.dropped_words:
        yield f"Words removed because they contain only white space: {findings.dropped_words}."
    if findings.dropped_sentences:
        yield f"Sentences removed because they have no words: {findings.dropped_sentences}."


def repeated_notes(test: Sequence[Example]) -> Iterable[str]:
    """Rows of test that repeat another row."""
    copies = len(test) - len({content(example) for example in test})
    if copies:
        yield (
            f"Rows of test that repeat another row: {copies}. Each counts as a separate example, so the intervals are "
            "too narrow."
        )


def unlabelled_notes(kept: int, counts: Mapping[str, int]) -> Iterable[str]:
    """How many texts without labels there are, and how many were left out, by reason."""
    if kept:
        yield f"Unlabelled texts for distillation: {kept:,}."
    if counts.get("twice"):
        yield f"Unlabelled texts that occur more than once in the file: {counts['twice']}."
    if counts.get("judging"):
        yield f"Unlabelled texts removed because validation or test contains them: {counts['judging']}."
