"""The page in a browser: on a phone, in dark mode, by keyboard, and by the rules of WCAG."""

from __future__ import annotations

import base64
import json
import re
import shutil
import subprocess
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from edge_ptf.report.comparison import compare
from edge_ptf.report.page import comparison_page, report_page, write_page

from .conftest import SCOPE

HOSTILE = ("</script><img src=x onerror=alert(1)>", "<svg onload=alert(1)>", "<b>bold</b>", "@name{safe}", "plain")
DRAW_ALL = """new Promise((done) => document.dispatchEvent(new CustomEvent("edge-ptf:draw-all",
  {detail: {done: (all) => all.then(() => done(true))}})))"""
EVERY_ELEMENT = """(function walk(node) {
  return [...node.children].flatMap((child) =>
    [child, ...walk(child), ...(child.shadowRoot ? walk(child.shadowRoot) : [])]);
})(document.body)"""
AXE = "axe-core@4.14.1"

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def large(make_study: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report of 151 classes and 5,500 texts."""
    return write_page(report_page(make_study(classes=151, rows=5500)), tmp_path_factory.mktemp("large") / "report.html")


@pytest.fixture(scope="module")
def axe(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The accessibility checker's script. Skips if npm cannot download it."""
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("no npm to bring axe-core")
    folder = tmp_path_factory.mktemp("axe")
    done = subprocess.run([npm, "pack", AXE], cwd=folder, capture_output=True, text=True, timeout=120, check=False)
    packed = list(folder.glob("axe-core-*.tgz"))
    if done.returncode or not packed:
        pytest.skip("npm cannot bring axe-core here")
    with tarfile.open(packed[0]) as archive:
        script = archive.extractfile("package/axe.min.js")
        assert script is not None
        return script.read().decode()


@pytest.fixture(autouse=True)
def tidy(browser: Any) -> Iterator[None]:
    """Every test begins in a light desktop window."""
    browser.resize(1280, 900)
    browser.prefer()
    yield


def test_it_draws_every_plot_and_asks_for_nothing(browser: Any, large: Path) -> None:
    browser.open(large)
    assert browser.run(DRAW_ALL)
    drawn = browser.run("""[...document.querySelectorAll("[data-plot]")]
      .filter((place) => place.querySelector("*")?.shadowRoot || place.querySelector(".bk-Figure, [class^=bk]"))
      .map((place) => place.dataset.plot)""")
    assert set(drawn) == {*("classes", "matrix-worst", "latency-1-distribution", "latency-1-series", "front")}
    assert browser.complaints() == []


@pytest.mark.parametrize("width", [320, 390, 768, 1280])
def test_the_page_never_scrolls_sideways(browser: Any, large: Path, width: int) -> None:
    browser.resize(width, 844, phone=width < 700)
    browser.open(large)
    browser.run(DRAW_ALL)
    assert browser.run("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_the_checker_of_accessibility_finds_nothing(
    browser: Any, large: Path, axe: str, dark: bool, width: int
) -> None:
    browser.resize(width, 844, phone=width < 700)
    browser.prefer(dark=dark, reduced_motion=True)
    browser.open(large)
    browser.run(DRAW_ALL)
    browser.run('document.querySelectorAll("details").forEach((part) => { part.open = true; })')
    assert violations(browser, axe) == []


def test_the_comparison_is_accessible_and_fits(
    browser: Any, axe: str, make_study: Callable[..., Any], tmp_path: Path
) -> None:
    found = compare(make_study(), make_study(rows=300), ("a/package.eptf", "b/package.eptf"))
    browser.resize(390, 844, phone=True)
    browser.open(write_page(comparison_page(found), tmp_path / "compare.html"))
    assert browser.run("document.documentElement.scrollWidth") <= 390
    assert violations(browser, axe) == []
    assert browser.complaints() == []


def violations(browser: Any, axe: str) -> list[str]:
    browser.call("Runtime.evaluate", expression=axe)
    rules = json.dumps({"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]})
    return list(
        browser.run(f"""axe.run(document, {rules}).then((found) => found.violations.map((rule) =>
          `${{rule.id}}: ${{rule.nodes.map((node) => node.html.slice(0, 120)).slice(0, 3).join(" | ")}}`))""")
    )


def test_the_theme_follows_the_system_until_the_reader_chooses(browser: Any, large: Path) -> None:
    ground = "getComputedStyle(document.body).backgroundColor"
    browser.open(large)
    light = browser.run(ground)
    browser.prefer(dark=True)
    dark = browser.run(ground)
    assert light != dark
    browser.run('document.getElementById("theme").click()')
    assert browser.run(ground) == light
    browser.prefer(dark=False)
    browser.run("localStorage.clear()")


def test_plots_zoom_by_keyboard(browser: Any, large: Path) -> None:
    browser.open(large)
    browser.run(DRAW_ALL)
    span = """(() => { const range = Bokeh.documents.flatMap((doc) => doc.roots()).map((root) => root.x_range)
      .find((found) => found.end > 2000); return range.end - range.start; })()"""
    before = browser.run(span)
    browser.run("""document.querySelector('[data-for="latency-1-series"] [data-zoom="in"]').focus()""")
    browser.press("Enter", 13)
    browser.run("document.activeElement.click()")
    closer = browser.run(span)
    assert closer < before
    browser.run("""document.querySelector('[data-for="latency-1-series"] [data-zoom="reset"]').click()""")
    assert browser.run(span) == before


def test_tables_are_searched_and_sorted(browser: Any, large: Path) -> None:
    browser.open(large)
    shown = """[...document.querySelectorAll('[data-table="classes"] tbody tr')].filter((row) => !row.hidden)
      .map((row) => row.cells[0].textContent)"""
    assert len(browser.run(shown)) == 151
    browser.run("""(() => { const box = document.querySelector('[data-table="classes"] input'); box.value = "intent_01";
      box.dispatchEvent(new Event("input")); })()""")
    assert browser.run(shown) and all(name.startswith("intent_01") for name in browser.run(shown))
    browser.run("""document.querySelector('[data-table="classes"] thead button').click()""")
    assert browser.run(shown) == sorted(browser.run(shown))
    head = """document.querySelector('[data-table="classes"] thead th').getAttribute("aria-sort")"""
    assert browser.run(head) == "ascending"


def test_examples_are_filtered_by_side_and_text(browser: Any, large: Path) -> None:
    browser.open(large)
    sides = '[...new Set([...document.querySelectorAll(".cards .side")].map((found) => found.textContent))].sort()'
    assert browser.run(sides) == ["Gained", "Lost"]
    browser.run("document.querySelector('[data-examples] input[value=\"1\"]').click()")
    assert browser.run(sides) == ["Lost"]
    count = """document.querySelector("[data-examples] .count").textContent"""
    before = browser.run(count)
    browser.run("""(() => { const box = document.querySelector('[data-examples] input[type=search]');
      box.value = "no such text"; box.dispatchEvent(new Event("input")); })()""")
    assert browser.run(count) == "0 of 0 shown" != before


def test_what_the_data_says_never_runs(browser: Any, make_study: Callable[..., Any], tmp_path: Path) -> None:
    study = make_study(classes=len(HOSTILE) + 1, rows=300, names=list(HOSTILE), text=HOSTILE[0])
    browser.open(write_page(report_page(study), tmp_path / "report.html"))
    browser.run(DRAW_ALL)
    point = browser.run("""(() => { const place = document.querySelector('[data-plot="matrix"]');
      place.scrollIntoView({block: "center", behavior: "instant"});
      const view = [...Object.values(Bokeh.index.roots ?? Bokeh.index)].find((found) => found.model.x_range?.end === 5.5
        && found.model.y_range?.start === 5.5);
      const box = view.frame.bbox, room = view.el.getBoundingClientRect();
      return [room.x + box.left + box.width * 0.5 / 6, room.y + box.top + box.height * 0.5 / 6]; })()""")
    browser.call("Input.dispatchMouseEvent", type="mouseMoved", x=point[0] - 3, y=point[1])
    browser.call("Input.dispatchMouseEvent", type="mouseMoved", x=point[0], y=point[1])
    browser.run("new Promise((done) => setTimeout(done, 400))")
    text = browser.run(f"""{EVERY_ELEMENT}.filter((found) => String(found.className).toLowerCase().includes("tooltip"))
      .map((found) => found.shadowRoot?.textContent ?? found.textContent).join(" ")""")
    assert "times" in text, "the tooltip is shown"
    inside = browser.run(f"""{EVERY_ELEMENT}.filter((found) => ["IMG", "B"].includes(found.tagName)
      || found.hasAttribute("onload")).length""")
    assert inside == 0
    assert SCOPE in browser.run("document.body.textContent")
    assert browser.complaints() == []


BOX = """((found) => { const box = found.getBoundingClientRect();
  return [box.left, box.right, box.width, box.height]; })"""


@pytest.mark.parametrize("width", [320, 390])
def test_a_phone_shows_the_difference_without_scrolling(browser: Any, large: Path, width: int) -> None:
    browser.resize(width, 844, phone=True)
    browser.open(large)
    for table, column in ((".metrics", 4), ('[data-table="classes"] table', 4)):
        cells = f"""[...document.querySelectorAll('{table} tr :nth-child({column})')].map({BOX})"""
        boxes = browser.run(cells)
        assert len(boxes) > 3
        room = browser.run(f"""({BOX})(document.querySelector('{table}').closest(".scroll"))""")
        for left, right, wide, _ in boxes:
            assert wide > 0
            assert left >= 0 and right <= min(width, room[1]) + 0.5, table


def printed(browser: Any) -> bytes:
    """The page as PDF. Nothing waits until a script has drawn a plot."""
    return base64.b64decode(browser.call("Page.printToPDF", printBackground=True)["data"])


def test_every_plot_is_on_paper(browser: Any, large: Path) -> None:
    browser.open(large)
    browser.call("Emulation.setEmulatedMedia", media="print")
    shown = browser.run(f"""[...document.querySelectorAll(".plot")].map((plot) =>
      [plot.querySelector("[data-still]").dataset.still, ...({BOX})(plot.querySelector("svg")),
       plot.querySelectorAll("path, rect, circle").length])""")
    browser.call("Emulation.setEmulatedMedia", media="")
    assert {name for name, *_ in shown} == {
        *("classes", "matrix-worst", "matrix", "latency-1-distribution", "latency-1-series", "front")
    }
    for name, _, _, wide, tall, marks in shown:
        assert wide > 300 and tall > 150 and marks > 3, name


def test_paper_is_light_has_no_controls_and_little_empty_space(browser: Any, large: Path) -> None:
    browser.prefer(dark=True)
    browser.open(large)
    browser.call("Emulation.setEmulatedMedia", media="print")
    ground, ink = browser.run(
        "[document.body, document.querySelector('h1')].map((part) => getComputedStyle(part))"
        ".map((style) => [style.backgroundColor, style.color])"
    )
    controls = browser.run("""[...document.querySelectorAll("nav, button:not(th button), input[type=search], .drawing")]
      .filter((part) => part.getClientRects().length).map((part) => part.outerHTML.slice(0, 60))""")
    browser.call("Emulation.setEmulatedMedia", media="")
    assert ground[0] == "rgba(0, 0, 0, 0)" and ink[1] == "rgb(28, 33, 38)"
    assert controls == []
    pages = len(re.findall(rb"/Type\s*/Page\b(?!s)", printed(browser)))
    assert 8 <= pages <= 25, "151 classes need four pages; a section that may not break would leave empty ones"


def test_closed_parts_are_open_on_paper_alone(browser: Any, large: Path) -> None:
    browser.open(large)
    opened = """[...document.querySelectorAll("details")].map((part) => part.open)"""
    assert not any(browser.run(opened))
    browser.run('dispatchEvent(new Event("beforeprint"))')
    assert all(browser.run(opened))
    browser.run('dispatchEvent(new Event("afterprint"))')
    assert not any(browser.run(opened))


def test_plots_are_there_without_javascript(browser: Any, large: Path) -> None:
    browser.call("Emulation.setScriptExecutionDisabled", value=True)
    try:
        browser.open(large)
        browser.call("Emulation.setScriptExecutionDisabled", value=False)
        drawn = browser.run("""[...document.querySelectorAll(".still")].filter((still) => still.clientHeight > 150)
          .map((still) => still.dataset.still)""")
    finally:
        browser.call("Emulation.setScriptExecutionDisabled", value=False)
    assert "latency-1-series" in drawn and "classes" in drawn
