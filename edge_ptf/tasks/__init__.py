"""The tasks, by name."""

from __future__ import annotations

from edge_ptf.errors import BadInputError, near_matches
from edge_ptf.heads import HeadSpec
from edge_ptf.tasks.base import Task, TaskSpec
from edge_ptf.tasks.text_classification import TextClassification
from edge_ptf.tasks.token_classification import TokenClassification

_TASKS: dict[str, type[Task]] = {task.name: task for task in (TextClassification, TokenClassification)}


def names() -> tuple[str, ...]:
    """Every task's name."""
    return tuple(_TASKS)


def get(name: str) -> type[Task]:
    """The task of that name.

    Raises:
        BadInputError: there is none; the hint names the closest.
    """
    if name not in _TASKS:
        raise BadInputError(f"unknown task '{name}'", hint=near_matches(name, _TASKS))
    return _TASKS[name]


def create(spec: TaskSpec) -> Task:
    """The task a spec describes, ready to encode and decode."""
    return get(spec.name)(spec)


def spec_of(head: HeadSpec) -> TaskSpec:
    """The spec of the task that a head declares.

    Raises:
        BadInputError: there is no such task.
        ValueError: the head does not fit the task.
    """
    return get(head.task).spec_of(head)
