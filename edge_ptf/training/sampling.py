"""How much each of several tasks counts: the weight of its loss, and how often its texts are seen."""

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
