"""Draws a Bokeh figure as static SVG, for paper and for readers without JavaScript.

A browser prints at once and does not wait until a script has drawn a plot. The colours are those of the page
(`--NAME` in report.css), so they follow its theme.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from bokeh.models import FixedTicker, GlyphRenderer, Line, LogScale, Rect, Scatter, Span, VArea
from bokeh.plotting import figure
from markupsafe import Markup, escape
from numpy.typing import NDArray

from edge_ptf.report.plots import INK

WIDTH = 720
"""Width of a drawing in its own units. It is about the width of a printed page in CSS pixels."""
LETTER = 6.2
"""Mean width of a letter of the labels."""
LINE = 13.0
"""Least distance of two labels below each other."""
COLOURS = {placeholder: f"var(--{name})" for name, placeholder in INK.items()}
Numbers = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Axis:
    """Maps the values of one axis to positions from `start` to `end` of the drawing."""

    low: float
    high: float
    start: float
    end: float
    logarithmic: bool = False

    def places(self, values: Any) -> Numbers:
        """Positions of values."""
        low, high = self.low, self.high
        found = np.asarray(values, dtype=np.float64)
        if self.logarithmic:
            low, high, found = math.log10(low), math.log10(high), np.log10(np.maximum(found, 1e-12))
        return self.start + (found - low) / (high - low) * (self.end - self.start)

    def place(self, value: float) -> float:
        """Position of one value."""
        return float(self.places([value])[0])

    def holds(self, value: float) -> bool:
        """Whether the axis shows the value."""
        return min(self.low, self.high) <= value <= max(self.low, self.high)


def static_plot(plot: figure) -> Markup:
    """The figure as one SVG element.

    Raises:
        TypeError: the figure has a kind of glyph that this module does not draw.
    """
    names = [_names(axis) for axis in (plot.xaxis[0], plot.yaxis[0])]
    left = 60 + max((LETTER * len(name) for name in names[1].values()), default=0) * bool(names[1])
    turned = plot.xaxis[0].major_label_orientation != "horizontal"
    below = 46 + (max((LETTER * len(name) for name in names[0].values()), default=0) if turned else 0)
    height = float(plot.height or 320)
    across = _axis(plot, "x", left, WIDTH - 16)
    up = _axis(plot, "y", height - below, 10)
    ticks = [
        _ticks(plot.xaxis[0], across, names[0], LINE if turned else 34),
        _ticks(plot.yaxis[0], up, names[1], LINE if names[1] else 34),
    ]
    frame = f'<rect x="{left:.1f}" y="0" width="{WIDTH - left:.1f}" height="{height - below:.1f}"/>'
    identity = f"frame-{plot.id}"
    parts = [
        f'<svg viewBox="0 0 {WIDTH} {height:.0f}" role="presentation" font-size="11" fill="var(--muted)">',
        f'<clipPath id="{identity}">{frame}</clipPath>',
        *_grid(plot, across, up, ticks),
        f'<g clip-path="url(#{identity})">',
        *(_span(span, across, up) for span in plot.center if isinstance(span, Span)),
        *(mark for renderer in plot.renderers for mark in _glyph(renderer, across, up)),
        "</g>",
        *_labels(across, up, ticks, turned),
        _text(plot.xaxis[0].axis_label, (across.start + across.end) / 2, height - 6, "middle"),
        _text(plot.yaxis[0].axis_label, 12, (up.start + up.end) / 2, "middle", turn=-90),
        "</svg>",
    ]
    return Markup("".join(parts))


def _names(axis: Any) -> Mapping[float, str]:
    return {float(place): str(name) for place, name in axis.major_label_overrides.items()}


def _axis(plot: figure, side: str, start: float, end: float) -> Axis:
    limits = getattr(plot, f"{side}_range")
    scale = isinstance(getattr(plot, f"{side}_scale"), LogScale)
    given = [value if isinstance(value, int | float) else None for value in (limits.start, limits.end)]
    low, high = (None if value is None or math.isnan(value) else float(value) for value in given)
    if low is None or high is None:
        shown = np.concatenate([values for renderer in plot.renderers for values in _extent(renderer, side)])
        smallest, largest = float(shown.min()), float(shown.max())
        if scale:
            space = (largest / max(smallest, 1e-12)) ** 0.05
            low, high = low or smallest / space, high or largest * space
        else:
            space = 0.05 * (largest - smallest or abs(largest) or 1.0)
            low = smallest - space if low is None else low
            high = largest + space if high is None else high
    return Axis(low, high, start, end, scale)


def _extent(renderer: Any, side: str) -> Iterator[Numbers]:
    names = (side,) if hasattr(renderer.glyph, side) else (f"{side}1", f"{side}2")
    for name in names:
        yield _values(renderer, name)


def _ticks(axis: Any, scale: Axis, names: Mapping[float, str], least: float) -> list[tuple[float, str]]:
    """(value, label) of every tick that fits, `least` apart."""
    if isinstance(axis.ticker, FixedTicker):
        values = [float(value) for value in axis.ticker.ticks]
    elif names:
        values = list(names)
    else:
        values = _round_values(scale)
    found: list[tuple[float, str]] = []
    for value in sorted(value for value in values if scale.holds(value)):
        apart = not found or abs(scale.place(value) - scale.place(found[-1][0])) >= least
        if apart:
            found.append((value, names.get(value, f"{value:,g}")))
    return found


def _round_values(scale: Axis) -> list[float]:
    """About six round values between the ends."""
    low, high = sorted((scale.low, scale.high))
    rough = (high - low) / 6
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * digit for digit in (1, 2, 5, 10) if power * digit >= rough)
    return [round(step * number, 10) for number in range(math.ceil(low / step), math.floor(high / step) + 1)]


def _grid(plot: figure, across: Axis, up: Axis, ticks: list[list[tuple[float, str]]]) -> Iterator[str]:
    top, bottom = up.end, up.start
    path = []
    if plot.xgrid[0].visible:
        path += [f"M{across.place(value):.1f} {bottom:.1f}V{top:.1f}" for value, _ in ticks[0]]
    if plot.ygrid[0].visible:
        path += [f"M{across.start:.1f} {up.place(value):.1f}H{across.end:.1f}" for value, _ in ticks[1]]
    path.append(f"M{across.start:.1f} {top:.1f}V{bottom:.1f}H{across.end:.1f}")
    yield f'<path d="{"".join(path)}" stroke="var(--line)" fill="none"/>'


def _labels(across: Axis, up: Axis, ticks: list[list[tuple[float, str]]], turned: bool) -> Iterator[str]:
    for value, label in ticks[0]:
        place = across.place(value)
        if turned:
            yield _text(label, place + 4, up.start + 8, "end", turn=-69)
        else:
            yield _text(label, place, up.start + 16, "middle")
    for value, label in ticks[1]:
        yield _text(label, across.start - 7, up.place(value) + 4, "end")


def _text(text: str | None, x: float, y: float, anchor: str, turn: int = 0) -> str:
    place = f'transform="translate({x:.1f} {y:.1f}) rotate({turn})"' if turn else f'x="{x:.1f}" y="{y:.1f}"'
    return f'<text {place} text-anchor="{anchor}">{escape(text or "")}</text>'


def _span(span: Span, across: Axis, up: Axis) -> str:
    place = across.place(float(span.location))
    return f'<path d="M{place:.1f} {up.start:.1f}V{up.end:.1f}" stroke="{_colour(span.line_color)}"/>'


def _glyph(renderer: Any, across: Axis, up: Axis) -> Iterator[str]:
    glyph = renderer.glyph if isinstance(renderer, GlyphRenderer) else renderer
    if isinstance(glyph, Line):
        dashes = ' stroke-dasharray="6 4"' if glyph.line_dash else ""
        x, y = across.places(_values(renderer, "x")), up.places(_values(renderer, "y"))
        yield (
            f'<path d="M{_points(x, y)}" fill="none" '
            f'stroke="{_colour(glyph.line_color)}" stroke-width="{glyph.line_width}" stroke-linejoin="round"{dashes}/>'
        )
    elif isinstance(glyph, VArea):
        x = across.places(_values(renderer, "x"))
        low, high = (up.places(_values(renderer, name)) for name in ("y1", "y2"))
        yield (
            f'<path d="M{_points(x, low)}L{_points(x[::-1], high[::-1])}Z" fill="{_colour(glyph.fill_color)}" '
            f'fill-opacity="{glyph.fill_alpha}"/>'
        )
    elif isinstance(glyph, Scatter):
        x, y = across.places(_values(renderer, "x")), up.places(_values(renderer, "y"))
        for left, top, size in zip(x, y, _values(renderer, "size"), strict=True):
            yield (
                f'<circle cx="{left:.1f}" cy="{top:.1f}" r="{size / 2:.1f}" fill="{_colour(glyph.fill_color)}" '
                f'fill-opacity="{glyph.fill_alpha}" stroke="{_colour(glyph.line_color)}" '
                f'stroke-width="{glyph.line_width}"/>'
            )
    elif isinstance(glyph, Rect):
        x, y = across.places(_values(renderer, "x")), up.places(_values(renderer, "y"))
        wide = abs(across.place(float(glyph.width)) - across.place(0))
        tall = abs(up.place(float(glyph.height)) - up.place(0))
        colours = [_colour(value) for value in renderer.data_source.data[glyph.fill_color]]
        for left, top, colour, alpha in zip(x, y, colours, _values(renderer, "fill_alpha"), strict=True):
            yield (
                f'<rect x="{left - wide / 2:.1f}" y="{top - tall / 2:.1f}" width="{wide:.1f}" height="{tall:.1f}" '
                f'fill="{colour}" fill-opacity="{alpha:.2f}"/>'
            )
    else:
        raise TypeError(f"{type(glyph).__name__}: cannot be drawn as SVG")


def _values(renderer: Any, name: str) -> Numbers:
    """The numbers of a glyph's property: a column of its data, or one number for all rows."""
    data, value = renderer.data_source.data, getattr(renderer.glyph, name)
    rows = len(next(iter(data.values())))
    found = data[value] if isinstance(value, str) else np.full(rows, float(value))
    return np.asarray(found, dtype=np.float64)


def _points(x: Numbers, y: Numbers) -> str:
    return "L".join(f"{left:.1f} {top:.1f}" for left, top in zip(x, y, strict=True))


def _colour(value: Any) -> str:
    """The page's variable for a placeholder."""
    return COLOURS[str(value)]
