"""Checks of labels that need more than one row, or that no task can decide alone."""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

from edge_ptf.data.rows import Findings
from edge_ptf.examples import Example
from edge_ptf.tasks.base import Task

_NO_LABEL = re.compile(r"-1(\.0+)?")
"""The class id of rows without a label in many data sets. pandas writes it as -1.0 if a label is missing."""
SEPARATOR = "|"
_NUMBER = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?")
_WHOLE_NUMBER = re.compile(r"[+-]?[0-9]+(\.0+)?")
MOST_GRADES = 11
"""Different numbers of a usual rating, such as 0 to 10."""
_LINE_BREAKERS = ("Cc", "Zl", "Zp")
"""Unicode categories: control characters, line separators and paragraph separators."""


def label_fault(name: str) -> str | None:
    """Why no label can have this name, or None. A NUL ends a name in C, and a line break ends it in many reports."""
    bad = [character for character in name if unicodedata.category(character) in _LINE_BREAKERS]
    if not bad:
        return None
    return f"the label {name!a} has a control character ({bad[0]!a})"


def check_numbers(
    rows: Iterable[tuple[Example, str]], task: type[Task], out_of_scope_label: str | None, findings: Findings
) -> None:
    """Finds rows whose label is a number that names no class. Labels that are not all numbers are left alone.

    - A label such as 1.25 is a value to predict (regression), not a class.
    - The label -1 stands for "no label" if all other labels are class ids from 0 to 2 or more. The labels -1, 0 and 1
      alone are no problem, because they are usual for negative, neutral and positive. An out-of-scope label of -1 is
      no problem either.
    """
    located = list(rows)
    names = {name for example, _ in located for name in task.label_names(example)}
    if names and all(map(_NUMBER.fullmatch, names)) and any(float(name) % 1 for name in names):
        for example, place in located:
            for name in task.label_names(example)[:1]:
                findings.problem(
                    place, f"the label {name} is a decimal number, and no class; for numbers: --task regression"
                )
        return
    absent = {name for name in names if _NO_LABEL.fullmatch(name)} - {out_of_scope_label}
    others = names - absent
    ids = all(re.fullmatch(r"[0-9]+(\.0+)?", name) for name in others)
    if not absent or not ids or not any(float(name) > 1 for name in others):
        return
    for example, place in located:
        for name in absent.intersection(task.label_names(example)):
            findings.problem(
                place, f"the label {name} stands for 'no label', because all other labels are class ids from 0"
            )


def label_notes(examples: Sequence[Example], task: type[Task]) -> Iterator[str]:
    """What the labels of train suggest: another task, or two spellings of one name."""
    for kind, own in task.shares(examples):
        yield from pair_notes(own, kind)
        yield from several_labels_notes(own, kind)
        yield from ordered_labels_notes(own, kind)
    yield from twin_notes({name for example in examples for name in task.class_names(example)})


def several_labels_notes(examples: Iterable[Example], task: type[Task]) -> Iterator[str]:
    """A note if labels look like several labels in one: they contain `|`, and a part of one occurs in another label."""
    if "label" not in task.columns:
        return
    labels = {str(example.label) for example in examples}
    parts = {label: {part.strip() for part in label.split(SEPARATOR)} for label in labels}
    joined = sorted(
        label
        for label in labels
        if SEPARATOR in label and any(parts[label] & parts[other] for other in labels - {label})
    )
    if joined:
        yield (
            f"Labels such as '{joined[0]}' look like several labels of one text. To read them so, take --task "
            "multi-label-classification."
        )


def pair_notes(examples: Iterable[Example], task: type[Task]) -> Iterator[str]:
    """A note if pairs of texts are read by a task in which the second text is optional and the label is a class."""
    if task.columns == ("text", "label") and any(example.text_pair is not None for example in examples):
        yield (
            "The texts are pairs. --task sentence-pair-classification is the task for pairs: it needs both texts in "
            "every row, and reports the Matthews correlation coefficient too."
        )


def ordered_labels_notes(examples: Iterable[Example], task: type[Task]) -> Iterator[str]:
    """A note if the classes are a few whole numbers, because their order can have a meaning.

    Two numbers have no order that matters, and more than `MOST_GRADES` are more likely class ids.
    """
    names = {str(example.label) for example in examples} if "label" in task.columns else set()
    if not 3 <= len(names) <= MOST_GRADES or not all(map(_WHOLE_NUMBER.fullmatch, names)):
        return
    ordered = sorted(names, key=float)
    yield (
        f"The labels are the numbers {ordered[0]} to {ordered[-1]}. If their order has a meaning, as in ratings, "
        "--task regression may suit: it answers with a number."
    )


def twin_notes(names: Iterable[str]) -> Iterator[str]:
    """A note for names that look the same and have the same NFC form, such as a composed and a decomposed é."""
    for twins in _by_form(names).values():
        if len(twins) > 1:
            listed = " and ".join(map(ascii, twins))
            yield f"The labels {listed} look the same, but are two classes: their characters differ (NFC)."


def twin_hint(names: Sequence[str], known: Sequence[str]) -> str:
    """What to add to the message about an unknown label that has the same NFC form as a known one."""
    forms = _by_form(known)
    for name in names:
        twins = forms.get(unicodedata.normalize("NFC", name))
        if twins and name not in twins:
            return f" ({name!a}), but {twins[0]!a} does, which looks the same: write both in one form, NFC"
    return ""


def _by_form(names: Iterable[str]) -> dict[str, list[str]]:
    forms: dict[str, list[str]] = defaultdict(list)
    for name in sorted({*names}):
        forms[unicodedata.normalize("NFC", name)].append(name)
    return dict(forms)
