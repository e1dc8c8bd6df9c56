"""Several tasks at once: each has a name and labels of its own, and all read the same text by one encoder."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cache
from typing import Any, ClassVar

from edge_ptf.errors import BadInputError
from edge_ptf.examples import Example
from edge_ptf.heads import Head, HeadSpec, JointHead, joint_spec
from edge_ptf.heads.spec import LOGITS
from edge_ptf.metrics import Metric
from edge_ptf.metrics.part import Mean, PartMetric
from edge_ptf.tasks.base import RowError, Task

NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,39}")
FORMS = "text", "pair"
"""What several tasks can read together: one text, or two."""
EXAMPLE = "--task intent=text-classification --task slots=token-classification"


class Joint(Task):
    """Several tasks. `joint` makes the class for given tasks.

    `Example.label` has one label for each task, in their order; None: the example has no label of it. The name of a
    label, of a class and of a metric has the name of the task in front, as in `intent.accuracy`.
    """

    head_type: ClassVar[type[Head]] = JointHead
    kinds: ClassVar[Mapping[str, type[Task]]]

    def __init__(self, spec: HeadSpec) -> None:
        """Raises ValueError where the head is not one of these tasks."""
        super().__init__(spec)
        specs = [part.spec for part in self.head.parts]
        if [(part.name, part.task) for part in specs] != [(name, kind.name) for name, kind in self.kinds.items()]:
            raise ValueError(f"the head '{spec.name}' is not one of the tasks {self.name}")
        self.tasks = tuple(kind(part) for kind, part in zip(self.kinds.values(), specs, strict=True))

    @classmethod
    def spec_for(cls, labels: Sequence[str], out_of_scope_label: str | None = None) -> HeadSpec:
        """The spec of the heads of all tasks.

        Args:
            labels: each with the name of its task. Labels without such names belong to every task.
            out_of_scope_label: of one task, with its name.

        Raises:
            BadInputError: the out-of-scope label names no task, or one that has no such label.
        """
        known = [label for label in labels if label.partition(".")[0] in cls.kinds]
        owner, _, scope = (out_of_scope_label or "").partition(".")
        if out_of_scope_label is not None and (owner not in cls.kinds or not scope):
            raise BadInputError(
                f"the out-of-scope label '{out_of_scope_label}' names none of the tasks {', '.join(cls.kinds)}",
                hint=f"Write the task in front: {next(iter(cls.kinds))}.{out_of_scope_label}",
            )
        parts = []
        for name, kind in cls.kinds.items():
            own = [label.partition(".")[2] for label in known if label.startswith(f"{name}.")] if known else labels
            spec = kind.spec_for(own, scope if owner == name else None)
            output = spec.logits.replace(tensor=f"{name}.{LOGITS}")
            parts.append(spec.replace(name=name, outputs={LOGITS: output}))
        return joint_spec(parts)

    @property
    def out_of_scope_label(self) -> str | None:
        """That of the first task that has one, with the name of the task."""
        named = ((name, task.out_of_scope_label) for name, task in zip(self.kinds, self.tasks, strict=True))
        return next((f"{name}.{label}" for name, label in named if label is not None), None)

    # Data

    @staticmethod
    def example(row: Mapping[str, Any]) -> Example:
        """Rows are read task by task (`edge_ptf.data.joint`)."""
        raise RowError("the labels of several tasks are read task by task")

    @classmethod
    def shares(cls, examples: Sequence[Example]) -> list[tuple[type[Task], list[Example]]]:
        """See Task."""
        return [
            (kind, [_own(example, place) for example in examples if example.label[place] is not None])
            for place, kind in enumerate(cls.kinds.values())
        ]

    @classmethod
    def collect_labels(cls, examples: Sequence[Example]) -> tuple[str, ...]:
        """The label set of each task, with its name in front."""
        found = zip(cls.kinds, cls.shares(examples), strict=True)
        return tuple(f"{name}.{label}" for name, (kind, own) in found for label in kind.collect_labels(own))

    @classmethod
    def split_fault(cls, split: str, examples: Sequence[Example]) -> tuple[str, str] | None:
        """A task without labels in the split, or the first fault of a task."""
        for name, (kind, own) in zip(cls.kinds, cls.shares(examples), strict=True):
            if not own:
                return f"{split} has no label of the task '{name}'", "Every split needs labels of every task"
            if fault := kind.split_fault(split, own):
                return f"task '{name}': {fault[0]}", fault[1]
        return None

    def check_label(self, example: Example) -> str | None:
        """The first fault of a task's label."""
        faults = ((name, task.check_label(own)) for name, task, own in self._known(example))
        return next((f"{name}: {fault}" for name, fault in faults if fault), None)

    @classmethod
    def label_names(cls, example: Example) -> tuple[str, ...]:
        """The labels of all tasks, with their names."""
        return tuple(f"{name}.{label}" for name, kind, own in cls._own(example) for label in kind.label_names(own))

    @classmethod
    def class_names(cls, example: Example) -> list[str]:
        """The classes of all tasks, with their names."""
        return [f"{name}.{label}" for name, kind, own in cls._own(example) for label in kind.class_names(own)]

    @classmethod
    def stratum(cls, example: Example) -> str:
        """Which tasks have a label, and the stratum of the first of them."""
        own = cls._own(example)
        first = next((kind.stratum(each) for _, kind, each in own), "")
        return f"{','.join(name for name, _, _ in own)} {first}"

    # Figures

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """The metrics of all tasks, those that are judged first."""
        every = [metric for metrics in self._metrics() for metric in metrics]
        return tuple(sorted(every, key=lambda metric: not metric.gated))

    @property
    def steering(self) -> Metric:
        """The mean of the first metric of each task; the first one alone if their units or directions differ."""
        firsts = tuple(metrics[0] for metrics in self._metrics())
        if len({(metric.unit, metric.direction) for metric in firsts}) > 1:
            return firsts[0]
        return Mean(name="mean", title=f"mean of {' and '.join(each.title for each in firsts)}", of=firsts)

    def _metrics(self) -> list[list[PartMetric]]:
        """The metrics of each task."""
        return [
            [
                PartMetric(
                    name=f"{name}.{metric.name}",
                    title=f"{name} {metric.title}",
                    gated=metric.gated,
                    inner=metric,
                    place=place,
                )
                for metric in task.metrics
            ]
            for place, (name, task) in enumerate(zip(self.kinds, self.tasks, strict=True))
        ]

    @classmethod
    def limits(cls, given: Mapping[str, Any]) -> dict[str, Any]:
        """Limits by the name of a metric, such as those of a profile, for the metrics of every task."""
        names = [(name, metric) for name in cls.kinds for metric in given if "." not in metric]
        return {**{f"{name}.{metric}": given[metric] for name, metric in names}, **given}

    def class_report(self, references: Sequence[Any], predictions: Sequence[Any]) -> list[dict[str, Any]]:
        """The rows of all tasks."""
        return self._rows(lambda task: task.class_report, references, predictions)

    def word_report(self, references: Sequence[Any], predictions: Sequence[Any]) -> list[dict[str, Any]]:
        """The rows of all tasks."""
        return self._rows(lambda task: task.word_report, references, predictions)

    @classmethod
    def confusions(cls, reference: Any, prediction: Any) -> list[tuple[str, str]]:
        """Those of all tasks of which the reference has a label."""
        parts = zip(cls.kinds.items(), reference, prediction, strict=True)
        return [
            (f"{name}.{expected}", f"{name}.{answered}")
            for (name, kind), own, given in parts
            if own is not None
            for expected, answered in kind.confusions(own, given)
        ]

    def majority_answers(self, references: Sequence[Any]) -> list[Any]:
        """Those of each task, from the examples that have a label of it."""
        columns = []
        for place, task in enumerate(self.tasks):
            known = [number for number, labels in enumerate(references) if labels[place] is not None]
            answers = task.majority_answers([references[number][place] for number in known]) if known else []
            found = dict(zip(known, answers, strict=True))
            columns.append([found.get(number) for number in range(len(references))])
        return list(zip(*columns, strict=True))

    @classmethod
    def describe(cls, label: Any, text: str | None) -> str:
        """The label of each task, with its name."""
        return "; ".join(
            f"{name}: {kind.describe(own, text)}"
            for (name, kind), own in zip(cls.kinds.items(), label, strict=True)
            if own is not None
        )

    @classmethod
    def _own(cls, example: Example) -> list[tuple[str, type[Task], Example]]:
        """The name, the class and the example of each task of which it has a label."""
        return [
            (name, kind, _own(example, place))
            for place, (name, kind) in enumerate(cls.kinds.items())
            if example.label[place] is not None
        ]

    def _known(self, example: Example) -> list[tuple[str, Task, Example]]:
        """The same with the tasks themselves."""
        by_name = dict(zip(self.kinds, self.tasks, strict=True))
        return [(name, by_name[name], own) for name, _, own in self._own(example)]

    def _rows(
        self,
        report: Callable[[Task], Callable[..., list[dict[str, Any]]]],
        references: Sequence[Any],
        answers: Sequence[Any],
    ) -> list[dict[str, Any]]:
        found = []
        for place, (name, task) in enumerate(zip(self.kinds, self.tasks, strict=True)):
            known = [number for number, labels in enumerate(references) if labels[place] is not None]
            own = ([labels[number][place] for number in known] for labels in (references, answers))
            found += [{**row, "name": f"{name}.{row['name']}"} for row in report(task)(*own)]
        return found


def _own(example: Example, place: int) -> Example:
    """The example with the label of one task only."""
    return replace(example, label=example.label[place])


def parse(text: str) -> dict[str, str]:
    """The names of tasks by the names that the user gives them, from "intent=text-classification,slots=…".

    Raises:
        BadInputError: a name is given twice, or is none; or there is one task only.
    """
    found: dict[str, str] = {}
    for item in text.split(","):
        name, equals, task = (part.strip() for part in item.partition("="))
        if not equals:
            raise BadInputError(f"--task {item}: several tasks need a name each", hint=f"For example {EXAMPLE}")
        if not NAME.fullmatch(name):
            raise BadInputError(
                f"--task {item}: '{name}' is no name of a task",
                hint="It has letters, digits, - and _, and begins with a letter",
            )
        if name in found:
            raise BadInputError(f"--task {item}: the name '{name}' is given twice", hint="Give each task its own name")
        found[name] = task
    if len(found) == 1:
        raise BadInputError(f"--task {text}: one task needs no name", hint=f"Write --task {next(iter(found.values()))}")
    return found


@cache
def joint(kinds: tuple[tuple[str, type[Task]], ...]) -> type[Joint]:
    """The class of several tasks, by their names.

    Raises:
        BadInputError: these tasks do not read the same input.
    """
    forms = [form for form in FORMS if all(form in _forms(kind) for _, kind in kinds)]
    if not forms:
        what = ", ".join(f"{name} ({kind.name}) reads {_input(kind)}" for name, kind in kinds)
        raise BadInputError(
            f"the tasks cannot share an encoder: {what}",
            hint="Combine tasks that read one text, or tasks that read pairs",
        )
    leading = next((kind for _, kind in kinds if "token" in kind.head_type.logits_axes), kinds[0][1])
    columns = tuple(dict.fromkeys(column for _, kind in kinds for column in kind.columns))
    return type(
        "JointTask",
        (Joint,),
        {
            "__doc__": Joint.__doc__,
            "kinds": dict(kinds),
            "name": ",".join(f"{name}={kind.name}" for name, kind in kinds),
            "title": " + ".join(kind.title for _, kind in kinds),
            "pipeline_tag": leading.pipeline_tag,
            "columns": columns,
            "optional_columns": ("text_pair",) if "text" not in forms and "text_pair" not in columns else (),
            "recipe": leading.recipe,
            "right_or_wrong": all(kind.right_or_wrong for _, kind in kinds),
        },
    )


def _forms(kind: type[Task]) -> tuple[str, ...]:
    """What the task itself says: a derived one may need another input."""
    forms: tuple[str, ...] = vars(kind).get("joint_forms", ())
    return forms


def _input(kind: type[Task]) -> str:
    known = {"text": "one text", "pair": "a pair of texts"}
    return " or ".join(known[form] for form in _forms(kind)) or "an input of its own"
