"""Folds of a cross-validation: every text of train and test is judged once, by models that have not seen it."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from pydantic import Field

from edge_ptf.config import StageConfig
from edge_ptf.data.dataset import LabelledData, fingerprint, split_report
from edge_ptf.data.splits import SPLITS, Content, content
from edge_ptf.digests import value_digest
from edge_ptf.errors import DataError
from edge_ptf.examples import Example
from edge_ptf.heads.embedding import SCORES
from edge_ptf.tasks.base import Task


class CrossValidationConfig(StageConfig):
    """Accuracy evidence for small data."""

    folds: int | None = Field(
        None,
        ge=2,
        le=20,
        description="Judge the recipe by cross-validation over so many folds of train and test. The package that ships "
        "is trained on both.",
    )


def can_be_judged_in_folds(kind: type[Task], labels: Sequence[str]) -> bool:
    """Whether answers of the models of several folds can be judged together. Texts that search each other by their
    vectors need one model.

    Args:
        labels: of the data, as `Task.collect_labels` gives them.
    """
    return not kind.head_type.answers_a_vector or tuple(labels) == (SCORES,)


@dataclass(frozen=True, slots=True)
class Fold:
    """One fold: its data, and the places of its judged texts in the test split of the pooled data."""

    number: int
    """From 1."""
    data: LabelledData
    places: tuple[int, ...]


def pooled(data: LabelledData, task: type[Task]) -> LabelledData:
    """The data of the package that ships: it is trained on train and test together.

    `test` has the same texts. They are the texts of timings, and the texts that the folds judge. `validation` stays as
    it is: it stops trainings early and chooses sizes and thresholds, so it is never judged.
    """
    whole = (*data.train, *data.test)
    splits = dict(zip(SPLITS, (whole, data.validation, whole), strict=True))
    note = "Cross-validation: the package is trained on train and test; each of their texts is judged in one fold."
    report = data.report.replace(
        splits={name: split_report(examples, task) for name, examples in splits.items()},
        notes=(*data.report.notes, note),
    )
    return replace(data, train=whole, test=whole, report=report, fingerprint=fingerprint(splits, data.labels))


def folds(data: LabelledData, task: type[Task], count: int) -> tuple[Fold, ...]:
    """Splits pooled data into folds. A fold is judged on its own texts and trained on those of the others.

    Each class is spread evenly. Equal texts are in one fold. A text of `unlabelled` that a fold judges is left out of
    this fold.

    Args:
        data: as `pooled` returns it.
        count: number of folds, from 2.

    Raises:
        DataError: there are fewer different texts than folds.
    """
    numbers = fold_numbers(data.test, task.stratum, count)
    if len(set(numbers)) < count:
        raise DataError(
            f"{data.report.source}: {len(set(numbers))} different texts are too few for {count} folds",
            hint="Set fewer folds, or give more data",
        )
    return tuple(_fold(data, numbers, number, count) for number in range(count))


def fold_numbers(examples: Sequence[Example], stratum: Callable[[Example], str], count: int) -> list[int]:
    """The fold of each example, from 0: stratified, and dealt in the order of the hash of the content.

    The order of the examples has no effect. The folds differ by one content at most, in the whole and in each stratum.
    """
    strata: dict[Content, str] = {}
    for example in examples:
        key, kind = content(example), stratum(example)
        strata[key] = min(kind, strata.get(key, kind))
    members: dict[str, list[Content]] = defaultdict(list)
    for key, kind in strata.items():
        members[kind].append(key)
    dealt = [key for _, keys in sorted(members.items()) for key in sorted(keys, key=value_digest)]
    fold_of = {key: place % count for place, key in enumerate(dealt)}
    return [fold_of[content(example)] for example in examples]


def rare_classes(data: LabelledData, task: type[Task], count: int) -> list[str]:
    """Classes with fewer different texts than folds: some fold may have none of them to train on."""
    texts = {content(example): example for example in data.test}
    counts = Counter(name for example in texts.values() for name in set(task.class_names(example)))
    return sorted(name for name, found in counts.items() if found < count)


def _fold(data: LabelledData, numbers: Sequence[int], number: int, count: int) -> Fold:
    places = tuple(place for place, fold in enumerate(numbers) if fold == number)
    train = tuple(example for example, fold in zip(data.test, numbers, strict=True) if fold != number)
    test = tuple(data.test[place] for place in places)
    judged = {content(example) for example in test}
    unlabelled = tuple(example for example in data.unlabelled if content(example) not in judged)
    splits = dict(zip(SPLITS, (train, data.validation, test), strict=True))
    report = data.report.replace(split_by=f"fold {number + 1} of {count}")
    own = fingerprint(splits, data.labels)
    made = replace(data, train=train, test=test, unlabelled=unlabelled, report=report, fingerprint=own)
    return Fold(number + 1, made, places)
