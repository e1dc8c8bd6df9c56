"""How much each of several tasks counts: the weight of its loss, when it counts, and how often its texts are seen."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from math import isfinite

import numpy as np

from edge_ptf.errors import BadInputError
from edge_ptf.heads import Head
from edge_ptf.tasks.base import Task
from edge_ptf.training.batching import Item

OPTION = "finetune.task_weights"
SCHEDULE = "finetune.task_schedule"


def weights_of(text: str, names: Sequence[str]) -> tuple[float, ...]:
    """The weight of each task, from "intent=1,slots=0.5"; 1 for a task that is not named.

    Raises:
        BadInputError: a name is none of these tasks, or a weight is no positive number.
    """
    found = dict.fromkeys(names, 1.0)
    for item in text.split(","):
        name, _, number = (part.strip() for part in item.partition("="))
        if name not in found:
            raise BadInputError(f"{OPTION}: there is no task '{name}'", hint=f"The tasks are {', '.join(names)}")
        try:
            found[name] = float(number)
        except ValueError:
            found[name] = 0.0
        if not (isfinite(found[name]) and found[name] > 0):
            raise BadInputError(f"{OPTION}: the weight '{number}' of '{name}' is not a number above 0")
    return tuple(found.values())


def weighted(task: Task, weights: str | None) -> Task:
    """The task with the weights of its losses.

    Raises:
        BadInputError: the task does not stand for several, or the weights do not fit; see `weights_of`.
    """
    if weights is None:
        return task
    if not task.kinds:
        raise BadInputError(f"{OPTION} is {weights}, but {task.name} is one task", hint="Leave it out")
    return type(task)(task.head.spec.with_options(weights=weights_of(weights, list(task.kinds))))


def schedule_of(text: str, names: Sequence[str]) -> tuple[tuple[float, float], ...]:
    """When the loss of each task counts, from "intent=0-0.5,slots=0.5": begin and end as shares of the training.

    A task that is not named always counts, and an end that is not given is 1.

    Raises:
        BadInputError: a name is none of these tasks, a share is no number from 0 to 1, or at some time no task counts.
    """
    found = dict.fromkeys(names, (0.0, 1.0))
    for item in text.split(","):
        name, _, part = (word.strip() for word in item.partition("="))
        if name not in found:
            raise BadInputError(f"{SCHEDULE}: there is no task '{name}'", hint=f"The tasks are {', '.join(names)}")
        begin, _, end = part.partition("-")
        try:
            found[name] = float(begin), float(end or 1)
        except ValueError:
            found[name] = (1.0, 0.0)
        if not 0 <= found[name][0] < found[name][1] <= 1:
            raise BadInputError(
                f"{SCHEDULE}: '{part}' of '{name}' is no part of the training", hint="Write it as 0.25 or 0.25-0.75"
            )
    reached = 0.0
    for begin_at, end_at in sorted(found.values()):
        if begin_at > reached:
            break
        reached = max(reached, end_at)
    if reached < 1:
        raise BadInputError(f"{SCHEDULE}: from {reached:g} of the training on no task counts", hint="Let one go on")
    return tuple(found.values())


class Schedule:
    """The head of each moment of the training: the losses of tasks that do not count have the weight 0."""

    def __init__(self, head: Head, times: Sequence[tuple[float, float]]) -> None:
        """Args:
        head: of several tasks.
        times: see `schedule_of`.
        """
        self.head, self.times = head, times
        self.heads: dict[tuple[bool, ...], Head] = {}

    def at(self, share: float) -> Head:
        """The head when this share of the training is done."""
        counts = tuple(begin <= share < end for begin, end in self.times)
        if counts not in self.heads:
            weights = tuple(weight * on for weight, on in zip(self.head.weights, counts, strict=True))
            self.heads[counts] = type(self.head)(self.head.spec.with_options(weights=weights))
        return self.heads[counts]


def scheduled(task: Task, text: str | None) -> Schedule | None:
    """The schedule of a task that stands for several; None without one.

    Raises:
        BadInputError: the task does not stand for several, or the text is none; see `schedule_of`.
    """
    if text is None:
        return None
    if not task.kinds:
        raise BadInputError(f"{SCHEDULE} is {text}, but {task.name} is one task", hint="Leave it out")
    return Schedule(task.head, schedule_of(text, list(task.kinds)))


def sampled(items: Sequence[Item], head: Head, temperature: float, seed: int) -> list[Item]:
    """The items of an epoch, in the order of the data; some several times.

    Items that have labels of the same tasks are a group. Of N items, a group of n is seen N · n^(1/T) / Σ n^(1/T) times
    at the temperature T (Arivazhagan et al. 2019, "Massively Multilingual Neural Machine Translation in the Wild",
    section 4): 1 leaves the groups as they are, and a large T makes them equal.
    """
    groups: dict[tuple[bool, ...], list[int]] = defaultdict(list)
    for number, item in enumerate(items):
        groups[tuple(part.is_labelled(target) for part, target in head.each(item.target))].append(number)
    if temperature == 1 or len(groups) < 2:
        return list(items)
    powers = {key: len(members) ** (1 / temperature) for key, members in groups.items()}
    draw, times = np.random.default_rng(seed), np.zeros(len(items), dtype=np.int64)
    for key, members in groups.items():
        wanted = max(round(len(items) * powers[key] / sum(powers.values())), 1)
        whole, rest = divmod(wanted, len(members))
        times[members] = whole
        times[draw.permutation(members)[:rest]] += 1
    return [item for item, count in zip(items, times, strict=True) for _ in range(count)]
