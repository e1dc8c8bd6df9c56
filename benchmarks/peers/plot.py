"""Draws accuracy over speed as SVG."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from math import log, sqrt

import numpy as np
from figures import Row

WIDTH, HEIGHT = 860, 520
LEFT, RIGHT, TOP, BOTTOM = 70, 30, 40, 60
FONT = 'font-family="sans-serif" font-size="13"'
AREA_PER_MB = 12.0
COLOURS = ("#1b6ca8", "#c8553d", "#588157", "#7b5ea7", "#b08900", "#3a7d7c", "#9c4668", "#555555")
Box = tuple[float, float, float, float]
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
    marks = {id(row): (x(row.speed[threads].ratio), y(row.metrics[metric].value), _radius(row)) for row in rows}
    taken = [(a - r, d - r, a + r, d + r) for row in rows for a, d, r in [marks[id(row)]] if row.best]
    for row in sorted(rows, key=lambda row: (row.best, -row.model_mb)):
        colour = COLOURS[toolkits.index(row.toolkit) % len(COLOURS)]
        found, value = row.speed[threads], row.metrics[metric].value
        across, down, radius = marks[id(row)]
        reach = radius
        if row.best and found.low and found.high:
            begin, end = x(found.low), x(found.high)
            parts.append(_line(begin, down, end, down, colour, 2))
            reach = max(radius, across - begin, end - across)
        fill = f'fill="{colour}" fill-opacity="0.55"' if row.best else 'fill="none" stroke-opacity="0.45"'
        about = escape(f"{row.toolkit} {row.variant}: {value:.2f} %, {found.ratio:.2f} ×, {row.model_mb:.1f} MB")
        mark = f'<circle cx="{across:.1f}" cy="{down:.1f}" r="{radius:.1f}" stroke="{colour}" {fill}>'
        parts.append(f"{mark}<title>{about}</title></circle>")
        if row.best:
            parts += _label(across, down, reach, f"{row.toolkit}, {row.model_mb:.0f} MB", colour, taken)
    return "\n".join([*parts, "</svg>\n"])


def _radius(row: Row) -> float:
    return sqrt(AREA_PER_MB * row.model_mb / np.pi)


def _label(across: float, down: float, reach: float, label: str, colour: str, taken: list[Box]) -> list[str]:
    """Places a label beside its mark. If needed, moves it to a free place and draws a line to the mark."""
    width, moves = 7.4 * len(label), [step * sign * 9 for step in range(24) for sign in (1, -1)]
    sides = [("start", across + reach + 6, 0.0), ("end", across - reach - 6, -width)]

    def box(start: float, left: float, move: float) -> Box:
        return start + left, down + move - 8, start + left + width, down + move + 8

    places = [(*side, move) for move in moves for side in sides]
    side, start, left, move = next((place for place in places if _is_free(box(*place[1:]), taken)), places[0])
    taken.append(box(start, left, move))
    text = _text(start, down + move + 4, label, side, colour)
    return [text] if not move else [_line(across, down, start, down + move, colour), text]


def _is_free(box: Box, taken: list[Box]) -> bool:
    inside = box[0] > LEFT and box[2] < WIDTH - RIGHT and box[1] > TOP and box[3] < HEIGHT - BOTTOM
    return inside and not any(_overlap(box, other) for other in taken)


def _overlap(one: Box, other: Box) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def _line(x1: float, y1: float, x2: float, y2: float, colour: str, width: float = 1) -> str:
    ends = f'x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"'
    return f'<line {ends} stroke="{colour}" stroke-width="{width:g}"/>'


def _text(x: float, y: float, text: str, anchor: str = "start", colour: str = "#222222") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{colour}">{escape(text)}</text>'
