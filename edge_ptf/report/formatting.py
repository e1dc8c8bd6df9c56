"""Formats figures and names for people, equally on the terminal and in the report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from edge_ptf import tasks
from edge_ptf.errors import BadInputError
from edge_ptf.metrics import Metric
from edge_ptf.tasks.base import Task

DIGITS = {"MB": 1, "points": 2, "%": 2, "ms": 2, "×": 2}
"""Decimal places of figures, by unit."""
WRITTEN = {"mcc": "MCC", "rmse": "RMSE", "pearson": "Pearson", "spearman": "Spearman"}
"""Metrics that people write with capitals, by name."""

METRIC_WORDS = {
    "in_scope": "in-scope",
    "out_of_scope": "out-of-scope",
    "_f1": " F1",
    "recall_at_": "recall@",
    "_": " ",
}
"""Parts of the names of metrics, as people write them."""


def figure_text(value: float | None, unit: str) -> str:
    """A figure with its unit; a dash if it was not measured."""
    if value is None:
        return "–"
    return f"{figure_number(value, unit)}{'' if unit == '×' else ' '}{unit}".strip()


def figure_number(value: float | None, unit: str) -> str:
    """A figure with the decimal places of its unit, without the unit; a dash if it was not measured."""
    if value is None:
        return "–"
    return f"{value:.{DIGITS.get(unit, Metric.digits)}f}"


def score_text(name: str, value: float | None) -> str:
    """A metric's score with the metric's unit and decimal places; a dash if it is unknown.

    Args:
        name: name of the metric. Evidence has the names alone.
    """
    return "–" if value is None else f"{score_number(name, value)} {score_unit(name)}".strip()


def score_number(name: str, value: float, sign: str = "") -> str:
    """A score, or a difference of two scores (`sign` is "+"), with the metric's decimal places."""
    metric = _metrics().get(_own_name(name))
    return f"{value:{sign}.{metric.digits if metric else 2}f}"


def spread_texts(name: str, found: Mapping[str, Sequence[float]]) -> list[str]:
    """Mean ± standard deviation of a metric's score: for teacher, package, and their difference with its sign."""
    unit = score_unit(name)
    texts = [
        f"{score_number(name, found[column][0], sign)} ± {score_number(name, found[column][1])}"
        for column, sign in (("teacher", ""), ("package", ""), ("difference", "+"))
    ]
    return [*(f"{text} {unit}".strip() for text in texts[:2]), texts[2]]


def score_unit(name: str) -> str:
    """The unit of a metric's score: % for a score in points. Empty for a metric that no task has."""
    metric = _metrics().get(_own_name(name))
    return metric.score_unit if metric else ""


def answer_form(task: Task | type[Task], labels: int) -> str:
    """What the answer of a task is chosen from: its labels, a number, a vector, or what the task says."""
    if task.head_type.answers_a_vector:
        return "a vector"
    if task.answer:
        return task.answer
    return counted(labels, "label") if task.right_or_wrong else "a number"


def counted(count: int, noun: str, plural: str = "") -> str:
    """A number with its noun: 1 launch, 2,000 calls."""
    return f"{count:,} {noun if count == 1 else plural or f'{noun}s'}"


def _own_name(name: str) -> str:
    """A metric's name without that of its task, as in intent.accuracy."""
    return name.rpartition(".")[2]


def _metrics() -> dict[str, Metric]:
    """Every metric of every task, by name."""
    found: dict[str, Metric] = {}
    for name in tasks.names():
        task = tasks.get(name)
        for scope in (None, "O"):  # some metrics need an out-of-scope label
            try:
                spec = task.spec_for(("O", "B-a"), scope)
            except BadInputError:
                continue
            found |= {metric.name: metric for metric in task(spec).metrics}
    return found


def metric_words(name: str) -> str:
    """A metric's name in words; that of its task stays in front."""
    task, _, name = name.rpartition(".")
    if task:
        return f"{task} {metric_words(name)}"
    for code, words in METRIC_WORDS.items():
        name = name.replace(code, words)
    return WRITTEN.get(name, name)


def bytes_text(count: int) -> str:
    """A size in kB (10^3 bytes) or MB (10^6 bytes)."""
    return f"{count / 1e6:.2f} MB" if count >= 100_000 else f"{count / 1e3:.1f} kB"
