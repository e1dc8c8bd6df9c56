"""Finds the columns of a task among the columns of the data.

An exact name always wins. The next choice is a name that differs only in case, or in spaces and hyphens for
underscores. The last choice is a usual other name, such as `utterance` for `text`. A guess must be the only
possible one, and each guess is a note of the data set.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from edge_ptf.data.rows import Findings
from edge_ptf.errors import DataError
from edge_ptf.tasks.base import Task

OTHER_NAMES: dict[str, tuple[str, ...]] = {
    "text": (
        *("texts", "utterance", "utterances", "sentence", "sentences", "query", "question", "message", "content"),
        *("comment", "review", "tweet", "document", "phrase"),
    ),
    "label": (
        *("labels", "intent", "intents", "category", "class", "sentiment", "topic", "emotion", "target"),
        *("label_text", "label_name"),
    ),
    "labels": ("label", "intents", "categories", "classes", "topics", "emotions", "tags"),
    "value": (
        *("values", "score", "scores", "label", "rating", "ratings", "stars", "similarity", "similarity_score"),
        *("relatedness", "relatedness_score", "target", "number"),
    ),
    "tokens": ("token", "words", "word"),
    "tags": ("tag", "ner_tags", "ner", "bio", "bio_tags", "slots"),
    "entity1": ("e1", "head", "subject"),
    "entity2": ("e2", "tail", "object"),
    "question": ("query", "questions"),
    "context": ("passage", "paragraph", "document", "text"),
    "answer": ("answers", "answer_text", "answers.text"),
    "answer_start": ("answers.answer_start", "answers.start"),
}
"""Usual other names of a column, by the task's own name."""

PAIRS = (
    ("premise", "hypothesis"),
    ("sentence1", "sentence2"),
    ("question1", "question2"),
    ("text1", "text2"),
    ("text_a", "text_b"),
    ("sentence_a", "sentence_b"),
)
"""Usual names of the two texts of a pair, for `text` and `text_pair`."""

QUESTIONS = (
    ("question", "sentence"),
    ("question", "context"),
    ("question", "answer"),
    ("query", "passage"),
    ("query", "document"),
)
"""More such names, if the task needs pairs. For another task the first of them is a text by itself."""

INPUTS = ("text", "text_pair", "tokens")
"""The columns that several tasks can read together; the others are labels."""
SHOWN_COLUMNS = 20
SHOWN_CHARACTERS = 40


@dataclass(frozen=True, slots=True)
class Columns:
    """The columns of a task: for each of its own names, the name in the data."""

    task: str
    required: Mapping[str, str]
    optional: Mapping[str, str]
    part: str = ""
    """The name of the task, if it is one of several; their labels are in columns of these names, or in usual ones."""
    others: tuple[str, ...] = ()
    """The names of the other tasks."""

    @classmethod
    def of(cls, task: type[Task], config: object, part: str = "", others: Sequence[str] = ()) -> Columns:
        """The names from `<column>_column` of the configuration. Without such a field, the task's own name.

        Args:
            part: the name of the task, if it is one of several.
            others: the names of the others.
        """

        def named(columns: Sequence[str]) -> dict[str, str]:
            return {name: getattr(config, f"{name}_column", name) for name in columns}

        required = named(task.columns)
        own = {name: part for name, column in required.items() if part and column == name and name not in INPUTS}
        said = f"'{part}' ({task.name})" if part else task.name
        return cls(said, {**required, **own}, named(task.optional_columns), part, tuple(others))

    def known(self, found: Sequence[str]) -> bool:
        """Whether every required column has at least one possible name among `found`."""
        return all(self._candidates(name, column, found) for name, column in self.required.items())

    def resolve(self, place: str, found: Sequence[str], findings: Findings, advice: str = "") -> Columns:
        """The same columns with the names that the data has. Every guessed name becomes a note in `findings`.

        Args:
            place: the file or data set, for messages.
            found: the names of the data's columns.
            advice: what else to try if no required column has a possible name.

        Raises:
            DataError: a required column has no possible name or several among `found`.
        """
        given = {**self.required, **{name: self.optional[name] for name in self.optional if name not in self.required}}
        candidates = {name: self._candidates(name, column, found) for name, column in given.items()}
        missing = [name for name in self.required if not candidates[name]]
        if missing:
            raise DataError(
                f"{place}: no column {', '.join(self._wanted(name) for name in missing)}, but {self.task} "
                f"needs it (found: {_shown(found)})",
                hint=self._advice(missing, found) + (advice if len(missing) == len(self.required) else ""),
            )
        chosen: dict[str, str] = {}
        for name, column in given.items():
            possible = candidates[name]
            if len(possible) > 1:
                raise DataError(
                    f"{place}: no column {column!r}, and {len(possible)} columns could be it: "
                    f"{', '.join(repr(other) for other in possible)}",
                    hint=f"Name the right one: --set data.{name}_column=NAME",
                )
            chosen[name] = possible[0] if possible else column
        for first, second in PAIRS:
            paired = [other for other in found if _folded(other) == second]
            if "text_pair" in chosen and _folded(chosen["text"]) == first != _folded(given["text"]) and paired:
                chosen["text_pair"] = paired[0]
        for name, column in chosen.items():
            if column != given[name] and not (self.part and column == name):
                findings.note(f"Column {column!r} is read as {name}.")
        findings.columns |= {self._reported(name): column for name, column in chosen.items() if column in found}
        return replace(
            self,
            required={name: chosen[name] for name in self.required},
            optional={name: chosen[name] for name in self.optional},
        )

    def pick(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """The values by the task's own names. An optional column is included only if it exists."""
        picked = {name: values.get(column) for name, column in self.required.items()}
        picked |= {name: values[column] for name, column in self.optional.items() if column in values}
        return picked

    def _candidates(self, name: str, column: str, found: Sequence[str]) -> list[str]:
        """The names among `found` that could be a column: the exact one, or the best guesses."""
        if column in found:
            return [column]
        if alike := [other for other in found if _folded(other) == _folded(column)]:
            return alike
        if self.part == column and name in found:
            return [name]
        if column not in (name, self.part):
            return []
        taken = {*self.required.values(), *self.optional.values(), *self.others} - {column}
        free = [other for other in found if other not in taken]
        usual = {_folded(other) for other in OTHER_NAMES.get(name, ())}
        pairs = self._pairs(found)
        if name == "text":
            firsts = {first for first, _ in pairs}
            usual = firsts if firsts and "text_pair" in self.required else usual | firsts
        if name == "text_pair" and name in self.required:
            usual |= {second for _, second in pairs}
        guesses = [other for other in free if _folded(other) in usual]
        if not guesses and name == "text" and self.part:  # the words that another task tags
            usual = {"tokens", *OTHER_NAMES["tokens"]}
            guesses = [other for other in free if _folded(other) in usual]
        return guesses

    def _wanted(self, name: str) -> str:
        """The names of a column, for a message."""
        column = self.required[name]
        return f"{column!r} or {name!r}" if column == self.part != "" else repr(column)

    def _reported(self, name: str) -> str:
        """A column's own name in the report: that of a label has its task in front, if there are several."""
        return f"{self.part}.{name}" if self.part and name not in INPUTS else name

    def _advice(self, missing: Sequence[str], found: Sequence[str]) -> str:
        """How to name the missing columns; the fields of inner objects that they could be, if that is clear."""
        inner = {name: name.rpartition(".")[2] for name in found if "." in name}
        guesses = []
        for name in missing:
            likely = self._candidates(name, self.required[name], list(inner.values()))
            guesses += [(name, path) for path, last in inner.items() if last in likely]
        if [name for name, _ in guesses] == list(missing):
            return f"Did you mean {' '.join(f'--set data.{name}_column={path}' for name, path in guesses)} ?"
        return f"If the column has another name, set it: --set data.{missing[0]}_column=NAME"

    def _pairs(self, found: Sequence[str]) -> list[tuple[str, str]]:
        """The usual pairs of names of which `found` has both, if the task has pairs and nobody named its columns."""
        given = {**self.optional, **self.required}
        if given.get("text") != "text" or given.get("text_pair") != "text_pair":
            return []
        folded = {_folded(other) for other in found}
        if folded & {"text", "text_pair"}:
            return []
        known = (*PAIRS, *QUESTIONS) if "text_pair" in self.required else PAIRS
        return [pair for pair in known if {*pair} <= folded]


def _folded(name: str) -> str:
    return "_".join(name.removeprefix("\ufeff").casefold().replace("-", " ").replace("_", " ").split())


def _shown(found: Sequence[str]) -> str:
    """Column names for a message, on one line."""
    names = []
    for name in found[:SHOWN_COLUMNS]:
        short = name[:SHOWN_CHARACTERS] + ("…" if len(name) > SHOWN_CHARACTERS else "")
        names.append(short if short.isprintable() else short.encode("unicode_escape").decode())
    more = f" and {len(found) - SHOWN_COLUMNS} more" if len(found) > SHOWN_COLUMNS else ""
    return f"{', '.join(names) or 'none'}{more}"
