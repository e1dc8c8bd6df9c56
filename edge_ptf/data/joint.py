"""The labels of several tasks: where each stands, and one example from all that is said about a text."""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from edge_ptf.data.columns import INPUTS
from edge_ptf.data.rows import Findings, Row
from edge_ptf.errors import BadInputError
from edge_ptf.examples import Example
from edge_ptf.tasks.base import Task

Located = tuple[Example, str]
Splits = dict[str, list[Located]]
Complete = Callable[[str, Splits], Splits]


NAMED = re.compile(r"[A-Za-z][\w-]*=")
"""How a value begins that is for one of several tasks."""


def named(values: Mapping[str, Any]) -> str:
    """Tasks or sources by the names of tasks, as one text: intent=a.csv,slots=b.csv."""
    return ",".join(f"{name}={value}" for name, value in values.items())


def sources_of(source: str, names: Sequence[str]) -> dict[str, str]:
    """The source of each task. One without names is that of all tasks.

    Args:
        source: what --data says; several sources as `named` writes them.
        names: of the tasks.

    Raises:
        BadInputError: a task has no source or two, or a source is of no task.
    """
    items = each_source(source)
    if items == [source] and not NAMED.match(source):
        return dict.fromkeys(names, source)
    found: dict[str, str] = {}
    for item in items:
        name, _, value = item.partition("=")
        if name not in names:
            raise BadInputError(f"--data {item}: there is no task '{name}'", hint=f"The tasks are {', '.join(names)}")
        if name in found:
            raise BadInputError(f"--data {item}: '{name}' has two sources", hint="Put the rows into one file or folder")
        found[name] = value
    if missing := [name for name in names if name not in found]:
        raise BadInputError(
            f"--data: the task '{missing[0]}' has no data",
            hint=f"Add --data {missing[0]}=…, or give one source for all tasks",
        )
    return found


def each_source(source: str) -> list[str]:
    """The sources in what --data says, with the names of their tasks; one if it has no names."""
    return re.split(r",(?=[A-Za-z][\w-]*=)", source) if NAMED.match(source) else [source]


def is_unlabelled(row: Row, task: type[Task]) -> bool:
    """Whether a row has nothing in the columns of the task's label. Where a label is a set of names, the empty set is a
    label, and only null is none."""
    head = task.head_type
    sets = head.answers_a_list and "token" not in head.logits_axes
    absent: tuple[Any, ...] = (None,) if sets else (None, "", [], ())
    labels = [row.values.get(name) for name in task.columns if name not in INPUTS]
    return all(value in absent or (isinstance(value, float) and math.isnan(value)) for value in labels)


def _with_text(row: Row) -> Row:
    """The row with one text, where the data have its words alone."""
    words = row.values.get("text")
    return (
        Row(row.file, row.lines, {**row.values, "text": " ".join(map(str, words))}) if isinstance(words, list) else row
    )


ReadOne = Callable[[str, type[Task], str, Callable[[Row], Row | None]], Splits]
"""Reads the labels of one task: its name, the task, the source, and how a row is read; None: the row is left out."""


def read_all(task: type[Task], source: str, read: ReadOne, complete: Complete, findings: Findings) -> Splits:
    """The examples of several tasks; see `merged`.

    A row of a source that several tasks share need not have a label of each, but of one.

    Args:
        complete: gives a task the splits that its source lacks, if the sources of the tasks have different ones.
    """
    sources = sources_of(source, list(task.kinds))
    shared = {each for each in sources.values() if list(sources.values()).count(each) > 1}
    found: dict[str, Splits] = {}
    left_out: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for name, kind in task.kinds.items():
        origin = sources[name]

        def accept(row: Row, name: str = name, kind: type[Task] = kind, origin: str = origin) -> Row | None:
            if origin in shared and is_unlabelled(row, kind):
                left_out[origin][name].add(row.place())
                return None
            return _with_text(row)

        found[name] = read(name, kind, origin, accept)
    for origin, by_task in left_out.items():
        if len(by_task) == list(sources.values()).count(origin):
            for place in sorted(set.intersection(*by_task.values())):
                findings.problem(place, f"the row has no label of {' or '.join(repr(name) for name in by_task)}")
    if len(set(sources.values())) == 1:
        check_same_texts(found, findings)
    elif len({frozenset(splits) for splits in found.values()}) > 1:
        found = {name: complete(name, splits) for name, splits in found.items()}
    return merged(found)


def check_same_texts(read: Mapping[str, Splits], findings: Findings) -> None:
    """Finds the rows of one source in which two tasks do not read the same words."""
    texts: dict[str, tuple[str, str]] = {}
    for name, splits in read.items():
        for example, place in _all(splits):
            other, text = texts.setdefault(place, (name, example.text))
            if _key(Example(text, ())) != _key(Example(example.text, ())):
                findings.problem(
                    place, f"'{name}' reads other words ({_short(example.text)}) than '{other}' ({_short(text)})"
                )


def merged(read: Mapping[str, Splits]) -> Splits:
    """One example for each text of a split, with the labels of all tasks; None for a task that says nothing about it.

    Texts are the same if they have the same words. If a task labels a text several times, the first label goes with the
    first one of another task, and so on.

    Args:
        read: by the name of the task.
    """
    names = list(read)
    found: Splits = {}
    for split in dict.fromkeys(split for splits in read.values() for split in splits):
        rows: list[tuple[Located, list[Any]]] = []
        places: dict[tuple[str, ...], list[int]] = defaultdict(list)
        for number, name in enumerate(names):
            times: dict[tuple[str, ...], int] = defaultdict(int)
            for example, place in read[name].get(split, ()):
                key = _key(example)
                if times[key] == len(places[key]):
                    places[key].append(len(rows))
                    rows.append(((example, place), [None] * len(names)))
                rows[places[key][times[key]]][1][number] = example.label
                times[key] += 1
        found[split] = [(replace(example, label=tuple(labels)), place) for (example, place), labels in rows]
    return found


def _key(example: Example) -> tuple[str, ...]:
    texts = (example.text,) if example.text_pair is None else (example.text, example.text_pair)
    return tuple(" ".join(text.split()) for text in texts)


def _all(splits: Mapping[str, Iterable[Located]]) -> Iterable[Located]:
    for rows in splits.values():
        yield from rows


def _short(text: str) -> str:
    return repr(text if len(text) <= 40 else f"{text[:39]}…")
