"""Screenshots of a run's report (desktop, phone, dark, print) in docs/images/, its size, and how long it takes to open.

python benchmarks/report_screenshots.py build/clinc150 --data ../shared/data/clinc150
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from browser import Browser

IMAGES = Path(__file__).resolve().parents[1] / "docs" / "images"
VIEWS = {
    "report-desktop": {"width": 1280, "height": 1400},
    "report-phone": {"width": 390, "height": 1100, "phone": True},
    "report-dark": {"width": 1280, "height": 1400, "dark": True},
}
OPENINGS = 5
LOAD_MS = "performance.getEntriesByType('navigation')[0].loadEventEnd"
PAINT_MS = "performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? null"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, help="a run directory of compress, or a package")
    parser.add_argument("--data", help="the data of the run, to add the texts to the report")
    given = parser.parse_args()
    page = (given.run if given.run.is_dir() else given.run.parent) / "report.html"
    if given.data or not page.exists():
        command = [sys.executable, "-m", "edge_ptf", "report", str(given.run), "--out", str(page)]
        subprocess.run([*command, *(["--data", given.data] if given.data else [])], check=True)
    IMAGES.mkdir(parents=True, exist_ok=True)
    for name, view in VIEWS.items():
        with Browser(**view) as browser:
            browser.open(page)
            browser.run("new Promise((done) => setTimeout(done, 1500))")
            browser.screenshot(IMAGES / f"{name}.png")
            print(f"{IMAGES / name}.png")
    with Browser(1280, 900) as browser, tempfile.TemporaryDirectory() as folder:
        browser.open(page)
        browser.pdf(Path(folder) / "report.pdf")
        to_png = ["pdftoppm", "-png", "-r", "90", "-f", "1", "-l", "1", "-singlefile", f"{folder}/report.pdf"]
        if shutil.which("pdftoppm"):
            subprocess.run([*to_png, str(IMAGES / "report-print")], check=True)
            print(f"{IMAGES / 'report-print'}.png")
        else:
            print("report-print.png       not made: pdftoppm (poppler-utils) is not installed")
    print(f"size, MB               {page.stat().st_size / 1e6:.2f}")
    loads, paints = [], []
    for _ in range(OPENINGS):
        with Browser(1280, 900) as browser:
            browser.open(page)
            browser.run("new Promise((done) => setTimeout(done, 300))")
            loads.append(browser.run(LOAD_MS))
            paints.append(browser.run(PAINT_MS))
    print(f"open, ms, median of {OPENINGS}  {statistics.median(loads):.0f} (slowest {max(loads):.0f})")
    print(f"first paint, ms        {statistics.median(paints):.0f}")


if __name__ == "__main__":
    main()
