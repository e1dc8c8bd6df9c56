"""Static drawings: positions, ticks, colours, and glyphs that are not known."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import numpy as np
import pytest
from bokeh.models import FixedTicker
from bokeh.plotting import figure

from edge_ptf.report import plots
from edge_ptf.report.plots import INK, Point
from edge_ptf.report.static_plots import WIDTH, static_plot

from .conftest import latency_of


def labels(drawing: str) -> list[str]:
    return [text.text or "" for text in ElementTree.fromstring(drawing).iter("text")]


def test_values_stand_where_the_axes_say() -> None:
    plot = figure(height=200, x_range=(0, 10), y_range=(0, 4), x_axis_label="across", y_axis_label="up")
    plot.scatter([0, 10, 5], [0, 4, 2], size=8, color=INK["package"])
    drawing = static_plot(plot)
    places = [
        (float(dot.get("cx", "")), float(dot.get("cy", ""))) for dot in ElementTree.fromstring(drawing).iter("circle")
    ]
    (left, bottom), (right, top), middle = places
    assert 0 < left < right < WIDTH and 0 < top < bottom < 200
    assert middle == pytest.approx(((left + right) / 2, (top + bottom) / 2), abs=0.1)
    assert labels(drawing) == ["0", "2", "4", "6", "8", "10", "0", "1", "2", "3", "4", "across", "up"]
    assert f'fill="var(--{"package"})"' in drawing


def test_a_logarithmic_axis_has_equal_steps_and_no_labels_over_each_other() -> None:
    plot = figure(height=200, x_axis_type="log", x_range=(0.1, 1000), y_range=(0, 1))
    plot.xaxis.ticker = FixedTicker(ticks=[digit * 10.0**power for power in range(-3, 5) for digit in range(1, 10)])
    plot.line([0.1, 1, 10], [0, 0.5, 1], color=INK["teacher"])
    drawing = static_plot(plot)
    x = [float(place) for place in re.findall(r"[ML]([\d.]+) ", str(drawing).split('clip-path="url')[1])][:3]
    assert x[1] - x[0] == pytest.approx(x[2] - x[1], abs=0.2)
    ticks = [
        float(text.get("x", "")) for text in ElementTree.fromstring(drawing).iter("text") if text.get("y") == "170.0"
    ]
    assert len(ticks) > 8 and min(np.diff(ticks)) >= 34


@pytest.mark.parametrize("kind", ["distribution", "time_series", "front"])
def test_the_plots_of_a_report_are_valid_and_have_only_colours_of_the_page(kind: str) -> None:
    if kind == "front":
        plot = plots.front([Point("teacher", 1, 90, 9, "teacher"), Point("<b>", 8, 89, None, "package")], "F1", "%")
    else:
        plot = getattr(plots, kind)(latency_of("p"))
    drawing = static_plot(plot)
    marks = list(ElementTree.fromstring(drawing).iter())
    colours = {mark.get(name) for mark in marks for name in ("fill", "stroke")} - {None, "none"}
    assert colours <= {f"var(--{name})" for name in INK}
    assert len([mark for mark in marks if mark.tag in ("path", "circle")]) > 2


def test_names_are_text_and_only_as_many_as_fit() -> None:
    names = [f"<class {number}>" for number in range(200)]
    drawing = static_plot(plots.confusion({(name, name): 1 for name in names}, names))  # type: ignore[arg-type]
    assert "<class" not in drawing
    shown = [text for text in labels(drawing) if text.startswith("<class")]
    assert 20 < len(shown) < 120 and shown[0] == "<class 0>"


def test_an_unknown_glyph_is_an_error() -> None:
    plot = figure(x_range=(0, 1), y_range=(0, 1))
    plot.vbar([0.5], top=[1], width=0.1)
    with pytest.raises(TypeError, match="VBar: cannot be drawn"):
        static_plot(plot)
