"""Writes the report as one self-contained HTML file: template, style, own script, Bokeh's script, and data as JSON.

Data never becomes markup: Jinja2 escapes it, the JSON cannot end its element, and the script writes text only. The
page's content security policy allows only the two scripts whose digests it contains.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from datetime import date, datetime, timezone
from functools import cache
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup, escape

from edge_ptf import __version__
from edge_ptf.errors import EnvironmentFault
from edge_ptf.report import contents, plots
from edge_ptf.report.comparison import SideBySide
from edge_ptf.report.static_plots import static_plot
from edge_ptf.report.study import Study

HERE = Path(__file__).parent
TEMPLATES = HERE / "templates"
REPORT = "report.html"


def report_page(study: Study, written: date | None = None) -> str:
    """The HTML report of one study.

    Args:
        written: the date in the heading; today (UTC) by default.
    """
    shown = contents.contents(study)
    changed, drawn = shown["changes"], contents.drawings(study)
    day = written or datetime.now(timezone.utc).date()
    shown["heading"].append(("Report written", f"{day.day} {day:%B %Y}"))
    shown["stills"] = {name: static_plot(plot) for name, plot in drawn.items()}
    island = {
        "ink": {f"--{name}": placeholder for name, placeholder in plots.INK.items()},
        "plots": {name: plots.as_item(plot) for name, plot in drawn.items()},
        "changes": changed.pop("island") if changed else None,
    }
    return _page("report.html.j2", f"{shown['name']}: edge-ptf report", island, shown)


def comparison_page(found: SideBySide) -> str:
    """The HTML comparison of two studies, without plots."""
    island: dict[str, Any] = {"ink": {}, "plots": {}, "changes": None}
    return _page("compare.html.j2", "edge-ptf comparison", island, {"found": found}, with_plots=False)


def write_page(page: str, file: Path) -> Path:
    """Writes a page. An earlier page stays until the new one is complete."""
    draft = file.with_name(f".{file.name}.draft")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        draft.write_text(page, encoding="utf-8")
        draft.replace(file)
    except OSError as error:
        raise EnvironmentFault(f"{file}: cannot be written ({error.strerror or error})") from error
    return file


def _page(
    template: str, title: str, island: Mapping[str, Any], shown: Mapping[str, Any], *, with_plots: bool = True
) -> str:
    own = (TEMPLATES / "report.js").read_text(encoding="utf-8")
    library = _library() if with_plots else ""
    return (
        _templates()
        .get_template(template)
        .render(
            shown,
            title=title,
            version=__version__,
            policy=_policy(library, own),
            style=Markup((TEMPLATES / "report.css").read_text(encoding="utf-8")),
            island=_island(island),
            library=Markup(library),
            script=Markup(own),
        )
    )


@cache
def _templates() -> jinja2.Environment:
    found = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    found.filters["breakable"] = _breakable
    return found


def _breakable(name: str) -> Markup:
    """A name that may continue on a new line after an underscore and before a full stop."""
    return Markup(str(escape(name)).replace("_", "_<wbr>").replace(".", "<wbr>."))


@cache
def _library() -> str:
    """Bokeh's script, from its Python package."""
    import bokeh

    return (Path(bokeh.__file__).parent / "server/static/js/bokeh.min.js").read_text(encoding="utf-8").strip()


def _policy(*scripts: str) -> str:
    """Allows no external content, and scripts by digest. Bokeh styles its own elements, which needs 'unsafe-inline'."""
    digests = (base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in scripts)
    allowed = " ".join(f"'sha256-{digest}'" for digest in digests)
    return (
        f"default-src 'none'; script-src {allowed}; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; "
        "form-action 'none'"
    )


def _island(data: Mapping[str, Any]) -> Markup:
    """JSON that an HTML parser cannot end early."""
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return Markup(text)
