"""Computes table rows from logits and times, and writes a readable page from the rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_ptf import tasks
from edge_ptf.examples import Encoding, Example
from edge_ptf.metrics import gated
from edge_ptf.statistics import percentile, ratio_interval
from edge_ptf.tasks.base import Task

MOST_DROP = 1.0
"""Maximum loss of a toolkit's best variant on validation, in points of the first metric."""

Times = list[list[int]]
"""Times of each launch, in nanoseconds."""


@dataclass(slots=True)
class Metric:
    """A metric in percent, with its drop in points. `bound` is the upper 95 % bound of the drop; the teacher has
    none.
    """

    value: float
    drop: float | None = None
    bound: float | None = None


@dataclass(slots=True)
class Speed:
    """Speed relative to the teacher's, with its 95 % interval over launches."""

    ratio: float
    low: float | None
    high: float | None
    p50_ms: float


@dataclass(slots=True)
class Row:
    """One contestant."""

    toolkit: str
    variant: str
    engine: str
    model_mb: float
    validation: float
    threshold: float | None
    metrics: dict[str, Metric]
    speed: dict[str, Speed] = field(default_factory=dict)
    best: bool = False


@dataclass(frozen=True, slots=True)
class Split:
    """Texts with their labels, and the token ids from one tokenizer."""

    examples: Sequence[Example]
    encodings: Sequence[Encoding]

    @property
    def labels(self) -> list[Any]:
        return [example.label for example in self.examples]


Rows = NDArray[np.float32]


def answers(task: Task, logits: Rows, split: Split) -> list[Any]:
    """The label of each text."""
    triples = zip(logits, split.encodings, split.examples, strict=True)
    return [task.head.decode(row, encoding, example.text).label for row, encoding, example in triples]


def calibrated(task: Task, logits: Rows, labels: Sequence[Any], teacher: Sequence[Any] | None) -> Task:
    """The task with its threshold, tuned as in packages.

    Args:
        logits: for the threshold texts; the first of these are validation.
        labels: labels of validation, for the teacher.
        teacher: the teacher's answers to all threshold texts, for all other models.
    """
    if not task.head.tunes:
        return task
    if teacher is not None:
        return tasks.create(task.head.matched(list(logits), teacher))
    return tasks.create(task.head.tuned(list(logits[: len(labels)]), labels))


def metrics(task: Task, test: Split, teacher: list[Any], found: list[Any]) -> dict[str, Metric]:
    """The gated metrics of this task, compared with the teacher's answers. `found` may be the teacher's answers."""
    values = {}
    for metric in gated(task.metrics):
        before, after = (metric.per_example(test.labels, each) for each in (teacher, found))
        values[metric.name] = Metric(round(metric.score(after), 3))
        if found is not teacher:
            drop = metric.bound(before, after, 0.95)
            values[metric.name].drop, values[metric.name].bound = round(drop.value, 3), round(drop.bound, 3)
    return values


def speed(teacher: Times, found: Times) -> Speed:
    """The speed from launches in which both models answered the same texts alternately."""
    ratio = ratio_interval(teacher, found)
    middle = float(np.median([percentile(launch, 0.5) for launch in found])) / 1e6
    low, high = (None if limit is None else round(limit, 3) for limit in (ratio.low, ratio.high))
    return Speed(round(ratio.value, 3), low, high, round(middle, 4))


def mark_best(rows: Sequence[Row], teacher: Row, threads: str) -> None:
    """Marks each toolkit's fastest variant that loses at most `MOST_DROP` on validation, or else the most accurate."""
    for name in {row.toolkit for row in rows}:
        own = [row for row in rows if row.toolkit == name]
        fitting = [row for row in own if teacher.validation - row.validation <= MOST_DROP]
        if fitting:
            max(fitting, key=lambda row: row.speed[threads].ratio).best = True
        else:
            max(own, key=lambda row: row.validation).best = True


def record(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """JSON-like."""
    return [asdict(row) for row in rows]


# Table


def table(rows: Sequence[Row], titles: dict[str, str]) -> str:
    """The rows as a Markdown table, in the given order."""
    threads = list(rows[0].speed)
    heads = ["", "variant", "engine", *(f"{title}, %" for title in titles.values())]
    heads += [f"speed, {count} thread{'s' if count != '1' else ''}" for count in threads] + ["p50, ms", "model, MB"]
    lines = [heads, ["---"] * 3 + ["---:"] * (len(heads) - 3)]
    for row in rows:
        cells = [row.toolkit, row.variant, row.engine]
        cells += [_metric(row.metrics[name]) for name in titles]
        cells += [_speed(row.speed[count]) for count in threads]
        cells += [f"{row.speed[threads[0]].p50_ms:.2f}", f"{row.model_mb:.1f}"]
        lines.append([f"**{cell}**" if row.best and number == 0 else cell for number, cell in enumerate(cells)])
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def _metric(metric: Metric) -> str:
    if metric.drop is None or metric.bound is None:
        return f"{metric.value:.2f}"
    return f"{metric.value:.2f} ({-metric.drop:+.2f}, ≥ {-metric.bound:+.2f})"


def _speed(speed: Speed) -> str:
    return (
        f"{speed.ratio:.2f} × ({speed.low:.2f}–{speed.high:.2f})"
        if speed.low and speed.high
        else f"{speed.ratio:.2f} ×"
    )


PAGE = """# Peers

The same fine-tuned encoder compressed by edge-ptf and by other toolkits; made by `benchmarks/peers/run.py`, which says
how. Speed: times that of the FP32 teacher under ONNX Runtime, batch 1, with its 95 % interval over {launches} launches;
the p50 is that of {threads} thread{s}. In brackets after an accuracy: the difference from the teacher in points, and
its 95 % bound. Sizes are those of the model alone, without tokenizer.

{cpu}, {cores} cores ({isa}).
{warnings}
## The best of each

{chosen}
![Accuracy over speed]({picture})

## Every variant

{every}
## Versions

{versions}{failed}"""


def page(
    result: dict[str, Any], chosen: Sequence[Row], rows: Sequence[Row], titles: dict[str, str], picture: str
) -> str:
    """The results of `run.py` as Markdown."""
    machine, threads = result["machine"], next(iter(rows[0].speed))
    versions = {name: ", ".join(" ".join(pair) for pair in found.items()) for name, found in result["versions"].items()}
    failed = "".join(f"- {each['toolkit']}, {each['variant']}: `{each['error']}`\n" for each in result["failed"])
    return PAGE.format(
        **{"launches": result["launches"], "threads": threads, "s": "" if threads == "1" else "s", "picture": picture},
        **{"cpu": machine["cpu"], "cores": machine["cores"], "isa": ", ".join(machine["isa"])},
        warnings="".join(f"\n**Not a quiet machine: {warning}.**\n" for warning in result["warnings"]),
        chosen=table(chosen, titles),
        every=table(rows, titles),
        versions="".join(f"- {name}: {found}\n" for name, found in versions.items()),
        failed=f"\n## What failed\n\n{failed}" if failed else "",
    )
