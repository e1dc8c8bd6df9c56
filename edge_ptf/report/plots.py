"""The interactive plots, made with Bokeh. Each function makes one figure and decides nothing.

Reasons for Bokeh: it is well maintained (NumFOCUS) and BSD-licensed. Its Python package contains its JavaScript (1.3
MB), so a report needs no network. Plotly's script has 4.8 MB. Vega-Lite needs a compiled package of 34 MB and `eval`,
which the page's content security policy forbids. Packages with D3 or ECharts are maintained by single persons.

The page sets the colours: a figure has the placeholder colours of `INK`, and the page replaces them with those of its
theme. Figures have no toolbar. Instead, the page has buttons beside them that also work with a keyboard.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from bokeh.embed import json_item
from bokeh.models import (
    AdaptiveTicker,
    BoxZoomTool,
    ColumnDataSource,
    DataRange1d,
    FixedTicker,
    HoverTool,
    PanTool,
    Range1d,
    Span,
    WheelZoomTool,
)
from bokeh.plotting import figure
from numpy.typing import NDArray

from edge_ptf.package.evidence import LatencyEvidence
from edge_ptf.report.answers import ClassChange, Pairs
from edge_ptf.training.tuning_record import Tuning

INK = {
    "package": "#0a0b01",
    "teacher": "#0a0b02",
    "text": "#0a0b03",
    "muted": "#0a0b04",
    "line": "#0a0b05",
    "fail": "#0a0b06",
    "surface": "#0a0b07",
}
"""Placeholders for the colours of the page's theme (`--NAME` in report.css)."""
FONT = "system-ui, sans-serif"
STEPS = 240
"""Number of points of a distribution. This is more than a screen can show."""
BLOCKS_A_LAUNCH = 100
LOG_FROM = 5.0
"""Distributions whose values differ by this factor share a logarithmic axis."""
MANY_DECADES = 100.0
"""A logarithmic axis over a larger factor has fewer ticks, so that they fit on a phone."""
__all__ = ["INK", "Point", "as_item", "class_scatter", "confusion", "distribution", "front", "time_series", "trials"]


@dataclass(frozen=True, slots=True)
class Point:
    """One variant of the model: its speed, accuracy and size."""

    name: str
    speed: float
    """Speed relative to the teacher's."""
    metric: float
    size_mb: float | None
    kind: str = "variant"
    """`teacher`, `package` or `variant`."""


def as_item(plot: figure) -> dict[str, Any]:
    """The plot as JSON-like data for the page."""
    item: dict[str, Any] = json_item(plot)
    return item


def distribution(latency: LatencyEvidence) -> figure:
    """Share of calls up to each latency, text → answer, for the package and the teacher measured with it."""
    series = {"package": _joined([launch.end_to_end_ms for launch in latency.launches])}
    if all(launch.baseline_end_to_end_ms for launch in latency.launches):
        series = {"teacher": _joined([launch.baseline_end_to_end_ms for launch in latency.launches]), **series}
    shares = np.linspace(0, 1, STEPS + 1)
    medians = [float(np.median(values)) for values in series.values()]
    logarithmic = max(medians) > LOG_FROM * min(medians)
    plot = _figure("milliseconds", "share of calls, %", x_axis_type="log" if logarithmic else "linear")
    if logarithmic:
        everything = np.concatenate(list(series.values()))
        digits = (1, 2, 5) if everything.max() < MANY_DECADES * everything.min() else (1, 3)
        plot.xaxis.ticker = FixedTicker(ticks=[digit * 10.0**power for power in range(-4, 6) for digit in digits])
    for name, values in series.items():
        source = ColumnDataSource(
            {"ms": np.quantile(values, shares).astype(np.float32), "share": (100 * shares).astype(np.float32)}
        )
        line = plot.line("ms", "share", source=source, color=INK[name], line_width=2.5)
        median = [float(np.median(values))]
        plot.scatter(median, [50.0], size=9, color=INK[name], line_color=INK["surface"], line_width=2)
        tips = [(name, "@share{0.0} % of calls"), ("at most", "@ms{0.000} ms")]
        plot.add_tools(HoverTool(renderers=[line], tooltips=tips, mode="mouse"))
    plot.y_range = Range1d(0, 101, bounds=(-5, 106))
    return plot


def time_series(latency: LatencyEvidence) -> figure:
    """Engine time over the calls of every launch: medians of short blocks, and the range from 5 to 95 %."""
    columns: dict[str, list[float]] = {name: [] for name in ("call", "median", "low", "high", "most", "launch")}
    edges, centres, place = list[float](), dict[float, str](), 0
    for number, launch in enumerate(latency.launches, 1):
        times = np.asarray(launch.engine_ms)
        for block in np.array_split(times, min(BLOCKS_A_LAUNCH, len(times))):
            low, median, high = np.quantile(block, (0.05, 0.5, 0.95))
            row = (place + len(block) / 2, median, low, high, block.max(), number)
            for name, value in zip(columns, row, strict=True):
                columns[name].append(float(value))
            place += len(block)
        centres[place - len(times) / 2] = str(number)
        edges.append(place)
    data = {name: np.asarray(values, dtype=np.float32) for name, values in columns.items()}
    plot = _figure("launch", "engine, milliseconds")
    plot.xgrid.visible = False
    plot.x_range, plot.y_range = Range1d(0, place, bounds=(0, place)), DataRange1d(start=0)
    plot.xaxis.ticker = FixedTicker(ticks=list(centres))
    plot.xaxis.major_label_overrides = centres
    plot.xaxis.major_tick_line_color = None
    for edge in edges[:-1]:
        plot.add_layout(Span(location=edge, dimension="height", line_color=INK["line"], line_width=1))
    for number in range(1, len(latency.launches) + 1):
        mine = data["launch"] == number
        source = ColumnDataSource({name: values[mine] for name, values in data.items()})
        plot.varea("call", "low", "high", source=source, color=INK["package"], alpha=0.22)
        line = plot.line("call", "median", source=source, color=INK["package"], line_width=1.8)
        tips = [("launch", "@launch{0}"), ("median", "@median{0.000} ms"), ("5 to 95 %", "@low{0.000} to @high{0.000}")]
        plot.add_tools(HoverTool(renderers=[line], tooltips=[*tips, ("slowest", "@most{0.000} ms")], mode="vline"))
    return plot


def confusion(pairs: Pairs, names: Sequence[str]) -> figure:
    """The nonzero cells of a confusion matrix. Hits are pale; the colour of a mistake is its share of the class."""
    places = {name: index for index, name in enumerate(names)}
    totals: dict[str, int] = {}
    for (expected, _), times in pairs.items():
        totals[expected] = totals.get(expected, 0) + times
    cells = [(cell, times) for cell, times in sorted(pairs.items()) if cell[0] in places and cell[1] in places]
    share = [100 * times / totals[expected] for (expected, _), times in cells]
    hits = [expected == answered for (expected, answered), _ in cells]
    alpha = [
        0.08 + 0.32 * part / 100 if hit else 0.35 + 0.65 * min(part / 20, 1)
        for part, hit in zip(share, hits, strict=True)
    ]
    source = ColumnDataSource(
        {
            "x": np.asarray([places[answered] for (_, answered), _ in cells], dtype=np.int32),
            "y": np.asarray([places[expected] for (expected, _), _ in cells], dtype=np.int32),
            "expected": [expected for (expected, _), _ in cells],
            "answered": [answered for (_, answered), _ in cells],
            "times": np.asarray([times for _, times in cells], dtype=np.int32),
            "share": np.asarray(share, dtype=np.float32),
            "alpha": np.asarray(alpha, dtype=np.float32),
            "color": [INK["package"] if hit else INK["fail"] for hit in hits],
        }
    )
    count = len(names)
    plot = _figure("answered", "expected", height=min(620, 220 + 40 * count))
    plot.x_range = Range1d(-0.5, count - 0.5, bounds=(-0.5, count - 0.5), min_interval=3)
    plot.y_range = Range1d(count - 0.5, -0.5, bounds=(-0.5, count - 0.5), min_interval=3)
    cells_drawn = plot.rect(
        "x", "y", width=0.94, height=0.94, source=source, fill_color="color", fill_alpha="alpha", line_color=None
    )
    for axis in (plot.xaxis, plot.yaxis):
        axis.ticker = AdaptiveTicker(mantissas=[1, 2, 5], min_interval=1, desired_num_ticks=26, num_minor_ticks=0)
        axis.major_label_overrides = {index: _shortened(name) for index, name in enumerate(names)}
        axis.major_tick_line_color = None
    plot.xaxis.major_label_orientation = 1.2
    plot.grid.visible = False
    tips = [("expected", "@expected"), ("answered", "@answered"), ("times", "@times (@share{0.0} % of the class)")]
    plot.add_tools(HoverTool(renderers=[cells_drawn], tooltips=tips))
    return plot


def class_scatter(classes: Sequence[ClassChange]) -> figure:
    """F1 of every class, teacher against package. A class below the diagonal lost accuracy by compression."""
    both = [row for row in classes if row.before is not None and row.after is not None]
    source = ColumnDataSource(
        {
            "name": [row.name for row in both],
            "before": np.asarray([row.before for row in both], dtype=np.float32),
            "after": np.asarray([row.after for row in both], dtype=np.float32),
            "support": np.asarray([row.support for row in both], dtype=np.int32),
        }
    )
    least = min(float(min(row.before or 0, row.after or 0)) for row in both)
    start = max(0.0, least - 4)
    plot = _figure("F1 of the teacher, %", "F1 of the package, %", height=380)
    plot.x_range, plot.y_range = Range1d(start, 101), Range1d(start, 101)
    plot.line([0, 100], [0, 100], color=INK["muted"], line_dash="dashed", line_width=1)
    dots = plot.scatter(
        "before", "after", source=source, size=9, color=INK["package"], fill_alpha=0.55, line_color=INK["surface"]
    )
    tips = [("class", "@name"), ("teacher", "@before{0.0} %"), ("package", "@after{0.0} %"), ("examples", "@support")]
    plot.add_tools(HoverTool(renderers=[dots], tooltips=tips))
    return plot


def front(points: Sequence[Point], metric: str, unit: str) -> figure:
    """Every variant by speed and metric, which has this unit. A larger circle is a larger package."""
    plot = _figure("speed-up, ×", f"{metric}, {unit}" if unit else metric, height=360)
    largest = max((point.size_mb or 0.0 for point in points), default=0.0) or 1.0
    for kind in ("teacher", "variant", "package"):
        mine = [point for point in points if point.kind == kind]
        if not mine:
            continue
        source = ColumnDataSource(
            {
                "name": [point.name for point in mine],
                "speed": [point.speed for point in mine],
                "metric": [point.metric for point in mine],
                "size": ["unknown" if point.size_mb is None else f"{point.size_mb:.1f} MB" for point in mine],
                "dot": [12 + 30 * float(np.sqrt((point.size_mb or 0.0) / largest)) for point in mine],
            }
        )
        ink = INK["muted"] if kind == "variant" else INK[kind]
        dots = plot.scatter("speed", "metric", size="dot", source=source, color=ink, fill_alpha=0.3, line_width=2)
        tips = [
            ("", "@name"),
            ("speed", "@speed{0.00} ×"),
            (metric, f"@metric{{0.00}} {unit}".strip()),
            ("size", "@size"),
        ]
        plot.add_tools(HoverTool(renderers=[dots], tooltips=tips))
    speeds, metrics = [point.speed for point in points], [point.metric for point in points]
    aside = max((max(metrics) - min(metrics)) * 0.6, 1.0)
    plot.y_range = Range1d(min(metrics) - aside, max(metrics) + aside)
    plot.x_range = Range1d(-0.05 * max(speeds), max(speeds) * 1.15)
    return plot


def trials(found: Tuning, metric: str, unit: str) -> figure:
    """The score of each trial of a hyperparameter search, stopped ones pale, and the best finished one so far."""
    plot = _figure("trial", f"{metric}, {unit}" if unit else metric, height=300)
    finished = [trial for trial in found.trials if trial.state == "finished"]
    rising = found.winner is not None and found.winner.score >= max(trial.score for trial in finished)
    best = np.maximum.accumulate if rising else np.minimum.accumulate
    numbers, scores = [trial.number for trial in finished], [trial.score for trial in finished]
    if finished:
        ahead = {"x": np.asarray(numbers, np.float32), "y": np.asarray(best(scores), np.float32)}
        plot.line("x", "y", source=ColumnDataSource(ahead), color=INK["package"], line_width=2)
    for state, ink in (("finished", INK["package"]), ("stopped", INK["muted"])):
        mine = [trial for trial in found.trials if trial.state == state]
        if mine:
            source = ColumnDataSource(
                {
                    "x": np.asarray([trial.number for trial in mine], np.float32),
                    "y": np.asarray([trial.score for trial in mine], np.float32),
                    "epochs": np.asarray([len(trial.history) for trial in mine], np.int32),
                }
            )
            dots = plot.scatter("x", "y", size=9, source=source, color=ink, fill_alpha=0.5)
            tips = [("trial", "@x{0}"), (metric, f"@y{{0.00}} {unit}".strip()), (state, "after @epochs epochs")]
            plot.add_tools(HoverTool(renderers=[dots], tooltips=tips))
    return plot


def _figure(x_title: str, y_title: str, *, height: int = 320, **more: Any) -> figure:
    plot = figure(
        height=height,
        sizing_mode="stretch_width",
        toolbar_location=None,
        tools=[BoxZoomTool(), PanTool(), WheelZoomTool(modifiers={"ctrl": True})],
        active_drag=None,
        x_axis_label=x_title,
        y_axis_label=y_title,
        background_fill_color=INK["surface"],
        border_fill_color=INK["surface"],
        outline_line_color=None,
        min_border_right=16,
        **more,
    )
    for axis in (*plot.xaxis, *plot.yaxis):
        axis.axis_line_color = INK["line"]
        axis.major_tick_line_color = INK["line"]
        axis.minor_tick_line_color = None
        axis.major_label_text_color = INK["muted"]
        axis.axis_label_text_color = INK["muted"]
        axis.major_label_text_font = axis.axis_label_text_font = FONT
        axis.major_label_text_font_size = axis.axis_label_text_font_size = "12px"
        axis.axis_label_text_font_style = "normal"
        axis.axis_label_standoff = 10
    plot.grid.grid_line_color = INK["line"]
    plot.grid.grid_line_alpha = 0.6
    return plot


def _joined(launches: Sequence[Sequence[float]]) -> NDArray[np.float64]:
    return np.concatenate([np.asarray(launch, dtype=np.float64) for launch in launches])


def _shortened(name: str, most: int = 22) -> str:
    return name if len(name) <= most else f"{name[: most - 1]}…"
