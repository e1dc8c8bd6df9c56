"""`report` and `compare` on what cannot be reported: one line, the right exit code."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture
def package(make_payload: Callable[..., Any], tmp_path: Path) -> Path:
    """A package that was never sealed."""
    return Path(shutil.copyfile(make_payload().path, tmp_path / "package.eptf"))


def test_an_unsealed_package_has_a_page_without_a_verdict(run: Callable, package: Path) -> None:
    done = run("report", package)
    assert done.returncode == 0, done.stderr
    page = package.with_name("report.html").read_text(encoding="utf-8")
    assert "not sealed" in page
    assert "report.html" in done.stdout


def test_a_run_whose_data_is_gone_is_reported_with_numbers(run: Callable, package: Path, tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text(json.dumps({"package": package.name, "data": {"source": "gone/"}}))
    done = run("report", tmp_path)
    assert done.returncode == 0, done.stderr
    assert "The data of the run cannot be shown: gone/" in done.stdout
    assert (tmp_path / "report.html").exists()


def test_what_cannot_be_reported_is_named(run: Callable, package: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "run.json").write_text("[]")
    (tmp_path / "text.eptf").write_text("hello")
    for subject, said in (
        ("empty", "neither a package nor a finished run"),
        ("broken", "damaged"),
        ("text.eptf", "not a package"),
        ("nowhere", "does not exist"),
    ):
        done = run("report", subject)
        assert done.returncode == 2
        assert said in done.stderr
        assert "Traceback" not in done.stderr
    (tmp_path / "run" / "x").mkdir(parents=True)
    (tmp_path / "run" / "run.json").write_text(json.dumps({"package": "gone.eptf"}))
    assert run("report", "run").returncode == 2
    blocked = run("report", package, "--out", f"{package}/report.html")
    assert blocked.returncode == 5
    assert len(blocked.stderr.strip().splitlines()) == 1


def test_a_package_is_not_compared_with_itself(run: Callable, package: Path) -> None:
    done = run("compare", package, package)
    assert done.returncode == 2
    assert "compared with itself" in done.stderr


def test_two_packages_side_by_side(run: Callable, package: Path, make_payload: Callable[..., Any]) -> None:
    other = shutil.copyfile(make_payload(mode="fp32").path, package.with_name("other.eptf"))
    done = run("compare", other, package)
    assert done.returncode == 0, done.stderr
    size = next(line for line in done.stdout.splitlines() if "package size" in line)
    assert "better" in size
    assert "INT8" in done.stdout
