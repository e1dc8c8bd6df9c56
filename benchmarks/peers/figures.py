"""From logits and times to rows, and from rows to a table and a plot."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from html import escape
from math import log, sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_ptf import tasks
from edge_ptf.measure.statistics import paired_drop, percentile, ratio_interval
from edge_ptf.tasks.base import Encoding, Example, Task

MOST_DROP = 1.0
"""Points of the first metric that a toolkit's best variant may lose on validation."""

Times = list[list[int]]
"""Of each launch, in nanoseconds."""


@dataclass(slots=True)
class Metric:
    """In percent and points; `bound` is the upper 95 % bound of the drop from the teacher."""

    value: float
    drop: float
    bound: float


@dataclass(slots=True)
class Speed:
    """How many times faster than the teacher, with its 95 % interval over launches."""

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
    """Texts with their labels, and the ids that one tokenizer cuts them into."""

    examples: Sequence[Example]
    encodings: Sequence[Encoding]

    @property
    def labels(self) -> list[Any]:
        return [example.label for example in self.examples]


Rows = NDArray[np.float32]


def answers(task: Task, logits: Rows, split: Split) -> list[Any]:
    """The label of each text."""
    triples = zip(logits, split.encodings, split.examples, strict=True)
    return [task.decode(row, encoding, example.text).label for row, encoding, example in triples]


def calibrated(task: Task, logits: Rows, validation: Split, teacher: list[Any] | None) -> Task:
    """The task with its threshold chosen on validation, as packages have it: the teacher's, or one that follows it."""
    return tasks.create(task.calibrated(list(logits), validation.labels, teacher)) if task.calibrates else task


def metrics(task: Task, test: Split, teacher: list[Any], found: list[Any]) -> dict[str, Metric]:
    """What is gated for this task, beside the teacher's."""
    values = {}
    for metric in task.gated_metrics:
        before, after = (task.outcomes(metric.name, test.labels, each) for each in (teacher, found))
        drop = paired_drop(before, after)
        hits, counted = after.sum(axis=0)[:2]
        values[metric.name] = Metric(*(round(100 * each, 3) for each in (hits / counted, drop.value, drop.bound)))
    return values


def speed(teacher: Times, found: Times) -> Speed:
    """From launches in which both answered the same texts in turns."""
    ratio = ratio_interval(teacher, found)
    middle = float(np.median([percentile(launch, 0.5) for launch in found])) / 1e6
    low, high = (None if limit is None else round(limit, 3) for limit in (ratio.low, ratio.high))
    return Speed(round(ratio.value, 3), low, high, round(middle, 4))


def mark_best(rows: Sequence[Row], teacher: Row, threads: str) -> None:
    """Of each toolkit the fastest variant that loses at most `MOST_DROP` on validation, or else the most accurate."""
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
    """Markdown, in the order given."""
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
    drop = f"{metric.drop:+.2f}, ≤ {metric.bound:.2f}" if metric.drop or metric.bound else "–"
    return f"{metric.value:.2f} ({drop})"


def _speed(speed: Speed) -> str:
    return (
        f"{speed.ratio:.2f} × ({speed.low:.2f}–{speed.high:.2f})"
        if speed.low and speed.high
        else f"{speed.ratio:.2f} ×"
    )


# Plot

WIDTH, HEIGHT = 860, 520
LEFT, RIGHT, TOP, BOTTOM = 70, 30, 40, 60
FONT = 'font-family="sans-serif" font-size="13"'
AREA_PER_MB = 12.0
COLOURS = ("#1b6ca8", "#c8553d", "#588157", "#7b5ea7", "#b08900", "#3a7d7c", "#9c4668", "#555555")
TICKS = (0.5, 0.75, 1, 1.5, 2, 3, 4, 6, 8, 10, 12, 16, 20, 30)


def plot(rows: Sequence[Row], metric: str, title: str, threads: str) -> str:
    """SVG: accuracy over speed on a logarithmic axis; the area of a mark is the size of the model.

    Filled marks are each toolkit's best variant; bars are the 95 % interval of the speed.
    """
    ratios = [row.speed[threads].ratio for row in rows]
    values = [row.metrics[metric].value for row in rows]
    left, right = log(min(ratios) / 1.25), log(max(ratios) * 1.35)
    margin = max(0.3, 0.12 * (max(values) - min(values)))
    bottom, top = min(values) - margin, max(values) + margin

    def x(ratio: float) -> float:
        return LEFT + (log(ratio) - left) / (right - left) * (WIDTH - LEFT - RIGHT)

    def y(value: float) -> float:
        return HEIGHT - BOTTOM - (value - bottom) / (top - bottom) * (HEIGHT - TOP - BOTTOM)

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" {FONT}>',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
    ]
    for tick in TICKS:
        if left < log(tick) < right:
            parts.append(_line(x(tick), TOP, x(tick), HEIGHT - BOTTOM, "#dddddd"))
            parts.append(_text(x(tick), HEIGHT - BOTTOM + 20, f"{tick:g} ×", "middle"))
    step = next(each for each in (0.1, 0.2, 0.5, 1, 2, 5, 10, 20) if (top - bottom) / each <= 9)
    for number in range(int(np.ceil(bottom / step)), int(np.floor(top / step)) + 1):
        height = y(number * step)
        parts.append(_line(LEFT, height, WIDTH - RIGHT, height, "#dddddd"))
        parts.append(_text(LEFT - 8, height + 4, f"{number * step:.1f}", "end"))
    name = f"speed, FP32 teacher under ONNX Runtime = 1 ({threads} thread{'s' if threads != '1' else ''}, batch 1)"
    parts.append(_text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 14, name, "middle"))
    parts.append(_text(LEFT, TOP - 16, f"{title}, %; the area of a mark is the size of the model"))
    toolkits = list(dict.fromkeys(row.toolkit for row in rows))
    taken: list[tuple[float, float]] = []
    for row in sorted(rows, key=lambda row: (row.best, -row.model_mb)):
        colour = COLOURS[toolkits.index(row.toolkit) % len(COLOURS)]
        found, value = row.speed[threads], row.metrics[metric].value
        across, down, radius = x(found.ratio), y(value), sqrt(AREA_PER_MB * row.model_mb / np.pi)
        if row.best and found.low and found.high:
            parts.append(_line(x(found.low), down, x(found.high), down, colour, 2))
        fill = f'fill="{colour}" fill-opacity="0.55"' if row.best else 'fill="none" stroke-opacity="0.45"'
        about = escape(f"{row.toolkit} {row.variant}: {value:.2f} %, {found.ratio:.2f} ×, {row.model_mb:.1f} MB")
        mark = f'<circle cx="{across:.1f}" cy="{down:.1f}" r="{radius:.1f}" stroke="{colour}" {fill}>'
        parts.append(f"{mark}<title>{about}</title></circle>")
        if row.best:
            label = f"{row.toolkit}, {row.model_mb:.0f} MB"
            parts += _label(across, down, radius, label, colour, taken)
    return "\n".join([*parts, "</svg>\n"])


def _label(
    across: float, down: float, radius: float, label: str, colour: str, taken: list[tuple[float, float]]
) -> list[str]:
    """Beside the mark, moved down or up until no other label is in the way, and then joined to it by a line."""
    width = 7.2 * len(label)
    anchor, start = (
        ("start", across + radius + 6) if across + radius + width < WIDTH - RIGHT else ("end", across - radius - 6)
    )
    middle = start + width / 2 if anchor == "start" else start - width / 2
    moves = (step * sign * 17 for step in range(12) for sign in (1, -1))
    free = (move for move in moves if all(abs(middle - a) > width or abs(down + move - b) > 15 for a, b in taken))
    move = next(free, 0.0)
    taken.append((middle, down + move))
    text = _text(start, down + move + 4, label, anchor, colour)
    return [text] if not move else [_line(across, down, start, down + move, colour), text]


def _line(x1: float, y1: float, x2: float, y2: float, colour: str, width: float = 1) -> str:
    ends = f'x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"'
    return f'<line {ends} stroke="{colour}" stroke-width="{width:g}"/>'


def _text(x: float, y: float, text: str, anchor: str = "start", colour: str = "#222222") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{colour}">{escape(text)}</text>'
