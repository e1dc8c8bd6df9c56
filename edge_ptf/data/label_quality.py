"""Labels that are likely wrong, texts with contradicting labels, and classes that models confuse."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from edge_ptf.config import StrictModel
from edge_ptf.data.splits import content
from edge_ptf.examples import Example
from edge_ptf.statistics.confident_learning import suspects

FILE = "label-errors.csv"


class LabelError(StrictModel):
    """A text whose label is likely wrong."""

    text: str
    text_pair: str | None = None
    label: str
    suggested: str
    probability: float = Field(description="Of the suggested label, by a model that was not trained on the text.")
    label_probability: float = Field(description="Of the label that the text has.")


class ClassQuality(StrictModel):
    """How well the texts of one class are answered by models that were not trained on them."""

    label: str
    texts: int
    recall: float = Field(description="Texts of the class that got its label, in percent.")
    confused_with: str | None = Field(description="The label that its other texts got most often.")


class LabelErrors(StrictModel):
    """What cross-validation says about the labels."""

    folds: int
    texts: int = Field(description="Judged texts: those of train and test whose label is a class.")
    accuracy: float = Field(description="Texts whose answer is their label, in percent.")
    errors: tuple[LabelError, ...] = Field(description="Likely wrong labels, the surest first.")
    contradictions: tuple[str, ...] = Field(description="Texts that occur with different labels.")
    classes: tuple[ClassQuality, ...] = Field(description="All classes, the worst first.")

    @property
    def learned(self) -> bool:
        """Whether the answers are better than the most frequent label alone. If not, the suspects mean nothing."""
        return self.accuracy > 100 * max(each.texts for each in self.classes) / self.texts

    def write(self, folder: Path) -> Path:
        """Writes the likely errors as a CSV file that a spreadsheet opens, and returns it."""
        file = folder / FILE
        paired = any(each.text_pair is not None for each in self.errors)
        names = ["text", *(["text_pair"] if paired else []), "label", "suggested", "probability", "label_probability"]
        with file.open("w", encoding="utf-8", newline="") as stream:
            writer = csv.writer(stream)
            writer.writerow(names)
            for each in self.errors:
                row = each.model_dump()
                shares = {name: f"{row[name]:.3f}" for name in names if name.endswith("probability")}
                writer.writerow([{**row, **shares}[name] for name in names])
        return file


def label_quality(
    examples: Sequence[Example],
    probabilities: NDArray[np.float64],
    labels: NDArray[np.int64],
    names: Sequence[str],
    count: int,
) -> LabelErrors:
    """What the answers of cross-validation say about labels and classes.

    Args:
        probabilities: [examples, classes], of models that were not trained on the example.
        labels: class ids [examples].
        names: of the classes.
        count: number of folds.
    """
    answers = probabilities.argmax(axis=1)
    errors = tuple(
        LabelError(
            text=examples[each.example].text,
            text_pair=examples[each.example].text_pair,
            label=str(examples[each.example].label),
            suggested=names[each.suggested],
            probability=float(probabilities[each.example, each.suggested]),
            label_probability=float(probabilities[each.example, labels[each.example]]),
        )
        for each in suspects(probabilities, labels)
    )
    return LabelErrors(
        folds=count,
        texts=len(examples),
        accuracy=100 * float((answers == labels).mean()),
        errors=errors,
        contradictions=_contradictions(examples),
        classes=tuple(sorted(_classes(answers, labels, names), key=lambda each: (each.recall, each.label))),
    )


def _contradictions(examples: Sequence[Example]) -> tuple[str, ...]:
    seen: dict[Any, set[str]] = {}
    for example in examples:
        seen.setdefault(content(example), set()).add(str(example.label))
    texts = {content(example): example.text for example in examples}
    return tuple(texts[key] for key, labels in seen.items() if len(labels) > 1)


def _classes(answers: NDArray[np.int64], labels: NDArray[np.int64], names: Sequence[str]) -> list[ClassQuality]:
    found = []
    for each in np.unique(labels):
        own = answers[labels == each]
        others = np.bincount(own[own != each], minlength=len(names))
        found.append(
            ClassQuality(
                label=names[each],
                texts=len(own),
                recall=100 * float((own == each).mean()),
                confused_with=names[int(others.argmax())] if others.any() else None,
            )
        )
    return found
