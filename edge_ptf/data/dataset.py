"""Labelled text for the stages: three splits, the report of the reader, and a fingerprint."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean, pstdev
from typing import Literal

from pydantic import Field, field_validator, model_validator

from edge_ptf.config import StageConfig, StrictModel
from edge_ptf.digests import value_digest
from edge_ptf.examples import Example
from edge_ptf.tasks.base import Task
from edge_ptf.tasks.tag_schemes import OTHER_NAMES, TagScheme

DELIMITER_NAMES = {"comma": ",", "semicolon": ";", "tab": "\t", "pipe": "|"}
"""Names of delimiters that are hard to write on a command line."""


class DataConfig(StageConfig):
    """How labelled text is read and split."""

    text_column: str = Field("text", description="Column with the text; 'message.text' is a field inside another one.")
    text_pair_column: str = Field("text_pair", description="Column with the second text of a pair, if there is one.")
    label_column: str = Field("label", description="Column with the label.")
    labels_column: str = Field("labels", description="Column with all labels of a text: a list, or separated by '|'.")
    value_column: str = Field("value", description="Column with the number that regression answers.")
    score_column: str = Field("score", description="Column with the number that says how alike two texts are.")
    tokens_column: str = Field("tokens", description="Column with the words of a sentence.")
    tags_column: str = Field("tags", description="Column with one tag for each word.")
    relations_column: str = Field("relations", description="Column with the relations between entities of a sentence.")
    tag_scheme: TagScheme | None = Field(
        None, description="How the tags of an entity are written. Without it the tags of train decide."
    )
    token_column: int = Field(0, description="Place of the word in a line of a CoNLL file, from 0; -1 is the last.")
    tag_column: int = Field(-1, description="Place of the tag in a line of a CoNLL file, from 0; -1 is the last.")
    entity1_column: str = Field("entity1", description="Column with begin and end of the first entity, such as 3:10.")
    entity2_column: str = Field("entity2", description="Column with begin and end of the second entity.")
    question_column: str = Field("question", description="Column with a question about the context.")
    context_column: str = Field("context", description="Column with the text that the answer stands in.")
    answer_column: str = Field("answer", description="Column with the answer, or with a list of all that are right.")
    answer_start_column: str = Field("answer_start", description="Column with the first character of each answer.")
    is_impossible_column: str = Field(
        "is_impossible", description="Column that says whether the context has no answer."
    )
    encoding: str = Field("utf-8", description="Encoding of the text files, such as 'utf-16' or 'cp1252'.")
    delimiter: str | None = Field(
        None,
        description="Character between the fields of a .csv or .tsv file, or 'tab'. Without it the header decides.",
    )
    out_of_scope_label: str | None = Field(
        None, description="Label of texts that belong to no class; train need not contain it."
    )
    validation_fraction: float = Field(
        0.1, gt=0, lt=0.5, description="Share of train for validation, if the data set has no validation."
    )
    test_fraction: float = Field(0.2, gt=0, lt=0.8, description="Share of train for test, if the data set has no test.")
    unlabelled: str | None = Field(
        None,
        description="File of more texts for distillation, without labels: one on each line, or in the text column.",
    )
    hub_config: str | None = Field(None, description="Configuration name of a hub data set.")

    @field_validator("tag_scheme", mode="before")
    @classmethod
    def _is_a_scheme(cls, given: object) -> object:
        name = given.lower() if isinstance(given, str) else given
        return OTHER_NAMES.get(name, name) if isinstance(name, str) else name

    @field_validator("encoding")
    @classmethod
    def _is_an_encoding(cls, name: str) -> str:
        try:
            known = "a,\n".encode(name).decode(name) == "a,\n"
        except (LookupError, UnicodeError, ValueError):
            known = False
        if not known:
            raise ValueError(f"'{name}' is no known encoding of text: usual ones are utf-8, utf-16, cp1252, latin-1")
        return name

    @field_validator("delimiter")
    @classmethod
    def _is_a_delimiter(cls, given: str | None) -> str | None:
        if given in DELIMITER_NAMES:
            return DELIMITER_NAMES[given]
        if given is not None and (len(given) != 1 or given in '"\r\n\0\ufeff '):
            raise ValueError(f"the delimiter must be one character or one of {', '.join(DELIMITER_NAMES)}")
        return given

    @model_validator(mode="after")
    def _words_and_tags_differ(self) -> DataConfig:
        if self.token_column == self.tag_column:
            raise ValueError(f"token_column and tag_column are both {self.tag_column}: name two different columns")
        return self

    @model_validator(mode="after")
    def _train_is_left(self) -> DataConfig:
        if self.validation_fraction + self.test_fraction >= 1:
            raise ValueError(
                "validation_fraction and test_fraction leave no data for train: reduce them below 1 in all"
            )
        return self


class Values(StrictModel):
    """The numbers that are the labels of a split."""

    least: float
    mean: float
    largest: float
    deviation: float = Field(description="Standard deviation.")

    @property
    def sentence(self) -> str:
        """The figures in words."""
        return f"{self.least:g} to {self.largest:g}, mean {self.mean:.4g}, standard deviation {self.deviation:.4g}"


class SplitReport(StrictModel):
    """One split as it is used."""

    rows: int
    classes: dict[str, int] = Field(description="Rows (or entities) of each class.")
    values: Values | None = Field(
        None, description="The labels, if they are numbers.", exclude_if=lambda values: values is None
    )
    mean_words: float
    longest_words: int


class DataReport(StrictModel):
    """Results of the reader, shown in the report and stored in the run record."""

    source: str
    splits: dict[str, SplitReport]
    split_by: str = Field(description="'given', or how edge-ptf split the data.")
    duplicates_removed: dict[str, int] = Field(
        default_factory=dict,
        description="Rows removed from train because validation or test contain them, and from validation "
        "because test contains them.",
    )
    notes: tuple[str, ...] = ()
    columns: dict[str, str] = Field(
        default_factory=dict,
        description="Name in the data of each column of the task that was read; empty for data without named columns.",
    )


def split_report(examples: Sequence[Example], task: type[Task]) -> SplitReport:
    """Rows, classes and words of the examples of one split."""
    words = [len(f"{example.text} {example.text_pair or ''}".split()) for example in examples]
    classes = Counter(name for example in examples for name in task.class_names(example))
    return SplitReport(
        rows=len(examples),
        classes=dict(sorted(classes.items())),
        values=_values([example.label for example in examples if isinstance(example.label, float)]),
        mean_words=round(sum(words) / len(words), 2),
        longest_words=max(words),
    )


def _values(numbers: Sequence[float]) -> Values | None:
    if not numbers:
        return None
    mean, deviation = fmean(numbers), pstdev(numbers)
    return Values(least=min(numbers), mean=mean, largest=max(numbers), deviation=deviation)


def fingerprint(splits: Mapping[str, Sequence[Example]], labels: Sequence[str]) -> str:
    """The sha256 of the examples of each split, and of the labels."""
    rows = {
        name: [[item.text, item.text_pair, item.label, *([item.spans] if item.spans else [])] for item in examples]
        for name, examples in splits.items()
    }
    return value_digest({"splits": rows, "labels": labels})


@dataclass(frozen=True, slots=True)
class LabelledData:
    """Examples of the three splits, the label names of train, the report and the fingerprint.

    `unlabelled` contains texts for distillation only. Their labels have no meaning, and the fingerprint ignores them.
    """

    train: tuple[Example, ...]
    validation: tuple[Example, ...]
    test: tuple[Example, ...]
    labels: tuple[str, ...]
    report: DataReport
    fingerprint: str
    unlabelled: tuple[Example, ...] = ()
    judged_split: Literal["test", "validation"] = "test"
    """The split whose examples are in `test`. Evidence records this name."""

    def tried_on_validation(self) -> LabelledData:
        """The same data with `validation` in the place of `test`, for a choice between packages."""
        return replace(
            self,
            test=self.validation,
            fingerprint=f"{self.fingerprint}-validation",
            judged_split="validation",
        )
